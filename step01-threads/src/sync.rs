//! The primitives that the protocol files are built on, gathered in one place so that they can be exchanged.
//!
//! Every file that holds a protocol (`lock.rs`, `os_parker.rs`, `join.rs`, `wait_queue.rs`, `channel/`, `select.rs`,
//! `mutex.rs` …) takes its atomics, cells and futexes from `crate::sync`. In the library that is this module: std and
//! the kernel. `tests/loom.rs` compiles the very same files with a module of this name made of loom's types, and so
//! the model checker explores the code that runs, in plain `cargo test`, without a `--cfg` and without a second build.
//!
//! Rejected: `#[cfg(loom)]` in the library. It needs a second build of everything, and what is not built by the
//! commands that people type is soon broken.

use std::time::Instant;

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic;

use atomic::{AtomicU32, Ordering};

/// An [`std::cell::UnsafeCell`] whose accesses have a beginning and an end, so that loom can see two overlap.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// Takes the value out.
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Calls `f` with a pointer for reading.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Calls `f` with a pointer for writing.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// A 32-bit word that a thread can sleep on: *fast userspace mutex*, futex(2).
///
/// The kernel looks at the word only when someone sleeps or wakes; everything else is ordinary atomics. That is the
/// whole interface on which the OS-thread parker and the internal lock are built.
#[derive(Debug)]
pub(crate) struct Futex(AtomicU32);

impl Futex {
    pub(crate) const fn new(value: u32) -> Self {
        Futex(AtomicU32::new(value))
    }

    #[inline(always)]
    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.0.swap(value, order)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange(
        &self,
        from: u32,
        to: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0.compare_exchange(from, to, success, failure)
    }

    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    // ANCHOR: futex
    /// Sleeps if the word is `expected` at the moment the kernel looks, until someone calls [`Futex::wake_one`], the
    /// deadline passes, a signal arrives, or for no reason at all. The caller looks at the word again in every case.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Instant>) {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            libc::timespec {
                tv_sec: left.as_secs().min(i32::MAX as u64) as libc::time_t,
                tv_nsec: left.subsec_nanos() as libc::c_long,
            }
        });
        let timeout = timeout
            .as_ref()
            .map_or(std::ptr::null(), |t| t as *const libc::timespec);
        // SAFETY: the word outlives the call because `self` is borrowed, and `timeout` is null or points at a local.
        // FUTEX_WAIT reads the word and writes nothing. EAGAIN (the word had changed), EINTR and ETIMEDOUT all mean
        // "look again", so the result is not needed.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                timeout,
            );
        }
    }

    /// Wakes one sleeper, if there is one.
    pub(crate) fn wake_one(&self) {
        // SAFETY: FUTEX_WAKE uses the address as a name and does not touch the word behind it.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }
    // ANCHOR_END: futex
}

/// Makes a constructor `const`, so that a lock can be a static. Loom's types cannot be made at compile time; its module
/// of this name leaves the word out.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $vis const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// How often a thread looks again at a lock that is taken before it sleeps: some hundred nanoseconds, a few times the
/// length of what such a lock guards. Under loom it is zero: one more look is one more branch and shows nothing new.
pub(crate) const SPINS: u32 = 64;

/// A hint that this thread is waiting for another one to finish a few instructions.
#[inline(always)]
pub(crate) fn spin_hint() {
    std::hint::spin_loop();
}

/// A random index below `n`, for choices that must be fair. `n` is not zero.
///
/// Not inlined: the generator lives in a thread-local, and its address must not be kept across a park, after which
/// the task may be on another thread.
#[inline(never)]
pub(crate) fn random(n: usize) -> usize {
    fastrand::usize(..n)
}
