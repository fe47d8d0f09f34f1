//! The task-blocking mutex: `src/mutex.rs`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::model::{Bound, explore, past};
use crate::mutex::Mutex;

fn count_to(threads: usize, times: usize) {
    let mutex = Arc::new(Mutex::new(0));
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let mutex = mutex.clone();
            thread::spawn(move || {
                for _ in 0..times {
                    *mutex.lock() += 1;
                }
            })
        })
        .collect();
    for _ in 0..times {
        *mutex.lock() += 1;
    }
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(*mutex.lock(), threads * times);
}

/// Nobody is inside together, nobody sleeps for ever, and each sees what the last one wrote.
#[test]
fn two_tasks() {
    explore("mutex, two tasks", Bound::Complete, 2_000, || {
        count_to(2, 1)
    });
}

// ANCHOR: overtaken
/// One locks three times, the other once. In some executions the other one is woken by the first unlock, finds the mutex
/// taken again, queues up in front and is handed the mutex by the second unlock, just when the third lock is tried.
#[test]
fn overtaken_once() {
    explore(
        "mutex, overtaken and handed over",
        Bound::Preemptions(3),
        400,
        || {
            let mutex = Arc::new(Mutex::new(0));
            let other = thread::spawn({
                let mutex = mutex.clone();
                move || *mutex.lock() += 1
            });
            for _ in 0..3 {
                *mutex.lock() += 1;
            }
            other.join().unwrap();
            assert_eq!(*mutex.lock(), 4);
        },
    );
}
// ANCHOR_END: overtaken

/// Twice each: every way into the queue and out of it.
#[test]
fn two_tasks_twice() {
    explore(
        "mutex, two tasks, twice",
        Bound::Preemptions(4),
        1_500,
        || count_to(2, 2),
    );
}

/// Three: one is coming while another one is queued.
#[test]
fn three_tasks() {
    explore("mutex, three tasks", Bound::Preemptions(3), 2_000, || {
        count_to(3, 1)
    });
}

/// A waiter that gives up, whether queued, woken or being handed the mutex, takes nobody's wake-up with it.
#[test]
fn deadline_against_unlock() {
    explore(
        "mutex, deadline against unlock",
        Bound::Preemptions(3),
        3_000,
        || {
            let mutex = Arc::new(Mutex::new(0));
            let held = mutex.lock();
            let impatient = thread::spawn({
                let mutex = mutex.clone();
                move || match mutex.lock_deadline(past()) {
                    Some(mut guard) => {
                        *guard += 1;
                        1
                    }
                    None => 0,
                }
            });
            let patient = thread::spawn({
                let mutex = mutex.clone();
                move || *mutex.lock() += 10
            });
            drop(held);
            patient.join().unwrap();
            let counted = impatient.join().unwrap();
            assert_eq!(*mutex.lock(), 10 + counted);
        },
    );
}

/// `try_lock` never gets in beside a holder, and what it took can be waited for.
#[test]
fn try_lock_against_lock() {
    explore(
        "mutex, try_lock against lock",
        Bound::Complete,
        1_000,
        || {
            let mutex = Arc::new(Mutex::new(0));
            let trying = thread::spawn({
                let mutex = mutex.clone();
                move || match mutex.try_lock() {
                    Some(mut guard) => {
                        *guard += 1;
                        1
                    }
                    None => 0,
                }
            });
            *mutex.lock() += 10;
            let counted = trying.join().unwrap();
            assert_eq!(*mutex.lock(), 10 + counted);
        },
    );
}

/// A guard that another thread drops.
#[test]
fn unlocked_elsewhere() {
    explore(
        "mutex, unlocked by another thread",
        Bound::Complete,
        4_000,
        || {
            // Leaked, for a guard that may go to another thread; an execution has one.
            let mutex: &'static Mutex<usize> = Box::leak(Box::new(Mutex::new(0)));
            let mut guard = mutex.lock();
            *guard = 1;
            let inside = Arc::new(AtomicBool::new(true));
            let seen = inside.clone();
            let other = thread::spawn(move || {
                seen.store(false, Ordering::Relaxed);
                drop(guard);
            });
            assert_eq!(*mutex.lock(), 1);
            // The other thread wrote this before it unlocked, so it is seen, Relaxed or not.
            assert!(!inside.load(Ordering::Relaxed));
            other.join().unwrap();
        },
    );
}
