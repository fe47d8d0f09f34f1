//! The internal lock: `src/lock.rs`.

use loom::sync::Arc;
use loom::thread;

use crate::lock::Lock;
use crate::model::{Bound, explore};

fn count_to(threads: usize, times: usize) {
    let lock = Arc::new(Lock::new(0));
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let lock = lock.clone();
            thread::spawn(move || {
                for _ in 0..times {
                    *lock.lock() += 1;
                }
            })
        })
        .collect();
    for _ in 0..times {
        *lock.lock() += 1;
    }
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(*lock.lock(), threads * times);
}

/// Nobody is ever inside together, nobody sleeps for ever, and each sees what the last one wrote.
#[test]
fn two_threads() {
    explore("lock, two threads", Bound::Complete, 20, || count_to(2, 1));
}

/// Twice each: a lock that was taken as CONTENDED is given back and taken again.
#[test]
fn two_threads_twice() {
    explore("lock, two threads, twice", Bound::Complete, 100, || {
        count_to(2, 2)
    });
}

/// Three: one may sleep while another one wakes.
#[test]
fn three_threads() {
    explore("lock, three threads", Bound::Preemptions(3), 100, || {
        count_to(3, 1)
    });
}
