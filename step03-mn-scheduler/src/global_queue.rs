//! The first policy: one queue, one lock, all workers.
//!
//! # The protocol
//!
//! Under the lock hold at all times: a task that is ready and not running is in the queue, and a worker sleeps only while
//! the queue is empty. A worker looks at the queue and goes to sleep in one critical section (the condition variable
//! gives the lock back and falls asleep in one step), and a task is queued under the same lock. So there is no moment
//! between a worker's look and its sleep in which a task could slip by: no wake-up is lost.
//!
//! Whoever queues a task wakes one sleeper, if there is one. It does so after it has released the lock, for the sleeper
//! needs it first thing.
//!
//! # What is wrong with it
//!
//! Nothing but the speed. It is fair, simple, and every worker finds every task. But each spawn, each wake-up, each
//! yield and each turn of each worker takes the one lock, and the cache line with the lock goes from core to core. With
//! two workers, a program that does nothing but switch is slower than with one. That is the reason for step 4.

use std::time::Instant;

use step02::run_queue::RunQueue;

use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use crate::task::{Task, TaskRef};

/// One queue for all workers: first come, first served.
#[derive(Debug, Default)]
pub struct GlobalQueue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: RunQueue<Task>,
    sleepers: usize,
    /// Wake-ups that were given without a task; each ends one sleep.
    nudges: usize,
    /// Nobody is to sleep.
    closed: bool,
}

// SAFETY: the queue is a chain of tasks, which are Send, and is reached under the lock alone.
unsafe impl Send for State {}

impl GlobalQueue {
    /// An empty queue.
    pub fn new() -> Self {
        GlobalQueue::default()
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ANCHOR: global_queue
impl Policy for GlobalQueue {
    type Local = ();

    fn local(&self, _index: usize) {}

    #[inline]
    fn ready(&self, task: TaskRef, _from: Option<&Processor<Self>>, _why: Why) {
        let state = self.lock();
        state.queue.push(task);
        let asleep = state.sleepers > 0;
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }

    #[inline]
    fn try_next(&self, _on: &Processor<Self>) -> Option<TaskRef> {
        self.lock().queue.pop()
    }

    fn idle(&self, _on: &Processor<Self>, until: Option<Instant>) {
        let mut state = self.lock();
        if !state.queue.is_empty() || state.closed {
            return;
        }
        if state.nudges > 0 {
            state.nudges -= 1;
            return;
        }
        state.sleepers += 1;
        let mut state = match until {
            None => self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let rest = until.saturating_duration_since(Instant::now());
                let woken = self.wake.wait_timeout(state, rest);
                woken.unwrap_or_else(PoisonError::into_inner).0
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
// ANCHOR_END: global_queue
