//! The run queue: tasks that are ready, in the order in which they became so.
//!
//! The links are in the tasks themselves. A task is in one run queue at most (`task_word.rs` sees to that), so one link is
//! enough, and neither end of the queue allocates or moves anything. Go's `gQueue` is the same.
//!
//! It belongs to the worker's thread. What other threads wake comes by way of the inbox.
//!
//! Rejected: a `VecDeque` of pointers. It was here first; its index arithmetic took a fifth of the instructions of a
//! yield, and every so often it copies all that is in it to grow.

use std::cell::Cell;

/// A task that can stand in line: it has a link, and is never freed.
pub trait Linked: 'static {
    /// The link to the one behind it. It belongs to the queue that the task is in.
    fn link(&self) -> &Cell<Option<&'static Self>>;
}

/// Tasks in line.
#[derive(Debug)]
pub struct RunQueue<T: Linked> {
    first: Cell<Option<&'static T>>,
    last: Cell<Option<&'static T>>,
}

impl<T: Linked> Default for RunQueue<T> {
    fn default() -> Self {
        RunQueue {
            first: Cell::new(None),
            last: Cell::new(None),
        }
    }
}

// ANCHOR: queue
impl<T: Linked> RunQueue<T> {
    /// Queues a task behind the others. It must not be in a queue already.
    #[inline]
    pub fn push(&self, task: &'static T) {
        task.link().set(None);
        match self.last.replace(Some(task)) {
            Some(last) => last.link().set(Some(task)),
            None => self.first.set(Some(task)),
        }
    }

    /// Takes the task that has waited longest.
    #[inline]
    pub fn pop(&self) -> Option<&'static T> {
        let first = self.first.get()?;
        let next = first.link().get();
        self.first.set(next);
        if next.is_none() {
            self.last.set(None);
        }
        Some(first)
    }

    /// True if nobody waits.
    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }
}
// ANCHOR_END: queue
