//! The first runtime: every task is an OS thread, and the kernel is the scheduler.
//!
//! There is little to it, and that is the point of this step: the kernel stops and starts threads, moves them between
//! cores, takes a core away from one that computes for too long, and lets the others run while one blocks. What is left
//! to do is to create a thread for each task, and to say clearly when there cannot be another one.
//!
//! # The life of a task
//!
//! ```text
//!   the spawner                                   the task's thread
//!   ───────────                                   ─────────────────
//!   maps the alternate signal stack    ─┐ Err if
//!   pthread_create: stack and thread   ─┘ refused
//!   goes on                                       installs the alternate stack, notes where its guard is
//!                                                 runs the job, which catches a panic and wakes the joiner
//!                                                 gives the alternate stack back, counts itself out
//!                                                 thread-locals' destructors run, the kernel takes the thread down
//! ```
//!
//! The thread is *detached*: nobody waits for it at the end. Whoever joins a task waits for the job's result
//! (`join.rs`), not for the thread, as on every later stage; the thread may still be taking itself down then.
//!
//! # Why not `std::thread`
//!
//! std maps the alternate signal stack in the new thread. Where mappings are short, the thread is there and its stack is
//! not; it panics before any code of ours runs, outside every `catch_unwind`, and takes the process with it. std stops
//! so at 16,368 threads on a machine where `pthread_create` goes on to twice as many and then returns a plain error. So
//! everything that can be refused is asked for before there is a thread, and a refusal is a
//! [`SpawnError`] that names the limit (`limits.rs`).
//!
//! # Rejected
//!
//! - *Stacks of our own* (`pthread_attr_setstack`), in one mapping with the alternate stack. A detached thread cannot
//!   unmap the stack that it stands on, so every thread would have to be joined by somebody.
//! - *A pool of threads*, which makes the next task cheap. It is a good idea, and it is the end of "one thread per
//!   task": what this step measures would be the pool.

use std::ffi::{CStr, c_int, c_void};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use crate::alt_stack::{AltStack, page_size};
use crate::build_error::BuildError;
use crate::join::Job;
use crate::limits::{self, Request};
use crate::net::StdNet;
use crate::overflow::{self, Report};
use crate::runtime::{Runtime, SpawnError};

/// A task's stack, if nothing else is asked for: 2 MiB, as std's threads have.
pub const DEFAULT_STACK: usize = 2 << 20;

/// The guard below a task's stack, if nothing else is asked for: 64 KiB.
pub const DEFAULT_GUARD: usize = 64 << 10;

/// More than any task can want, and a quarter of what an x86-64 process can address: 32 TiB.
const LARGEST: usize = 32 << 40;

/// The kernel keeps 15 bytes of a thread's name, and a zero.
const NAME_BYTES: usize = 15;

/// What the user writes to change the size of the stacks, for messages.
const STACK_SETTING: &str = "Threads::builder().stack_size(bytes)";

/// The number of the next task of this process.
static NEXT_TASK: AtomicU64 = AtomicU64::new(1);

/// The runtime that gives every task an OS thread.
///
/// A task's stack is *reserved*, not spent: of the 2 MiB, the pages that a task has touched take memory, and the others
/// take addresses. What else a thread costs is the kernel's: its own stack there, a process id, two mappings.
#[derive(Clone, Debug)]
pub struct Threads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Builder,
    attributes: Attributes,
    /// Tasks that were started and have not ended.
    alive: AtomicUsize,
}

/// The settings of a [`Threads`] runtime.
#[derive(Clone, Debug)]
pub struct Builder {
    stack_size: usize,
    guard_size: usize,
    name_prefix: String,
}

impl Threads {
    /// The runtime with its default settings.
    pub fn new() -> Self {
        match Threads::builder().build() {
            Ok(threads) => threads,
            Err(error) => unreachable!("the defaults are within every bound: {error}"),
        }
    }

    /// The default settings, to be changed.
    pub fn builder() -> Builder {
        Builder {
            stack_size: DEFAULT_STACK,
            guard_size: DEFAULT_GUARD,
            name_prefix: "task-".to_owned(),
        }
    }

    /// How many tasks have been started and have not ended.
    ///
    /// At zero the tasks have given back everything but the threads themselves, which the kernel takes down within
    /// moments. A task's end is counted after its joiner is woken, so right after a join the count may be one too high.
    pub fn alive(&self) -> usize {
        // Acquire: pairs with the Release in `task_main`, so that what the task unmapped is unmapped.
        self.shared.alive.load(Acquire)
    }

