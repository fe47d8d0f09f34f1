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

use crate::task::TaskRef;

/// Tasks in line.
#[derive(Debug, Default)]
pub(crate) struct RunQueue {
    first: Cell<Option<TaskRef>>,
    last: Cell<Option<TaskRef>>,
}

// ANCHOR: queue
impl RunQueue {
    /// Queues a task behind the others. It must not be in a queue already.
    #[inline]
    pub(crate) fn push(&self, task: TaskRef) {
        task.next.set(None);
        match self.last.replace(Some(task)) {
            Some(last) => last.next.set(Some(task)),
            None => self.first.set(Some(task)),
        }
    }

    /// Takes the task that has waited longest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        let first = self.first.get()?;
        let next = first.next.get();
        self.first.set(next);
        if next.is_none() {
            self.last.set(None);
        }
        Some(first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }
}
// ANCHOR_END: queue
