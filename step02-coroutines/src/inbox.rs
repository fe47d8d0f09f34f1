//! How other threads reach a worker: a list under a lock, and a place for the worker to sleep.
//!
//! A worker runs its tasks on one thread, and its own run queue is that thread's alone. A task that is woken by a
//! channel's other end on another thread, or a task that is spawned there, comes by here. The worker looks in from time
//! to time, and when it has nothing else to do it sleeps here.
//!
//! # No wake-up is lost
//!
//! What arrives is put into the list under the lock, and the worker looks at the list under the same lock before it
//! sleeps; the condition variable gives the lock back and falls asleep in one step. So whoever comes after the look
//! finds it asleep, and wakes it.
//!
//! `filled` is a hint beside it, so that a busy worker need not take the lock to see that nothing has come. It may be
//! seen late, never for ever: the worker looks again at each 61st turn, and takes the lock before it sleeps.
//!
//! Rejected: *a list without a lock*. It would be faster if many threads sent much to one worker, which is not what this
//! stage is for; steps 3 and 4 have the queues for that.

use std::time::{Duration, Instant};

use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What has arrived.
#[derive(Debug)]
pub(crate) struct Mail<T, J> {
    /// Tasks that were woken.
    pub(crate) ready: Vec<T>,
    /// Tasks that were spawned.
    pub(crate) jobs: Vec<J>,
}

impl<T, J> Mail<T, J> {
    fn new() -> Self {
        Mail {
            ready: Vec::new(),
            jobs: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.jobs.is_empty()
    }
}

/// The list and the place to sleep. `T` is a task, `J` is a job.
#[derive(Debug)]
pub(crate) struct Inbox<T, J> {
    mail: Mutex<Mail<T, J>>,
    arrived: Condvar,
    filled: AtomicBool,
}

impl<T, J> Inbox<T, J> {
    pub(crate) fn new() -> Self {
        Inbox {
            mail: Mutex::new(Mail::new()),
            arrived: Condvar::new(),
            filled: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mail<T, J>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: arrive
    /// Any thread: puts something in, and wakes the worker if it sleeps.
    pub(crate) fn arrive(&self, put: impl FnOnce(&mut Mail<T, J>)) {
        let mut mail = self.lock();
        put(&mut mail);
        // Release: pairs with the Acquire in `has_mail`. (What is in the list is published by the lock.)
        self.filled.store(true, Release);
        drop(mail);
        self.arrived.notify_one();
    }
    // ANCHOR_END: arrive

    /// The worker: whether something seems to have come.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.filled.load(Acquire)
    }

    /// The number of jobs that have not been fetched.
    pub(crate) fn waiting_jobs(&self) -> usize {
        self.lock().jobs.len()
    }

    /// The worker: takes everything out.
    pub(crate) fn empty(&self) -> Mail<T, J> {
        let mut mail = self.lock();
        // Relaxed: under the lock, as every store of `true`.
        self.filled.store(false, Relaxed);
        std::mem::replace(&mut *mail, Mail::new())
    }

    // ANCHOR: sleep
    /// The worker: sleeps until something arrives, until `until`, or for `at_most`. It may wake for no reason.
    pub(crate) fn sleep(&self, until: Option<Instant>, at_most: Option<Duration>) {
        let mail = self.lock();
        if !mail.is_empty() {
            return;
        }
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        let time = match (rest, at_most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match time {
            Some(time) => drop(self.arrived.wait_timeout(mail, time)),
            None => drop(self.arrived.wait(mail)),
        }
    }
    // ANCHOR_END: sleep
}
