//! The shared queue: what is queued is found, and nobody sleeps beside it.

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;

use crate::global_queue::GlobalQueue;
use crate::model::{Bound, explore};
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{Task, TaskRef};

/// A worker that looks, and sleeps, until it has found one.
fn find(queue: &GlobalQueue) -> TaskRef {
    let processor = Processor::new(queue);
    loop {
        match queue.try_next(&processor) {
            Some(task) => return task,
            None => queue.idle(&processor, None),
        }
    }
}

/// A task is queued while the worker is on its way to sleep.
#[test]
fn ready_against_idle() {
    explore("ready against idle", Bound::Complete, 10, || {
        let queue = Arc::new(GlobalQueue::new());
        let task = Task::new();
        let producer = {
            let queue = queue.clone();
            thread::spawn(move || queue.ready(task, None, Why::Inject))
        };
        assert!(std::ptr::eq(find(&queue), task));
        producer.join().unwrap();
    });
}

/// Two tasks are queued by one thread, while two workers are on their way to sleep. Each of the two finds one: none
/// sleeps beside a task that is ready (go#45867).
#[test]
fn two_sleepers() {
    explore("two sleepers", Bound::Preemptions(4), 1_000, || {
        let queue = Arc::new(GlobalQueue::new());
        let workers = [(); 2].map(|()| {
            let queue = queue.clone();
            thread::spawn(move || _ = find(&queue))
        });
        for _ in 0..2 {
            queue.ready(Task::new(), None, Why::Inject);
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}

/// Two threads queue one each; one worker finds both.
#[test]
fn two_producers() {
    explore("two producers", Bound::Complete, 4_000, || {
        let queue = Arc::new(GlobalQueue::new());
        let tasks = [Task::new(), Task::new()];
        let producers = tasks.map(|task| {
            let queue = queue.clone();
            thread::spawn(move || queue.ready(task, None, Why::Inject))
        });
        let found = [find(&queue), find(&queue)];
        assert!(!std::ptr::eq(found[0], found[1]), "found twice");
        producers
            .into_iter()
            .for_each(|producer| producer.join().unwrap());
    });
}

/// `wake_one` ends a sleep that has begun, or the next one.
#[test]
fn nudge_against_idle() {
    explore("nudge against idle", Bound::Complete, 5, || {
        let queue = Arc::new(GlobalQueue::new());
        let processor = Processor::new(&*queue);
        let nudger = {
            let queue = queue.clone();
            thread::spawn(move || queue.wake_one())
        };
        queue.idle(&processor, None);
        nudger.join().unwrap();
    });
}

/// A nudge and a task at once, and two that sleep: both get up, or one does and finds the task. In no case does the task
/// stay behind while somebody has returned for a nudge that was meant to be in addition.
#[test]
fn nudge_and_ready_against_idle() {
    explore(
        "nudge and ready against idle",
        Bound::Complete,
        1_000,
        || {
            let queue = Arc::new(GlobalQueue::new());
            let processor = Processor::new(&*queue);
            let finder = {
                let queue = queue.clone();
                thread::spawn(move || _ = find(&queue))
            };
            let nudger = {
                let queue = queue.clone();
                thread::spawn(move || queue.wake_one())
            };
            queue.ready(Task::new(), None, Why::Inject);
            finder.join().unwrap();
            nudger.join().unwrap();
            // If the finder has used the nudge up, or there is nothing more to wake, that is all.
            assert!(queue.try_next(&processor).is_none());
        },
    );
}

/// What a worker does until the runtime stops: `Worker::run`.
fn work(queue: &GlobalQueue, stopping: &AtomicBool) -> usize {
    let processor = Processor::new(queue);
    let mut found = 0;
    // Acquire: pairs with the Release in `stop`.
    while !stopping.load(Acquire) {
        match queue.try_next(&processor) {
            Some(_) => found += 1,
            None => queue.idle(&processor, None),
        }
    }
    found
}

/// `Scheduler::stop`.
fn stop(queue: &GlobalQueue, stopping: &AtomicBool) {
    stopping.store(true, Release);
    queue.wake_all();
}

/// The runtime ends while its workers are on their way to sleep. All of them leave.
#[test]
fn stop_against_idle() {
    explore("stop against idle", Bound::Preemptions(3), 700, || {
        let shared = Arc::new((GlobalQueue::new(), AtomicBool::new(false)));
        let workers = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || work(&shared.0, &shared.1))
        });
        stop(&shared.0, &shared.1);
        for worker in workers {
            assert_eq!(worker.join().unwrap(), 0);
        }
    });
}

/// The same with a task that a third thread queues. The worker leaves, and the task was found by it or is still there.
#[test]
fn stop_against_ready_and_idle() {
    explore(
        "stop against ready and idle",
        Bound::Complete,
        5_000,
        || {
            let shared = Arc::new((GlobalQueue::new(), AtomicBool::new(false)));
            let worker = {
                let shared = shared.clone();
                thread::spawn(move || work(&shared.0, &shared.1))
            };
            let producer = {
                let shared = shared.clone();
                thread::spawn(move || shared.0.ready(Task::new(), None, Why::Inject))
            };
            stop(&shared.0, &shared.1);
            let found = worker.join().unwrap();
            producer.join().unwrap();
            let left = shared.0.try_next(&Processor::new(&shared.0));
            assert_eq!(found + usize::from(left.is_some()), 1);
        },
    );
}
