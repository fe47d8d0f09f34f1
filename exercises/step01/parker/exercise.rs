//! A parker: the place where one thread sleeps until somebody leaves it a token.
//!
//! It keeps the contract of `step01::park`, and one thing more: it never returns for no reason. `park` returns if, and
//! only if, it has taken a token; `park_until` also returns once its deadline has passed, and says which it was. Only
//! one thread parks, the parker's owner. Any thread may unpark, at any time, and never has to wait for the owner.

use std::time::Instant;

// One look at these: in one test they are std's, in another loom's, which tries every order of events, and in a third
// they are std's with a condition variable that wakes up without being told to. So use what all three have: `new`,
// `lock`, `wait`, `wait_timeout`, `notify_one`, `notify_all`.
use super::sync::{Condvar, Mutex};

/// One thread's place to sleep.
#[derive(Debug)]
pub struct Parker {
    // What has to be remembered between an unpark and a park, and what does a thread sleep on?
}

impl Parker {
    /// A parker without a token.
    pub fn new() -> Self {
        todo!("make a parker without a token")
    }

    /// Waits until the token is there, and takes it.
    pub fn park(&self) {
        todo!("wait until the token is there, and take it")
    }

    /// Waits until the token is there and takes it, but gives up once `deadline` has passed. Returns true if it has
    /// taken a token. A token that is there is taken however late it is.
    pub fn park_until(&self, deadline: Instant) -> bool {
        todo!("wait until the token is there or {deadline:?} has passed, and say which it was")
    }

    /// Leaves the token. If it is there already, nothing changes.
    pub fn unpark(&self) {
        todo!("leave the token, and wake the owner if it sleeps")
    }
}
