//! The one thread that runs all tasks, one after the other: a queue and a loop. What a running task calls to stop is in
//! `stopping.rs`, and what becomes of the tasks at the end of a run in `ending.rs`.
//!
//! # The loop
//!
//! ```text
//!          ┌──────────── pushed back: it yielded
//!          ▼                                            woken by another task, or spawned by one
//!   ┌─────────────┐  take the first, switch to it   ┌───────┐
//!   │  run queue  │ ──────────────────────────────▶ │ runs  │ ──▶ returned: its stack goes to the pool
//!   └─────────────┘                                 └───────┘
//!          ▲  ▲                                         │ parks
//!          │  └── the inbox: from other threads         ▼
//!          └───── timers that are due               (in no queue)
//! ```
//!
//! First come, first served: that is all the policy there is. Inbox and timers are looked at when the queue is empty, and
//! at every 61st turn, so that tasks that only ever yield to each other do not keep the rest out. (61 is Go's number for
//! the same thing: a prime, so that it does not fall in step with a pattern of the program.)
//!
//! # Stacks are bound late
//!
//! A task gets its stack when it first runs. Until then it is its closure and a few words. So tasks that run to their end
//! without parking share one stack, which stays in the cache, and a million spawned tasks that have not begun need none.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use step01::park::{ParkVTable, Parker};
use step01::{Job, SpawnError};

use crate::coroutine::{Coroutine, Resumed, Suspender};
use crate::deadlock;
use crate::ending::ending;
use crate::home::Home;
use crate::run_queue::RunQueue;
use crate::stack::Region;
use crate::stack_pool::{Counts, StackPool};
use crate::task::{Call, Fiber, FreeTasks, Living, Stop, Task, TaskRef};
use crate::timer::Timers;

/// Inbox and timers are looked at once in so many turns, if there is always something to run.
const LOOK_AROUND: u32 = 61;

/// How long a worker without anything to do and without a timer sleeps before it asks whether this is a deadlock.
const QUIET: Duration = Duration::from_millis(20);

/// What runs tasks. It belongs to one thread at a time, and what tasks reach of it is behind cells.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) home: &'static Home,
    region: Arc<Region>,
    pub(crate) pool: RefCell<StackPool>,
    pub(crate) queue: RunQueue<Task>,
    pub(crate) timers: RefCell<Timers<TaskRef>>,
    pub(crate) current: Cell<Option<TaskRef>>,
    /// What a task wants called, with [`Stop::Call`].
    pub(crate) call: Cell<Option<Call>>,
    pub(crate) living: Living,
    free: FreeTasks,
    next_number: Cell<u64>,
    /// The first task has returned.
    pub(crate) closing: Cell<bool>,
    /// `run` was called by a destructor during a panic, so that the thread counts as panicking all the time.
    pub(crate) panicking: Cell<bool>,
}

