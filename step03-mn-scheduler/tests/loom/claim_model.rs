//! The claims at the end of a run, while other threads wake tasks and start new ones.

use loom::sync::Arc;
use loom::thread;

use crate::claim::claim_all;
use crate::global_queue::GlobalQueue;
use crate::model::{Bound, explore};
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{Task, TaskRef};
use crate::task_word::{Park, Unpark};

/// `Task::unpark`, by a thread that is no worker.
fn unpark(queue: &GlobalQueue, task: TaskRef) {
    if task.word.unpark() == Unpark::Queue {
        queue.ready(task, None, Why::Inject);
    }
}

/// All that is in the queue.
fn left(queue: &GlobalQueue) -> Vec<TaskRef> {
    let processor = Processor::new(queue);
    std::iter::from_fn(|| queue.try_next(&processor)).collect()
}

/// `ending::close`, up to the point where the tasks are unwound. Returns the newcomers.
fn close(queue: &GlobalQueue, tasks: &[TaskRef]) -> Vec<TaskRef> {
    let processor = Processor::new(queue);
    claim_all(tasks, || queue.try_next(&processor))
}

fn parked() -> TaskRef {
    let task = Task::new();
    assert_eq!(task.word.try_park(), Park::Parked);
    task
}

/// A parked task is woken while it is claimed. Either the claim comes first, and nobody queues it; or it is queued, and
/// the queue is empty again before it is unwound. In both cases what woke it is not lost.
#[test]
fn claim_against_unpark() {
    explore("claim against unpark", Bound::Complete, 10, || {
        let queue = Arc::new(GlobalQueue::new());
        let task = parked();
        let waker = {
            let queue = queue.clone();
            thread::spawn(move || unpark(&queue, task))
        };
        let newcomers = close(&queue, &[task]);
        assert!(newcomers.is_empty() && left(&queue).is_empty());
        waker.join().unwrap();
        assert!(left(&queue).is_empty(), "queued after the claim");
        assert!(task.word.has_token(), "the wake-up was lost");
    });
}

/// Two tasks, a waker for each.
#[test]
fn claims_against_two_wakers() {
    explore("claims against two wakers", Bound::Complete, 1_500, || {
        let queue = Arc::new(GlobalQueue::new());
        let tasks = [parked(), parked()];
        let wakers = tasks.map(|task| {
            let queue = queue.clone();
            thread::spawn(move || unpark(&queue, task))
        });
        assert!(close(&queue, &tasks).is_empty());
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
        assert!(left(&queue).is_empty(), "queued after the claim");
        assert!(tasks.iter().all(|task| task.word.has_token()));
    });
}

/// A task is woken, and another one is started by a thread that did not see the runtime close. The new one must not be taken
/// for the woken one, which is still to be queued: whoever was claimed is in no queue afterwards, and the new one is not
/// lost.
#[test]
fn claim_against_unpark_and_spawn() {
    explore(
        "claim against unpark and spawn",
        Bound::Complete,
        500,
        || {
            let queue = Arc::new(GlobalQueue::new());
            let (task, new) = (parked(), Task::new());
            let waker = {
                let queue = queue.clone();
                thread::spawn(move || unpark(&queue, task))
            };
            let spawner = {
                let queue = queue.clone();
                thread::spawn(move || queue.ready(new, None, Why::Inject))
            };
            let mut rest = close(&queue, &[task]);
            waker.join().unwrap();
            spawner.join().unwrap();
            rest.extend(left(&queue));
            assert!(
                !rest.iter().any(|one| std::ptr::eq(*one, task)),
                "in a queue while it is unwound"
            );
            assert_eq!(rest.len(), 1, "the new task was lost");
        },
    );
}
