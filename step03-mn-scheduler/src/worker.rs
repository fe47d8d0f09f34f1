//! A worker: a thread that takes tasks and runs them.
//!
//! # The park race
//!
//! A task that parks has to do two things: to say that it is parked, and to leave its stack. In step 2 it said so first,
//! and nobody could come in between. Here another worker can: the moment the word says PARKED, an unpark may queue the task,
//! and a second worker may begin to run it, on a stack that the first is still using. Two threads on one stack is the
//! end of the program, some time later and somewhere else.
//!
//! So the order is turned round. The task leaves its stack, with its word still at RUNNING. Then the *worker*, on its own
//! stack, moves the word to PARKED. An unpark that comes before this finds RUNNING and leaves its token; the worker finds
//! the token when it tries, and queues the task itself. An unpark that comes after it finds PARKED, and the stack is free.
//! From the exchange that sets PARKED on, the worker touches nothing of the task. Go does the same (`gopark` switches to
//! `g0` and calls `park_m` there), and tokio (a task is polled to its end before its state leaves RUNNING).
//!
//! # The loop
//!
//! A task from the policy, a switch, what came of it; each 61st turn a look at the timers. With nothing to do the worker
//! sleeps in the policy's `idle`, until the earliest timer at the latest.

use std::panic::Location;
use std::ptr;
use std::time::{Duration, Instant};

use step01::park::{ParkVTable, Parker, Wait};
use step01::{ForcedUnwind, Job, SpawnError};
use step02::task_word::Park;
use step02::{Coroutine, Resumed, Suspender};

use crate::above::Above;
use crate::current::{self, Context, die, stop};
use crate::deadlock;
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::scheduler::Scheduler;
use crate::task::{Fiber, Stop, TaskRef};

/// Timers are looked at once in so many turns, if there is always something to run.
const LOOK_AROUND: u32 = 61;

/// How long the last worker sleeps, without a timer, before it asks whether this is a deadlock.
const QUIET: Duration = Duration::from_millis(20);

/// How often a task that is being ended may catch that and park again.
const PATIENCE: u32 = 1_000;

/// A thread that runs tasks, and the processor that it has.
#[derive(Debug)]
pub(crate) struct Worker<'a, P: Policy> {
    pub(crate) scheduler: &'a Scheduler<P>,
    pub(crate) processor: &'a Processor<P>,
    pub(crate) context: Context,
}

impl<'a, P: Policy> Worker<'a, P> {
    pub(crate) fn new(scheduler: &'a Scheduler<P>, processor: &'a Processor<P>) -> Self {
        Worker {
            scheduler,
            processor,
            context: Context::new(
                ptr::from_ref(scheduler).cast(),
                ptr::from_ref(processor).cast(),
                Above::of(scheduler),
            ),
        }
    }

    // ANCHOR: loop
    /// Runs tasks until the scheduler stops. `done` is asked after each task that has ended; if it says yes, all stop.
    pub(crate) fn run(&self, done: &(dyn Fn() -> bool + Sync)) {
        let _on_this_thread = enter::<P>(&self.context);
        self.scheduler.watch.wakes_up();
        let mut turns = LOOK_AROUND;
        while !self.scheduler.stopping() {
            turns -= 1;
            if turns == 0 {
                turns = LOOK_AROUND;
                self.scheduler.fire_timers();
            }
            match self.scheduler.policy.try_next(self.processor) {
                Some(task) => {
                    if self.turn(task) && done() {
                        self.scheduler.stop();
                    }
                }
                None if self.scheduler.fire_timers() => {}
                None => self.idle(),
            }
        }
        let _ = self.scheduler.watch.falls_asleep();
    }
    // ANCHOR_END: loop

