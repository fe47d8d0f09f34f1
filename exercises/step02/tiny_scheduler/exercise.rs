//! A scheduler in thirty lines: tasks on one thread, in turns, each until it yields.
//!
//! It is the heart of step 2's runtime, without parking, timers and other threads. A task gets its stack when it first
//! runs, and gives it back when it ends, so that tasks which never yield share one.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use step02::{Coroutine, Counts, Resumed, StackPool, Suspender};

/// What a task runs on.
type Fiber = Coroutine<(), (), ()>;

/// What a task is before it first runs.
type Closure = Box<dyn FnOnce(&Turn<'_>)>;

/// Runs tasks in turns. Its clones are the same scheduler: a task can have one, and spawn others with it.
#[derive(Clone)]
pub struct Scheduler {
    shared: Rc<Shared>,
}

struct Shared {
    pool: RefCell<StackPool>,
    // Who is next? And what is a task that has not begun, and one that has?
}

/// What a task gives its turn away with.
pub struct Turn<'a>(&'a Suspender<(), ()>);

impl Turn<'_> {
    /// Lets every other task have its turn.
    pub fn yield_now(&self) {
        let _ = &self.0;
        todo!("go back to the scheduler")
    }
}

impl Scheduler {
    /// A scheduler without tasks. Stacks come from `pool`, and go back to it.
    pub fn new(pool: StackPool) -> Self {
        Scheduler {
            shared: Rc::new(Shared {
                pool: RefCell::new(pool),
                // and what you have added
            }),
        }
    }

    /// Queues a task behind the others. It does not run before [`Scheduler::run`] comes to it, and has no stack before
    /// that.
    pub fn spawn(&self, f: impl FnOnce(&Turn<'_>) + 'static) {
        let task: Closure = Box::new(f);
        drop(task);
        todo!("queue the task")
    }

    /// Runs tasks in turns, until none is left. Returns how many have panicked: a panic ends its task and no other.
    ///
    /// # Panics
    ///
    /// If there is no stack for a task that is to begin.
    pub fn run(&self) -> usize {
        todo!("run tasks in turns, until none is left")
    }

    /// What became of the stacks so far.
    pub fn counts(&self) -> Counts {
        self.shared.pool.borrow().counts()
    }
}
