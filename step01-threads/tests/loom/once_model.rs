//! One-time initialisation: `src/once.rs`, on `src/crowd.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::model::{Bound, explore};
use crate::once::Once;

/// A value that is written by the initialiser and read without further ado by everyone afterwards; loom objects if the
/// two are not ordered.
struct Lazy {
    once: Once,
    value: UnsafeCell<usize>,
    runs: AtomicUsize,
}

// SAFETY: the value is written inside `call_once` and read after it.
unsafe impl Sync for Lazy {}
// SAFETY: a number.
unsafe impl Send for Lazy {}

impl Lazy {
    fn new() -> Arc<Self> {
        Arc::new(Lazy {
            once: Once::new(),
            value: UnsafeCell::new(0),
            runs: AtomicUsize::new(0),
        })
    }

    fn get(&self) -> usize {
        self.once.call_once(|| {
            self.runs.fetch_add(1, Ordering::Relaxed);
            // SAFETY: only one initialiser runs to its end, and nobody reads before.
            self.value.with_mut(|value| unsafe { *value = 7 });
        });
        // SAFETY: nobody writes after the initialiser.
        self.value.with(|value| unsafe { *value })
    }
}

/// However they meet, one runs it, and both see what it did.
#[test]
fn two_callers() {
    explore("once, two callers", Bound::Preemptions(4), 1_000, || {
        let lazy = Lazy::new();
        let other = thread::spawn({
            let lazy = lazy.clone();
            move || assert_eq!(lazy.get(), 7)
        });
        assert_eq!(lazy.get(), 7);
        other.join().unwrap();
        assert_eq!(lazy.runs.load(Ordering::Relaxed), 1);
    });
}

/// Who sees that it is complete sees what it did.
#[test]
fn completed_is_seen() {
    explore("once, is_completed", Bound::Complete, 10, || {
        let lazy = Lazy::new();
        let looking = thread::spawn({
            let lazy = lazy.clone();
            move || {
                if lazy.once.is_completed() {
                    // SAFETY: nobody writes after the initialiser.
                    assert_eq!(lazy.value.with(|value| unsafe { *value }), 7);
                }
            }
        });
        assert_eq!(lazy.get(), 7);
        looking.join().unwrap();
    });
}

/// The first initialiser to run panics. Whoever waits for it is woken and tries again, and in the end it is done.
#[test]
fn tried_again_after_a_panic() {
    explore(
        "once, tried again after a panic",
        Bound::Preemptions(3),
        250,
        || {
            let lazy = Lazy::new();
            let failing = thread::spawn({
                let lazy = lazy.clone();
                move || {
                    // Without the panic hook, which would print in every execution.
                    let fail = || lazy.once.call_once(|| resume_unwind(Box::new("no")));
                    catch_unwind(AssertUnwindSafe(fail)).is_err()
                }
            });
            assert_eq!(lazy.get(), 7);
            // It failed, or came too late to be run.
            let failed = failing.join().unwrap();
            assert!(failed || lazy.once.is_completed());
            assert_eq!(lazy.runs.load(Ordering::Relaxed), 1);
        },
    );
}

/// Three: two wait for the one that runs it, and both are let go.
#[test]
fn three_callers() {
    explore("once, three callers", Bound::Preemptions(2), 1_500, || {
        let lazy = Lazy::new();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let lazy = lazy.clone();
                thread::spawn(move || assert_eq!(lazy.get(), 7))
            })
            .collect();
        assert_eq!(lazy.get(), 7);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(lazy.runs.load(Ordering::Relaxed), 1);
    });
}