    /// The size of a task's stack in bytes, guard not included.
    pub fn stack_size(&self) -> usize {
        self.shared.settings.stack_size
    }
}

impl Default for Threads {
    fn default() -> Self {
        Threads::new()
    }
}

impl Builder {
    /// The size of each task's stack in bytes, rounded up to whole pages; 2 MiB if it is not set. It is address space
    /// that is reserved; memory is spent on the pages that a task touches.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// The size of the guard below each stack in bytes, rounded up to whole pages; 64 KiB if it is not set.
    ///
    /// A page would do if every function touched its frame page by page, and Rust's do. C code that is compiled without
    /// stack probes moves the stack pointer past a large local array in one step, over a guard of one page and into
    /// whatever is mapped below. Addresses cost nothing, so there are sixteen pages.
    pub fn guard_size(mut self, bytes: usize) -> Self {
        self.guard_size = bytes;
        self
    }

    /// What the threads' names begin with, in `htop` and in a debugger; the task's number follows. `task-` if it is not
    /// set; 8 bytes at most, since the kernel keeps 15 of a name.
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.name_prefix = prefix.into();
        self
    }

    /// Makes the runtime, and installs the handler that reports a stack overflow ([`overflow::install`]).
    ///
    /// # Errors
    ///
    /// [`BuildError`] names a setting that cannot work: a stack that is smaller than [`min_stack_size`] or larger than
    /// 32 TiB, no guard or one that is larger than that, a prefix that is too long or has a zero byte in it.
    pub fn build(mut self) -> Result<Threads, BuildError> {
        let min = min_stack_size();
        if self.stack_size < min {
            let reason = format!("a thread on this machine needs at least {min} bytes of stack");
            return Err(BuildError::new("stack_size", self.stack_size, reason));
        }
        if self.guard_size == 0 {
            let reason = "a stack without a guard would run over into whatever is mapped below it";
            return Err(BuildError::new("guard_size", 0, reason));
        }
        for (setting, size) in [
            ("stack_size", &mut self.stack_size),
            ("guard_size", &mut self.guard_size),
        ] {
            if *size > LARGEST {
                let reason =
                    format!("a process cannot address many of these; {LARGEST} is the most");
                return Err(BuildError::new(setting, *size, reason));
            }
            *size = size.next_multiple_of(page_size());
        }
        if self.name_prefix.len() > 8 || self.name_prefix.contains('\0') {
            let reason =
                "the kernel has room for 8 bytes before the task's number, none of them zero";
            let value = format_args!("{:?}", self.name_prefix).to_string();
            return Err(BuildError::new("name_prefix", value, reason));
        }
        overflow::install();
        Ok(Threads {
            shared: Arc::new(Shared {
                attributes: Attributes::new(&self),
                settings: self,
                alive: AtomicUsize::new(0),
            }),
        })
    }
}

/// The smallest stack that a thread can have on this machine, in bytes: 16 KiB on x86-64 and 128 KiB on aarch64 with
/// glibc. It is enough for a task that calls little, and for one that panics. With `RUST_BACKTRACE=1` the backtrace is
/// printed on that stack too, and took up to 32 KiB of it (x86-64, debug build).
pub fn min_stack_size() -> usize {
    // SAFETY: it only asks. Before glibc 2.34 the answer is "not known", -1.
    let answer = unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) };
    let known = usize::try_from(answer).unwrap_or(0);
    known.max(libc::PTHREAD_STACK_MIN)
}

/// What pthread_create is told about every thread of a runtime; made once, only read afterwards.
struct Attributes(libc::pthread_attr_t);

// SAFETY: POSIX lets any number of threads create threads with the same attributes at the same time.
unsafe impl Sync for Attributes {}
// SAFETY: the attributes are not tied to the thread that made them.
unsafe impl Send for Attributes {}

impl Attributes {
    fn new(settings: &Builder) -> Self {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the first call initialises what the others change.
        unsafe {
            let this = attributes.as_mut_ptr();
            check(libc::pthread_attr_init(this));
            let detached = libc::PTHREAD_CREATE_DETACHED;
            check(libc::pthread_attr_setdetachstate(this, detached));
            check(libc::pthread_attr_setstacksize(this, settings.stack_size));
            check(libc::pthread_attr_setguardsize(this, settings.guard_size));
            Attributes(attributes.assume_init())
        }
    }
}