    // ANCHOR: turn
    /// Lets a task run until it stops. True if that was its end.
    #[inline(always)]
    fn turn(&self, task: TaskRef) -> bool {
        // SAFETY: the task was in the queue and is ours now, until it is queued, parked or has ended below.
        let place = unsafe { &mut *task.fiber.get() };
        if place.is_none() {
            self.bind(task, place);
        }
        let Some(fiber) = place else {
            return true; // there was no stack for it
        };
        self.processor.counters.switches.add();
        if task.last.get() != self.processor.index() as u32 {
            self.moved(task);
        }
        loop {
            self.context.task.set(Some(task));
            let stopped = fiber.resume(());
            self.context.task.set(None);
            match stopped {
                Resumed::Yielded(Stop::Park) => {
                    self.processor.counters.parks.add();
                    // We are off its stack. From this exchange on, if it succeeds, the task is anybody's.
                    if task.word.try_park() == Park::Notified {
                        self.ready(task, Why::Unpark);
                    }
                    return false;
                }
                Resumed::Yielded(Stop::Yield) => {
                    self.ready(task, Why::Yield);
                    return false;
                }
                Resumed::Yielded(Stop::Call) => self.call(),
                Resumed::Returned(()) => break,
            }
        }
        if let Some(stack) = Fiber::stack_of(place) {
            self.processor.pool.borrow_mut().give_back(stack);
        }
        self.scheduler.forget(self.processor, task);
        true
    }
    // ANCHOR_END: turn

    fn ready(&self, task: TaskRef, why: Why) {
        self.scheduler.policy.ready(task, Some(self.processor), why);
    }

    /// A task that has last run elsewhere is here now.
    #[cold]
    fn moved(&self, task: TaskRef) {
        task.last.set(self.processor.index() as u32);
        self.processor.counters.migrations.add();
    }

