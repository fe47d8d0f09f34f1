//! The one thread that runs all tasks, one after the other: a queue, a loop, and the functions that tasks stop with.
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
//!
//! # The end
//!
//! When the first task has returned, `run` returns, and the other tasks end: those that have not begun are dropped, the
//! others are unwound where they stopped. The newest goes first, since a task may own what newer ones borrow: the owner
//! of a scope waits for the tasks of that scope, and must find them gone. For the same reason a task that was woken in
//! the meantime first goes on, and is unwound at its next stop: what it has waited for is there.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use step01::park::{ParkVTable, Parker, Wait};
use step01::{ForcedUnwind, Job, SpawnError};

use crate::coroutine::{Coroutine, Resumed, Suspender};
use crate::deadlock;
use crate::fatal::die;
use crate::home::Home;
use crate::run_queue::RunQueue;
use crate::stack::Region;
use crate::stack_pool::{Counts, StackPool};
use crate::task::{Call, Fiber, FreeTasks, Living, Stop, Task, TaskRef};
use crate::task_word::{Claim, Park};
use crate::timer::Timers;

/// Inbox and timers are looked at once in so many turns, if there is always something to run.
const LOOK_AROUND: u32 = 61;

/// How long a worker without anything to do and without a timer sleeps before it asks whether this is a deadlock.
const QUIET: Duration = Duration::from_millis(20);

/// How often a task that is being ended may catch that and park again.
const PATIENCE: u32 = 1_000;

/// What runs tasks. It belongs to one thread at a time, and what tasks reach of it is behind cells.
#[derive(Debug)]
pub(crate) struct Worker {
    home: &'static Home,
    region: Arc<Region>,
    pool: RefCell<StackPool>,
    queue: RunQueue,
    timers: RefCell<Timers<TaskRef>>,
    current: Cell<Option<TaskRef>>,
    /// What a task wants called, with [`Stop::Call`].
    call: Cell<Option<Call>>,
    living: Living,
    free: FreeTasks,
    next_number: Cell<u64>,
    /// The first task has returned.
    closing: Cell<bool>,
    /// `run` was called by a destructor during a panic, so that the thread counts as panicking all the time.
    panicking: Cell<bool>,
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
        let stack = fiber.take_stack();
        *place = None;
        self.pool.borrow_mut().give_back(stack);
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
    fn forget(&self, task: TaskRef) {
        self.drop_timer(task);
        self.living.remove(task);
        self.tell_count();
        self.free.give_back(task);
    }

    fn tell_count(&self) {
        // Relaxed: for other threads it is a hint.
        self.home.living.store(self.living.count(), Relaxed);
    }

    #[inline]
    fn current(&self) -> TaskRef {
        match self.current.get() {
            Some(task) => task,
            None => {
                die(&["a function that parks a task was called on a worker, outside of its tasks"])
            }
        }
    }

    // ANCHOR: park
    /// Stops the running task; see `step01::park`.
    fn park(&self, wait: Wait, deadline: Option<Instant>) {
        let task = self.current();
        if thread::panicking() || task.caught.get().is_some() {
            self.check(task, "parked");
        }
        if task.word.try_park() == Park::Parked {
            task.wait.set(wait);
            if let Some(deadline) = deadline {
                let number = self.timers.borrow_mut().add(deadline, task);
                task.timer.set(number);
            }
            self.stop(task, Stop::Park);
            self.drop_timer(task);
        }
    }

    /// Lets the others run.
    #[inline]
    pub(crate) fn yield_now(&self) {
        let task = self.current();
        if thread::panicking() || task.caught.get().is_some() {
            if thread::panicking() && !self.panicking.get() {
                return; // std counts panics for the thread, so this task stays on it until its panic is over
            }
            self.check(task, "yielded");
        }
        self.stop(task, Stop::Yield);
    }

