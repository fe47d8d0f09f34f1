//! A task's word: every pair of transitions that can race.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::inbox::Inbox;
use crate::model::{Bound, explore};
use crate::task_word::{Claim, Park, TaskWord, Unpark};

/// A task without a body, and the worker's inbox.
struct Model {
    word: TaskWord,
    inbox: Inbox<(), ()>,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Model {
            word: TaskWord::new(),
            inbox: Inbox::new(),
        })
    }

    /// `Task::unpark`, on another thread than the worker's.
    fn unpark(&self) {
        if self.word.unpark() == Unpark::Queue {
            self.inbox.arrive(|mail| mail.ready.push(()));
        }
    }

    /// `Worker::park`, and the worker's loop until it is this task's turn again.
    fn park(&self) {
        if self.word.try_park() == Park::Notified {
            return;
        }
        loop {
            match self.inbox.empty().ready.len() {
                0 => self.inbox.sleep(None, None),
                1 => return,
                _ => panic!("a task was queued twice"),
            }
        }
    }
}

/// A wake-up is never lost, and what the waker did before is seen: the one unpark finds the task running, parking or
/// parked.
#[test]
fn park_against_unpark() {
    explore("park against unpark", Bound::Complete, 50, || {
        let task = Model::new();
        let data = Arc::new(UnsafeCell::new(0));
        let waker = {
            let (task, data) = (task.clone(), data.clone());
            thread::spawn(move || {
                // SAFETY: loom checks that nobody else uses it now.
                data.with_mut(|data| unsafe { *data = 1 });
                task.unpark();
            })
        };
        task.park();
        // SAFETY: as above: this is what the model is about.
        data.with(|data| assert_eq!(unsafe { *data }, 1));
        waker.join().unwrap();
    });
}

/// Two wake at once. The task is queued once at a time, two wake-ups end at most two parks, and by then it has seen what
/// both did, be their tokens one or two.
#[test]
fn two_unparks() {
    explore("two unparks", Bound::Preemptions(2), 2_000, || {
        let task = Model::new();
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers = [0, 1].map(|n| {
            let (task, flags) = (task.clone(), flags.clone());
            thread::spawn(move || {
                // Relaxed: it is the unpark that publishes it.
                flags[n].store(true, Relaxed);
                task.unpark();
            })
        });
        let mut parks = 0;
        while !flags.iter().all(|flag| flag.load(Relaxed)) {
            task.park();
            parks += 1;
        }
        assert!(parks <= 2, "two wake-ups end at most two parks");
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
    });
}

/// The runtime ends while somebody wakes a parked task: either the worker owns it and nobody queues it, or it is queued
/// and the worker finds it.
#[test]
fn claim_against_unpark() {
    explore("claim against unpark", Bound::Complete, 10, || {
        let task = Model::new();
        assert_eq!(task.word.try_park(), Park::Parked);
        let waker = {
            let task = task.clone();
            thread::spawn(move || task.unpark())
        };
        let claim = task.word.claim();
        if claim == Claim::Queued {
            while task.inbox.empty().ready.is_empty() {
                thread::yield_now();
            }
            assert!(task.word.has_token(), "it was woken, and may go on");
        }
        waker.join().unwrap();
        assert!(
            task.inbox.empty().ready.is_empty(),
            "queued after the claim"
        );
        assert!(task.word.has_token(), "the wake-up was lost");
    });
}

/// The same for a task that runs, or waits in a queue, and two wakers: the worker may count on what `claim` said.
#[test]
fn claim_against_two_unparks() {
    explore(
        "claim against two unparks",
        Bound::Preemptions(3),
        500,
        || {
            let task = Model::new();
            assert_eq!(task.word.try_park(), Park::Parked);
            let wakers = [(); 2].map(|()| {
                let task = task.clone();
                thread::spawn(move || task.unpark())
            });
            let queued = usize::from(task.word.claim() == Claim::Queued);
            let mut found = 0;
            while found < queued {
                found += task.inbox.empty().ready.len();
                thread::yield_now();
            }
            wakers.into_iter().for_each(|waker| waker.join().unwrap());
            found += task.inbox.empty().ready.len();
            assert_eq!(found, queued, "as often in a queue as the claim has said");
            assert!(task.word.has_token(), "the wake-up was lost");
        },
    );
}
