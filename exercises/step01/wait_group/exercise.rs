//! A wait group from `park` and `unpark`: tasks wait until a counter is zero.
//!
//! `add` raises the counter and `done` lowers it by one; a `wait` returns once the counter is zero, *or has been zero
//! since the call began*: whoever adds again for the next round does not hold back those who waited for this one.
//! A `done` that nobody added is a bug of the caller and panics.

use exercises::sync::Mutex;
use step01::{Unparker, park};

/// A counter that tasks wait for.
#[derive(Debug)]
pub struct WaitGroup {
    // A `Mutex` around what?
}

impl WaitGroup {
    /// A group with a counter of zero.
    pub fn new() -> Self {
        todo!("make a group with a counter of zero")
    }

    /// Raises the counter by `n`.
    pub fn add(&self, n: usize) {
        todo!("raise the counter by {n}")
    }

    /// Lowers the counter by one.
    ///
    /// # Panics
    ///
    /// With `negative WaitGroup counter`, if it is zero.
    pub fn done(&self) {
        todo!("lower the counter by one, and wake whoever waits for zero")
    }

    /// Parks the calling task until the counter is zero.
    pub fn wait(&self) {
        todo!("park until the counter is zero, or has been")
    }
}
