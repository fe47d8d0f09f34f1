//! Tasks that wait for one thing and are let go together: what a condition variable, a wait group and a once share.
//!
//! # The protocol
//!
//! Time is cut into *rounds*. A task that starts to wait notes the round it came in. [`Crowd::dismiss`] ends the round,
//! under the lock, and then wakes everyone who came in it or before, one at a time, taking the lock anew for each. So
//! the lock is held for a few instructions however many wait, nothing is allocated to remember them, and still it is
//! exact: a task that comes when the round has ended waits for the next one, though others are still being woken.
//!
//! Those who came earlier stand further in front, so the waker takes from the front until it meets a later round.
//!
//! Rejected: taking the whole list at once and waking it outside the lock. A waiter that has been taken must be decided
//! before the lock is released (rule 2 of `wait_queue.rs`), or a deadline that passes meanwhile would have to wait.

use std::ptr;
use std::time::Instant;

use crate::lock::{Lock, LockGuard};
use crate::park::Wait;
use crate::sync::const_fn;
use crate::unparker::Unparker;
use crate::wait_queue::{Outcome, Place, Taken, WaitQueue, Waiter, Woken, block_after};

// ANCHOR: crowd
/// Tasks that wait for the same thing.
#[derive(Debug)]
pub(crate) struct Crowd {
    state: Lock<Gathered>,
}

/// What is behind the crowd's lock.
#[derive(Debug)]
pub(crate) struct Gathered {
    queue: WaitQueue,
    /// The number of this round. At one a nanosecond it would take centuries to wrap.
    round: usize,
}

impl Gathered {
    /// A waiter of this round.
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter::new(ptr::null(), self.round)
    }
}

fn finish(waiter: Taken) -> Unparker {
    waiter.finish(Outcome::Done)
}

impl Crowd {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Crowd {
                state: Lock::new(Gathered {
                    queue: WaitQueue::new(),
                    round: 0,
                }),
            }
        }
    }

    /// While this is held, nobody joins the crowd and nobody is let go. What is waited for changes under it.
    pub(crate) fn lock(&self) -> LockGuard<'_, Gathered> {
        self.state.lock()
    }

    /// Joins the crowd as `waiter`, releases the lock, calls `joined` and parks until let go or until the deadline.
    pub(crate) fn wait(
        &self,
        state: LockGuard<'_, Gathered>,
        waiter: &Waiter,
        wait: Wait,
        deadline: Option<Instant>,
        joined: impl FnOnce(),
    ) -> Woken {
        block_after(
            &self.state,
            state,
            |state| &mut state.queue,
            waiter,
            Place::Back,
            wait,
            deadline,
            joined,
        )
    }

    /// Lets the one go who has waited longest.
    pub(crate) fn dismiss_one(&self) {
        let mut state = self.lock();
        let unparker = state.queue.take().map(finish);
        drop(state);
        if let Some(unparker) = unparker {
            unparker.unpark();
        }
    }

    /// Lets everyone go who has joined up to now.
    pub(crate) fn dismiss<'a>(&'a self, mut state: LockGuard<'a, Gathered>) {
        let ended = state.round;
        state.round += 1;
        while state
            .queue
            .front_amount()
            .is_some_and(|round| round <= ended)
        {
            let unparker = state.queue.take().map(finish);
            drop(state);
            if let Some(unparker) = unparker {
                unparker.unpark();
            }
            state = self.lock();
        }
    }
}
// ANCHOR_END: crowd
