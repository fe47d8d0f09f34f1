//! The third runtime: any number of tasks on a few threads.
//!
//! The thread that calls [`run`](step01::Runtime::run) is one of the workers for as long as that call takes; the others are
//! started for it and end with it. They are threads of step 1's, tasks of its runtime even, with its report of a stack
//! overflow.
//!
//! What is new to the user is that tasks run at the same time: two that compute take half as long on two cores. What has
//! not changed since step 2: nobody can take a thread away from a task. One that blocks its thread, in a system call say,
//! takes that worker out of the game, and if as many block as there are workers, everyone waits.

use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use step01::alt_stack::AltStack;
use step01::park::{self, Wait};
use step01::{BuildError, Job, Runtime, SpawnError, Threads, scope};
use step02::polling_net::PollingNet;
use step02::{DEFAULT_SLOT, MOST_IDLE, Region, SlotLayout};

use crate::counters::Snapshot;
use crate::current;
use crate::ending;
use crate::global_queue::GlobalQueue;
use crate::policy::Policy;
use crate::processor::Processor;
use crate::scheduler::Scheduler;
use crate::worker::{self, Worker};

/// The most tasks at a time if nothing else is asked for: 1,048,576.
pub const DEFAULT_MAX_TASKS: usize = 1 << 20;

/// More workers than this are refused.
pub const MOST_WORKERS: usize = 1_024;

/// A runtime with this step's policy: one queue for all workers.
pub type SharedQueue = Scheduled<GlobalQueue>;

/// A runtime that runs tasks on several threads, as its policy says.
///
/// Tasks may be spawned from other threads, too, and before `run` is called; they run when `run` does. Two calls of `run`
/// at a time, from two threads, go one after the other.
#[derive(Debug)]
pub struct Scheduled<P: Policy> {
    shared: Arc<Shared<P>>,
}

impl<P: Policy> Clone for Scheduled<P> {
    fn clone(&self) -> Self {
        Scheduled {
            shared: Arc::clone(&self.shared),
        }
    }
}

#[derive(Debug)]
struct Shared<P: Policy> {
    scheduler: Scheduler<P>,
    /// Held by the `run` that is going on.
    processors: Mutex<Vec<Processor<P>>>,
    /// What the workers run on, but for the one that is the caller of `run`.
    threads: Threads,
    name: &'static str,
}

impl<P: Policy> Shared<P> {
    fn processors(&self) -> MutexGuard<'_, Vec<Processor<P>>> {
        // A panic during a run is a fault of the runtime's own, and leaves queues whose tasks are still as they were.
        self.processors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Policy> Drop for Shared<P> {
    fn drop(&mut self) {
        // What was spawned after the last run is dropped, which tells whoever joins it.
        let processors = self.processors();
        ending::close(&Worker::new(&self.scheduler, &processors[0]), &processors);
        drop(processors);
        self.scheduler.home.leave();
    }
}

// ANCHOR: builder
/// The settings of a runtime with several workers.
#[derive(Clone, Debug)]
pub struct Builder {
    workers: Option<usize>,
    stack_size: usize,
    max_tasks: Option<usize>,
    name_prefix: String,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            workers: None,
            stack_size: DEFAULT_SLOT,
            max_tasks: None,
            name_prefix: "worker-".to_owned(),
        }
    }
}

