//! How a wake-up reaches the executor: the word that says "queued", and the inbox for wake-ups from other threads.
//!
//! # The protocol
//!
//! A [`Waker`](std::task::Waker) is `Send` and `Sync`, whatever the future is. So although this executor has one
//! thread, any thread may wake its tasks, at any time: while the task is polled, while it waits, after it has ended,
//! after the executor has. Two small parts make that safe.
//!
//! **The word**, [`Queued`], one for each task. Whoever wakes the task *raises* it, and puts the task in a queue only
//! if it was down. The executor *lowers* it, and then polls. Both are read-modify-writes, so they have one order:
//!
//! - The waker raises first: the executor's lowering comes after it, and its poll sees what the waker wrote.
//! - The executor lowers first: the waker finds the word down and queues the task, which is polled once more.
//!
//! In neither case is a wake-up lost, and a task is in a queue at most once. To lower *after* the poll would lose what
//! comes during the poll.
//!
//! **The inbox**, [`Inbox`]: a list, a count and a condition variable behind one lock. Other threads put tasks there;
//! the executor empties it from time to time, and sleeps on the condition variable when it has nothing else. The count
//! says how many are *outside*, that is, have announced that they may still wake something. When nothing can run and
//! nobody is outside, nothing will ever happen again, and that is a deadlock. Since list and count are under the same
//! lock, the look at both is one step.
//!
//! Rejected: *a lock-free list*. Wake-ups from other threads are rare here, and those from the own thread never come
//! this way. *To guess from reference counts* whether a waker is held by another thread: a channel of our own thread
//! holds them as well.

use crate::sync::atomic::AtomicBool;
use crate::sync::atomic::Ordering::AcqRel;
use crate::sync::{Condvar, Mutex};

// ANCHOR: queued
/// Whether a task is in a queue, or on its way into one.
#[derive(Debug)]
pub(crate) struct Queued(AtomicBool);

impl Queued {
    /// Of a task that whoever makes it puts in a queue at once.
    pub(crate) fn raised() -> Self {
        Queued(AtomicBool::new(true))
    }

    /// Says that the task is to be polled. True for the one who must queue it.
    #[must_use]
    pub(crate) fn raise(&self) -> bool {
        // AcqRel: Release, so that the poll sees what the waker wrote, through the swap in `lower`, even if somebody
        // else queues the task. Acquire, to keep the chain for the waker before us.
        !self.0.swap(true, AcqRel)
    }

    /// Says that the task is about to be polled. True if the word was up, as it is for whatever is in a queue.
    pub(crate) fn lower(&self) -> bool {
        // AcqRel: Acquire takes over what every waker wrote that has found the word raised. A plain store would see
        // nothing of it.
        self.0.swap(false, AcqRel)
    }
}
// ANCHOR_END: queued

// ANCHOR: inbox
/// What has come from other threads.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    /// Notified when something has come, or nobody is outside any more.
    news: Condvar,
}

#[derive(Debug)]
struct State<T> {
    tasks: Vec<T>,
    outside: usize,
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Self {
        let (tasks, outside) = (Vec::new(), 0);
        Inbox {
            state: Mutex::new(State { tasks, outside }),
            news: Condvar::new(),
        }
    }

    /// Puts a task in. Never blocks for longer than others hold the lock, which is a few instructions.
    pub(crate) fn put(&self, task: T) {
        self.lock().tasks.push(task);
        self.news.notify_one();
    }

    /// Takes what has come, without waiting.
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.lock().tasks)
    }

    /// Waits until something has come, and takes it. `None` if nothing has, and nobody is outside.
    pub(crate) fn wait(&self) -> Option<Vec<T>> {
        let mut state = self.lock();
        loop {
            if !state.tasks.is_empty() {
                return Some(std::mem::take(&mut state.tasks));
            }
            if state.outside == 0 {
                return None;
            }
            state = self
                .news
                .wait(state)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// One more is outside.
    pub(crate) fn go_out(&self) {
        self.lock().outside += 1;
    }

    /// One fewer is.
    pub(crate) fn come_in(&self) {
        self.lock().outside -= 1;
        self.news.notify_one();
    }

    fn lock(&self) -> crate::sync::MutexGuard<'_, State<T>> {
        // Nothing below can panic half-way, so a poisoned lock says nothing.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
// ANCHOR_END: inbox
