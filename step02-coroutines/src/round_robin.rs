//! The second runtime: any number of tasks, on one thread, in turns.
//!
//! The thread that calls [`run`](Runtime::run) is the worker, for as long as that call takes. It runs one task until that
//! task stops by itself: it parks, yields, sleeps, or ends. Nobody can take the thread away from it. That makes tasks
//! cheap, since a switch is a few instructions and no kernel knows of it, and it makes the runtime fragile: one task that
//! computes for a second, or makes a system call that blocks, stops all others for this time. `blocking` cannot help; it
//! calls its closure, and everybody waits. Steps 3 to 5 are about getting this back.
//!
//! What is where: `worker.rs` has the loop, `task.rs` what a task is, `inbox.rs` how other threads reach it, `deadlock.rs`
//! what happens when everyone waits. Here is what the user sees.

use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use step01::alt_stack::AltStack;
use step01::park::{self, Wait};
use step01::{BuildError, Job, Runtime, SpawnError};

use crate::home::Home;
use crate::layout::{DEFAULT_SLOT, SlotLayout};
use crate::polling_net::PollingNet;
use crate::stack::Region;
use crate::stack_pool::Counts;
use crate::worker::{self, Worker};

/// The most tasks at a time if nothing else is asked for: 1,048,576.
pub const DEFAULT_MAX_TASKS: usize = 1 << 20;

/// The runtime that runs all tasks on the thread that calls `run`.
///
/// Tasks may be spawned from other threads, too, and before `run` is called; they run when `run` does. Two calls of `run`
/// at a time, from two threads, go one after the other.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    home: &'static Home,
    region: Arc<Region>,
    worker: Mutex<Worker>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.home.leave();
    }
}

/// The settings of a [`RoundRobin`] runtime.
#[derive(Clone, Debug)]
pub struct Builder {
    stack_size: usize,
    max_tasks: usize,
}

impl RoundRobin {
    /// The runtime with its default settings. If the process may not have addresses for so many stacks, it is for fewer
    /// tasks.
    ///
    /// # Panics
    ///
    /// If there is not even room for 64 stacks.
    pub fn new() -> Self {
        let mut builder = RoundRobin::builder();
        loop {
            match builder.build() {
                Ok(runtime) => return runtime,
                Err(error) if builder.max_tasks <= 64 => panic!("{error}"),
                Err(_) => builder.max_tasks /= 2,
            }
        }
    }

    /// The default settings, to be changed.
    pub fn builder() -> Builder {
        Builder {
            stack_size: DEFAULT_SLOT,
            max_tasks: DEFAULT_MAX_TASKS,
        }
    }

    /// How a task's stack is divided.
    pub fn layout(&self) -> SlotLayout {
        self.shared.region.layout()
    }

    /// What became of the stacks so far. It waits for the end of a `run` that is going on.
    pub fn stack_counts(&self) -> Counts {
        self.worker().stack_counts()
    }

    /// The number of deadlines that it keeps, those that were cancelled and not yet swept out included. It waits for the
    /// end of a `run` that is going on.
    pub fn timer_count(&self) -> usize {
        self.worker().timer_count()
    }

    fn worker(&self) -> MutexGuard<'_, Worker> {
        // A panic during a run is a fault of the runtime's own, and there is nothing that it could have left half-done
        // but queues, whose tasks are still as they were.
        self.shared
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RoundRobin {
    fn default() -> Self {
        RoundRobin::new()
    }
}

// ANCHOR: builder
impl Builder {
    /// The size of each task's stack in bytes, its guard included, rounded up to a power of two; 256 KiB if it is not
    /// set. It is address space that is reserved; memory is spent on the pages that a task touches.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// The most tasks that there can be at a time; 1,048,576 if it is not set. So much address space is reserved.
    pub fn max_tasks(mut self, count: usize) -> Self {
        self.max_tasks = count;
        self
    }

