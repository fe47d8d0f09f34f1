//! A scheduler with one task, which crashes about once in a week, each time in another function. Write a loom model that
//! finds out why, and mend it.
//!
//! What the scheduler does is step 3 in small: a worker takes the task out of the queue, goes to its stack, and lets it
//! run; at the end of its turn the task parks. Anybody may unpark it, also while it runs. loom cannot switch stacks, so
//! [`Stack`] stands for one: who holds its guard runs there.

use std::sync::Arc;

// Here these are loom's. They have the names and the meaning of std's.
use super::sync::Mutex;
use super::sync::atomic::AtomicU8;
use super::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use super::sync::thread;
use super::{Scheduler, Stack};

/// First write a model: some events, and what must be true of them. loom runs it in every order.
///
/// `S` is a scheduler whose task is in the queue. It will be the one that was found (it stays in `broken.rs`), yours from
/// below, and some more that have other bugs. The model must fail with each that has a bug, and with no other.
///
/// What there is: `S::new()`; `scheduler.work()`, a worker's look into the queue, which is true if the task had a turn;
/// `scheduler.unpark()`; and `thread::spawn(|| …)` with its `join`.
pub fn model<S: Scheduler>() {
    let scheduler = Arc::new(S::new());
    scheduler.work();
    // and who else does what at the same time? And what must be true in the end?
}

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

/// Then mend it.
#[derive(Debug)]
pub struct Mended {
    /// Is the task in the queue?
    queued: Mutex<bool>,
    word: AtomicU8,
    stack: Stack,
}

impl Scheduler for Mended {
    fn new() -> Self {
        Mended {
            queued: Mutex::new(true),
            word: AtomicU8::new(RUNNING),
            stack: Stack::new(),
        }
    }

    fn work(&self) -> bool {
        if !std::mem::take(&mut *self.queued.lock().unwrap()) {
            return false;
        }
        // To the task's stack. Here it does what it does, and wants to park.
        let on_its_stack = self.stack.enter();
        // Release: who unparks it sees what it has left.
        let parked = self
            .word
            .compare_exchange(RUNNING, PARKED, Release, Relaxed);
        // And back to the worker's.
        on_its_stack.leave();
        if parked.is_err() {
            // A token came while it ran. The unpark that left it has not queued the task, so we do. The word first: once it
            // is in the queue another worker may have it.
            self.word.swap(RUNNING, Acquire);
            *self.queued.lock().unwrap() = true;
        }
        true
    }

    fn unpark(&self) {
        let mut seen = self.word.load(Relaxed);
        loop {
            let next = if seen == PARKED { RUNNING } else { NOTIFIED };
            // Release: the task sees what we did before. Acquire: we have the task if it was parked.
            match self.word.compare_exchange(seen, next, AcqRel, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        if seen == PARKED {
            *self.queued.lock().unwrap() = true;
        }
    }
}
