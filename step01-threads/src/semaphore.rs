//! Weighted semaphores: a number of permits, of which each task takes as many as it needs.
//!
//! # The protocol
//!
//! Under one short lock: the number of permits that are free, and the queue of those who want some. Always holds:
//!
//! > If somebody waits, the first of them wants more than is free.
//!
//! Whatever could break this runs [`Semaphore::grant`], which takes from the front of the queue while the front can be
//! served, and hands the permits over: the task wakes as their owner, and nobody can take them from it meanwhile. Three
//! things can break it: permits come back, the first in the queue gives up, or a task that was granted permits is ended
//! before it could take them. The second is easily forgotten. If the first waits for eight permits and times out, the
//! second, who wants one of the five that are free, is to be woken by it, as nobody else may ever come
//! (golang/go#37852).
//!
//! First come, first served, without exception: who comes while others wait queues behind them, even for one permit
//! that is free. Otherwise a stream of small requests would starve a large one.
//!
//! Rejected: the free permits in an atomic beside the lock, for a shorter path when nobody waits. Releasing would then
//! have to decide between the two, with a barrier on both sides; the lock costs two atomic operations.

use std::fmt;
use std::mem;
use std::ptr;
use std::time::Instant;

use crate::lock::{Lock, LockGuard};
use crate::park::Wait;
use crate::sync::const_fn;
use crate::wait_queue::{Outcome, Place, WaitQueue, Waiter, Woken, block};

/// A counting semaphore whose requests may be for more than one permit; served in the order in which they come.
///
/// ```
/// use step01::Semaphore;
///
/// let seats = Semaphore::new(3);
/// let two = seats.acquire(2);
/// assert!(seats.try_acquire(2).is_none());
/// drop(two);
/// assert!(seats.try_acquire(2).is_some());
/// ```
pub struct Semaphore {
    state: Lock<State>,
}

// ANCHOR: semaphore
#[derive(Debug)]
struct State {
    free: usize,
    queue: WaitQueue,
}

impl State {
    fn take(&mut self, n: usize) -> bool {
        let taken = self.queue.is_empty() && self.free >= n;
        if taken {
            self.free -= n;
        }
        taken
    }
}

impl Semaphore {
    const_fn! {
        /// A semaphore with so many permits. Allocates nothing.
        pub const fn new(permits: usize) -> Self {
            Semaphore {
                state: Lock::new(State {
                    free: permits,
                    queue: WaitQueue::new(),
                }),
            }
        }
    }

    /// Takes `n` permits; parks the calling task until it is its turn and there are so many.
    ///
    /// A request for more than there will ever be waits for ever, and everyone behind it too. Permits may be added
    /// ([`Semaphore::release`]), so it cannot be refused.
    pub fn acquire(&self, n: usize) -> Permit<'_> {
        self.acquire_for(n, None);
        Permit::new(self, n)
    }

    /// Takes `n` permits if nobody waits and there are so many; otherwise `None`.
    pub fn try_acquire(&self, n: usize) -> Option<Permit<'_>> {
        let taken = self.state.lock().take(n);
        taken.then(|| Permit::new(self, n))
    }

    /// [`Semaphore::acquire`], but gives up at `deadline`: `None` then.
    pub fn acquire_deadline(&self, n: usize, deadline: Instant) -> Option<Permit<'_>> {
        let taken = self.acquire_for(n, Some(deadline));
        taken.then(|| Permit::new(self, n))
    }

    fn acquire_for(&self, n: usize, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        if state.take(n) {
            return true;
        }
        let waiter = Waiter::new(ptr::null(), n);
        let unwind = Unwind {
            semaphore: self,
            waiter: &waiter,
        };
        let woken = block(
            &self.state,
            state,
            |state| &mut state.queue,
            &waiter,
            Place::Back,
            Wait::Semaphore,
            deadline,
        );
        mem::forget(unwind);
        let granted = woken == Woken::By(Outcome::Done);
        if !granted {
            // We may have been first, and in the way of others.
            self.grant(self.state.lock());
        }
        granted
    }

    /// Puts `n` permits in, and wakes those whose turn it is. For permits that were taken with [`Permit::forget`], and
    /// for more than there were at first; otherwise dropping the [`Permit`] does it.
    ///
    /// # Panics
    ///
    /// If there would be more than `usize::MAX` free permits.
    #[track_caller]
    pub fn release(&self, n: usize) {
        let mut state = self.state.lock();
        match state.free.checked_add(n) {
            Some(free) => state.free = free,
            None => panic!("Semaphore permits overflow"),
        }
        self.grant(state);
    }

    /// Serves the queue from its front as far as the permits go. One at a time, releasing the lock for each wake-up; if
    /// others come between, they find the state as it must be and go on with the same.
    fn grant<'a>(&'a self, mut state: LockGuard<'a, State>) {
        while state.queue.front_amount().is_some_and(|n| n <= state.free)
            && let Some(waiter) = state.queue.take()
        {
            state.free -= waiter.amount();
            let unparker = waiter.finish(Outcome::Done);
            drop(state);
            unparker.unpark();
            state = self.state.lock();
        }
    }

    /// How many permits are free now. Nothing keeps it so.
    pub fn available(&self) -> usize {
        self.state.lock().free
    }
}

/// Clears up when a park is left by unwinding, as a stage does that ends a parked task.
struct Unwind<'a> {
    semaphore: &'a Semaphore,
    waiter: &'a Waiter,
}

impl Drop for Unwind<'_> {
    fn drop(&mut self) {
        // The permits that nobody will use, if they had been handed over; if not, others may have stood behind us.
        let granted = self.waiter.taken();
        let n = if granted { self.waiter.amount() } else { 0 };
        self.semaphore.release(n);
    }
}
// ANCHOR_END: semaphore

/// Permits of a [`Semaphore`]; dropping it gives them back.
#[must_use = "the permits are given back when this is dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    n: usize,
}

impl<'a> Permit<'a> {
    fn new(semaphore: &'a Semaphore, n: usize) -> Self {
        Permit { semaphore, n }
    }

    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.n
    }

    /// Keeps the permits for good. The semaphore has so many less, until someone calls [`Semaphore::release`].
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.n);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("n", &self.n).finish()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}