impl Builder {
    /// How many threads run tasks; as many as the process has cores if it is not set.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count);
        self
    }

    /// The size of each task's stack in bytes, its guard included, rounded up to a power of two; 256 KiB if it is not
    /// set. It is address space that is reserved; memory is spent on the pages that a task touches.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// The most tasks that there can be at a time. So much address space is reserved. If it is not set, it is 1,048,576, or
    /// what the process may have addresses for.
    pub fn max_tasks(mut self, count: usize) -> Self {
        self.max_tasks = Some(count);
        self
    }

    /// What the names of the workers' threads begin with, in `htop` and in a debugger; a number follows. `worker-` if it is
    /// not set; 8 bytes at most. The worker that is the caller of `run` keeps the name of its thread.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = prefix.into();
        self
    }

    /// Makes the runtime, with one queue for all workers.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting that cannot work: no workers or absurdly many, a stack that is too small or too
    /// large, no tasks at all, more stacks than the process may have addresses for, or a prefix that is too long.
    pub fn build(&self) -> Result<SharedQueue, BuildError> {
        self.build_with("step03", |_| GlobalQueue::new())
    }

    /// Makes a runtime with a policy of one's own, made for this number of workers. `name` is what
    /// [`Runtime::name`] returns.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn build_with<P: Policy>(
        &self,
        name: &'static str,
        policy: impl FnOnce(usize) -> P,
    ) -> Result<Scheduled<P>, BuildError> {
        let cores = || thread::available_parallelism().map_or(1, |cores| cores.get());
        let workers = self.workers.unwrap_or_else(cores);
        if workers == 0 {
            let reason =
                "somebody must run the tasks; leave it out to have one worker for each core";
            return Err(BuildError::new("workers", 0, reason));
        }
        if workers > MOST_WORKERS {
            let reason = format!("a worker is a thread; {MOST_WORKERS} are the most");
            return Err(BuildError::new("workers", workers, reason));
        }
        let layout = SlotLayout::new(self.stack_size)?;
        if self.max_tasks == Some(0) {
            let reason = "the closure that `run` is given is a task, so there must be one at least";
            return Err(BuildError::new("max_tasks", 0, reason));
        }
        let threads = Threads::builder().name_prefix(&self.name_prefix).build()?;
        let (region, most) = self.stacks(layout, workers)?;
        let scheduler = Scheduler::new(policy(workers), region, workers, most);
        let processors = Mutex::new(scheduler.processors());
        let shared = Arc::new(Shared {
            scheduler,
            processors,
            threads,
            name,
        });
        // SAFETY: it has just been taken. The scheduler does not move any more, and goes after its last task.
        unsafe {
            let address = std::ptr::from_ref(&shared.scheduler).cast();
            shared
                .scheduler
                .home
                .furnish(address, Scheduler::<P>::ready);
        }
        Ok(Scheduled { shared })
    }

    /// Addresses for the stacks, and the most tasks that there can be.
    fn stacks(
        &self,
        layout: SlotLayout,
        workers: usize,
    ) -> Result<(Arc<Region>, usize), BuildError> {
        // What waits in the pools of other processors is out of reach, so there are more stacks than tasks.
        let out_of_reach = (workers - 1) * MOST_IDLE;
        let mut most = self.max_tasks.unwrap_or(DEFAULT_MAX_TASKS);
        loop {
            match Region::map(layout, most.saturating_add(out_of_reach)) {
                Ok(region) => return Ok((region, most)),
                // Nobody has asked for so many.
                Err(_) if self.max_tasks.is_none() && most > 64 => most /= 2,
                Err(error) => return Err(BuildError::new("max_tasks", most, error.to_string())),
            }
        }
    }
}
// ANCHOR_END: builder

impl SharedQueue {
    /// The runtime with its default settings: a worker for each core.
    ///
    /// # Panics
    ///
    /// If the process may not even have addresses for the stacks of 64 tasks.
    pub fn new() -> Self {
        match Builder::default().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("{error}"),
        }
    }

    /// The default settings, to be changed.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for SharedQueue {
    fn default() -> Self {
        SharedQueue::new()
    }
}

impl<P: Policy> Scheduled<P> {
    /// How many threads run tasks.
    pub fn workers(&self) -> usize {
        self.shared.scheduler.workers
    }

    /// What it has done so far. While tasks run, the numbers are of slightly different moments.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.scheduler.snapshot()
    }
}

/// Gives the other tasks of the calling task's runtime a turn. On a thread that runs no tasks it gives other threads one.
pub fn yield_now() {
    worker::yield_now();
}