    /// Gives a task that has not begun its stack. If there is none, the task ends here.
    #[inline(never)]
    fn bind(&self, task: TaskRef, place: &mut Option<Fiber>) {
        let stack = self.processor.pool.borrow_mut().take();
        task.last.set(self.processor.index() as u32);
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

    /// There is no stack for a task that was spawned. Whoever joins it finds it cancelled.
    #[cold]
    fn refuse(&self, task: TaskRef, job: Option<Job>, error: Option<SpawnError>) {
        if let Some(error) = error {
            eprintln!("task {} is dropped: {error}", task.number.get());
        }
        self.context.task.set(Some(task));
        drop(job);
        self.context.task.set(None);
        self.scheduler.forget(self.processor, task);
    }

    /// Calls what the task that has just stopped has left.
    fn call(&self) {
        if let Some(f) = self.context.call.take() {
            // SAFETY: it lies on the stack of that task, which stays where it is until the task goes on, after this.
            unsafe { (*f)() }
        }
    }

    // ANCHOR: idle
    /// Nothing to run: sleeps until there may be.
    fn idle(&self) {
        self.processor.counters.idles.add();
        let (last, until) = self.scheduler.falls_asleep();
        let until = match until {
            None if last => Instant::now().checked_add(QUIET),
            until => until,
        };
        self.scheduler.policy.idle(self.processor, until);
        if last && self.scheduler.earliest().is_none() {
            deadlock::look(self.scheduler, self.processor);
        }
        self.scheduler.watch.wakes_up();
    }
    // ANCHOR_END: idle
}

// ANCHOR: park
/// Stops the running task; see `step01::park`.
fn park<P: Policy>(wait: Wait, deadline: Option<Instant>) {
    // SAFETY: the parker is installed, so this thread has a context.
    let context = unsafe { &*current::context() };
    let task = running(context);
    check(context, task, "parked");
    if task.word.take_token_if_there() {
        return;
    }
    task.wait.set(wait);
    // SAFETY: the parker of this type is installed with a context of this type.
    let scheduler = unsafe { &*context.scheduler.cast::<Scheduler<P>>() };
    if let Some(deadline) = deadline {
        scheduler.add_timer(task, deadline);
    }
    stop(task, Stop::Park);
    // From here on this may be another thread, and `context` another worker's. The scheduler is the same.
    if deadline.is_some() {
        scheduler.cancel_timer(task);
    }
}

/// Lets the others run.
pub(crate) fn yield_now() {
    // SAFETY: null, or this thread's.
    let Some(context) = (unsafe { current::context().as_ref() }) else {
        return std::thread::yield_now();
    };
    let task = running(context);
    if std::thread::panicking() || task.caught.get().is_some() {
        if std::thread::panicking() && !context.panicking {
            return; // std counts panics for the thread, so this task stays on it until its panic is over
        }
        check_closely(context, task, "yielded");
    }
    stop(task, Stop::Yield);
}
// ANCHOR_END: park

/// Calls `f` on the thread's own stack, which is large, while the calling task waits.
pub(crate) fn on_native_stack(f: &mut dyn FnMut()) {
    // SAFETY: null, or this thread's.
    let Some(context) = (unsafe { current::context().as_ref() }) else {
        return f();
    };
    let task = running(context);
    let ending = std::thread::panicking() || task.caught.get().is_some();
    if ending || task.suspender.get().is_null() {
        return f(); // this task does not leave its stack any more, or never had one
    }
    let f: *mut (dyn FnMut() + '_) = f;
    // SAFETY: only the lifetime changes. The worker calls it before this task goes on, and then forgets it.
    let f: *mut (dyn FnMut() + 'static) = unsafe { std::mem::transmute(f) };
    context.call.set(Some(f));
    stop(task, Stop::Call);
}

fn running(context: &Context) -> TaskRef {
    match context.task.get() {
        Some(task) => task,
        None => die("a function that parks a task was called on a worker, outside of its tasks"),
    }
}

/// Stops what must not go on: a task that would leave its stack in the middle of a panic, or that was ended.
#[inline]
fn check(context: &Context, task: TaskRef, verb: &str) {
    if std::thread::panicking() || task.caught.get().is_some() {
        check_closely(context, task, verb);
    }
}

#[cold]
fn check_closely(context: &Context, task: TaskRef, verb: &str) {
    let site = task.site.get().map(Location::to_string).unwrap_or_default();
    if std::thread::panicking() && !context.panicking {
        let why = match task.caught.get() {
            Some(_) => "in a destructor while it was ended by its runtime",
            None => "in a destructor that runs because of a panic",
        };
        let number = task.number.get();
        die(&format!("task {number}, spawned at {site}, {verb} {why}"));
    }
    if let Some(times) = task.caught.get() {
        // It caught the unwinding, as a loop around requests does that is to survive their panics. Once more, then.
        task.caught.set(Some(times + 1));
        if times >= PATIENCE {
            die(&format!(
                "the task spawned at {site} catches the unwinding with which its runtime ends it, again and again; it should \
                 pass on a payload of the type step01::ForcedUnwind"
            ));
        }
        ForcedUnwind::throw();
    }
}

/// The table that step 1's `park` calls, for each policy one.
struct Table<P>(std::marker::PhantomData<P>);

impl<P: Policy> Table<P> {
    const PARKER: ParkVTable = ParkVTable {
        // SAFETY: it is installed by `enter`, on a thread with a context of this type.
        park: |_, wait, deadline| park::<P>(wait, deadline),
        current: |data| {
            // SAFETY: `data` is the context of this thread's worker, for the time that it is installed.
            running(unsafe { &*data.cast::<Context>() }).unparker()
        },
    };
}

/// Makes this thread the worker of this context, until what is returned is dropped.
pub(crate) fn enter<P: Policy>(context: &Context) -> Entered {
    let data = ptr::from_ref(context);
    // SAFETY: the context is borrowed by the worker until `Entered` takes it back, on this thread.
    let parker = unsafe {
        let parker = Parker::new(data.cast(), &Table::<P>::PARKER);
        step01::park::install(Some(parker))
    };
    Entered {
        parker,
        context: current::enter(data),
    }
}

/// What was installed on this thread before.
pub(crate) struct Entered {
    parker: Option<Parker>,
    context: *const Context,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // SAFETY: it is what was there before.
        unsafe { step01::park::install(self.parker) };
        current::enter(self.context);
    }
}
