//! Counting what the scheduler does: one block of counters for each processor, added up when somebody asks.
//!
//! Each counter has one writer at a time, the worker that has the processor, so it is written by a load and a store and
//! not by a locked addition. Readers see each counter at some moment, and not all of them at the same one.
//!
//! Go prints such a line to stderr every so many milliseconds if `GODEBUG=schedtrace=1000` is set. Here
//! `SCHEDTRACE=1` prints one when a `run` ends.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The counters of one processor.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    pub(crate) spawned: Counter,
    pub(crate) finished: Counter,
    pub(crate) switches: Counter,
    pub(crate) parks: Counter,
    pub(crate) wakes: Counter,
    pub(crate) migrations: Counter,
    pub(crate) idles: Counter,
}

// ANCHOR: counter
/// A number with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// One more. For the one who has the processor.
    #[inline]
    pub(crate) fn add(&self) {
        // Relaxed, here and below: it orders nothing.
        self.0.store(self.0.load(Relaxed) + 1, Relaxed);
    }

    /// One more, by any thread: for the block that foreign threads share. Returns the new number.
    pub(crate) fn add_shared(&self) -> u64 {
        self.0.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
// ANCHOR_END: counter

// ANCHOR: snapshot
/// What a runtime has done since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Tasks that were started.
    pub spawned: u64,
    /// Tasks that have ended.
    pub finished: u64,
    /// Times that a worker switched to a task.
    pub switches: u64,
    /// Times that a task was parked.
    pub parks: u64,
    /// Times that a parked task was queued again.
    pub wakes: u64,
    /// Times that a task went on, on another processor than the one it ran on last.
    pub migrations: u64,
    /// Times that a worker found nothing to run and went to sleep.
    pub idles: u64,
}
// ANCHOR_END: snapshot

impl Snapshot {
    pub(crate) fn add(&mut self, counters: &Counters) {
        self.spawned += counters.spawned.get();
        self.finished += counters.finished.get();
        self.switches += counters.switches.get();
        self.parks += counters.parks.get();
        self.wakes += counters.wakes.get();
        self.migrations += counters.migrations.get();
        self.idles += counters.idles.get();
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spawned={} finished={} switches={} parks={} wakes={} migrations={} idles={}",
            self.spawned,
            self.finished,
            self.switches,
            self.parks,
            self.wakes,
            self.migrations,
            self.idles
        )
    }
}
