//! A lock that a task may hold across anything: it blocks the task and not the thread.
//!
//! # The protocol
//!
//! One word with three bits, and behind it a queue of waiting tasks under its own short lock (`lock.rs`):
//!
//! - LOCKED: somebody has the mutex
//! - QUEUED: there may be waiters in the queue, so whoever unlocks has to look
//! - COMING: a waiter has been woken and is on its way to try again
//!
//! Without contention the word goes from 0 to LOCKED and back, by one compare-exchange each, and the queue is not
//! looked at. With contention a task queues up, and this holds whenever the short lock is free:
//!
//! > If the mutex is free and the queue is not empty, a waiter is COMING.
//!
//! It holds because a task queues only in a step that sees LOCKED set, because only the holder clears LOCKED, and
//! because the holder, when it does, wakes a waiter and sets COMING in the same step; and a waiter that comes takes
//! COMING away only in a step in which it gets the mutex or sees that someone else has it. So no wake-up is lost, and
//! no second waiter is woken while the first is still on its way.
//!
//! # Fairness
//!
//! *Barging* is allowed: a task that finds the mutex free takes it, even while a woken waiter is coming. The mutex is
//! then not idle for the time that a wake-up takes, which is long beside a critical section of a few instructions. But
//! to come too late again and again would be starvation, so that happens to a waiter once. If it comes and finds the
//! mutex taken, it goes to the *front* of the queue as STARVED, and the next unlock hands the mutex over: LOCKED stays
//! set, and nobody can come between. There is at most one such waiter, since there is at most one COMING.
//!
//! This is the starvation mode of Go's mutex (internal/sync/mutex.go) without its clock. Go starts to hand over when a
//! waiter has waited for a millisecond, and stops at one that has waited for less or is the last.
//!
//! # No poisoning
//!
//! A panic while the mutex is held unlocks it, and that is all. The panic is not lost: whoever joins the task gets it.
//! A poisoned lock would carry it to tasks that have nothing to do with it, by the `unwrap` that everyone puts behind
//! std's `lock`, and it would be set as well when a stage ends a parked task by unwinding it, which is no fault of
//! anyone. Who needs to know that an update was cut short keeps a flag beside the data.
//!
//! # Rejected
//!
//! - *Always handing over*, as a fair lock does: two tasks that lock in turn would switch at every turn.
//! - *Spinning before queueing.* It pays if the holder is running on another core. An OS thread cannot know that, and
//!   with more tasks than cores it is mostly not so.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::time::Instant;

use crate::lock::{Lock, LockGuard};
use crate::park::Wait;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{UnsafeCell, const_fn};
use crate::wait_queue::{Outcome, Place, WaitQueue, Waiter, Woken, block};

const FREE: usize = 0;
const LOCKED: usize = 1;
const QUEUED: usize = 2;
const COMING: usize = 4;

/// The amount of a waiter that has not been woken yet.
const FRESH: usize = 0;
/// The amount of a waiter that was woken once, and came too late.
const STARVED: usize = 1;

/// The mutex without its data.
#[derive(Debug)]
struct RawMutex {
    word: AtomicUsize,
    queue: Lock<WaitQueue>,
}

impl RawMutex {
    const_fn! {
        const fn new() -> Self {
            RawMutex {
                word: AtomicUsize::new(FREE),
                queue: Lock::new(WaitQueue::new()),
            }
        }
    }

