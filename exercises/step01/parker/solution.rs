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

// ANCHOR: parker
/// One thread's place to sleep.
#[derive(Debug)]
pub struct Parker {
    // ANCHOR: cut_fields | // What has to be remembered between an unpark and a park, and what does a thread sleep on?
    /// Is the token there? This, and not the notification, is what is waited for.
    token: Mutex<bool>,
    /// Told when the token has come.
    came: Condvar,
    // ANCHOR_END: cut_fields
}

impl Parker {
    /// A parker without a token.
    pub fn new() -> Self {
        // ANCHOR: cut_new | todo!("make a parker without a token")
        Parker {
            token: Mutex::new(false),
            came: Condvar::new(),
        }
        // ANCHOR_END: cut_new
    }

    /// Waits until the token is there, and takes it.
    pub fn park(&self) {
        // ANCHOR: cut_park | todo!("wait until the token is there, and take it")
        let mut token = self.token.lock().unwrap();
        // A loop, since a condition variable may wake up for no reason, and the caller was promised that we do not.
        // The look at the token and the falling asleep cannot be separated by an unpark: `wait` releases the mutex
        // and sleeps in one step, and until then we hold it.
        while !*token {
            token = self.came.wait(token).unwrap();
        }
        // Taken: the next park waits for the next token.
        *token = false;
        // ANCHOR_END: cut_park
    }

    /// Waits until the token is there and takes it, but gives up once `deadline` has passed. Returns true if it has
    /// taken a token. A token that is there is taken however late it is.
    pub fn park_until(&self, deadline: Instant) -> bool {
        // ANCHOR: cut_park_until | todo!("wait until the token is there or {deadline:?} has passed, and say which it was")
        let mut token = self.token.lock().unwrap();
        while !*token {
            // The time left is computed anew in every round: a wait that ended early must not start the clock again.
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            token = self.came.wait_timeout(token, left).unwrap().0;
        }
        *token = false;
        true
        // ANCHOR_END: cut_park_until
    }

    /// Leaves the token. If it is there already, nothing changes.
    pub fn unpark(&self) {
        // ANCHOR: cut_unpark | todo!("leave the token, and wake the owner if it sleeps")
        // A flag and no counter: two tokens are one. Set under the mutex, so that the owner either sees it before it
        // sleeps or is asleep when the notification comes. The mutex also publishes what the caller did before.
        *self.token.lock().unwrap() = true;
        // One is enough: only the owner sleeps here. After the mutex is released, so that the owner does not wake up
        // just to wait for it; correct within the mutex too.
        self.came.notify_one();
        // ANCHOR_END: cut_unpark
    }
}
// ANCHOR_END: parker
