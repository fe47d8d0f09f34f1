//! Who am I? Which worker runs on this thread, and which task runs on it.
//!
//! A worker keeps a [`Context`] on its own stack and leaves its address in a thread-local. A task that wants to park reads
//! it, finds itself in it, and leaves its stack.
//!
//! # A thread-local that lies
//!
//! In step 2 a task stayed on its thread. Here it may park on one thread and go on, in the next line of its source, on
//! another. A thread-local has another address on each thread, and a compiler that has computed the address once in a
//! function keeps it for the rest of that function: it knows of no call that could change the thread. So code like this
//!
//! ```text
//!     let a = CONTEXT.get();  park();  let b = CONTEXT.get();
//! ```
//!
//! read in `b` the *old* thread's value, in release builds, when it was tried. (mordor#18 and llvm#98479 are the same
//! with `errno`, whose address C libraries declare as never changing.) Here it cannot happen, by construction:
//!
//! - there is one function that touches the thread-local, [`context`]; it is not inlined and not generic
//! - it returns a copy of a pointer, and no borrow that could be held across a park
//! - nothing that it returned is used after the switch: whoever comes back from [`stop`] asks again
//!
//! Rejected: finding the context from the stack pointer, as old Linux found `current`. It needs no thread-local at all,
//! but each stack would have to know its thread, which is one more thing to write at every switch.

use std::cell::Cell;
use std::io::Write as _;
use std::ptr;

use crate::above::Above;
use crate::task::{Stop, TaskRef};

/// What a worker shows to the tasks that run on it. It lies on the worker's stack, and belongs to its thread.
#[derive(Debug)]
pub(crate) struct Context {
    /// Which scheduler the worker works for: its address, to compare with.
    pub(crate) scheduler: *const (),
    /// The processor that the worker has; its type is the scheduler's affair.
    pub(crate) processor: *const (),
    /// The task that runs.
    pub(crate) task: Cell<Option<TaskRef>>,
    /// What the task wants called on the thread's own stack, with [`Stop::Call`].
    pub(crate) call: Cell<Option<*mut (dyn FnMut() + 'static)>>,
    /// The worker was started by a destructor during a panic, so that its thread counts as panicking all the time.
    pub(crate) panicking: bool,
    /// For a library above the scheduler.
    pub(crate) above: Above,
}

impl Context {
    pub(crate) fn new(scheduler: *const (), processor: *const (), above: Above) -> Self {
        Context {
            scheduler,
            processor,
            task: Cell::new(None),
            call: Cell::new(None),
            panicking: std::thread::panicking(),
            above,
        }
    }
}

thread_local! {
    static CONTEXT: Cell<*const Context> = const { Cell::new(ptr::null()) };
}

// ANCHOR: context
/// The context of the worker on this thread; null on a thread that is none.
///
/// What is behind the pointer is good until the calling task leaves its stack, and no longer.
#[inline(never)]
pub(crate) fn context() -> *const Context {
    CONTEXT.get()
}
// ANCHOR_END: context

/// Makes `context` this thread's; returns the one before. The caller restores that before its context goes.
#[inline(never)]
pub(crate) fn enter(context: *const Context) -> *const Context {
    CONTEXT.replace(context)
}

// ANCHOR: stop
/// The running task leaves its stack. Returns when it is its turn again, perhaps on another thread: what the caller has
/// learned from [`context`] is stale then.
#[inline(always)]
pub(crate) fn stop(task: TaskRef, stop: Stop) {
    // SAFETY: null, or where the task's fiber has stored its suspender; that lies on its stack, and the task runs there.
    match unsafe { task.suspender.get().as_ref() } {
        Some(suspender) => suspender.suspend(stop),
        None => die("a task was dropped before it began, and a destructor of what it owns parked"),
    }
}
// ANCHOR_END: stop

/// Ends the process with a sentence, where nobody is left to whom an error could be returned.
#[cold]
pub(crate) fn die(message: &str) -> ! {
    // Not by `eprintln!`, which a test harness keeps until the test has ended. If even this fails, nobody can be told.
    let _ = writeln!(std::io::stderr(), "\nfatal error: {message}");
    std::process::abort()
}
