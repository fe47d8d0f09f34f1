//! The one word of a task that everybody may change: does it run, is it parked, has somebody left it a token.
//!
//! ```text
//!                     park
//!            ┌─────────────────────▶ PARKED
//!            │   unpark, and queue     │
//!         RUNNING ◀────────────────────┘
//!          │   ▲
//!   unpark │   │ park, which returns at once
//!          ▼   │
//!        NOTIFIED
//! ```
//!
//! RUNNING means "runs, or waits in a queue for its turn". NOTIFIED is that and the token of step 1's contract. All
//! changes are read-modify-writes of this one word, so they have one order, in which each sees the one before. Exactly
//! one unpark finds PARKED, and that one queues the task: it is never in two queues. An unpark that finds it running
//! leaves the token, and the next park takes it and returns at once. So no wake-up is lost, whichever comes first.
//!
//! An unpark that queues leaves no token: being queued is what the token would have bought. The task therefore has
//! nothing to take when it runs again, and a park that sleeps costs two locked instructions and not three.
//!
//! There is a race in every scheduler between a task that parks and one that wakes it at this very moment, before its
//! stack has been left. Here it is harmless, since the one thread that could run the woken task is still busy with
//! leaving the stack. Step 3 has to do something about it.
//!
//! # What is visible
//!
//! What a waker did before its unpark is seen by the task after its park. If the unpark left the token, the word itself
//! carries it: Release here, Acquire where the token is taken. If it queued the task, the way through the queue does:
//! the same thread's program order, or the lock of the inbox.
//!
//! # The end
//!
//! A runtime that ends *claims* its tasks: from then on no unpark queues one, and the worker may unwind it. CLAIMED is
//! PARKED without the promise to queue. A task that was not parked at this moment is in a queue, or is about to be put
//! into one by an unpark that has been here already; the worker counts those, and waits until it has found as many.
//!
//! Rejected: *a lock around the state*, which an unpark would have to wait for; *a swap to NOTIFIED in every unpark*,
//! which is simpler, and which the woken task has to undo.

use crate::sync::atomic::AtomicU8;
use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;
const CLAIMED: u8 = 3;

/// What a park found.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Park {
    /// The task is parked now, and must leave its stack.
    Parked,
    /// A token is there already: the task goes on.
    Notified,
}

/// What is left to do for the one who unparks.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpark {
    /// The task was parked. It is the caller's to put it in a queue.
    Queue,
    /// It was not: it will see the token.
    Nothing,
}

/// Where a claimed task is.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// In no queue, and nobody will put it into one.
    Parked,
    /// In a queue, or on its way into one.
    Queued,
}

/// The word.
#[derive(Debug)]
pub struct TaskWord(AtomicU8);

// ANCHOR: word
impl TaskWord {
    // Not const: loom's atomics cannot be made at compile time.
    /// The word of a task that runs.
    #[allow(
        clippy::new_without_default,
        reason = "a task's word is part of a task, which has no default"
    )]
    pub fn new() -> Self {
        TaskWord(AtomicU8::new(RUNNING))
    }

    /// The task's memory becomes another task's.
    pub fn begin(&self) {
        // Relaxed: an unpark that is meant for the task before may still come. It is as good as a token for this one.
        self.0.store(RUNNING, Relaxed);
    }

    /// The task itself, about to leave its stack.
    #[inline]
    pub fn try_park(&self) -> Park {
        // Release: pairs with the Acquire in `unpark`, which sees the task's home.
        match self.0.compare_exchange(RUNNING, PARKED, Release, Relaxed) {
            Ok(_) => Park::Parked,
            Err(_) => self.take_token(),
        }
    }

    #[cold]
    fn take_token(&self) -> Park {
        // Acquire: pairs with the Release in `unpark`. A swap and not a store: it reads the latest unpark, and so sees
        // what that waker did. A store could overwrite a token whose waker it has not seen.
        self.0.swap(RUNNING, Acquire);
        Park::Notified
    }

    /// The task itself, about to park: takes a token if one is there. A look that costs nothing if there is none; a stage
    /// whose worker commits the park after the switch saves the switch by it.
    #[inline]
    pub fn take_token_if_there(&self) -> bool {
        // Relaxed: only a look. `take_token` is the Acquire.
        self.0.load(Relaxed) == NOTIFIED && self.take_token() == Park::Notified
    }

    /// Anybody: queues it, or leaves the token.
    #[inline]
    pub fn unpark(&self) -> Unpark {
        // Relaxed: only a guess. The exchange behind it is what counts.
        let mut seen = self.0.load(Relaxed);
        loop {
            let (next, todo) = match seen {
                PARKED => (RUNNING, Unpark::Queue),
                _ => (NOTIFIED, Unpark::Nothing),
            };
            // Even where the word stays as it is, it is written: so that the task, which takes the token, sees what
            // *this* waker did, too. AcqRel: Release pairs with the Acquire in `take_token` and `has_token`; Acquire
            // pairs with the Release in `try_park`.
            match self.0.compare_exchange_weak(seen, next, AcqRel, Relaxed) {
                Ok(_) => return todo,
                Err(now) => seen = now,
            }
        }
    }

    /// The worker, when the runtime ends: from now on no unpark queues the task.
    pub fn claim(&self) -> Claim {
        // AcqRel, here and below: as in `unpark`.
        match self.0.swap(CLAIMED, AcqRel) {
            PARKED => Claim::Parked,
            _ => {
                // It was woken, or has only yielded. It is to go on once more: as good as a token.
                self.0.swap(NOTIFIED, AcqRel);
                Claim::Queued
            }
        }
    }

    /// Whether a task that was claimed may go on to its next stop. For the worker.
    pub fn has_token(&self) -> bool {
        // Acquire: pairs with the Release in `unpark`.
        self.0.load(Acquire) == NOTIFIED
    }
}
// ANCHOR_END: word
