//! The first runtime: one OS thread per task.

use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use crate::build_error::BuildError;
use crate::join::Job;
use crate::net::StdNet;
use crate::runtime::{Runtime, SpawnError};

/// What a task's stack has if nothing else was asked for: 2 MiB of addresses.
const DEFAULT_STACK: usize = 2 << 20;
/// The guard below each stack.
const GUARD: usize = 64 << 10;

/// One OS thread per task; the kernel is the scheduler.
#[derive(Clone, Debug)]
pub struct Threads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stack_size: usize,
    alive: AtomicUsize,
}

/// Settings of a [`Threads`] runtime.
#[derive(Clone, Debug)]
pub struct Builder {
    stack_size: usize,
}

impl Builder {
    /// The stack of each task, in bytes.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting that cannot work.
    pub fn build(self) -> Result<Threads, BuildError> {
        if self.stack_size < libc::PTHREAD_STACK_MIN {
            let reason = format!("a thread needs at least {} bytes", libc::PTHREAD_STACK_MIN);
            return Err(BuildError::new("stack_size", self.stack_size, reason));
        }
        Ok(Threads {
            shared: Arc::new(Shared {
                stack_size: self.stack_size,
                alive: AtomicUsize::new(0),
            }),
        })
    }
}

impl Default for Threads {
    fn default() -> Self {
        Threads::new()
    }
}

impl Threads {
    /// The runtime with its default settings.
    pub fn new() -> Self {
        match Threads::builder().build() {
            Ok(threads) => threads,
            Err(error) => unreachable!("the defaults are accepted: {error}"),
        }
    }

    /// The settings, to change them.
    pub fn builder() -> Builder {
        Builder {
            stack_size: DEFAULT_STACK,
        }
    }

    /// How many tasks have been started and have not ended.
    pub fn alive(&self) -> usize {
        // Acquire: pairs with the Release at a thread's end.
        self.shared.alive.load(Acquire)
    }
}

struct Start {
    job: Job,
    shared: Arc<Shared>,
}

impl Runtime for Threads {
    type Net = StdNet;

    fn name(&self) -> &'static str {
        "step01"
    }

    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        main()
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        // Relaxed: whoever reads zero later synchronises with the decrement.
        self.shared.alive.fetch_add(1, Relaxed);
        let start = Box::into_raw(Box::new(Start {
            job,
            shared: Arc::clone(&self.shared),
        }));
        let mut attributes = MaybeUninit::uninit();
        let mut thread = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised before they are used, and `start` is the thread's if there is one.
        let code = unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            libc::pthread_attr_setdetachstate(
                attributes.as_mut_ptr(),
                libc::PTHREAD_CREATE_DETACHED,
            );
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), self.shared.stack_size);
            libc::pthread_attr_setguardsize(attributes.as_mut_ptr(), GUARD);
            let code = libc::pthread_create(
                thread.as_mut_ptr(),
                attributes.as_ptr(),
                task_main,
                start.cast(),
            );
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            code
        };
        if code == 0 {
            return Ok(());
        }
        // SAFETY: there is no thread, so the box is ours again.
        drop(unsafe { Box::from_raw(start) });
        self.shared.alive.fetch_sub(1, Release);
        Err(SpawnError::new(
            io::Error::from_raw_os_error(code),
            "the kernel refused another thread",
            "start fewer tasks at a time",
        ))
    }

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

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

extern "C" fn task_main(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `start` made it from a box, for this thread alone.
    let Start { job, shared } = *unsafe { Box::from_raw(argument.cast::<Start>()) };
    job.run();
    // Release: pairs with `alive`.
    shared.alive.fetch_sub(1, Release);
    std::ptr::null_mut()
}
