//! The injector: the queue for what comes from outside, and for what does not fit.
//!
//! A lock around a chain of tasks, as in the step before. But now it is not on everybody's way: tasks that are spawned or
//! woken by a worker go to its own queue. `length` is read without the lock, so that a worker which looks at every 61st
//! turn takes the lock only if there is something.

use step02::run_queue::{Linked, RunQueue};

use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Release};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// A queue for all.
#[derive(Debug)]
pub(crate) struct Injector<T: Linked> {
    queue: Mutex<std::collections::VecDeque<&'static T>>,
    length: AtomicUsize,
}

#[derive(Debug)]
struct Chain<T: Linked>(RunQueue<T>);

// SAFETY: the chain is of tasks, which live for ever and may be sent, and it is reached under the lock alone.
unsafe impl<T: Linked + Sync> Send for Chain<T> {}

impl<T: Linked> Injector<T> {
    pub(crate) fn new() -> Self {
        Injector {
            queue: Mutex::new(Default::default()),
            length: AtomicUsize::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, std::collections::VecDeque<&'static T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: push
    /// Queues some tasks.
    pub(crate) fn push(&self, tasks: impl IntoIterator<Item = &'static T>) {
        let mut queue = self.lock();
        let mut count = 0;
        for task in tasks {
            queue.push_back(task);
            count += 1;
        }
        // Under the lock, as every change. Release: pairs with the Acquire in `is_empty`.
        let length = self.length.load(Acquire);
        self.length.store(length + count, Release);
    }
    // ANCHOR_END: push

    // ANCHOR: pop
    /// Takes one out, and up to `more` for `put`.
    pub(crate) fn pop(&self, more: usize, mut put: impl FnMut(&'static T)) -> Option<&'static T> {
        if self.is_empty() {
            return None;
        }
        let mut queue = self.lock();
        let first = queue.pop_front()?;
        let mut count = 1;
        while count <= more {
            let Some(task) = queue.pop_front() else { break };
            put(task);
            count += 1;
        }
        let length = self.length.load(Acquire);
        self.length.store(length - count, Release);
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