    /// Calls `f` on the thread's own stack, which is large, while the calling task waits.
    pub(crate) fn on_native_stack(&self, f: &mut dyn FnMut()) {
        let task = self.current();
        let ending = thread::panicking() || task.caught.get().is_some();
        if ending || task.suspender.get().is_null() {
            return f(); // this task does not leave its stack any more, or never had one
        }
        let f: *mut (dyn FnMut() + '_) = f;
        // SAFETY: only the lifetime changes. The worker calls it before this task goes on, and then forgets it.
        let f: *mut (dyn FnMut() + 'static) = unsafe { std::mem::transmute(f) };
        self.call.set(Some(Call(f)));
        self.stop(task, Stop::Call);
    }

    /// Calls what the task that has just stopped has left.
    fn call(&self) {
        if let Some(Call(f)) = self.call.take() {
            // SAFETY: it lies on the stack of that task, which stays where it is until the task goes on, after this.
            unsafe { (*f)() }
        }
    }

    /// Leaves the task's stack. Returns when it is its turn again.
    #[inline(always)]
    fn stop(&self, task: TaskRef, stop: Stop) {
        // SAFETY: the task is running, so its fiber has stored its suspender, which lies on its stack.
        match unsafe { task.suspender.get().as_ref() } {
            Some(suspender) => suspender.suspend(stop),
            None => die(&[
                "a task was dropped before it began, and a destructor of what it owns parked",
            ]),
        }
    }
    // ANCHOR_END: park

    /// What must not go on: a task that would leave its stack in the middle of a panic, or that was ended.
    #[cold]
    fn check(&self, task: TaskRef, verb: &str) {
        if thread::panicking() && !self.panicking.get() {
            let number = task.number.get().to_string();
            let site = task.site.get().map(ToString::to_string).unwrap_or_default();
            let why = match task.caught.get() {
                Some(_) => " in a destructor while it was ended by its runtime",
                None => " in a destructor that runs because of a panic",
            };
            die(&["task ", &number, ", spawned at ", &site, ", ", verb, why]);
        }
        if let Some(times) = task.caught.get() {
            // It caught the unwinding, as a loop around requests does that is to survive their panics. Once more, then.
            task.caught.set(Some(times + 1));
            if times >= PATIENCE {
                let site = task.site.get().map(ToString::to_string).unwrap_or_default();
                die(&[
                    "the task spawned at ",
                    &site,
                    " catches the unwinding with which its runtime ends it, again and again; \
                       it should pass on a payload of the type step01::ForcedUnwind",
                ]);
            }
            ForcedUnwind::throw();
        }
    }

    fn drop_timer(&self, task: TaskRef) {
        if task.timer.replace(0) != 0 {
            self.timers.borrow_mut().cancel(is_current);
        }
    }

    // ANCHOR: close
    /// Ends all tasks that are left.
    fn close(&self) {
        self.closing.set(true);
        // From here on nobody queues a task. Those that were not parked are in a queue, or on their way into one.
        let claims = self.living.iter().map(|task| task.word.claim());
        let queued = claims.filter(|claim| *claim == Claim::Queued).count();
        let mut found = std::iter::from_fn(|| self.queue.pop()).count();
        loop {
            let mail = self.home.inbox.empty();
            found += mail.ready.len();
            drop(mail.jobs);
            if found >= queued {
                break;
            }
            thread::yield_now(); // another thread is between its look at the word and the inbox
        }
        loop {
            let newest = self.living.iter().next();
            let Some(task) = newest else { break };
            self.current.set(Some(task));
            task.caught.set(Some(0));
            // SAFETY: as in `turn`.
            let fiber = unsafe { &mut *task.fiber.get() }.take();
            match fiber {
                Some(mut fiber) => {
                    if task.word.has_token() {
                        // What it waits for has come, the end of its scope perhaps. It goes on to its next stop.
                        fiber.resume(());
                    }
                    let stack = fiber.into_stack();
                    self.pool.borrow_mut().give_back(stack);
                }
                None => drop(task.job.take()),
            }
            self.current.set(None);
            self.forget(task);
        }
    }
    // ANCHOR_END: close

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

fn is_current(number: u64, task: &&'static Task) -> bool {
    task.timer.get() == number
}

/// A task was spawned after the first one had returned.
pub(crate) fn ending() -> SpawnError {
    SpawnError::new(
        std::io::Error::from_raw_os_error(libc::ECANCELED),
        "the runtime is ending",
        "spawn tasks before the closure that was given to `run` returns",
    )
}
