//! Wakers from outside, and a runtime that goes while they are still inside.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::global_queue::GlobalQueue;
use crate::home::Home;
use crate::model::{Bound, explore};
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{Task, TaskRef};
use crate::task_word::{Park, Unpark};

/// What goes with a runtime: its queue, and the rest of the scheduler, of which loom sees who is in it.
struct Runtime {
    home: &'static Home,
    queue: GlobalQueue,
    scheduler: UnsafeCell<u32>,
}

impl Runtime {
    fn new() -> Arc<Self> {
        Arc::new(Runtime {
            home: Box::leak(Box::new(Home::new())),
            queue: GlobalQueue::new(),
            scheduler: UnsafeCell::new(0),
        })
    }

    /// `Task::unpark`, by a thread that is no worker: it queues the task, and has something to do in the scheduler after.
    fn unpark(&self, task: TaskRef) {
        if task.word.unpark() == Unpark::Queue {
            self.home.visit(|| {
                self.queue.ready(task, None, Why::Inject);
                // SAFETY: loom checks that the scheduler is still there.
                self.scheduler.with(|alive| unsafe { *alive });
            });
        }
    }

    /// The worker: waits for its last tasks, ends, and drops the scheduler.
    fn end(&self, tasks: usize) {
        let processor = Processor::new(&self.queue);
        let mut found = 0;
        while found < tasks {
            match self.queue.try_next(&processor) {
                Some(_) => found += 1,
                None => self.queue.idle(&processor, None),
            }
        }
        self.home.leave();
        // SAFETY: loom checks that nobody is in it any more.
        self.scheduler.with_mut(|alive| unsafe { *alive = 1 });
    }
}

fn parked() -> TaskRef {
    let task = Task::new();
    assert_eq!(task.word.try_park(), Park::Parked);
    task
}

/// The last task runs, and the runtime goes, while the thread that woke the task is still on its way out.
#[test]
fn a_waker_against_the_end() {
    explore("a waker against the end", Bound::Complete, 10, || {
        let (runtime, task) = (Runtime::new(), parked());
        let waker = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.unpark(task))
        };
        runtime.end(1);
        waker.join().unwrap();
    });
}

/// Two of them.
#[test]
fn two_wakers_against_the_end() {
    explore(
        "two wakers against the end",
        Bound::Preemptions(2),
        500,
        || {
            let runtime = Runtime::new();
            let wakers = [parked(), parked()].map(|task| {
                let runtime = runtime.clone();
                thread::spawn(move || runtime.unpark(task))
            });
            runtime.end(2);
            wakers.into_iter().for_each(|waker| waker.join().unwrap());
        },
    );
}