thread_local! {
    static WORKER: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// The worker that this thread is, during its `run`.
#[inline]
pub(crate) fn on_this_thread<'a>() -> Option<&'a Worker> {
    // SAFETY: null, or set for the time of `enter`, during which the worker is borrowed. Tasks of step 2 never change
    // threads, so the caller cannot take the reference elsewhere.
    unsafe { WORKER.get().as_ref() }
}

static PARKER: ParkVTable = ParkVTable {
    // SAFETY: `data` is the worker, installed for the time of `enter`.
    park: |data, wait, deadline| unsafe { &*data.cast::<Worker>() }.park(wait, deadline),
    // SAFETY: as above.
    current: |data| unsafe { &*data.cast::<Worker>() }.current().unparker(),
};

impl Worker {
    pub(crate) fn new(home: &'static Home, region: Arc<Region>) -> Worker {
        Worker {
            home,
            pool: RefCell::new(StackPool::new(Arc::clone(&region))),
            region,
            queue: RunQueue::default(),
            timers: RefCell::new(Timers::new()),
            current: Cell::new(None),
            call: Cell::new(None),
            living: Living::default(),
            free: FreeTasks::new(),
            next_number: Cell::new(1),
            closing: Cell::new(false),
            panicking: Cell::new(false),
        }
    }

    pub(crate) fn home(&self) -> &'static Home {
        self.home
    }

    pub(crate) fn stack_counts(&self) -> Counts {
        self.pool.borrow().counts()
    }

    pub(crate) fn timer_count(&self) -> usize {
        self.timers.borrow().len()
    }

    // ANCHOR: loop
    /// Runs tasks until `done`, then ends those that are left. The calling thread is the worker for this time.
    pub(crate) fn run(&self, main: Job, done: impl Fn() -> bool) -> Result<(), SpawnError> {
        let _on_this_thread = self.enter();
        self.closing.set(false);
        self.panicking.set(thread::panicking());
        self.start(main)?;
        let mut turns = LOOK_AROUND;
        loop {
            turns -= 1;
            if turns == 0 {
                turns = LOOK_AROUND;
                self.look_around();
            }
            match self.queue.pop() {
                Some(task) => {
                    if self.turn(task) && done() {
                        break;
                    }
                }
                None if self.look_around() => {}
                None => self.idle(),
            }
        }
        self.close();
        Ok(())
    }

    /// Lets a task run until it stops. True if that was its end.
    ///
    /// Inlined into the loop: a switch lets the compiler keep nothing in registers, so a function around it saves them
    /// all, each time it is entered.
    #[inline(always)]
    fn turn(&self, task: TaskRef) -> bool {
        // SAFETY: the worker's alone, and it uses the fiber in `turn` and `close` only. Neither is entered for a task
        // that runs: it is in no queue, and `close` comes after the loop.
        let place = unsafe { &mut *task.fiber.get() };
        if place.is_none() {
            self.bind(task, place);
        }
        let Some(fiber) = place else {
            return true; // there was no stack for it
        };
        loop {
            self.current.set(Some(task));
            let stopped = fiber.resume(());
            self.current.set(None);
            match stopped {
                Resumed::Yielded(Stop::Park) => return false,
                Resumed::Yielded(Stop::Yield) => {
                    self.push(task);
                    return false;
                }
                Resumed::Yielded(Stop::Call) => self.call(),
                Resumed::Returned(()) => break,
            }
        }
        if let Some(stack) = Fiber::stack_of(place) {
            self.pool.borrow_mut().give_back(stack);
        }
        self.forget(task);
        true
    }
    // ANCHOR_END: loop

    // ANCHOR: bind
    /// Gives a task that has not begun its stack. If there is none, the task ends here.
    #[inline(never)]
    fn bind(&self, task: TaskRef, place: &mut Option<Fiber>) {
        let stack = self.pool.borrow_mut().take();
        match (task.job.take(), stack) {
            (Some(job), Ok(stack)) => {
                let (number, site) = (task.number.get(), job.site());
                let run = move |suspender: &Suspender<(), Stop>, ()| {
                    task.suspender.set(suspender);
                    job.run();
                };
                *place = Some(Coroutine::labelled(stack, number, site, run));
            }
            (job, refused) => self.refuse(task, job, refused.err()),
        }
    }
    // ANCHOR_END: bind

    /// There is no stack for a task that was spawned. Whoever joins it finds it cancelled.
    #[cold]
    fn refuse(&self, task: TaskRef, job: Option<Job>, error: Option<SpawnError>) {
        if let Some(error) = error {
            eprintln!("task {} is dropped: {error}", task.number.get());
        }
        self.current.set(Some(task));
        drop(job);
        self.current.set(None);
        self.forget(task);
    }

    // ANCHOR: look_around
    /// Looks whether anything has come from other threads or become due. True if there is something to run.
    fn look_around(&self) -> bool {
        if self.home.inbox.has_mail() {
            let mail = self.home.inbox.empty();
            mail.ready.into_iter().for_each(|task| self.push(task));
            mail.jobs.into_iter().for_each(|job| self.add(job));
        }
        if !self.timers.borrow().is_empty() {
            let now = Instant::now();
            loop {
                let due = self.timers.borrow_mut().pop_due(now);
                match due {
                    None => break,
                    Some((number, task)) if task.timer.get() == number => {
                        task.timer.set(0);
                        task.unparker().unpark();
                    }
                    Some(_) => self.timers.borrow_mut().was_cancelled(),
                }
            }
        }
        !self.queue.is_empty()
    }
    // ANCHOR_END: look_around

    // ANCHOR: idle
    /// Nothing to run: sleeps until there may be.
    fn idle(&self) {
        let earliest = self.timers.borrow_mut().earliest(is_current);
        if earliest.is_some() {
            self.home.inbox.sleep(earliest, None);
            return;
        }
        self.home.inbox.sleep(None, Some(QUIET));
        // In this order: if there is no other thread, then none can bring anything after the second look.
        if !self.home.inbox.has_mail() && deadlock::alone() && !self.home.inbox.has_mail() {
            deadlock::report(&self.living);
        }
    }
    // ANCHOR_END: idle

    /// Queues a task behind the others.
    #[inline]
    pub(crate) fn push(&self, task: TaskRef) {
        self.queue.push(task);
    }

    // ANCHOR: start
    /// Makes a task out of a job and queues it.
    pub(crate) fn start(&self, job: Job) -> Result<(), SpawnError> {
        if self.closing.get() {
            return Err(ending());
        }
        if self.living.count() >= self.region.slots() {
            return Err(self.region.full());
        }
        if self.region.guards_are_mappings() {
            // Guards can be refused here, and now there is someone to be told.
            self.region.reserve(self.living.count() + 1)?;
        }
        self.add(job);
        Ok(())
    }

    fn add(&self, job: Job) {
        let task = self.free.take();
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        task.begin(self.home, number, job);
        self.living.add(task);
        self.tell_count();
        self.push(task);
    }
    // ANCHOR_END: start

    /// A task has ended.
    pub(crate) fn forget(&self, task: TaskRef) {
        self.drop_timer(task);
        self.living.remove(task);
        self.tell_count();
        self.free.give_back(task);
    }

    fn tell_count(&self) {
        // Relaxed: for other threads it is a hint.
        self.home.living.store(self.living.count(), Relaxed);
    }

    /// Makes this thread the worker, until what is returned is dropped.
    fn enter(&self) -> Entered {
        let data = ptr::from_ref(self);
        // SAFETY: the worker is borrowed until `Entered` takes it back, on this thread.
        let parker = unsafe {
            let parker = Parker::new(data.cast(), &PARKER);
            step01::park::install(Some(parker))
        };
        Entered {
            parker,
            worker: WORKER.replace(data),
        }
    }
}

/// What was installed on this thread before.
struct Entered {
    parker: Option<Parker>,
    worker: *const Worker,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // SAFETY: it is what was there before.
        unsafe { step01::park::install(self.parker) };
        WORKER.set(self.worker);
    }
}

pub(crate) fn is_current(number: u64, task: &&'static Task) -> bool {
    task.timer.get() == number
}
