//! How other threads reach a runtime: a list under a lock, and a place for the worker to sleep.
//!
//! A worker runs its tasks on one thread, and its own run queue is that thread's alone. A task that is woken by a
//! channel's other end on another thread, or a task that is spawned there, comes by here. The worker looks in from time
//! to time, and when it has nothing else to do it sleeps here.
//!
//! A [`Home`] lives for ever, as tasks do: a late unpark may reach for it at any time. Homes of runtimes that are gone
//! are used again.

use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use step01::Job;

use crate::task::TaskRef;
use crate::worker;

/// The part of a runtime that other threads may touch.
#[derive(Debug)]
pub(crate) struct Home {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    /// Whether the inbox holds anything: so that the worker need not take the lock to see that it does not.
    filled: AtomicBool,
    /// How many tasks there are, as the worker last said.
    pub(crate) living: AtomicUsize,
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Tasks that were woken.
    pub(crate) ready: Vec<TaskRef>,
    /// Tasks that were spawned.
    pub(crate) jobs: Vec<Job>,
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
                inbox: Mutex::new(Inbox::default()),
                arrived: Condvar::new(),
                filled: AtomicBool::new(false),
                living: AtomicUsize::new(0),
            }))
        })
    }

    /// The runtime is gone. Jobs that were spawned after its last run are dropped, which tells whoever joins them.
    pub(crate) fn leave(&'static self) {
        drop(self.empty());
        left().push(self);
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: arrive
    /// Queues a task that was woken, on whichever thread this is.
    pub(crate) fn make_ready(&'static self, task: TaskRef) {
        if let Some(worker) = worker::on_this_thread()
            && ptr::eq(worker.home(), self)
        {
            worker.push(task);
        } else {
            self.arrive(|inbox| inbox.ready.push(task));
        }
    }

    /// Puts something into the inbox and wakes the worker if it sleeps.
    pub(crate) fn arrive(&self, put: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.lock();
        put(&mut inbox);
        // Release: pairs with the Acquire in `has_mail`. (What is in the inbox is published by the lock.)
        self.filled.store(true, Release);
        drop(inbox);
        self.arrived.notify_one();
    }
    // ANCHOR_END: arrive

    /// Whether there is something in the inbox.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.filled.load(Acquire)
    }

    /// The number of jobs that have not been fetched.
    pub(crate) fn waiting_jobs(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Takes everything out.
    pub(crate) fn empty(&self) -> Inbox {
        let mut inbox = self.lock();
        // Relaxed: under the lock, as every store of `true`.
        self.filled.store(false, Relaxed);
        std::mem::take(&mut inbox)
    }

    // ANCHOR: sleep
    /// The worker sleeps until something arrives, `until`, or for `at_most`. It may wake for no reason.
    pub(crate) fn sleep(&self, until: Option<Instant>, at_most: Option<Duration>) {
        let inbox = self.lock();
        if !inbox.ready.is_empty() || !inbox.jobs.is_empty() {
            return;
        }
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        let time = match (rest, at_most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match time {
            Some(time) => drop(self.arrived.wait_timeout(inbox, time)),
            None => drop(self.arrived.wait(inbox)),
        }
    }
    // ANCHOR_END: sleep
}
