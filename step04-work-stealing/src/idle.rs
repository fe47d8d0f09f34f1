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
//! - A worker that was woken for a task is a searcher, from the moment it is called until it finds one, or sleeps again.
//!   If it said on its way that it searches no more, it would have to wake another, which would wake another.
//!
//! # Why the last look
//!
//! The submitter writes a task, then reads the counts. The last searcher writes the counts (nobody searches), then reads
//! the queues. Each writes one thing and reads another. If both could miss the other's write, the task would wait while
//! everyone sleeps. A fence between write and read, SeqCst and on both sides, forbids it: one of them sees the other. That
//! is Dekker's pattern, the first place of this book where Acquire and Release are not enough. (Go: "delicate dance" in
//! `findRunnable`; tokio#1768 was a load where a fence was needed.)
//!
//! # Who counts as asleep
//!
//! Under the lock holds at all times: the workers that count as asleep, and those that were called and do not know it yet,
//! are together those between [`Idle::stop_searching`] and the end of [`Idle::sleep`] or [`Idle::get_up`]. For the caller
//! turns a sleeper into a searcher and notes the call in one critical section, and in one more the worker finds the
//! call, or, if there is none, turns itself into a searcher. So each call is taken by one worker, also by one whom the
//! clock wakes in the same moment. Were it left over, it would later wake somebody who then takes himself for a searcher
//! and counts as asleep, and from then on the counts would be wrong for good.

use std::time::Instant;

use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::sync::atomic::fence;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
    /// Sleepers that were made searchers and do not know it yet.
    calls: usize,
    /// The next one to sleep is to get up at once, for another reason than a task.
    nudged: bool,
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

    fn bed(&self) -> MutexGuard<'_, Bed> {
        self.bed.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The same, for one who is no searcher any more, or never was.
    #[cold]
    fn wake_a_searcher(&self) {
        let mut bed = self.bed();
        // Relaxed, in case of failure: then there is nothing to do.
        let called = self.counts.fetch_update(SeqCst, Relaxed, |counts| {
            let wanted = counts >= SLEEPING && counts & MASK == 0;
            // The sleeper is made a searcher here, and not when it gets up: nobody else is to be woken meanwhile.
            wanted.then(|| counts - SLEEPING + SEARCHING)
        });
        if called.is_ok() {
            bed.calls += 1;
            drop(bed);
            self.wake.notify_one();
        }
    }
    // ANCHOR_END: ready

    // ANCHOR: rest
    /// A worker without work searches and sleeps until `search` has found something, or until it should go back to its
    /// loop without: it is late, somebody has nudged, or nobody is to sleep any more. `search` may leave alone what has
    /// come a moment ago; `anything` says whether there is something at all.
    pub(crate) fn rest<T>(
        &self,
        mut search: impl FnMut() -> Option<T>,
        anything: impl Fn() -> bool,
        until: Option<Instant>,
    ) -> Option<T> {
        self.start_searching();
        loop {
            if let Some(task) = search() {
                self.found();
                return Some(task);
            }
            let again = if self.stop_searching() && anything() {
                self.get_up() && until.is_none_or(|until| Instant::now() < until)
            } else {
                self.sleep(until)
            };
            if !again {
                break;
            }
        }
        if self.leave() && anything() {
            self.wake_a_searcher();
        }
        None
    }
    // ANCHOR_END: rest

    /// A worker without work begins to search.
    fn start_searching(&self) {
        self.counts.fetch_add(SEARCHING, SeqCst);
    }

    // ANCHOR: found
    /// A searcher has found something. If it was the last one, another is woken.
    fn found(&self) {
        let before = self.counts.fetch_sub(SEARCHING, SeqCst);
        if before & MASK == 1 && before >= SLEEPING {
            self.wake_a_searcher();
        }
    }
    // ANCHOR_END: found

    // ANCHOR: stop_searching
    /// A searcher has found nothing, and counts as asleep from now on. True if it was the last one: it must look at
    /// everything once more.
    fn stop_searching(&self) -> bool {
        self.no_longer_searches(SLEEPING)
    }

    /// A searcher has found nothing, and does something else now. True if it was the last one: it must look at
    /// everything once more, and wake another if there is something.
    fn leave(&self) -> bool {
        self.no_longer_searches(0)
    }

    fn no_longer_searches(&self, sleeping: usize) -> bool {
        // It wraps if `sleeping` is 0, and is a subtraction then.
        let before = self
            .counts
            .fetch_add(sleeping.wrapping_sub(SEARCHING), SeqCst);
        // Pairs with the fence in `task_is_ready`.
        fence(SeqCst);
        before & MASK == 1
    }
    // ANCHOR_END: stop_searching

    // ANCHOR: sleep
    /// Sleeps until it is called, or for another reason should get up: it is late, somebody has nudged, or nobody is to
    /// sleep any more. True if it was called. In any case it is a searcher now.
    fn sleep(&self, until: Option<Instant>) -> bool {
        let mut bed = self.bed();
        while bed.calls == 0 && !bed.closed && !bed.nudged {
            bed = match until {
                None => self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let rest = until.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        break;
                    }
                    let woken = self.wake.wait_timeout(bed, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let called = self.rise(&mut bed);
        // Who was not called goes back to its worker's loop, and that is all that a nudge wants.
        bed.nudged &= called;
        called
    }

    /// One that counts as asleep is a searcher now. True if somebody has called it, and so has made it one.
    fn rise(&self, bed: &mut Bed) -> bool {
        let called = bed.calls > 0;
        if called {
            bed.calls -= 1;
        } else {
            self.counts.fetch_sub(SLEEPING - SEARCHING, SeqCst);
        }
        called
    }

    /// One that counts as asleep has found something after all, and searches again. False if it should go back to its
    /// worker's loop.
    fn get_up(&self) -> bool {
        let mut bed = self.bed();
        self.rise(&mut bed);
        !std::mem::take(&mut bed.nudged) && !bed.closed
    }
    // ANCHOR_END: sleep

    /// Makes one sleeper get up, or the next who would sleep, for another reason than a task.
    pub(crate) fn nudge(&self) {
        self.bed().nudged = true;
        self.wake.notify_one();
    }

    /// How many workers count as asleep. Such a one has no task in its hands.
    pub(crate) fn asleep(&self) -> usize {
        // Acquire: pairs with `stop_searching`, so that what they did before is seen.
        self.counts.load(Acquire) / SLEEPING
    }

    /// Nobody sleeps any more, until `open`.
    pub(crate) fn close(&self) {
        self.bed().closed = true;
        self.wake.notify_all();
    }

    /// One may sleep again. For one who knows that no worker is there yet.
    pub(crate) fn open(&self) {
        let mut bed = self.bed();
        debug_assert!(bed.calls == 0, "somebody was called and did not get up");
        *bed = Bed::default();
    }
}
