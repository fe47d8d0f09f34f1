//! The lock inside every channel, mutex and wait group: a word and a futex.
//!
//! It guards a few instructions and is never held across a park; the *user's* lock, which is held across anything, is
//! `mutex.rs`. Since it is held so shortly, a thread that finds it taken spins for a moment and only then sleeps. It
//! blocks the OS thread and not the task: the holder is another thread, and will be done before a switch would be.
//!
//! The word has three values (Drepper, *Futexes Are Tricky*, 2011, his `mutex2`):
//!
//! - FREE
//! - TAKEN: held, and nobody sleeps; unlocking needs no system call
//! - CONTENDED: held, and somebody may be asleep; unlocking wakes one
//!
//! A thread that goes to sleep sets CONTENDED first, and a thread that has slept takes the lock *as* CONTENDED, since it
//! cannot know whether others still sleep. One wake-up too many is the price; one too few is impossible.
//!
//! Rejected: a pure spin lock, which burns a whole time slice when the kernel takes the holder off its core; and std's
//! `Mutex`, whose guard cannot be taken apart, which `select` needs to lock many at once, and which reads a thread-local
//! to see whether the thread panics.

use std::ops::{Deref, DerefMut};

use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{Futex, SPINS, UnsafeCell, const_fn, spin_hint};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const CONTENDED: u32 = 2;

// ANCHOR: raw_lock
/// The lock without its data; `select` locks several of these in the order of their addresses.
#[derive(Debug)]
pub(crate) struct RawLock {
    word: Futex,
}

impl RawLock {
    const_fn! {
        pub(crate) const fn new() -> Self {
            RawLock {
                word: Futex::new(FREE),
            }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) {
        // Acquire: pairs with the Release of `unlock`, so that what the last holder wrote is seen.
        if self
            .word
            .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
            .is_err()
        {
            self.lock_slow();
        }
    }

    #[cold]
    fn lock_slow(&self) {
        // ANCHOR: spin
        for _ in 0..SPINS {
            // Relaxed: only a look. The exchange behind it is the Acquire.
            if self.word.load(Relaxed) == FREE
                && self
                    .word
                    .compare_exchange(FREE, TAKEN, Acquire, Relaxed)
                    .is_ok()
            {
                return;
            }
            spin_hint();
        }
        // ANCHOR_END: spin
        // Acquire: as in `lock`.
        while self.word.swap(CONTENDED, Acquire) != FREE {
            self.word.wait(CONTENDED, None);
        }
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// The caller must hold it.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        // Release: pairs with the Acquire of whoever locks next.
        if self.word.swap(FREE, Release) == CONTENDED {
            self.word.wake_one();
        }
    }
}
// ANCHOR_END: raw_lock

/// Data behind a [`RawLock`].
#[derive(Debug)]
pub(crate) struct Lock<T> {
    raw: RawLock,
    data: UnsafeCell<T>,
}

// SAFETY: the data is reached only by whoever holds the lock, one thread at a time, so it needs to be Send, not Sync.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: moving the lock moves the data.
unsafe impl<T: Send> Send for Lock<T> {}

impl<T> Lock<T> {
    const_fn! {
        pub(crate) const fn new(data: T) -> Self {
            Lock {
                raw: RawLock::new(),
                data: UnsafeCell::new(data),
            }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.raw.lock();
        LockGuard { lock: self }
    }

    /// The lock alone, for `select`.
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// Calls `f` with the data, for a caller that has locked [`Lock::raw`].
    ///
    /// # Safety
    ///
    /// The caller must hold the lock, and must not be inside another `with_locked` or `LockGuard` of it.
    pub(crate) unsafe fn with_locked<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller holds the lock and no other reference made from it.
        self.data.with_mut(|data| f(unsafe { &mut *data }))
    }
}

/// Access to the data; dropping it unlocks.
#[derive(Debug)]
pub(crate) struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, and the borrow of the guard keeps a `&mut` from being made.
        self.lock.data.with(|data| unsafe { &*data })
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock and is borrowed mutably.
        self.lock.data.with_mut(|data| unsafe { &mut *data })
    }
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard holds the lock, and gives it back once.
        unsafe { self.lock.raw.unlock() }
    }
}