    /// Makes the runtime, and reserves addresses for its stacks.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting that cannot work: a stack that is too small or too large, no tasks at all, or
    /// more stacks than the process may have addresses for.
    pub fn build(&self) -> Result<RoundRobin, BuildError> {
        let layout = SlotLayout::new(self.stack_size)?;
        if self.max_tasks == 0 {
            let reason = "the closure that `run` is given is a task, so there must be one at least";
            return Err(BuildError::new("max_tasks", 0, reason));
        }
        let region = Region::map(layout, self.max_tasks)
            .map_err(|error| BuildError::new("max_tasks", self.max_tasks, error.to_string()))?;
        let home = Home::take();
        let worker = Worker::new(home, Arc::clone(&region));
        Ok(RoundRobin {
            shared: Arc::new(Shared {
                home,
                region,
                worker: Mutex::new(worker),
            }),
        })
    }
}
// ANCHOR_END: builder

/// Gives the other tasks of the calling task's runtime a turn. On a thread that runs no tasks it gives other threads one.
pub fn yield_now() {
    match worker::on_this_thread() {
        Some(worker) => worker.yield_now(),
        None => std::thread::yield_now(),
    }
}

// ANCHOR: native
/// Calls `f` on the stack that the thread came with, which has megabytes where a task has kilobytes: for C functions
/// that are known to want much. The calling task, and all others, wait until it returns. `f` must not park; that ends
/// the process with a message.
///
/// On a thread that runs no tasks, and in a task that is unwinding or being ended, `f` is just called.
///
/// # Panics
///
/// With what `f` panics with.
pub fn on_native_stack<T>(f: impl FnOnce() -> T) -> T {
    let (mut f, mut result) = (Some(f), None);
    call_on_native_stack(&mut || {
        // A panic must not run into the worker's loop. It goes on in the task.
        result = f.take().map(|f| panic::catch_unwind(AssertUnwindSafe(f)));
    });
    match result {
        Some(Ok(value)) => value,
        Some(Err(payload)) => panic::resume_unwind(payload),
        None => unreachable!("it was called, once"),
    }
}

/// [`on_native_stack`] without its types. `f` must not panic.
fn call_on_native_stack(f: &mut dyn FnMut()) {
    match worker::on_this_thread() {
        Some(worker) => worker.on_native_stack(f),
        None => f(),
    }
}
// ANCHOR_END: native

/// The sockets of this stage.
static NET: PollingNet = PollingNet::new(yield_now, |f| on_native_stack(f));

// ANCHOR: runtime
impl Runtime for RoundRobin {
    type Net = PollingNet;

    fn name(&self) -> &'static str {
        "step02"
    }

    /// Runs `main` and all other tasks on the calling thread. When `main` has returned, the tasks that are left are
    /// ended: their stacks are unwound, the newest first, and whoever joins one is told that it was cancelled.
    ///
    /// # Panics
    ///
    /// If it is called by a task: a task must not block the thread that the others need. Spawn another task instead.
    #[track_caller]
    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        assert!(
            worker::on_this_thread().is_none(),
            "`run` was called inside of a task; a task starts others with `spawn`"
        );
        // A runaway task is reported on this. Without the memory for it, the report is a plain SIGSEGV.
        let _alt_stack = AltStack::allocate().map(AltStack::install);
        // SAFETY: the job has run or was dropped when the worker's `run` returns, and the handle is gone at the end of this
        // function; what `main` borrows outlives it.
        let (job, handle) = unsafe { Job::borrowing(main, Location::caller()) };
        let refused = self.worker().run(job, || handle.is_finished()).err();
        match (handle.join(), refused) {
            (Ok(value), _) => value,
            (Err(_), Some(error)) => panic!("{error}"),
            (Err(error), None) => error.resume(),
        }
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        let Shared { home, region, .. } = &*self.shared;
        if let Some(worker) = worker::on_this_thread()
            && std::ptr::eq(worker.home(), *home)
        {
            return worker.start(job);
        }
        // Relaxed: the worker's last word, which may be a moment old. So this is a bound for those who spawn without end,
        // and a few tasks too many find out when they are to begin.
        let living = home.living.load(Relaxed);
        if living + home.inbox.waiting_jobs() >= region.slots() {
            return Err(region.full());
        }
        home.inbox.arrive(|mail| mail.jobs.push(job));
        Ok(())
    }

    fn yield_now(&self) {
        yield_now();
    }

    fn sleep(&self, duration: Duration) {
        if worker::on_this_thread().is_none() {
            return std::thread::sleep(duration);
        }
        let start = Instant::now();
        loop {
            let rest = duration.saturating_sub(start.elapsed());
            if rest.is_zero() {
                return;
            }
            // A deadline that the clock cannot hold is never met.
            park::park_as(Wait::Sleep, Instant::now().checked_add(rest));
        }
    }

    /// Calls `f`. All other tasks wait until it returns.
    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        f()
    }

    fn net(&self) -> &PollingNet {
        &NET
    }
}
// ANCHOR_END: runtime
