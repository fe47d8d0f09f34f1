//! Fork and join on real workers: `join`, `scope` and `par_map_reduce`.
//!
//! Most forks are not stolen, so what happens to those that are has to be arranged. In a fresh runtime nobody looks for jobs,
//! so the first fork spawns a helper *after* its job was left in the deque, and the helper finds it as soon as some
//! worker is free. A test that needs a stolen job makes a runtime of its own, and lets `a` wait until `b` has begun. No
//! user should do that; here it is certain that somebody comes.

mod ending;
mod joins;
mod panics;
mod scopes;
mod trees;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

use step04::Stealing;

/// A runtime with so many workers.
fn runtime(workers: usize) -> Stealing {
    step04::build(&step03::Builder::default().workers(workers)).expect("a few workers")
}

/// Something has happened. Who waits for it keeps his worker, and gives its core to other threads.
#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn set(&self) {
        self.0.store(true, Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Acquire)
    }

    fn wait(&self) {
        while !self.is_set() {
            std::thread::yield_now();
        }
    }
}
