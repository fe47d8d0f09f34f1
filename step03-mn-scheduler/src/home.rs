//! What a runtime is to the rest of the process: where its tasks are queued when somebody wakes them.
//!
//! A [`Home`] lives for ever, as tasks do, and is used again when its runtime is gone. It leads to the scheduler, which does
//! not live for ever. That is sound because only one who has found a task *parked* follows it, and a runtime does not
//! go before all its tasks have ended.
//!
//! # Visitors
//!
//! One thing is left to see to. A thread that is no worker finds a task parked, queues it, and *then* wakes a sleeping
//! worker. Between the two another worker may take the task and run it; it may have been the last one; `run` returns, and
//! the runtime is dropped, with the queue and the bed on which its workers slept, which the waker is about to touch. So
//! such a thread counts itself in before it queues and out when it is done, and a runtime that goes waits for those who
//! are inside. Workers need not count: a runtime outlives its workers.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::policy::Why;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::yield_now;
use crate::task::TaskRef;

/// Queues a task of the scheduler at this address.
pub(crate) type Ready = unsafe fn(scheduler: *const (), task: TaskRef, why: Why);

/// The part of a runtime that lives for ever.
pub(crate) struct Home {
    scheduler: Cell<*const ()>,
    ready: Cell<Option<Ready>>,
    /// Threads that are no workers of ours, between their finding a task parked and their last touch of the scheduler.
    visitors: AtomicUsize,
}

// SAFETY: the cells change only in `take`, before any task has this home, and are published with the first of them.
unsafe impl Sync for Home {}
// SAFETY: it is two words.
unsafe impl Send for Home {}

/// Homes that belong to no runtime.
static LEFT: Mutex<Vec<&'static Home>> = Mutex::new(Vec::new());

fn left() -> MutexGuard<'static, Vec<&'static Home>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Home {
    /// A home for a new runtime, to be [furnished](Home::furnish).
    pub(crate) fn take() -> &'static Home {
        left()
            .pop()
            .unwrap_or_else(|| Box::leak(Box::new(Home::new())))
    }

    pub(crate) fn new() -> Self {
        Home {
            scheduler: Cell::new(ptr::null()),
            ready: Cell::new(None),
            visitors: AtomicUsize::new(0),
        }
    }

    /// Says whose it is.
    ///
    /// # Safety
    ///
    /// Nobody else uses it yet. `ready` must be callable with `scheduler` from any thread as long as a task has this home.
    pub(crate) unsafe fn furnish(&self, scheduler: *const (), ready: Ready) {
        self.scheduler.set(scheduler);
        self.ready.set(Some(ready));
    }

    // ANCHOR: visit
    /// The runtime goes, and no task has this home any more. Waits for visitors.
    pub(crate) fn leave(&'static self) {
        // Acquire: pairs with the Release in `visit`. That we see a visitor at all is the work of the queue's lock: it
        // counted itself before it queued its task, and we have found that task.
        while self.visitors.load(Acquire) > 0 {
            yield_now(); // it has a system call to make at most
        }
        left().push(self);
    }

    /// Calls `f`, which uses the scheduler, on a thread that is none of its workers and has found a task parked.
    pub(crate) fn visit(&self, f: impl FnOnce()) {
        // Relaxed: the lock of the queue publishes it, see `leave`.
        self.visitors.fetch_add(1, Relaxed);
        f();
        // Release: pairs with the Acquire in `leave`: what `f` did comes before the end of the scheduler.
        self.visitors.fetch_sub(1, Release);
    }
    // ANCHOR_END: visit

    /// Queues a task of this runtime that was found parked.
    pub(crate) fn ready(&self, task: TaskRef, why: Why) {
        if let Some(ready) = self.ready.get() {
            // SAFETY: the task is alive, so its scheduler is.
            unsafe { ready(self.scheduler.get(), task, why) }
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Home({:?})", self.scheduler.get())
    }
}
