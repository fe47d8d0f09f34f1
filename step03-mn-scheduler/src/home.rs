//! What a runtime is to the rest of the process: where its tasks are queued when somebody wakes them.
//!
//! A [`Home`] lives for ever, as tasks do, and is used again when its runtime is gone. It leads to the scheduler, which does
//! not live for ever. That is sound because only one who has found a task *parked* follows it, and a runtime does not
//! go before all its tasks have ended.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::policy::Why;
use crate::task::TaskRef;

/// Queues a task of the scheduler at this address.
pub(crate) type Ready = unsafe fn(scheduler: *const (), task: TaskRef, why: Why);

/// The part of a runtime that lives for ever.
pub(crate) struct Home {
    scheduler: Cell<*const ()>,
    ready: Cell<Option<Ready>>,
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
        left().pop().unwrap_or_else(|| {
            Box::leak(Box::new(Home {
                scheduler: Cell::new(ptr::null()),
                ready: Cell::new(None),
            }))
        })
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

    /// The runtime is gone, and no task has this home.
    pub(crate) fn leave(&'static self) {
        left().push(self);
    }

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
