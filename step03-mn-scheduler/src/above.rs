//! What a library above the scheduler may ask about the task that calls it.
//!
//! Step 4's fork and join is such a library. It is not a policy: it does not decide which task runs. But it keeps something
//! with each task (a place for its forks), has to find what belongs to the whole runtime, and starts tasks of its own. So
//! a task has a *slot* that means nothing to the scheduler, a policy may have a [`layer`](crate::Policy::layer) to be found
//! by tasks, and a task may start others without a handle of its runtime.
//!
//! All functions here are about the *calling* task, on the thread that it runs on at this moment, so none of them can
//! meet another thread. They go through `context`, as everything that asks "who am I?".

use std::any::Any;
use std::ptr::{self, NonNull};

use step01::{Job, SpawnError};

use crate::current::context;
use crate::policy::Policy;
use crate::processor::Processor;
use crate::scheduler::Scheduler;
use crate::task::TaskRef;

/// What a worker's context knows for this module: the scheduler's type, taken away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Above {
    layer: Option<NonNull<dyn Any + Send + Sync>>,
    start: unsafe fn(scheduler: *const (), Job) -> Result<(), SpawnError>,
    number: unsafe fn(scheduler: *const (), processor: *const (), above: u64) -> u64,
}

impl Above {
    pub(crate) fn of<P: Policy>(scheduler: &Scheduler<P>) -> Self {
        Above {
            layer: scheduler.policy.layer().map(NonNull::from),
            start: start_on::<P>,
            number: number_on::<P>,
        }
    }
}

/// # Safety
///
/// It is a scheduler of this type.
unsafe fn start_on<P: Policy>(scheduler: *const (), job: Job) -> Result<(), SpawnError> {
    // SAFETY: the caller's promise.
    unsafe { &*scheduler.cast::<Scheduler<P>>() }.start(job)
}

/// # Safety
///
/// They are a scheduler and a processor of this type, and this is the thread that has the processor.
unsafe fn number_on<P: Policy>(scheduler: *const (), processor: *const (), above: u64) -> u64 {
    // SAFETY: the caller's promise.
    let (scheduler, processor) = unsafe {
        (
            &*scheduler.cast::<Scheduler<P>>(),
            &*processor.cast::<Processor<P>>(),
        )
    };
    scheduler.next_number(processor, above)
}

#[inline]
fn running() -> Option<TaskRef> {
    // SAFETY: null, or this thread's, good until the calling task leaves its stack.
    unsafe { context().as_ref() }?.task.get()
}

/// What was put into the calling task's slot; null if nothing was, or if no task of this crate's calls.
#[inline]
pub fn slot() -> *const () {
    running().map_or(ptr::null(), |task| task.above.get())
}

/// Puts something into the calling task's slot, which is not looked at. Whoever fills it empties it again, with null,
/// before the task ends.
///
/// # Panics
///
/// If no task of this crate's calls.
pub fn set_slot(value: *const ()) {
    let task = running();
    task.expect("only a task has a slot").above.set(value);
}

/// What the policy of the calling task's runtime keeps for a library of this type. It is good as long as the calling
/// task is.
///
/// None if no task calls, if its runtime has nothing of this type, and if the task could not park any more: it is being
/// ended by its runtime, or was dropped before it began.
pub fn layer<T: Any>() -> Option<NonNull<T>> {
    let task = running()?;
    if task.suspender.get().is_null() || ended() {
        return None;
    }
    // SAFETY: `running` has found it, so it is there.
    let layer = unsafe { (*context()).above.layer }?;
    // SAFETY: it is a part of the policy, which lives longer than its tasks.
    unsafe { layer.as_ref() }
        .downcast_ref::<T>()
        .map(NonNull::from)
}

/// Whether the calling task is being ended by its runtime: whatever it parks for is answered by unwinding.
pub fn ended() -> bool {
    running().is_some_and(|task| task.caught.get().is_some())
}

/// Starts a task on the runtime whose task calls.
///
/// # Errors
///
/// As [`Runtime::start`](step01::Runtime::start).
///
/// # Panics
///
/// If no task of this crate's calls.
pub fn start(job: Job) -> Result<(), SpawnError> {
    assert!(running().is_some(), "a task starts others");
    let context = context();
    // SAFETY: `running` has found it, so it is there; its pointers are of the types that its functions were made for.
    unsafe { ((*context).above.start)((*context).scheduler, job) }
}

/// The calling task's number: when a runtime ends, the tasks that are left are unwound, the largest numbers first.
///
/// # Panics
///
/// If no task of this crate's calls.
pub fn number() -> u64 {
    running().expect("only a task has a number").number.get()
}

/// Gives the calling task a number that is larger than its own and than `number`, so that it is unwound before the task
/// of that number: from now on it borrows from there. Returns the new one.
///
/// # Panics
///
/// If no task of this crate's calls.
pub fn end_before(number: u64) -> u64 {
    let task = running().expect("only a task has a number");
    let context = context();
    let above = number.max(task.number.get());
    // SAFETY: as in `start`.
    let number =
        unsafe { ((*context).above.number)((*context).scheduler, (*context).processor, above) };
    task.number.set(number);
    number
}
