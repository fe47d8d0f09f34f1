//! The semaphore: `src/semaphore.rs`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::model::{Bound, explore, past};
use crate::semaphore::Semaphore;

/// Two permits, two tasks that want both: one after the other, and the second sees what the first one did.
#[test]
fn two_tasks() {
    explore("semaphore, two tasks", Bound::Preemptions(4), 400, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let inside = Arc::new(AtomicUsize::new(0));
        let enter = |semaphore: &Semaphore, inside: &AtomicUsize| {
            let _both = semaphore.acquire(2);
            // Not a read-modify-write: if two were inside together, one of the two would be lost.
            inside.store(inside.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        };
        let other = thread::spawn({
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            move || enter(&semaphore, &inside)
        });
        enter(&semaphore, &inside);
        other.join().unwrap();
        assert_eq!(inside.load(Ordering::Relaxed), 2);
        assert_eq!(semaphore.available(), 2);
    });
}

// ANCHOR: first_gives_up
/// Two permits are free. The first in the queue wants three and gives up; the second wants one. Nobody will ever
/// release, so if the first does not let the second go, nobody does.
#[test]
fn first_gives_up() {
    explore(
        "semaphore, the first in the queue gives up",
        Bound::Preemptions(4),
        100,
        || {
            let semaphore = Arc::new(Semaphore::new(2));
            let large = thread::spawn({
                let semaphore = semaphore.clone();
                move || assert!(semaphore.acquire_deadline(3, past()).is_none())
            });
            semaphore.acquire(1).forget();
            large.join().unwrap();
            assert_eq!(semaphore.available(), 1);
        },
    );
}
// ANCHOR_END: first_gives_up

/// A deadline that comes while the permits do: they are with the task or with the semaphore, never nowhere.
#[test]
fn deadline_against_release() {
    explore(
        "semaphore, deadline against release",
        Bound::Preemptions(4),
        150,
        || {
            let semaphore = Arc::new(Semaphore::new(0));
            let taking = thread::spawn({
                let semaphore = semaphore.clone();
                move || match semaphore.acquire_deadline(1, past()) {
                    Some(permit) => {
                        permit.forget();
                        1
                    }
                    None => 0,
                }
            });
            semaphore.release(2);
            assert_eq!(taking.join().unwrap() + semaphore.available(), 2);
        },
    );
}

/// One release serves two who wait.
#[test]
fn release_serves_two() {
    explore(
        "semaphore, one release serves two",
        Bound::Preemptions(3),
        1_500,
        || {
            let semaphore = Arc::new(Semaphore::new(0));
            let tasks: Vec<_> = (0..2)
                .map(|_| {
                    let semaphore = semaphore.clone();
                    thread::spawn(move || semaphore.acquire(1).forget())
                })
                .collect();
            semaphore.release(2);
            for task in tasks {
                task.join().unwrap();
            }
            assert_eq!(semaphore.available(), 0);
        },
    );
}
