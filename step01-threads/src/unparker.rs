//! The handle that starts a stopped task again.
//!
//! An [`Unparker`] is two words: a pointer that says *which* task, and a table of functions that says *whose*: the
//! shape of std's `RawWaker`. It is `Copy`. There is nothing to count and nothing to drop, which is what lets a waker
//! copy it out of a waiter, let the waiter go, and only then call it.
//!
//! For that, the pointer must stay good for ever: every stage keeps what it points at in memory that is recycled but
//! never unmapped and never becomes anything else (*type-stable*; Go's `g`s are the model). An unpark that comes late
//! then reaches a living thing, if perhaps the wrong one, and a wake-up for no reason is something that every parked
//! task must be ready for anyway.
//!
//! Rejected: `Arc<dyn Wake>`. It is safe by type, and it costs two atomic operations on a shared cache line for each
//! wake-up, which is more than all the rest of one.

use std::fmt;

// ANCHOR: unparker
/// What a stage supplies so that its tasks can be started again.
#[derive(Debug)]
pub struct UnparkVTable {
    /// Leaves a token for the task and starts it if it is parked.
    ///
    /// It must be sticky (a token left while the task runs makes its next park return at once), must never block, must
    /// be callable from any thread, and must publish everything the caller did before it (Release; the park that takes
    /// the token is the Acquire).
    pub unpark: unsafe fn(data: *const ()),
}

/// Starts one particular parked task again; see [`park`](crate::park).
///
/// It may be kept and called for as long as the process lives. Called on a task that has ended, it does nothing that
/// anyone could notice beyond one spurious wake-up. Not callable from a signal handler.
#[derive(Clone, Copy)]
pub struct Unparker {
    data: *const (),
    vtable: &'static UnparkVTable,
}

impl Unparker {
    /// Makes an unparker out of its two words.
    ///
    /// # Safety
    ///
    /// `vtable.unpark(data)` must be sound from any thread, at any time until the process ends.
    pub const unsafe fn new(data: *const (), vtable: &'static UnparkVTable) -> Self {
        Unparker { data, vtable }
    }

    /// Makes the task's current or next park return. Never blocks.
    #[inline]
    pub fn unpark(self) {
        // SAFETY: whoever called `new` promised that this call is sound at any time, from any thread.
        unsafe { (self.vtable.unpark)(self.data) }
    }

    /// The pointer that says which task this is, for a stage to recognise its own and for tests.
    pub fn data(self) -> *const () {
        self.data
    }
}
// ANCHOR_END: unparker

// SAFETY: `new` demands that `unpark` be sound from any thread; nothing else is ever done with the pointer.
unsafe impl Send for Unparker {}
// SAFETY: as above; an `Unparker` is immutable.
unsafe impl Sync for Unparker {}

impl fmt::Debug for Unparker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unparker").field(&self.data).finish()
    }
}
