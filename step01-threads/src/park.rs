//! The seam that everything stands on: how a task stops, and how it is started again.
//!
//! # The contract
//!
//! Every task has a *token*, which is there or not there.
//!
//! - [`park`] waits until the token is there, takes it and returns. It may also return for no reason (*spuriously*), so
//!   it is always called in a loop that looks at the condition it waits for.
//! - [`park_until`] does the same and also returns once the deadline has passed.
//! - [`current`] names the running task; [`Unparker::unpark`] leaves the token. It is *sticky*: left before the park,
//!   it makes the park return at once, and leaving it twice is the same as leaving it once. It never blocks and may be
//!   called from any thread, inside a runtime or outside, but not from a signal handler.
//! - What happened before an `unpark` is visible after the `park` that took its token.
//!
//! These are the semantics of `std::thread::park`, spurious returns included, with tasks in the place of threads.
//!
//! # How a stage takes part
//!
//! A stage's worker calls [`install`] with a [`Parker`] when it starts. From then on the functions of this module, called
//! on that thread, go to the stage. A thread on which nothing is installed, be it `main`, a thread of some library or a
//! task of [`Threads`](crate::Threads), is an OS thread, and the kernel is its scheduler. So a task and an ordinary
//! thread can wait for each other on one channel, and neither knows what the other is.
//!
//! # While a thread is unwinding
//!
//! std counts panics per thread. If a task that is unwinding were taken off its thread, another task would find itself
//! "panicking", and the first, resumed elsewhere, would not be. So a stage that switches stacks must not switch while
//! `std::thread::panicking()`: its `park` then blocks the OS thread.
//!
//! # Rejected
//!
//! - *A generic parameter on every channel and lock.* It would make each type ten characters longer for everyone, keep
//!   tasks of one stage from sharing a channel with plain threads, and compile everything once for each stage.
//! - *A trait object in the thread-local.* The two words of a [`Parker`] are just that, minus the borrow, which could
//!   not be held across a park: afterwards the task may be on another thread.

use std::cell::Cell;
use std::sync::Mutex;
use std::time::Instant;

use crate::os_parker::OsParker;
use crate::unparker::{UnparkVTable, Unparker};

pub use crate::wait::Wait;

// ANCHOR: seam
/// What a stage supplies so that its tasks can stop.
#[derive(Debug)]
pub struct ParkVTable {
    /// Stops the running task until its token is there, the deadline has passed, or for no reason.
    pub park: unsafe fn(data: *const (), wait: Wait, deadline: Option<Instant>),
    /// Names the running task.
    pub current: unsafe fn(data: *const ()) -> Unparker,
}

/// A stage's parker: a pointer and a table, installed in each of its worker threads.
#[derive(Clone, Copy, Debug)]
pub struct Parker {
    data: *const (),
    vtable: &'static ParkVTable,
}

thread_local! {
    /// The stage that this thread works for; none for a plain OS thread.
    static INSTALLED: Cell<Option<Parker>> = const { Cell::new(None) };
}

/// Waits for the running task's token and takes it. May return spuriously.
pub fn park() {
    park_as(Wait::Park, None);
}

/// [`park`], but also returns once `deadline` has passed.
pub fn park_until(deadline: Instant) {
    park_as(Wait::Park, Some(deadline));
}

/// The running task, as something that can be started again from anywhere.
pub fn current() -> Unparker {
    match installed() {
        // SAFETY: `install` demanded that the table's functions be callable with this pointer on this thread.
        Some(parker) => unsafe { (parker.vtable.current)(parker.data) },
        None => os_unparker(own_cell()),
    }
}

/// Parks and says what for; every blocking operation of this crate ends here.
#[inline]
pub fn park_as(wait: Wait, deadline: Option<Instant>) {
    match installed() {
        // SAFETY: as in `current`.
        Some(parker) => unsafe { (parker.vtable.park)(parker.data, wait, deadline) },
        None => own_cell().park(deadline),
    }
}

/// Reads the thread-local, and is not inlined: `park` may come back on another thread, and a caller that had kept the
/// *address* of the thread-local would go on reading the old thread's.
#[inline(never)]
fn installed() -> Option<Parker> {
    INSTALLED.get()
}
// ANCHOR_END: seam

impl Parker {
    /// Makes a parker out of its two words.
    ///
    /// # Safety
    ///
    /// Until the parker is replaced, both functions of the table must be callable with `data` on every thread on which
    /// it is installed, and must keep the contract in this module's description.
    pub const unsafe fn new(data: *const (), vtable: &'static ParkVTable) -> Self {
        Parker { data, vtable }
    }
}

/// Makes `parker` the parker of this thread, or with `None` makes it a plain OS thread again; returns the one before.
///
/// # Safety
///
/// The parker must fit this thread: see [`Parker::new`]. A stage restores what was there before its worker ends.
pub unsafe fn install(parker: Option<Parker>) -> Option<Parker> {
    INSTALLED.replace(parker)
}

// The rest is the parker of plain OS threads. Its cells are leaked, and recycled when a thread ends, so that an
// `Unparker` stays good for ever: type-stable memory, the rule for every stage.

static OS_VTABLE: UnparkVTable = UnparkVTable {
    // SAFETY: `data` came from `os_unparker`, so it is a cell that is never freed.
    unpark: |data| unsafe { &*data.cast::<OsParker>() }.unpark(),
};

/// Cells of threads that have ended.
static FREE_CELLS: Mutex<Vec<&'static OsParker>> = Mutex::new(Vec::new());

thread_local! {
    /// This thread's cell. It has no destructor, so it can be read at any time, even by other thread-locals' destructors.
    static OWN_CELL: Cell<Option<&'static OsParker>> = const { Cell::new(None) };
    /// Returns the cell when the thread ends.
    static RETURN: ReturnCell = const { ReturnCell };
}

struct ReturnCell;

impl Drop for ReturnCell {
    fn drop(&mut self) {
        if let Some(cell) = OWN_CELL.take() {
            free_cells().push(cell);
        }
    }
}

fn free_cells() -> std::sync::MutexGuard<'static, Vec<&'static OsParker>> {
    FREE_CELLS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn os_unparker(cell: &'static OsParker) -> Unparker {
    // SAFETY: the cell is leaked, and `OsParker::unpark` may be called from any thread.
    unsafe { Unparker::new((cell as *const OsParker).cast(), &OS_VTABLE) }
}

fn own_cell() -> &'static OsParker {
    OWN_CELL.get().unwrap_or_else(adopt_cell)
}

/// The first park or `current` of a thread: takes a cell that an ended thread has left, or makes one.
#[cold]
fn adopt_cell() -> &'static OsParker {
    let recycled = free_cells().pop();
    let cell = recycled.unwrap_or_else(|| Box::leak(Box::new(OsParker::new())));
    OWN_CELL.set(Some(cell));
    // If this thread's destructors have already run, nobody will return the cell, and these few bytes stay with it.
    let _ = RETURN.try_with(|_| ());
    cell
}
