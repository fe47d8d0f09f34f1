//! A policy of your own: two levels.
//!
//! The shared queue of step 3 serves tasks in the order in which they became ready. But some of them were *woken*: what
//! they wait for is there, somebody waits for them in turn, and what they do next is short as a rule. Others are new, or
//! have yielded: they have not waited for anything. This policy lets the first kind go first, and keeps the second from
//! starving.
//!
//! - Urgent is a task that was woken: `Why::Unpark`, `Why::Join`, `Why::Timer`. All others are ordinary.
//! - On each level first come, first served.
//! - Urgent tasks go first. But after [`IN_A_ROW`] of them in a row an ordinary one has its turn, if there is one.
//! - A task that is ready is found. So who makes one ready wakes a worker that sleeps.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use step03::{Policy, Processor, TaskRef, Why};

// std's, with a counter, so that a test can see who sleeps and who is notified.
use super::sync::{Condvar, Mutex};

/// So many urgent tasks in a row, and then an ordinary one.
pub const IN_A_ROW: u32 = 8;

/// Two queues for all workers, under one lock.
#[derive(Debug)]
pub struct TwoLevels {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    // What has to be remembered?
    /// Workers that sleep.
    sleepers: usize,
    /// Wake-ups that were given without a task; each ends one sleep.
    nudges: usize,
    /// Nobody is to sleep.
    closed: bool,
}

impl State {
    /// No task is ready.
    fn is_empty(&self) -> bool {
        todo!("say whether no task is ready")
    }
}

impl TwoLevels {
    /// Without tasks.
    pub fn new() -> Self {
        TwoLevels {
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Policy for TwoLevels {
    type Local = ();

    fn local(&self, _index: usize) {}

    fn ready(&self, task: TaskRef, _from: Option<&Processor<Self>>, why: Why) {
        let _ = (task, why);
        todo!("put it where it belongs, and see to it that somebody looks")
    }

    fn try_next(&self, _on: &Processor<Self>) -> Option<TaskRef> {
        todo!("choose who is next")
    }

    // The rest is as in `GlobalQueue`: how a worker sleeps does not depend on the order of tasks.

    fn idle(&self, _on: &Processor<Self>, until: Option<Instant>) {
        let mut state = self.lock();
        if !state.is_empty() || state.closed {
            return;
        }
        if state.nudges > 0 {
            state.nudges -= 1;
            return;
        }
        state.sleepers += 1;
        let mut state = match until {
            None => self.wake.wait(state),
            Some(until) => {
                let rest = until.saturating_duration_since(Instant::now());
                self.wake.wait_timeout(state, rest)
            }
        };
        state.sleepers -= 1;
        state.nudges = state.nudges.saturating_sub(1);
    }

    fn wake_one(&self) {
        self.lock().nudges += 1;
        self.wake.notify_one();
    }

    fn wake_all(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn open(&self) {
        let mut state = self.lock();
        state.closed = false;
        state.nudges = 0;
    }

    fn asleep(&self) -> usize {
        self.lock().sleepers
    }
}
