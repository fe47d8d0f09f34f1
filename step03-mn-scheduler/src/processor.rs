//! A processor: the right to run tasks, and what goes with that right.
//!
//! A *worker* is a thread. What it needs to run tasks (a share of the run queue, stacks and headers to use again, counters)
//! is not the thread's but the processor's, which the worker has. In this step and the next each worker has one and
//! keeps it. They are two types all the same, since step 5 takes a processor from a worker that blocks, and gives it to
//! another. Go's names for the two are M and P.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use step02::StackPool;

use crate::counters::Counters;
use crate::policy::Policy;
use crate::task::FreeTasks;

// ANCHOR: processor
/// What a worker must have to run tasks. One worker at a time has it.
pub struct Processor<P: Policy> {
    index: usize,
    local: P::Local,
    pub(crate) pool: RefCell<StackPool>,
    pub(crate) free: FreeTasks,
    /// The clock that tasks started here are numbered by.
    pub(crate) started: Cell<u64>,
    /// Rights to start a task.
    pub(crate) room: Cell<usize>,
    pub(crate) counters: Arc<Counters>,
}
// ANCHOR_END: processor

impl<P: Policy> Processor<P> {
    pub(crate) fn new(index: usize, policy: &P, pool: StackPool, counters: Arc<Counters>) -> Self {
        Processor {
            index,
            local: policy.local(index),
            pool: RefCell::new(pool),
            free: FreeTasks::default(),
            started: Cell::new(0),
            room: Cell::new(0),
            counters,
        }
    }

    /// Its index: 0, 1, 2 …
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the policy keeps with it.
    pub fn local(&self) -> &P::Local {
        &self.local
    }
}

impl<P: Policy> fmt::Debug for Processor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
