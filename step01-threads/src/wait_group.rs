//! Wait groups: waiting until a number of things have happened.
//!
//! # The protocol
//!
//! A counter that anyone may raise and lower, and a crowd that waits for it to be zero. Counting is one
//! compare-exchange and takes no lock, with one exception:
//!
//! > The counter reaches zero only under the lock of the crowd, and whoever brings it there lets the crowd go.
//!
//! A task that wants to wait looks at the counter under the same lock. So either it sees zero, or it is in the crowd
//! when zero is reached. And since the counter leaves zero only when the crowd has been let go, a wait group may be
//! used again at any time. Go panics if it is used again "before previous Wait has returned"; here a round is a round.
//!
//! Everything that a task did before its `done` is seen by whoever waits: the counts form one chain of
//! read-modify-writes, each with Release, and the last one, with Acquire, sees all of them.
//!
//! Rejected: Go's one word for the counter and the number of waiters (sync/waitgroup.go), which needs no lock at zero
//! but a second step to wake the waiters, and in between the wait group must not be touched.

use std::fmt;
use std::time::Instant;

use crate::crowd::Crowd;
use crate::park::Wait;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::const_fn;
use crate::wait_queue::{Outcome, Woken};

/// Go's `sync.WaitGroup`: a counter, and tasks that wait until it is zero.
///
/// [`add`](WaitGroup::add) before the tasks are started, [`done`](WaitGroup::done) at the end of each. A task that
/// panics does not say `done` by itself; where tasks may panic, use [`scope`](crate::scope()) or join handles.
///
/// ```
/// use std::sync::Arc;
/// use step01::{Runtime, Threads, WaitGroup};
///
/// let rt = Threads::new();
/// let group = Arc::new(WaitGroup::new());
/// group.add(3);
/// for _ in 0..3 {
///     let group = Arc::clone(&group);
///     rt.spawn(move || group.done());
/// }
/// group.wait();
/// ```
pub struct WaitGroup {
    count: AtomicUsize,
    crowd: Crowd,
}

// ANCHOR: wait_group
impl WaitGroup {
    const_fn! {
        /// A wait group that counts nothing yet. Allocates nothing.
        pub const fn new() -> Self {
            WaitGroup {
                count: AtomicUsize::new(0),
                crowd: Crowd::new(),
            }
        }
    }

    /// Raises the counter by `n`. Do it before the tasks that will say `done` are started, or a wait may find zero.
    ///
    /// # Panics
    ///
    /// If the counter would be above `usize::MAX`.
    #[track_caller]
    pub fn add(&self, n: usize) {
        // Relaxed: nothing is published. As a read-modify-write it does not break the chain of the `done`s either.
        let raised = self
            .count
            .fetch_update(Relaxed, Relaxed, |count| count.checked_add(n));
        assert!(raised.is_ok(), "WaitGroup counter overflow");
    }

    /// Lowers the counter by one; at zero, wakes everyone who waits.
    ///
    /// # Panics
    ///
    /// With `negative WaitGroup counter` if the counter is zero: there were more `done`s than were added.
    #[track_caller]
    pub fn done(&self) {
        let mut count = self.count.load(Relaxed);
        loop {
            let lowered = match count {
                0 => panic!("negative WaitGroup counter"),
                1 => self.reach_zero(),
                // Release: what this task did is seen by whoever sees zero.
                _ => self
                    .count
                    .compare_exchange(count, count - 1, Release, Relaxed),
            };
            match lowered {
                Ok(_) => return,
                Err(now) => count = now,
            }
        }
    }

    fn reach_zero(&self) -> Result<usize, usize> {
        let crowd = self.crowd.lock();
        // AcqRel: Release as above; Acquire takes over what the other tasks did, to pass it on to the crowd.
        let reached = self.count.compare_exchange(1, 0, AcqRel, Relaxed);
        if reached.is_ok() {
            self.crowd.dismiss(crowd);
        }
        reached
    }

    /// Parks the calling task until the counter is zero. Returns at once if it is.
    pub fn wait(&self) {
        self.wait_for(None);
    }

    /// [`WaitGroup::wait`], but gives up at `deadline`: false then.
    pub fn wait_deadline(&self, deadline: Instant) -> bool {
        self.wait_for(Some(deadline))
    }

    fn wait_for(&self, deadline: Option<Instant>) -> bool {
        // Acquire, in both places: pairs with the Release of every `done`.
        if self.count.load(Acquire) == 0 {
            return true;
        }
        let crowd = self.crowd.lock();
        // Once more, under the lock without which zero is not reached.
        if self.count.load(Acquire) == 0 {
            return true;
        }
        let waiter = crowd.waiter();
        let woken = self
            .crowd
            .wait(crowd, &waiter, Wait::WaitGroup, deadline, || ());
        woken == Woken::By(Outcome::Done)
    }
}
// ANCHOR_END: wait_group

impl Default for WaitGroup {
    fn default() -> Self {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: only a look.
        f.debug_struct("WaitGroup")
            .field("count", &self.count.load(Relaxed))
            .finish_non_exhaustive()
    }
}
