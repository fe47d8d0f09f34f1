//! The injector: the queue for what comes from outside, and for what does not fit.
//!
//! A lock around a queue of tasks, as in the step before. But now it is not on everybody's way: tasks that are spawned or
//! woken by a worker go to its own queue. `length` is read without the lock, so that a worker which looks at every 61st
//! turn takes the lock only if there is something.
//!
//! Rejected: *the chain through the tasks' headers* that step 3's queue is, and that was here first. To take 128 tasks out
//! of a chain one has to read 128 headers, each of which was last written on another core, and all that under the lock.
//! A ring of pointers is read a cache line at a time, eight tasks to a line, and no header is touched before its task
//! runs. With two workers that spawn and join without end this alone was worth a third of the time.

use std::collections::VecDeque;

use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Release};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// A queue for all.
#[derive(Debug)]
pub(crate) struct Injector<T: 'static> {
    queue: Mutex<VecDeque<&'static T>>,
    length: AtomicUsize,
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Injector {
            queue: Mutex::new(VecDeque::new()),
            length: AtomicUsize::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<&'static T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: push
    /// Queues some tasks.
    pub(crate) fn push(&self, tasks: impl IntoIterator<Item = &'static T>) {
        let mut queue = self.lock();
        queue.extend(tasks);
        // Under the lock, as every change. Release: pairs with the Acquire in `is_empty`.
        self.length.store(queue.len(), Release);
    }
    // ANCHOR_END: push

    // ANCHOR: pop
    /// Takes one out, and up to `more` for `put`.
    pub(crate) fn pop(&self, more: usize, put: impl FnMut(&'static T)) -> Option<&'static T> {
        if self.is_empty() {
            return None;
        }
        let mut queue = self.lock();
        let first = queue.pop_front()?;
        let more = more.min(queue.len());
        queue.drain(..more).for_each(put);
        self.length.store(queue.len(), Release);
        Some(first)
    }
    // ANCHOR_END: pop

    /// Whether it is empty, without the lock.
    pub(crate) fn is_empty(&self) -> bool {
        self.length.load(Acquire) == 0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.length.load(Acquire)
    }
}
