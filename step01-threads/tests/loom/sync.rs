//! `crate::sync` made of loom's types; the library's own is `src/sync.rs`.

use std::time::Instant;

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic;

use atomic::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};

/// Loom's types cannot be made at compile time.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

pub(crate) const SPINS: u32 = 0;

/// A futex as the kernel has it: looking at the word and going to sleep are one step, under a lock of the kernel's.
#[derive(Debug)]
pub(crate) struct Futex {
    word: AtomicU32,
    bucket: Mutex<()>,
    sleepers: Condvar,
}

impl Futex {
    pub(crate) fn new(value: u32) -> Self {
        Futex {
            word: AtomicU32::new(value),
            bucket: Mutex::new(()),
            sleepers: Condvar::new(),
        }
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.word.store(value, order);
    }

    pub(crate) fn compare_exchange(
        &self,
        from: u32,
        to: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.word.compare_exchange(from, to, success, failure)
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    /// With a deadline it does not sleep: loom has no clock, and "woken by time" may happen at any moment.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Instant>) {
        if deadline.is_some() {
            loom::thread::yield_now();
            return;
        }
        let bucket = self.bucket.lock().unwrap();
        if self.word.load(Ordering::Relaxed) == expected {
            drop(self.sleepers.wait(bucket).unwrap());
        }
    }

    pub(crate) fn wake_one(&self) {
        let _bucket = self.bucket.lock().unwrap();
        self.sleepers.notify_one();
    }
}

pub(crate) fn spin_hint() {
    loom::thread::yield_now();
}

/// Models must be the same in every execution but for the interleaving.
pub(crate) fn random(_n: usize) -> usize {
    0
}