    #[inline]
    fn lock(&self) {
        // Acquire, wherever LOCKED is set: pairs with the Release that cleared it, so that the data is seen.
        let free = self.word.compare_exchange(FREE, LOCKED, Acquire, Relaxed);
        if free.is_err() {
            self.lock_slow(None);
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & LOCKED == 0 {
            match self
                .word
                .compare_exchange(word, word | LOCKED, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    // ANCHOR: lock_slow
    /// False if the deadline came first.
    #[cold]
    fn lock_slow(&self, deadline: Option<Instant>) -> bool {
        let (mut rank, mut place) = (FRESH, Place::Back);
        loop {
            let queue = self.queue.lock();
            if self.lock_or_queue(&queue, rank) {
                return true;
            }
            let waiter = Waiter::new(ptr::null(), rank);
            let unwind = Unwind {
                mutex: self,
                waiter: &waiter,
            };
            let woken = block(
                &self.queue,
                queue,
                |queue| queue,
                &waiter,
                place,
                Wait::Mutex,
                deadline,
            );
            mem::forget(unwind);
            if woken == Woken::TimedOut {
                self.tidy(&self.queue.lock());
                return false;
            }
            if rank == STARVED {
                return true; // handed over
            }
            (rank, place) = (STARVED, Place::Front);
        }
    }

    /// Takes the mutex if it is free, and otherwise says that the caller queues up: true if it was free. In either case
    /// a waiter that was coming has come. The borrow of the queue shows that its lock is held.
    fn lock_or_queue(&self, _: &LockGuard<'_, WaitQueue>, rank: usize) -> bool {
        let came = if rank == FRESH { 0 } else { COMING };
        let mut word = self.word.load(Relaxed);
        loop {
            let free = word & LOCKED == 0;
            let next = (word | if free { LOCKED } else { QUEUED }) & !came;
            // Acquire: as in `lock`. One step, so that the holder cannot unlock between the look and the mark.
            match self.word.compare_exchange(word, next, Acquire, Relaxed) {
                Ok(_) => return free,
                Err(now) => word = now,
            }
        }
    }
    // ANCHOR_END: lock_slow

    #[inline]
    fn unlock(&self) {
        // Release: pairs with the Acquire of whoever locks next.
        let alone = self.word.compare_exchange(LOCKED, FREE, Release, Relaxed);
        if alone.is_err() {
            self.unlock_slow();
        }
    }

    // ANCHOR: unlock_slow
    #[cold]
    fn unlock_slow(&self) {
        let mut word = self.word.load(Relaxed);
        while word & COMING != 0 {
            // Someone will look soon. Release: as in `unlock`.
            match self
                .word
                .compare_exchange(word, word & !LOCKED, Release, Relaxed)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        // Only a holder sets COMING, and only a holder can change a word that has LOCKED and not COMING, but under this
        // lock. So the word is now ours, and plain stores do.
        let mut queue = self.queue.lock();
        let Some(waiter) = queue.take() else {
            // Those who waited have all given up. Release: as in `unlock`.
            self.word.store(FREE, Release);
            return;
        };
        let queued = if queue.is_empty() { 0 } else { QUEUED };
        if waiter.amount() == STARVED {
            // Relaxed: the mutex stays locked. What it guards is published by `finish`, to the one who has it now.
            self.word.store(LOCKED | queued, Relaxed);
        } else {
            // Release: as in `unlock`.
            self.word.store(COMING | queued, Release);
        }
        let unparker = waiter.finish(Outcome::Done);
        drop(queue);
        unparker.unpark();
    }
    // ANCHOR_END: unlock_slow

    /// Takes QUEUED away if nobody is queued any more, so that the next unlock is a short one. Relaxed: under the
    /// queue's lock, and nothing is published by it.
    fn tidy(&self, queue: &LockGuard<'_, WaitQueue>) {
        if queue.is_empty() {
            self.word.fetch_and(!QUEUED, Relaxed);
        }
    }
}

/// Clears up when a park is left by unwinding, as a stage does that ends a parked task.
struct Unwind<'a> {
    mutex: &'a RawMutex,
    waiter: &'a Waiter,
}

impl Drop for Unwind<'_> {
    fn drop(&mut self) {
        let mutex = self.mutex;
        if self.waiter.taken() && self.waiter.amount() == STARVED {
            // The mutex has been handed to a task that does not want it any more.
            return mutex.unlock();
        }
        let queue = mutex.queue.lock();
        if self.waiter.taken() && mutex.lock_or_queue(&queue, STARVED) {
            // It was woken, and all others rely on its coming: it comes, and goes.
            drop(queue);
            return mutex.unlock();
        }
        mutex.tidy(&queue);
    }
}

/// A lock around a `T`, for tasks and threads alike.
///
/// Whoever waits for it is parked; the guard may be held across anything, parks included. It is not poisoned by a
/// panic, and a waiter is not overtaken for ever: both are explained at the top of this file. Locking a mutex that the
/// calling task has locked already waits for ever, as in Go.
///
/// ```
/// use step01::{Mutex, Runtime, Threads, scope};
///
/// let total = Mutex::new(0);
/// scope(&Threads::new(), |s| {
///     for n in 1..=4 {
///         let total = &total;
///         s.spawn(move || *total.lock() += n);
///     }
/// });
/// assert_eq!(total.into_inner(), 10);
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    data: UnsafeCell<T>,
}

// SAFETY: the data is reached by whoever holds the lock, one task at a time, so it must be Send and need not be Sync.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: moving the mutex moves the data; nobody waits for a mutex that can be moved.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    const_fn! {
        /// An unlocked mutex. Allocates nothing.
        pub const fn new(data: T) -> Self {
            Mutex {
                raw: RawMutex::new(),
                data: UnsafeCell::new(data),
            }
        }
    }

    /// The data. Nobody can hold the lock, since the mutex is given away.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks; parks the calling task until it has the mutex.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.raw.lock();
        MutexGuard::new(self)
    }

    /// Locks if that needs no waiting. `None` if somebody has the mutex.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| MutexGuard::new(self))
    }

    /// [`Mutex::lock`], but gives up at `deadline`: `None` then. With a deadline that has passed it is a `try_lock`.
    pub fn lock_deadline(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        let locked = self.raw.try_lock() || self.raw.lock_slow(Some(deadline));
        locked.then(|| MutexGuard::new(self))
    }

    /// The data, without locking: the borrow shows that nobody else has the mutex.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `self` is borrowed mutably for as long as the result lives.
        self.data.with_mut(|data| unsafe { &mut *data })
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(data: T) -> Self {
        Mutex::new(data)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => out.field("data", &&*guard),
            None => out.field("data", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// Access to what a [`Mutex`] guards; dropping it unlocks.
///
/// It is `Send`, unlike std's: the word of the mutex does not say which thread has locked it, so any thread may unlock.
/// std's cannot be, because a POSIX mutex must be unlocked by the thread that locked it. And here it must be possible:
/// a task that parks with a guard on its stack may go on on another thread. Handing a guard to another task hands over
/// the lock together with the data.
///
/// A guard gives access to the data, so sharing one between threads needs data that can be shared:
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: T) {}
/// let mutex = step01::Mutex::new(std::cell::Cell::new(1));
/// share(mutex.lock());
/// ```
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// The guard is as Send and as Sync as the access that it gives: sharing it shares the data, so `T` must be Sync.
    _access: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    fn new(mutex: &'a Mutex<T>) -> Self {
        MutexGuard {
            mutex,
            _access: PhantomData,
        }
    }

    /// The mutex that this guard locks, for the condition variable. Not a method, which would hide one of `T`.
    pub(crate) fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard has the mutex, and the borrow of the guard keeps a `&mut` from being made.
        self.mutex.data.with(|data| unsafe { &*data })
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard has the mutex, and is borrowed mutably.
        self.mutex.data.with_mut(|data| unsafe { &mut *data })
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