/// These calls fail only for values that `build` has refused.
fn check(code: c_int) {
    assert_eq!(code, 0, "{}", io::Error::from_raw_os_error(code));
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::pthread_attr_destroy(&mut self.0) };
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attributes")
    }
}

// ANCHOR: start
/// Everything a new thread needs, allocated by the one that creates it.
struct Start {
    job: Job,
    alt_stack: AltStack,
    number: u64,
    shared: Arc<Shared>,
}

impl Threads {
    /// What the kernel is asked for with each task, for the message if it refuses.
    fn request(&self, threads: u64) -> Request {
        let Builder {
            stack_size,
            guard_size,
            ..
        } = self.shared.settings;
        Request {
            threads,
            mappings: 2, // the stack and its guard; the alternate stack mostly merges with a neighbour
            bytes: (stack_size + guard_size + AltStack::default_size() + page_size()) as u64,
            setting: STACK_SETTING,
        }
    }

    fn create(&self, job: Job) -> Result<(), SpawnError> {
        let alt_stack = match AltStack::allocate() {
            Ok(alt_stack) => alt_stack,
            Err(cause) => return Err(limits::explain(cause, self.request(0))),
        };
        let start = Box::into_raw(Box::new(Start {
            job,
            alt_stack,
            // Relaxed: only distinct numbers are wanted.
            number: NEXT_TASK.fetch_add(1, Relaxed),
            shared: Arc::clone(&self.shared),
        }));
        let mut thread = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised, and `task_main` takes the box, which nobody else has.
        let code = unsafe {
            let attributes = &raw const self.shared.attributes.0;
            libc::pthread_create(thread.as_mut_ptr(), attributes, task_main, start.cast())
        };
        if code == 0 {
            return Ok(());
        }
        // Before the box is freed: the limits are to be seen as they were when the kernel looked.
        let error = limits::explain(io::Error::from_raw_os_error(code), self.request(1));
        // SAFETY: there is no thread, so the box is still ours. Dropping it cancels the job.
        drop(unsafe { Box::from_raw(start) });
        Err(error)
    }
}

/// The first function on a new thread's stack, and the last.
extern "C" fn task_main(start: *mut c_void) -> *mut c_void {
    // SAFETY: `create` made it from a box, for this thread alone.
    let start = *unsafe { Box::from_raw(start.cast::<Start>()) };
    let Start {
        job,
        alt_stack,
        number,
        shared,
    } = start;
    let alt_stack = alt_stack.install();
    // Without memory for asking where its guard is, the task runs all the same, and its overflow is a plain SIGSEGV.
    let _ = overflow::watch_this_thread(Report {
        task: number,
        site: job.site(),
        stack_size: shared.settings.stack_size,
        setting: STACK_SETTING,
    });
    name_this_thread(&shared.settings.name_prefix, number);
    job.run();
    // Not kept for the destructors of thread-locals, which run after this function: nothing would be left to free it.
    drop(alt_stack);
    // Release: pairs with the Acquire in `alive`.
    shared.alive.fetch_sub(1, Release);
    std::ptr::null_mut()
}
// ANCHOR_END: start

/// Names the calling thread; a number that does not fit loses its first digits.
fn name_this_thread(prefix: &str, number: u64) {
    let digits = NAME_BYTES - prefix.len();
    let number = number % 10u64.pow(digits as u32);
    let mut name = [0; NAME_BYTES + 1];
    // It fits, by the two lines above, and if it did not the name would be cut.
    let _ = write!(&mut name[..NAME_BYTES], "{prefix}{number}");
    if let Ok(name) = CStr::from_bytes_until_nul(&name) {
        // SAFETY: the name ends with a zero. A name is a convenience, so a failure changes nothing.
        unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
    }
}

impl Runtime for Threads {
    type Net = StdNet;

    fn name(&self) -> &'static str {
        "step01"
    }

    /// Calls `main` on the calling thread, which is an OS thread like any other. Tasks that are still running when it
    /// returns run on, and end with the process.
    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        main()
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        // Relaxed: it is published by the Release at the task's end.
        self.shared.alive.fetch_add(1, Relaxed);
        self.create(job).inspect_err(|_| {
            // Release: as in `task_main`.
            self.shared.alive.fetch_sub(1, Release);
        })
    }

    /// sched_yield(2): the kernel puts the thread behind the others that wait for this core.
    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// Calls `f`. The thread blocks, the kernel gives the core to another one, and nobody else notices.
    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        f()
    }

    fn net(&self) -> &StdNet {
        &StdNet
    }
}
