//! The pool as it was found, for the schedule to be tried on. Do not mend this one: yours is in `exercise.rs`.

use exercises::sync::{Bed, Word};

#[derive(Debug)]
pub(crate) struct Pool {
    /// Tasks that are ready.
    ready: Word,
    /// Workers that search, and sleepers that were called and will.
    searching: Word,
    /// Workers that sleep or are about to, and were not called.
    sleeping: Word,
    bed: Bed,
}

impl Pool {
    /// Without tasks; nobody searches and nobody sleeps.
    pub(crate) fn new() -> Self {
        Pool {
            ready: Word::new("ready", 0),
            searching: Word::new("searching", 0),
            sleeping: Word::new("sleeping", 0),
            bed: Bed::new(),
        }
    }

    /// A task is ready.
    pub(crate) fn submit(&self) {
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
    pub(crate) fn find(&self) {
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
            self.sleeping.add(1);
            self.searching.take_one();
            self.bed.sleep();
            // Whoever has called us has made us a searcher.
        }
    }
}
