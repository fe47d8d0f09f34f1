//! Who sleeps, who searches, and who is to be woken.
//!
//! # The protocol
//!
//! A worker without work *searches*: it looks into the injector and into the others' queues. If it finds nothing it sleeps.
//! There are two counts, in one word: workers that sleep, and workers that search.
//!
//! - Whoever makes a task ready wakes one sleeper, but only *if nobody searches*: a searcher will find the task. So a burst
//!   of a thousand spawns wakes one worker, and not a thousand times.
//! - A searcher that finds work stops searching; if it was the last one, it wakes another, since where one task was there
//!   may be more. So workers wake up one after the other as long as there is something to do.
//! - A searcher that finds nothing stops searching, and if it was the last one, it looks *once more* at everything before
//!   it sleeps.
//!
//! # Why the last look
//!
//! The submitter writes a task, then reads the counts. The last searcher writes the counts (nobody searches), then reads
//! the queues. Each writes one thing and reads another. If both could miss the other's write, the task would wait while
//! everyone sleeps. A fence between write and read, SeqCst and on both sides, forbids it: one of them sees the other. That
//! is Dekker's pattern, the one place of this book where Acquire and Release are not enough. (Go: "delicate dance" in
//! `findRunnable`; tokio#1768 was a load where a fence was needed.)

use std::time::Instant;

use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Relaxed, SeqCst};
use crate::sync::atomic::fence;
use crate::sync::{Condvar, Mutex, PoisonError};

/// In the low half workers that search, in the high half workers that sleep.
const SEARCHING: usize = 1;
const SLEEPING: usize = 1 << (usize::BITS / 2);
const MASK: usize = SLEEPING - 1;

/// The counts, and the place to sleep.
#[derive(Debug)]
pub(crate) struct Idle {
    counts: AtomicUsize,
    bed: Mutex<Bed>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Bed {
    /// Wake-ups that nobody has taken.
    calls: usize,
    /// Nobody is to sleep.
    closed: bool,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Idle {
            counts: AtomicUsize::new(0),
            bed: Mutex::new(Bed::default()),
            wake: Condvar::new(),
        }
    }

    // ANCHOR: ready
    /// After a task was made ready: wakes a worker if one sleeps and none searches.
    #[inline]
    pub(crate) fn task_is_ready(&self) {
        // Pairs with the fence in `stop_searching`: see "why the last look".
        fence(SeqCst);
        // Relaxed: ordered by the fence.
        let counts = self.counts.load(Relaxed);
        if counts >= SLEEPING && counts & MASK == 0 {
            self.wake_a_searcher();
        }
    }

    #[cold]
    fn wake_a_searcher(&self) {
        let woken = self.counts.fetch_update(SeqCst, Relaxed, |counts| {
            let wanted = counts >= SLEEPING && counts & MASK == 0;
            // The sleeper is made a searcher here, and not when it gets up: nobody else is to be woken meanwhile.
            wanted.then(|| counts - SLEEPING + SEARCHING)
        });
        if woken.is_ok() {
            self.call();
        }
    }
    // ANCHOR_END: ready

    fn call(&self) {
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        bed.calls += 1;
        drop(bed);
        self.wake.notify_one();
    }

    /// A worker without work begins to search.
    pub(crate) fn start_searching(&self) {
        self.counts.fetch_add(SEARCHING, SeqCst);
    }

    // ANCHOR: found
    /// A searcher has found something. If it was the last one, another is woken.
    pub(crate) fn found(&self) {
        let before = self.counts.fetch_sub(SEARCHING, SeqCst);
        if before & MASK == 1 && before >= SLEEPING {
            self.wake_a_searcher();
        }
    }
    // ANCHOR_END: found

    // ANCHOR: stop_searching
    /// A searcher has found nothing, and counts as asleep from now on. True if it was the last one: it must look at
    /// everything once more.
    pub(crate) fn stop_searching(&self) -> bool {
        let before = self.counts.fetch_add(SLEEPING - SEARCHING, SeqCst);
        // Pairs with the fence in `task_is_ready`.
        fence(SeqCst);
        before & MASK == 1
    }
    // ANCHOR_END: stop_searching

    /// One that counts as asleep has found something after all, or has been woken by the clock. It searches again; or,
    /// if somebody has just called it, it has been made a searcher already.
    pub(crate) fn get_up(&self) {
        let up = self.counts.fetch_update(SeqCst, Relaxed, |counts| {
            (counts >= SLEEPING).then(|| counts - SLEEPING + SEARCHING)
        });
        if up.is_err() {
            // Everyone who counted as asleep was called, so one of the calls is for us.
            let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            bed.calls = bed.calls.saturating_sub(1);
        }
    }

    // ANCHOR: sleep
    /// Sleeps until called, or until `until`. True if called: then it is a searcher.
    pub(crate) fn sleep(&self, until: Option<Instant>) -> bool {
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if bed.calls > 0 {
                bed.calls -= 1;
                return true;
            }
            if bed.closed {
                return false;
            }
            bed = match until {
                None => self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let rest = until.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        return false;
                    }
                    let woken = self.wake.wait_timeout(bed, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
    // ANCHOR_END: sleep

    /// Wakes a sleeper, if there is one, for another reason than a task.
    pub(crate) fn nudge(&self) {
        let woken = self.counts.fetch_update(SeqCst, Relaxed, |counts| {
            (counts >= SLEEPING).then(|| counts - SLEEPING + SEARCHING)
        });
        if woken.is_ok() {
            self.call();
        }
    }

    /// Nobody sleeps any more, until `open`.
    pub(crate) fn close(&self) {
        self.bed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.wake.notify_all();
    }

    pub(crate) fn open(&self) {
        *self.bed.lock().unwrap_or_else(PoisonError::into_inner) = Bed::default();
        self.counts.store(0, SeqCst);
    }
}
