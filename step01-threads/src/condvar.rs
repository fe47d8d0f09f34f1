//! Condition variables: waiting, with a mutex held, for another task to change what the mutex guards.
//!
//! # The protocol
//!
//! A task that waits does three things in this order: it joins the crowd, it unlocks the mutex, it parks. Whoever wants
//! to make the condition true needs the mutex, so it comes after the first two, and finds the waiter when it notifies.
//! The waiter need not have parked by then: its ticket is decided and its token is left, and so it does not sleep. That
//! is the whole difference between a condition variable and "unlock, then sleep", where a notification between the two
//! wakes nobody.
//!
//! The notified task locks the mutex again like anyone else. Between the notification and that moment others may have
//! had the mutex and undone the condition, so a wait is always in a loop that looks again; [`Condvar::wait_while`] is
//! that loop.
//!
//! A task that was notified but cannot use it, since its stage ends it while it is parked, passes the notification on.
//! It does not lock the mutex again.
//!
//! # Rejected
//!
//! - *Moving notified waiters to the mutex's queue instead of waking them* (as glibc and parking_lot have done). It
//!   saves a wake-up if the notifier holds the mutex, and needs both locks at once and a condition variable that is
//!   married to one mutex. Here the waiters of `notify_all` queue up at the mutex by themselves, and it wakes them one
//!   after the other.
//! - *A counter of waiters beside the lock*, to make a notification without waiters cheaper. It would save one
//!   uncontended lock.

use std::fmt;
use std::mem;
use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::mutex::MutexGuard;
use crate::park::Wait;
use crate::sync::const_fn;
use crate::wait_queue::{Waiter, Woken};

/// Whether a wait with a time limit ended because of it; as `std::sync::WaitTimeoutResult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// True if the time was over before a notification came.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

/// A condition variable, for tasks and threads alike.
///
/// All waits on one condition variable should be with the same mutex. Nothing breaks otherwise, but a notification
/// reaches only one of the parties.
///
/// ```
/// use step01::{Condvar, Mutex, Runtime, Threads, scope};
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// scope(&Threads::new(), |s| {
///     s.spawn(|| {
///         *ready.lock() = true;
///         changed.notify_one();
///     });
///     let guard = changed.wait_while(ready.lock(), |ready| !*ready);
///     assert!(*guard);
/// });
/// ```
pub struct Condvar {
    crowd: Crowd,
}

impl Condvar {
    const_fn! {
        /// A condition variable that nobody waits for. Allocates nothing.
        pub const fn new() -> Self {
            Condvar {
                crowd: Crowd::new(),
            }
        }
    }

    /// Unlocks the mutex, parks until notified, and locks the mutex again.
    ///
    /// What was waited for may be false again by then, or not yet true: look, and wait again.
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_for(guard, None).0
    }

    /// Waits until `condition` is false; it is called with the mutex locked, before the first wait and after each.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// [`Condvar::wait`], but stops waiting for a notification at `deadline`.
    ///
    /// It returns with the mutex locked in any case, and may have to wait for that longer than until the deadline.
    pub fn wait_deadline<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_for(guard, Some(deadline))
    }

    /// [`Condvar::wait_deadline`], with the deadline given as a time from now.
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        // A time beyond the end of the clock is no limit.
        self.wait_for(guard, Instant::now().checked_add(timeout))
    }

    // ANCHOR: wait_for
    fn wait_for<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let mutex = MutexGuard::mutex(&guard);
        let crowd = self.crowd.lock();
        let waiter = crowd.waiter();
        let unwind = Unwind {
            condvar: self,
            waiter: &waiter,
        };
        // The order that matters: the waiter is in the crowd when the mutex is unlocked.
        let unlock = || drop(guard);
        let woken = self
            .crowd
            .wait(crowd, &waiter, Wait::Condvar, deadline, unlock);
        mem::forget(unwind);
        let timed_out = WaitTimeoutResult(woken == Woken::TimedOut);
        (mutex.lock(), timed_out)
    }
    // ANCHOR_END: wait_for

    /// Wakes the task that has waited longest, if any task waits. A notification is not kept for later.
    ///
    /// The mutex may be locked or not. What counts is that the condition was changed under it, before.
    pub fn notify_one(&self) {
        self.crowd.dismiss_one();
    }

    /// Wakes every task that waits now.
    pub fn notify_all(&self) {
        self.crowd.dismiss(self.crowd.lock());
    }
}

/// Passes the notification on if the park is left by unwinding, as a stage does that ends a parked task. After a
/// `notify_all` that wakes one task for no reason, which a wait must be ready for anyway.
struct Unwind<'a> {
    condvar: &'a Condvar,
    waiter: &'a Waiter,
}

impl Drop for Unwind<'_> {
    fn drop(&mut self) {
        if self.waiter.taken() {
            self.condvar.notify_one();
        }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
