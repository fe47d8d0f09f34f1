//! Workers that search and sleep, and a task that nobody takes. Find out how, show it, and mend it.
//!
//! There is one queue here, of which only the number of tasks is left, and two counts: workers that search, and workers
//! that sleep (or are about to, or have been called and do not know it yet). The rule is the one of the chapter: who
//! submits a task wakes a sleeper only if nobody searches, for a searcher will find the task.
//!
//! Each operation on a word, and each on the bed, is one step, and all see the steps in one order. So no memory order is to
//! blame.

use exercises::sync::{Bed, Word};

// ANCHOR: schedule
/// First show it: who takes the next step, `"worker"` or `"submitter"`, until the task waits and the worker sleeps?
///
/// The worker calls `find`, the submitter calls `submit`. One entry is one operation on a word or on the bed. The schedule
/// is tried on the pool as it was found, which stays in `broken.rs`.
pub const SCHEDULE: &[&str] = &[
    // ANCHOR: cut_schedule | // one line for each step
    "worker",    // says that it searches
    "worker",    // looks for a task: there is none
    "submitter", // adds a task
    "submitter", // somebody searches, so nobody needs to be woken
    "worker",    // says that it sleeps
    "worker",    // says that it searches no more: too late for the submitter
    "worker",    // sleeps, beside a task that is ready
                 // ANCHOR_END: cut_schedule
];
// ANCHOR_END: schedule

/// Then mend it.
#[derive(Debug)]
pub struct Pool {
    /// Tasks that are ready.
    ready: Word,
    /// Workers that search, and sleepers that were called and will.
    searching: Word,
    /// Workers that sleep or are about to, and were not called.
    sleeping: Word,
    bed: Bed,
}

// ANCHOR: pool
impl Pool {
    /// Without tasks; nobody searches and nobody sleeps.
    pub fn new() -> Self {
        Pool {
            ready: Word::new("ready", 0),
            searching: Word::new("searching", 0),
            sleeping: Word::new("sleeping", 0),
            bed: Bed::new(),
        }
    }

    /// A task is ready.
    pub fn submit(&self) {
        self.ready.add(1);
        // One that searches will find it.
        if self.searching.load() == 0 {
            self.wake_a_searcher();
        }
    }

    /// Makes one of the sleepers a searcher and calls it, if there is one.
    fn wake_a_searcher(&self) {
        if self.sleeping.take_one() {
            self.searching.add(1);
            self.bed.call();
        }
    }

    /// A worker without work: returns when it has got a task, after sleeping if need be.
    pub fn find(&self) {
        self.searching.add(1);
        loop {
            if self.ready.take_one() {
                self.searching.take_one();
                // Where one task was there may be more.
                if self.searching.load() == 0 && self.ready.load() > 0 {
                    self.wake_a_searcher();
                }
                return;
            }
            // ANCHOR: cut_sleep | self.sleeping.add(1);
            // ANCHOR: cut_sleep | self.searching.take_one();
            // ANCHOR: cut_sleep | self.bed.sleep();
            self.sleeping.add(1);
            self.searching.take_one();
            // The last look, after both counts have changed. A submitter first adds its task and then looks whether anybody
            // searches; we first say that we do not and then look for a task. Whoever is second sees the other: either
            // the submitter finds nobody searching and wakes a sleeper, or we find its task and do. Before, the look came
            // first, and the two could miss each other.
            //
            // It need not be ourselves that we wake: whoever is called searches in our place. If we are the only one, the
            // call is there before we sleep, and the bed keeps it.
            //
            // On a real machine this takes a SeqCst fence on either side, between the write and the read: "write mine, then
            // read yours" is the pattern that Acquire and Release do not order. Where the look at the queue takes the lock
            // under which tasks are pushed, that lock orders it, too.
            if self.searching.load() == 0 && self.ready.load() > 0 {
                self.wake_a_searcher();
            }
            self.bed.sleep();
            // ANCHOR_END: cut_sleep
            // Whoever has called us has made us a searcher.
        }
    }

    /// How many search and how many sleep, as they are counted, and how often somebody was called. For tests.
    pub fn counts(&self) -> (u32, u32, usize) {
        (
            self.searching.load(),
            self.sleeping.load(),
            self.bed.calls(),
        )
    }
}
// ANCHOR_END: pool
