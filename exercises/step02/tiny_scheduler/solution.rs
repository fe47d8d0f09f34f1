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

// ANCHOR: scheduler
/// Runs tasks in turns. Its clones are the same scheduler: a task can have one, and spawn others with it.
#[derive(Clone)]
pub struct Scheduler {
    shared: Rc<Shared>,
}

struct Shared {
    pool: RefCell<StackPool>,
    // ANCHOR: cut_fields | // Who is next? And what is a task that has not begun, and one that has?
    queue: RefCell<VecDeque<Task>>,
    /// How many tasks have panicked.
    panicked: Cell<usize>,
    // ANCHOR_END: cut_fields
}

// ANCHOR: cut_task
enum Task {
    /// It has no stack yet.
    New(Closure),
    /// It has yielded.
    Begun(Fiber),
}

// ANCHOR_END: cut_task
/// What a task gives its turn away with.
pub struct Turn<'a>(&'a Suspender<(), ()>);

impl Turn<'_> {
    /// Lets every other task have its turn.
    pub fn yield_now(&self) {
        // ANCHOR: cut_yield | let _ = &self.0;
        // ANCHOR: cut_yield | todo!("go back to the scheduler")
        self.0.suspend(());
        // ANCHOR_END: cut_yield
    }
}

impl Scheduler {
    /// A scheduler without tasks. Stacks come from `pool`, and go back to it.
    pub fn new(pool: StackPool) -> Self {
        Scheduler {
            shared: Rc::new(Shared {
                pool: RefCell::new(pool),
                // ANCHOR: cut_new | // and what you have added
                queue: RefCell::default(),
                panicked: Cell::new(0),
                // ANCHOR_END: cut_new
            }),
        }
    }

    /// Queues a task behind the others. It does not run before [`Scheduler::run`] comes to it, and has no stack before
    /// that.
    pub fn spawn(&self, f: impl FnOnce(&Turn<'_>) + 'static) {
        // ANCHOR: cut_spawn | let task: Closure = Box::new(f);
        // ANCHOR: cut_spawn | drop(task);
        // ANCHOR: cut_spawn | todo!("queue the task")
        let task = Task::New(Box::new(f));
        self.shared.queue.borrow_mut().push_back(task);
        // ANCHOR_END: cut_spawn
    }

    /// Runs tasks in turns, until none is left. Returns how many have panicked: a panic ends its task and no other.
    ///
    /// # Panics
    ///
    /// If there is no stack for a task that is to begin.
    pub fn run(&self) -> usize {
        // ANCHOR: cut_run | todo!("run tasks in turns, until none is left")
        let Shared {
            pool,
            queue,
            panicked,
        } = &*self.shared;
        loop {
            // In a statement of its own, so that the queue is not borrowed while the task runs: it may spawn.
            let next = queue.borrow_mut().pop_front();
            let mut fiber: Fiber = match next {
                None => return panicked.get(),
                Some(Task::Begun(fiber)) => fiber,
                Some(Task::New(f)) => {
                    let stack = pool.borrow_mut().take().expect("a stack for a task");
                    Coroutine::new(stack, move |suspender, ()| f(&Turn(suspender)))
                }
            };
            match catch_unwind(AssertUnwindSafe(|| fiber.resume(()))) {
                Ok(Resumed::Yielded(())) => queue.borrow_mut().push_back(Task::Begun(fiber)),
                ended => {
                    if ended.is_err() {
                        panicked.set(panicked.get() + 1);
                    }
                    pool.borrow_mut().give_back(fiber.into_stack());
                }
            }
        }
        // ANCHOR_END: cut_run
    }

    /// What became of the stacks so far.
    pub fn counts(&self) -> Counts {
        self.shared.pool.borrow().counts()
    }
}
// ANCHOR_END: scheduler
