//! What a runtime is to the rest of the process: the place where its tasks are queued when somebody wakes them.
//!
//! A [`Home`] lives for ever, as tasks do: a late unpark may reach for it at any time. Homes of runtimes that are gone
//! are used again.

use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use step01::Job;

use crate::inbox::Inbox;
use crate::task::TaskRef;
use crate::worker;

/// The part of a runtime that other threads may touch.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) inbox: Inbox<TaskRef, Job>,
    /// How many tasks there are, as the worker last said.
    pub(crate) living: AtomicUsize,
}

/// Homes that belong to no runtime.
static LEFT: Mutex<Vec<&'static Home>> = Mutex::new(Vec::new());

fn left() -> MutexGuard<'static, Vec<&'static Home>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Home {
    /// A home for a new runtime.
    pub(crate) fn take() -> &'static Home {
        left().pop().unwrap_or_else(|| {
            Box::leak(Box::new(Home {
                inbox: Inbox::new(),
                living: AtomicUsize::new(0),
            }))
        })
    }

    /// The runtime is gone. Jobs that were spawned after its last run are dropped, which tells whoever joins them.
    pub(crate) fn leave(&'static self) {
        drop(self.inbox.empty());
        left().push(self);
    }

    // ANCHOR: make_ready
    /// Queues a task that was woken, on whichever thread this is.
    #[inline]
    pub(crate) fn make_ready(&'static self, task: TaskRef) {
        if let Some(worker) = worker::on_this_thread()
            && ptr::eq(worker.home(), self)
        {
            worker.push(task);
        } else {
            self.inbox.arrive(|mail| mail.ready.push(task));
        }
    }
    // ANCHOR_END: make_ready
}
