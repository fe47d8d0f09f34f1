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

// ANCHOR: state
#[derive(Debug, Default)]
struct State {
    // ANCHOR: cut_fields | // What has to be remembered?
    urgent: VecDeque<TaskRef>,
    ordinary: VecDeque<TaskRef>,
    /// Urgent tasks that were taken since the last ordinary one.
    in_a_row: u32,
    // ANCHOR_END: cut_fields
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
        // ANCHOR: cut_is_empty | todo!("say whether no task is ready")
        self.urgent.is_empty() && self.ordinary.is_empty()
        // ANCHOR_END: cut_is_empty
    }
}
// ANCHOR_END: state

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

// ANCHOR: policy
impl Policy for TwoLevels {
    type Local = ();

    fn local(&self, _index: usize) {}

    fn ready(&self, task: TaskRef, _from: Option<&Processor<Self>>, why: Why) {
        // ANCHOR: cut_ready | let _ = (task, why);
        // ANCHOR: cut_ready | todo!("put it where it belongs, and see to it that somebody looks")
        let mut state = self.lock();
        match why {
            Why::Unpark | Why::Join | Why::Timer => state.urgent.push_back(task),
            // One that yields says itself that it has time.
            Why::Spawn | Why::Yield | Why::Inject => state.ordinary.push_back(task),
        }
        let asleep = state.sleepers > 0;
        // Released first: whoever wakes up needs it at once. Nothing is lost by that: a worker counts itself among the
        // sleepers and looks at the queues under one lock, so either we have seen it, or it has seen the task.
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
        // ANCHOR_END: cut_ready
    }

    fn try_next(&self, _on: &Processor<Self>) -> Option<TaskRef> {
        // ANCHOR: cut_try_next | todo!("choose who is next")
        let mut state = self.lock();
        if state.in_a_row < IN_A_ROW
            && let Some(task) = state.urgent.pop_front()
        {
            state.in_a_row += 1;
            return Some(task);
        }
        // Their share is used up, or there is none. Either way the count begins anew, also where there is no ordinary task
        // to go first: nobody is kept waiting then.
        state.in_a_row = 0;
        if let Some(task) = state.ordinary.pop_front() {
            return Some(task);
        }
        let task = state.urgent.pop_front()?;
        state.in_a_row = 1;
        Some(task)
        // ANCHOR_END: cut_try_next
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
// ANCHOR_END: policy
