//! Condition variables: `src/condvar.rs`, on `src/crowd.rs`.

use loom::sync::Arc;
use loom::thread;

use crate::condvar::Condvar;
use crate::model::{Bound, explore, past};
use crate::mutex::Mutex;

// ANCHOR: notified_between
/// The notification comes at any moment, also between the waiter's unlock and its park: it is never missed.
#[test]
fn notify_against_wait() {
    explore(
        "condvar, notify against wait",
        Bound::Preemptions(4),
        500,
        || {
            let pair = Arc::new((Mutex::new(false), Condvar::new()));
            let notifier = thread::spawn({
                let pair = pair.clone();
                move || {
                    *pair.0.lock() = true;
                    pair.1.notify_one();
                }
            });
            let (mutex, condvar) = &*pair;
            let guard = condvar.wait_while(mutex.lock(), |ready| !*ready);
            assert!(*guard);
            drop(guard);
            notifier.join().unwrap();
        },
    );
}
// ANCHOR_END: notified_between

/// Two wait, one call lets both go.
#[test]
fn notify_all_wakes_all() {
    explore(
        "condvar, notify_all wakes two",
        Bound::Preemptions(3),
        3_000,
        || {
            let pair = Arc::new((Mutex::new(false), Condvar::new()));
            let waiters: Vec<_> = (0..2)
                .map(|_| {
                    let pair = pair.clone();
                    thread::spawn(move || {
                        drop(pair.1.wait_while(pair.0.lock(), |ready| !*ready));
                    })
                })
                .collect();
            *pair.0.lock() = true;
            pair.1.notify_all();
            for waiter in waiters {
                waiter.join().unwrap();
            }
        },
    );
}

/// Two tasks wait for a token each, and two tokens come with one notification each: no notification goes to a task that
/// has given up, and none is spent on one task twice.
#[test]
fn deadline_against_notify() {
    explore(
        "condvar, deadline against notify_one",
        Bound::Preemptions(3),
        5_000,
        || {
            let pair = Arc::new((Mutex::new(0), Condvar::new()));
            let impatient = thread::spawn({
                let pair = pair.clone();
                move || {
                    // Waits once, for no token in particular; if it was notified it says so to the next one.
                    let (guard, ended) = pair.1.wait_deadline(pair.0.lock(), past());
                    drop(guard);
                    if !ended.timed_out() {
                        pair.1.notify_one();
                    }
                }
            });
            let patient = thread::spawn({
                let pair = pair.clone();
                move || *pair.1.wait_while(pair.0.lock(), |tokens| *tokens == 0) -= 1
            });
            *pair.0.lock() += 1;
            pair.1.notify_one();
            patient.join().unwrap();
            impatient.join().unwrap();
            assert_eq!(*pair.0.lock(), 0);
        },
    );
}
