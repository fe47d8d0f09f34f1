//! Wait groups: `src/wait_group.rs`, on `src/crowd.rs`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::model::{Bound, explore, past};
use crate::wait_group::WaitGroup;

/// Two tasks end, one waits: it is woken, and sees what both did, though the only thing that says so is the counter.
#[test]
fn done_against_wait() {
    explore(
        "wait group, two tasks",
        Bound::Preemptions(3),
        2_000,
        || {
            let group = Arc::new(WaitGroup::new());
            group.add(2);
            let work = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
            let tasks: Vec<_> = work
                .iter()
                .map(|work| {
                    let (work, group) = (work.clone(), group.clone());
                    thread::spawn(move || {
                        work.store(1, Ordering::Relaxed);
                        group.done();
                    })
                })
                .collect();
            group.wait();
            for work in &work {
                assert_eq!(work.load(Ordering::Relaxed), 1);
            }
            for task in tasks {
                task.join().unwrap();
            }
        },
    );
}

/// Two tasks wait for one: both are woken.
#[test]
fn two_wait() {
    explore("wait group, two wait", Bound::Preemptions(3), 3_000, || {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let group = group.clone();
                thread::spawn(move || group.wait())
            })
            .collect();
        group.done();
        for task in waiting {
            task.join().unwrap();
        }
    });
}

/// Used again as soon as the wait is over, while `done` may still be looking for others to wake: who waits for the
/// second round is not let go by the first.
#[test]
fn used_again_at_once() {
    explore(
        "wait group, used again at once",
        Bound::Preemptions(4),
        1_000,
        || {
            let group = Arc::new(WaitGroup::new());
            group.add(1);
            let task = thread::spawn({
                let group = group.clone();
                move || group.done()
            });
            group.wait();
            group.add(1);
            assert!(!group.wait_deadline(past()));
            group.done();
            assert!(group.wait_deadline(past()));
            task.join().unwrap();
        },
    );
}

/// A waiter that gives up leaves nothing behind that `done` would stumble over, and says what is true.
#[test]
fn deadline_against_done() {
    explore(
        "wait group, deadline against done",
        Bound::Preemptions(4),
        300,
        || {
            let group = Arc::new(WaitGroup::new());
            group.add(1);
            let work = Arc::new(AtomicUsize::new(0));
            let task = thread::spawn({
                let (group, work) = (group.clone(), work.clone());
                move || {
                    work.store(1, Ordering::Relaxed);
                    group.done();
                }
            });
            if group.wait_deadline(past()) {
                assert_eq!(work.load(Ordering::Relaxed), 1);
            }
            task.join().unwrap();
            assert!(group.wait_deadline(past()));
        },
    );
}
