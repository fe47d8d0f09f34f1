//! How a scope knows that its tasks are over.
//!
//! # The protocol
//!
//! The tally lives on the stack of the task that called `scope`, the *owner*. Each task is counted before it starts,
//! by someone who is counted already or by the owner itself, so the count never rises again once the owner has seen
//! zero. At its end a task
//!
//! 1. has stored or dropped its result, has said how it ended, and touches nothing borrowed any more;
//! 2. copies the owner's unparker out of the tally;
//! 3. lowers the count, which is its last touch: if that makes zero, the owner may return and its stack may be gone;
//! 4. unparks the owner if it was the last, through the copy, which leads to type-stable memory.
//!
//! The owner needs no waiter and no queue: it is the only one who waits, and its unparker is known from the start.
//!
//! std's `scope` at first read the handle of the main thread out of its stack frame *after* lowering the count, when
//! that frame could be gone (rust-lang/rust#98498); since then the data is behind an `Arc`. A copy that cannot
//! dangle makes the `Arc` unnecessary.
//!
//! Rejected: a wait group. Its `done` touches it after the counter has become zero, to wake the crowd, which is sound
//! only if something else keeps the wait group alive.

use std::io::Write;
use std::process;

use crate::park::{self, Wait};
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::unparker::Unparker;

// ANCHOR: tally
/// The tasks of one scope that are not over yet, and how those ended about whom nobody has asked.
#[derive(Debug)]
pub struct Tally {
    running: AtomicUsize,
    /// Tasks that panicked and have not been joined.
    pub panicked: AtomicUsize,
    /// Tasks that were not started, or were ended by their runtime, and have not been joined.
    pub lost: AtomicUsize,
    /// Written once. A cell so that loom sees when it is read.
    owner: UnsafeCell<Unparker>,
}

// SAFETY: `owner` is only read while tasks are counted, and is good on any thread.
unsafe impl Sync for Tally {}

impl Tally {
    /// Of no tasks yet, for the calling task.
    #[allow(
        clippy::new_without_default,
        reason = "it names its caller, which nobody expects of a default"
    )]
    pub fn new() -> Self {
        Tally {
            running: AtomicUsize::new(0),
            panicked: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            owner: UnsafeCell::new(park::current()),
        }
    }

    /// Counts one more task. Only for the owner and for tasks that are counted.
    pub fn enter(&self) {
        // Relaxed: the task is handed to the runtime afterwards, and that publishes everything.
        self.running.fetch_add(1, Relaxed);
    }

    /// One task is over.
    ///
    /// # Safety
    ///
    /// `tally` points at a tally in which this task was entered, once for each `leave`. It may be gone when this
    /// returns, and this is why it is not a `&self`, which would have to be good until then.
    pub unsafe fn leave(tally: *const Tally) {
        // SAFETY: we are counted, so the owner has not returned.
        let owner = unsafe { &(*tally).owner }.with(|owner| unsafe { *owner });
        // Release: pairs with the Acquire in `wait`. What the task did is seen after the scope. The last touch.
        // SAFETY: as above, until the count is lowered.
        if unsafe { &(*tally).running }.fetch_sub(1, Release) == 1 {
            owner.unpark();
        }
    }

    /// Parks the owner until every task is over.
    pub fn wait(&self) {
        let stay = Stay;
        // Acquire: pairs with the Release of every `leave`, which are one chain of read-modify-writes.
        while self.running.load(Acquire) != 0 {
            park::park_as(Wait::Scope, None);
        }
        std::mem::forget(stay);
        // Touches nothing. It tells loom that from here on nobody may be reading.
        self.owner.with_mut(|_| ());
    }
}
// ANCHOR_END: tally

/// The stack that the tasks borrow from must not be unwound while they run.
///
/// A stage that ends parked tasks by unwinding them can see that this one waits for a scope ([`Wait::Scope`]): it ends
/// the tasks of the scope first, and this one then goes on by itself. If it unwinds it all the same, the process ends
/// here. Waiting on would be sound too, but a thread that unwinds may not switch: it would wait for tasks which,
/// perhaps, only it could run, and nobody would be told why nothing moves.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        let message = b"fatal: a task was unwound while it waited for the tasks of its scope, \
            which may still use what they have borrowed from it\n";
        // The process ends; if the reason cannot be told, it still does.
        let _ = std::io::stderr().write_all(message);
        process::abort();
    }
}
