//! Who is awake, and until when a sleeper may sleep: two numbers that must be written and read in the right order.
//!
//! # The two races
//!
//! *A worker falls asleep while another sets an earlier deadline.* The first reads the earliest deadline, to sleep no
//! longer; the second writes it, then asks whether anybody sleeps who must be told. Each writes one number and reads the
//! other, and if both read before the other has written, the sleeper sleeps past the deadline. So both go through the
//! same word, `awake`, with a read-modify-write: such operations on one word have an order. Either the sleeper's comes
//! first, and the other finds it asleep and wakes it; or it comes second, and then it sees what the other wrote before,
//! the earlier deadline. A plain load in place of the second one is not enough: it may find an old value.
//!
//! *The last one asks whether this is a deadlock.* "The others sleep" and "there is no timer" are two looks. A worker that
//! gets up between them, takes the last timer and is about to run its task would be seen asleep in the first look, and
//! its timer gone in the second. So the first look is taken again after the second. Who sleeps before and after, and has
//! run nothing in between (the caller compares the number of turns), has fired no timer either: whoever fires one stays
//! awake until its task has been taken out of the queue, and a task that was taken out counts as a turn.
//!
//! Rejected: *one lock around both*. Falling asleep and waking up would be harmless under a lock, but setting a deadline is
//! what every sleep and every timeout of every task does. *A SeqCst fence on both sides*, with a plain load: it works (it
//! is Dekker's pattern, which step 4 cannot do without), but here there is one word that both have to go through anyway.

use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::atomic::{AtomicU64, AtomicUsize};

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// The two numbers.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Workers that are not in `idle`.
    awake: AtomicUsize,
    /// When the earliest timer is due, in nanoseconds after some moment; early rather than late, [`NEVER`] for none.
    earliest: AtomicU64,
    workers: usize,
}

/// What a worker learns when it falls asleep.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asleep {
    /// No other is awake.
    pub(crate) last: bool,
    /// It need not wake up before this by itself; of anything earlier it will be told.
    pub(crate) until: u64,
}

// ANCHOR: watch
impl Watch {
    pub(crate) fn new(workers: usize) -> Self {
        Watch {
            awake: AtomicUsize::new(0),
            earliest: AtomicU64::new(NEVER),
            workers,
        }
    }

    /// A worker has begun, or goes on.
    pub(crate) fn wakes_up(&self) {
        // AcqRel, here and below: who finds zero has seen what every worker did before it went to sleep.
        self.awake.fetch_add(1, AcqRel);
    }

    /// A worker is about to sleep, or has left.
    pub(crate) fn falls_asleep(&self) -> Asleep {
        // AcqRel: Acquire pairs with the Release in `sets`. The deadline is read after this, not before.
        let last = self.awake.fetch_sub(1, AcqRel) == 1;
        let until = self.earliest();
        Asleep { last, until }
    }

    /// When the next timer is due.
    #[inline]
    pub(crate) fn earliest(&self) -> u64 {
        // Acquire: pairs with the Release in `set`.
        self.earliest.load(Acquire)
    }

    /// There is a new deadline. True if it is the earliest, and somebody may sleep who does not know of it. The caller holds
    /// the lock of the timers.
    pub(crate) fn sets(&self, due: u64) -> bool {
        // Relaxed: under the lock, as every change of it.
        if due >= self.earliest.load(Relaxed) {
            return false;
        }
        self.set(due);
        // Adds nothing. AcqRel: Release pairs with the Acquire in `falls_asleep`.
        self.awake.fetch_add(0, AcqRel) < self.workers
    }

    /// The earliest deadline is this one now. The caller holds the lock of the timers.
    pub(crate) fn set(&self, due: u64) {
        // Release: pairs with the Acquire in `earliest`.
        self.earliest.store(due, Release);
    }

    /// The others sleep, and no timer will wake them. It means nothing by itself: see "the last one asks".
    pub(crate) fn all_is_quiet(&self, others_sleep: impl Fn() -> bool) -> bool {
        others_sleep() && self.earliest() == NEVER && others_sleep()
    }
}
// ANCHOR_END: watch
