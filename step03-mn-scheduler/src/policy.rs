//! The policy seam: what a scheduler decides, apart from all that it does.
//!
//! A scheduler switches stacks, keeps timers, parks tasks and ends them. None of this says *which* task runs next, and on
//! which worker. That is a [`Policy`]. This step has the simplest, one queue for all ([`GlobalQueue`](crate::GlobalQueue));
//! the next one plugs in queues per processor and stealing, and changes nothing else.
//!
//! A policy sees tasks as names. It never runs one, and its [`try_next`](Policy::try_next) never blocks, so that it can
//! also be driven without threads, by a test or a simulation in virtual time.

use std::any::Any;
use std::time::Instant;

use crate::processor::Processor;
use crate::task::TaskRef;

// ANCHOR: policy
/// Why a task has become ready. A policy may treat them differently: one that was woken has its data in the waker's cache,
/// one that has yielded asked to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is new.
    Spawn,
    /// Somebody has unparked it.
    Unpark,
    /// The task that it joins has ended.
    Join,
    /// It lets others run.
    Yield,
    /// Its deadline has come.
    Timer,
    /// It comes from a thread that is no worker of this runtime.
    Inject,
}

/// Decides which task runs next, and where.
pub trait Policy: Send + Sync + Sized + 'static {
    /// What the policy keeps with each processor: a queue of its own, say. It is used by one worker at a time.
    type Local: Send + 'static;

    /// What the processor of this index gets.
    fn local(&self, index: usize) -> Self::Local;

    /// A task is ready. `from` is the processor of the worker that says so; none if it is no worker of this runtime.
    ///
    /// It must be found by somebody's `try_next`, once, and a worker that sleeps in `idle` must be woken if otherwise
    /// nobody would look.
    fn ready(&self, task: TaskRef, from: Option<&Processor<Self>>, why: Why);

    /// The next task for the worker that has this processor. Never blocks.
    fn try_next(&self, on: &Processor<Self>) -> Option<TaskRef>;

    /// The worker found nothing. Blocks until there may be something, [`Policy::wake_all`] was called, or `until`. It may
    /// return for no reason.
    fn idle(&self, on: &Processor<Self>, until: Option<Instant>);

    /// Makes one `idle` return, or the next one that would have blocked: an earlier deadline has come.
    fn wake_one(&self);

    /// Makes every `idle` return, those that are yet to come included, until [`Policy::open`] is called.
    fn wake_all(&self);

    /// From now on `idle` blocks again.
    fn open(&self);

    /// How many workers sleep in `idle` at this moment. Who counts has found nothing, and has no task in its hands.
    fn asleep(&self) -> usize;

    /// What a library above the scheduler keeps with the runtime, for [`above::layer`](crate::above::layer).
    fn layer(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}
// ANCHOR_END: policy