/// Calls `f` on the stack that the thread came with, for C functions that are known to want much; see
/// [`step02::round_robin::on_native_stack`]. `f` must not park; that ends the process with a message.
///
/// # Panics
///
/// With what `f` panics with.
pub fn on_native_stack<T>(f: impl FnOnce() -> T) -> T {
    let (mut f, mut result) = (Some(f), None);
    worker::on_native_stack(&mut || {
        // A panic must not run into the worker's loop. It goes on in the task.
        result = f.take().map(|f| panic::catch_unwind(AssertUnwindSafe(f)));
    });
    match result {
        Some(Ok(value)) => value,
        Some(Err(payload)) => panic::resume_unwind(payload),
        None => unreachable!("it was called, once"),
    }
}

/// The sockets of this stage: step 2's.
static NET: PollingNet = PollingNet::new(yield_now, |f| on_native_stack(f));

// ANCHOR: runtime
impl<P: Policy> Runtime for Scheduled<P> {
    type Net = PollingNet;

    fn name(&self) -> &'static str {
        self.shared.name
    }

    /// Runs `main` and all other tasks, on the calling thread and as many more as there are workers beside it. When `main`
    /// has returned, the tasks that are left are ended: their stacks are unwound, the newest first, and whoever joins
    /// one is told that it was cancelled.
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
            current::context().is_null(),
            "`run` was called inside of a task; a task starts others with `spawn`"
        );
        // A runaway task is reported on this. Without the memory for it, the report is a plain SIGSEGV.
        let _alt_stack = AltStack::allocate().map(AltStack::install);
        // SAFETY: the job has run or was dropped when `work` returns, and the handle is gone at the end of this function;
        // what `main` borrows outlives it.
        let (job, handle) = unsafe { Job::borrowing(main, Location::caller()) };
        let refused = self.work(job, &|| handle.is_finished()).err();
        match (handle.join(), refused) {
            (Ok(value), _) => value,
            (Err(_), Some(error)) => panic!("{error}"),
            (Err(error), None) => error.resume(),
        }
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        self.shared.scheduler.start(job)
    }

    fn yield_now(&self) {
        yield_now();
    }

    fn sleep(&self, duration: Duration) {
        if current::context().is_null() {
            return thread::sleep(duration);
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

    // ANCHOR: blocking
    /// Calls `f`, on this worker, which runs nothing else until it returns. The others go on.
    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        f()
    }
    // ANCHOR_END: blocking

    fn net(&self) -> &PollingNet {
        &NET
    }
}

impl<P: Policy> Scheduled<P> {
    /// The whole of `run`, without its types.
    fn work(&self, main: Job, done: &(dyn Fn() -> bool + Sync)) -> Result<(), SpawnError> {
        let processors = self.shared.processors();
        let scheduler = &self.shared.scheduler;
        scheduler.open();
        let own = Worker::new(scheduler, &processors[0]);
        if let Err(error) = scheduler.start(main) {
            ending::close(&own, &processors);
            return Err(error);
        }
        // Each of the other workers is a thread, that is, a task of step 1's.
        scope(&self.shared.threads, |threads| {
            for processor in &processors[1..] {
                let processor = Lent(processor);
                threads.spawn(move || {
                    let Lent(processor) = { processor };
                    Worker::new(scheduler, processor).run(done);
                });
            }
            own.run(done);
        });
        ending::close(&own, &processors);
        if std::env::var_os("SCHEDTRACE").is_some_and(|value| value != "0") {
            eprintln!(
                "SCHED {}: workers={} {}",
                self.shared.name,
                scheduler.workers,
                scheduler.snapshot()
            );
        }
        Ok(())
    }
}
// ANCHOR_END: runtime

/// A processor on its way to its worker.
struct Lent<'a, P: Policy>(&'a Processor<P>);

// SAFETY: a processor is used by one thread at a time: this one lends it to a worker, and touches it again when that has
// ended.
unsafe impl<P: Policy> Send for Lent<'_, P> {}
