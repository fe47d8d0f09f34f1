//! Driving a policy by hand: tasks that are names and nothing more, processors without workers, no threads, no stacks.
//!
//! A [`Policy`] only decides. So what it decides can be looked at one decision at a time: say that a task is ready, ask
//! what a processor runs next, in any order that a test or a simulation likes, and with as many processors as it likes.
//! The policy is the real one, the very type that a runtime is built with.
//!
//! ```
//! use step03::drive::Drive;
//! use step03::{GlobalQueue, Why};
//!
//! let mut drive = Drive::new(2, |_| GlobalQueue::new());
//! let (a, b) = (drive.add_task(), drive.add_task());
//! drive.ready(a, Some(0), Why::Spawn);
//! drive.ready(b, None, Why::Inject);
//! assert_eq!(drive.try_next(1), Some(a));
//! assert_eq!(drive.try_next(1), Some(b));
//! assert_eq!(drive.try_next(0), None);
//! ```
//!
//! The driver watches, too. A policy that finds a task which is not ready, or finds one twice, is stopped with a panic.
//! Whether it finds each at all is for the test to ask: [`Drive::waiting`] says how many are still to be found.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use step02::{Region, SlotLayout, StackPool};

use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{FreeTasks, TaskRef};

/// A policy, so many processors, and tasks that are known by their index.
pub struct Drive<P: Policy> {
    // The policy goes first, since it may still have tasks in its queues.
    processors: Vec<Processor<P>>,
    policy: P,
    tasks: Tasks,
    /// Tasks that are ready and were not found yet.
    waiting: usize,
}

impl<P: Policy> Drive<P> {
    /// Makes so many processors, and a policy for this number of them.
    ///
    /// # Panics
    ///
    /// If there are to be none, or if the process has no address space for a single stack, which each processor wants
    /// to have been asked for, and none ever uses.
    pub fn new(processors: usize, policy: impl FnOnce(usize) -> P) -> Self {
        assert!(processors > 0, "somebody must be asked for the next task");
        let policy = policy(processors);
        let region = SlotLayout::new(SlotLayout::smallest())
            .map_err(|error| error.to_string())
            .and_then(|layout| Region::map(layout, 1).map_err(|error| error.to_string()));
        let region = region.unwrap_or_else(|error| panic!("{error}"));
        let processor = |index| {
            let pool = StackPool::new(Arc::clone(&region));
            Processor::new(index, &policy, pool, Arc::default())
        };
        Drive {
            processors: (0..processors).map(processor).collect(),
            policy,
            tasks: Tasks::default(),
            waiting: 0,
        }
    }

    /// One more task. It is not ready. Returns its index: 0, 1, 2 …
    pub fn add_task(&mut self) -> usize {
        let index = self.tasks.all.len();
        let header = self.tasks.free.take();
        header.number.set(index as u64);
        self.tasks.all.push(Driven {
            header,
            ready: false,
        });
        index
    }

    /// How many tasks there are.
    pub fn tasks(&self) -> usize {
        self.tasks.all.len()
    }

    /// How many processors there are.
    pub fn processors(&self) -> usize {
        self.processors.len()
    }

    /// Tells the policy that a task is ready, as the worker with this processor would, or as a thread that is no worker.
    /// Blocks for as long as the policy's [`ready`](Policy::ready) does.
    ///
    /// # Panics
    ///
    /// If the task is ready already, or if there is no such task or processor.
    pub fn ready(&mut self, task: usize, from: Option<usize>, why: Why) {
        let driven = &mut self.tasks.all[task];
        assert!(!driven.ready, "task {task} is ready already");
        driven.ready = true;
        self.waiting += 1;
        let from = from.map(|index| &self.processors[index]);
        self.policy.ready(driven.header, from, why);
    }

    /// What the worker with this processor would run next. The task is not ready any more; it may be made so again.
    /// Never blocks, if the policy keeps its promise.
    ///
    /// # Panics
    ///
    /// If the policy found a task that is not ready, or one that is not of this driver; or if there is no such processor.
    pub fn try_next(&mut self, on: usize) -> Option<usize> {
        let header = self.policy.try_next(&self.processors[on])?;
        let index = self.tasks.index_of(header);
        let driven = &mut self.tasks.all[index];
        assert!(
            driven.ready,
            "task {index} was found on processor {on}, and is not ready"
        );
        driven.ready = false;
        self.waiting -= 1;
        Some(index)
    }

    /// What the worker with this processor does when it has found nothing: calls the policy's [`idle`](Policy::idle),
    /// with a deadline that has passed. A policy that looks further there than in `try_next` does so, and a sleep ends as
    /// soon as it has begun. What has been found is seen by the next [`Drive::try_next`].
    ///
    /// # Panics
    ///
    /// If there is no such processor.
    pub fn idle(&mut self, on: usize) {
        self.policy.idle(&self.processors[on], Some(Instant::now()));
    }

    /// True if the task is ready and was not found yet.
    ///
    /// # Panics
    ///
    /// If there is no such task.
    pub fn is_ready(&self, task: usize) -> bool {
        self.tasks.all[task].ready
    }

    /// How many tasks are ready and were not found yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self.policy
    }
}

impl<P: Policy> fmt::Debug for Drive<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive")
            .field("processors", &self.processors.len())
            .field("tasks", &self.tasks.all.len())
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

/// A header without a runtime, a closure or a stack.
struct Driven {
    header: TaskRef,
    ready: bool,
}

/// The headers, which go back to the free ones in the end.
#[derive(Default)]
struct Tasks {
    all: Vec<Driven>,
    free: FreeTasks,
}

impl Tasks {
    /// The header knows its index.
    fn index_of(&self, header: TaskRef) -> usize {
        let index = header.number.get() as usize;
        let known = self.all.get(index);
        assert!(
            known.is_some_and(|driven| std::ptr::eq(driven.header, header)),
            "the policy found a task that nobody gave it"
        );
        index
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for driven in self.all.drain(..) {
            self.free.give_back(driven.header);
        }
    }
}
