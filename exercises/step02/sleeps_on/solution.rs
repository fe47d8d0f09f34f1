//! A scheduler whose tasks park and unpark each other. All is on one thread, there is not one atomic in it, and still
//! it loses wake-ups. Find out how, show it, and mend it.
//!
//! The contract is the one of step 1: `unpark` leaves a token for a task, and `park` waits until the token is there and
//! takes it. Two unparks before a park are one. Here no park returns for no reason, so that a test can say exactly what
//! must happen.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use step02::{Coroutine, Resumed, StackPool, Suspender};

/// What a task of a play does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It lets the other one have a turn.
    Yield,
    /// It parks.
    Park,
    /// It unparks the other one.
    Unpark,
}

// ANCHOR: play
/// First show it: a play for two tasks that ends with a token on the table and one of them asleep beside it. The tasks
/// take turns; the first one begins. It is tried on the scheduler as it was found, which stays in `broken.rs`.
pub const FIRST: &[Act] = &[
    // ANCHOR: cut_first | // what the first task does
    // It has looked, and before it parks it gives its turn away, as a print, a lock or a channel may do.
    Act::Yield,
    Act::Park,
    // ANCHOR_END: cut_first
];

/// And what the second one does.
pub const SECOND: &[Act] = &[
    // ANCHOR: cut_second | // what the second task does
    Act::Unpark,
    // ANCHOR_END: cut_second
];
// ANCHOR_END: play

/// A task's number, in the order of spawning.
pub type Id = usize;

// ANCHOR: scheduler
/// Then mend it. Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the queue, or running.
    Awake,
    /// In no queue. Its next turn is for who unparks it to give.
    Parked,
    /// Its function has returned.
    Done,
}

#[derive(Debug)]
struct Task {
    state: State,
    // ANCHOR: cut_token
    /// It was unparked while it was awake: its next park returns at once.
    token: bool,
    // ANCHOR_END: cut_token
    /// `None` while it runs, and when it is done.
    fiber: Option<Coroutine<(), (), ()>>,
}

/// Runs tasks in turns. Its clones are the same scheduler.
#[derive(Clone, Debug)]
pub struct Scheduler {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pool: RefCell<StackPool>,
    tasks: RefCell<Vec<Task>>,
    queue: RefCell<VecDeque<Id>>,
    turns: Cell<usize>,
}

/// What a task calls the scheduler with.
#[derive(Debug)]
pub struct Me<'a> {
    scheduler: &'a Scheduler,
    suspender: &'a Suspender<(), ()>,
    id: Id,
}

impl Me<'_> {
    /// Lets the others have their turns.
    pub fn yield_now(&self) {
        self.scheduler.shared.queue.borrow_mut().push_back(self.id);
        self.suspender.suspend(());
    }

    /// Waits until somebody unparks this task, if nobody has done so already.
    pub fn park(&self) {
        // ANCHOR: cut_park | let mut tasks = self.scheduler.shared.tasks.borrow_mut();
        // ANCHOR: cut_park | tasks[self.id].state = State::Parked;
        // ANCHOR: cut_park | drop(tasks);
        // ANCHOR: cut_park | self.suspender.suspend(());
        let mut tasks = self.scheduler.shared.tasks.borrow_mut();
        let me = &mut tasks[self.id];
        // Somebody was here before us. Taken, so that the next park waits again.
        if std::mem::take(&mut me.token) {
            return;
        }
        me.state = State::Parked;
        drop(tasks);
        // Whoever unparks a task that is parked gives it a turn, and leaves no token.
        self.suspender.suspend(());
        // ANCHOR_END: cut_park
    }

    /// Unparks another task.
    pub fn unpark(&self, other: Id) {
        // ANCHOR: cut_unpark | let Shared { tasks, queue, .. } = &*self.scheduler.shared;
        // ANCHOR: cut_unpark | let mut tasks = tasks.borrow_mut();
        // ANCHOR: cut_unpark | // A task that is awake need not be woken.
        // ANCHOR: cut_unpark | if tasks[other].state == State::Parked {
        // ANCHOR: cut_unpark |     tasks[other].state = State::Awake;
        // ANCHOR: cut_unpark |     queue.borrow_mut().push_back(other);
        // ANCHOR: cut_unpark | }
        let Shared { tasks, queue, .. } = &*self.scheduler.shared;
        let mut tasks = tasks.borrow_mut();
        match tasks[other].state {
            State::Parked => {
                tasks[other].state = State::Awake;
                queue.borrow_mut().push_back(other);
            }
            // It is awake, and perhaps about to park: its next park must know.
            State::Awake => tasks[other].token = true,
            State::Done => {}
        }
        // ANCHOR_END: cut_unpark
    }
}
// ANCHOR_END: scheduler

impl Scheduler {
    /// A scheduler without tasks.
    pub fn new(pool: StackPool) -> Self {
        Scheduler {
            shared: Rc::new(Shared {
                pool: RefCell::new(pool),
                tasks: RefCell::default(),
                queue: RefCell::default(),
                turns: Cell::new(0),
            }),
        }
    }

    /// Queues a task and returns its number.
    pub fn spawn(&self, f: impl FnOnce(&Me<'_>) + 'static) -> Id {
        let shared = &*self.shared;
        let id = shared.tasks.borrow().len();
        let stack = shared.pool.borrow_mut().take().expect("a stack for a task");
        let scheduler = self.clone();
        let fiber = Coroutine::new(stack, move |suspender, ()| {
            f(&Me {
                scheduler: &scheduler,
                suspender,
                id,
            });
        });
        shared.tasks.borrow_mut().push(Task {
            state: State::Awake,
            // ANCHOR: cut_no_token
            token: false,
            // ANCHOR_END: cut_no_token
            fiber: Some(fiber),
        });
        shared.queue.borrow_mut().push_back(id);
        id
    }

    /// Gives tasks their turns, until no task is in the queue. Returns those that sleep then, for ever.
    ///
    /// # Panics
    ///
    /// After 1,000 turns: no play is so long. If a task is in the queue that is done.
    pub fn run(&self) -> Vec<Id> {
        let Shared {
            pool,
            tasks,
            queue,
            turns,
        } = &*self.shared;
        loop {
            let next = queue.borrow_mut().pop_front();
            let Some(id) = next else { break };
            turns.set(turns.get() + 1);
            assert!(
                turns.get() <= 1_000,
                "still running after 1,000 turns: a task that waits must not be in the queue"
            );
            let fiber = tasks.borrow_mut()[id].fiber.take();
            let mut fiber =
                fiber.expect("a task has a turn that is done: it was in the queue twice");
            match fiber.resume(()) {
                Resumed::Yielded(()) => tasks.borrow_mut()[id].fiber = Some(fiber),
                Resumed::Returned(()) => {
                    tasks.borrow_mut()[id].state = State::Done;
                    pool.borrow_mut().give_back(fiber.into_stack());
                }
            }
        }
        // Taken out first: to drop a coroutine runs its destructors, and they may look at the list.
        let taken = std::mem::take(&mut *tasks.borrow_mut());
        let asleep = (0..taken.len())
            .filter(|id| taken[*id].state == State::Parked)
            .collect();
        for task in taken {
            if let Some(fiber) = task.fiber {
                pool.borrow_mut().give_back(fiber.into_stack());
            }
        }
        asleep
    }
}
