//! `join`: two computations, perhaps at the same time.
//!
//! # Work first
//!
//! `join(a, b)` *may* run `b` on another worker. It does not spawn a task for it. It leaves a note in its task's deque,
//! "here is `b`, not begun", and runs `a`. Then it takes the note back, and runs `b` itself. Only if somebody has
//! stolen the note in between, `b` runs elsewhere, and `join` waits. So nearly all forks cost a push and a pop; stacks,
//! tasks and wake-ups are paid by those few that are stolen, that is, where parallelism is had for them. This is the
//! *work-first principle* of Cilk (M. Frigo, C. E. Leiserson, K. H. Randall, *The Implementation of the Cilk-5
//! Multithreaded Language*, PLDI 1998), and `rayon::join` is the same idea as a library.
//!
//! The note is a [`StackJob`] in the frame of `join`: no allocation. It must not move, nor the frame go, before the note
//! is taken back or the thief is done.
//!
//! # What cannot be stolen in the meantime
//!
//! When `a` is over, what `a` has left above our note, jobs of a scope around us, is done or dropped first. What lies below it was pushed before it, so
//! thieves, who take the oldest, take ours last: if ours is stolen, the deque is empty.
//!
//! # Panics
//!
//! `b` may be running on a helper, and borrow from this stack, when `a` panics. So the panic is caught, `b` is taken back
//! and dropped, or waited for, and then the panic goes on. A panic of a stolen `b` is caught where it happens and goes
//! on here. If both panic, it is that of `a`.
//!
//! A task that is unwinding cannot park (a task never switches while its thread counts a panic), so it could not wait:
//! `join` in a destructor that runs because of a panic does one after the other.
//!
//! # The end of the runtime
//!
//! A runtime that ends unwinds its tasks, those that borrow first. So when it comes to one that waits here, its `b` is
//! over, and the wait with it. Should that be broken, `park` throws while a helper is using this frame, and the process
//! ends with a sentence.
//!
//! # Rejected
//!
//! - *Running other jobs while `b` is not done* (leapfrogging; rayon's threads steal there). It saves a park, and puts a
//!   stranger's frames on top of ours: they have to end before we can go on, a lock that we hold is held all the while,
//!   and the order in which tasks can be unwound is lost. Our wait parks the task, and its worker is free.
//! - *Stealing the continuation* (Cilk: the thief goes on with what follows the fork, the victim runs the child). It bounds
//!   the memory better; but in a library that means a second worker returning into the frames of the first.

use std::cell::UnsafeCell;
use std::io::Write;
use std::mem::{self, MaybeUninit};
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::ptr::NonNull;
use std::thread;

use step01::park::{self, Wait};

use crate::latch::Latch;
use crate::task_deque::{How, JobHeader, Lent, TaskDeque, do_it, follow};

/// Calls `a` and `b`, perhaps at the same time on two workers, and returns what they return.
///
/// `a` is called by the caller, in any case. `b` begins when `a` has ended, or earlier, on another worker of the same
/// runtime, if one has nothing better to do. So `b` may borrow, and must be `Send`; but *`a` must not wait for `b`*: it may
/// wait for ever. Both may park, spawn tasks, and fork again; the fork costs some nanoseconds, so that it pays from a few
/// hundred nanoseconds of work on.
///
/// If both have ended, this returns. If `b` was stolen and is not over when `a` is, the calling task is parked.
///
/// Only tasks of this step's runtime can fork. Called elsewhere, by a plain thread or by a task of an earlier step, and
/// in a destructor that runs because of a panic, it calls `a` and then `b`, and that is all.
///
/// # Panics
///
/// With the panic of `a`, or else with that of `b`; in every case both are over first. If `a` panics before `b` has begun,
/// `b` is dropped and not called.
///
/// ```
/// use step01::Runtime;
///
/// fn fib(n: u64) -> u64 {
///     if n < 2 {
///         return n;
///     }
///     let (a, b) = step04::join(|| fib(n - 1), || fib(n - 2));
///     a + b
/// }
///
/// let rt = step04::build(&step03::Builder::default().workers(2))?;
/// assert_eq!(rt.run(|| fib(20)), 6_765);
/// # Ok::<(), step01::BuildError>(())
/// ```
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    if thread::panicking() {
        return (a(), b());
    }
    // SAFETY: null, or borrowed by a frame of this task that this call is nested in.
    match unsafe { TaskDeque::here().as_ref() } {
        Some(deque) => fork(deque, a, b),
        None => outermost(a, b),
    }
}

#[inline(never)]
fn outermost<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let Some(deque) = Lent::take() else {
        return (a(), b());
    };
    let level = deque.level();
    let both = panic::catch_unwind(AssertUnwindSafe(|| fork(&deque, a, b)));
    // What `b` has left for a scope around us. Nested joins leave it to the frame that they are nested in.
    // SAFETY: the deque is ours.
    unsafe { deque.empty_down_to(level) };
    drop(deque);
    both.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

// ANCHOR: fork
/// `deque` is the calling task's.
#[inline]
fn fork<A, B, RA, RB>(deque: &TaskDeque, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let job = StackJob::new(deque, b);
    // SAFETY: the deque is ours. B and its result are Send. The job stays where it is until it was taken back below, or
    // is done.
    unsafe { deque.push(job.header()) };
    let a = panic::catch_unwind(AssertUnwindSafe(a));
    // From here on we may be on another thread; the deque is still ours.
    loop {
        // SAFETY: the deque is ours.
        match unsafe { deque.pop() } {
            Some(last) if last == job.header() => break,
            // A scope around us has left it there, from inside `a`.
            // SAFETY: we have taken it out.
            Some(other) => unsafe { do_it(other) },
            None => return stolen(&job, a),
        }
    }
    // SAFETY: we have taken it back, so nobody else touches it.
    let b = unsafe { job.take_closure() };
    match a {
        Ok(a) => (a, b()),
        Err(payload) => {
            drop(b);
            panic::resume_unwind(payload)
        }
    }
}

/// The end of a `join` whose job is not in the deque any more.
#[cold]
#[inline(never)]
fn stolen<B, RA, RB>(job: &StackJob<'_, B, RB>, a: thread::Result<RA>) -> (RA, RB) {
    job.wait();
    // SAFETY: it is done, so the result is there, and nobody else touches it.
    let b = unsafe { job.take_result() };
    match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Ok(_), Err(payload)) => panic::resume_unwind(payload),
        (Err(payload), b) => {
            // What it drops may panic, too, and one panic is enough.
            mem::forget(panic::catch_unwind(AssertUnwindSafe(|| drop(b))));
            panic::resume_unwind(payload)
        }
    }
}
// ANCHOR_END: fork

/// A closure in the frame of a `join`, and the place of its result.
#[repr(C)]
struct StackJob<'a, B, RB> {
    /// First, so that a pointer to it is a pointer to the job.
    header: JobHeader,
    latch: Latch,
    deque: &'a TaskDeque,
    /// Taken by whoever does it.
    closure: UnsafeCell<MaybeUninit<B>>,
    /// Written by a thief, before he sets the latch.
    result: UnsafeCell<MaybeUninit<thread::Result<RB>>>,
}

impl<'a, B, RB> StackJob<'a, B, RB> {
    #[inline(always)]
    fn new(deque: &'a TaskDeque, closure: B) -> Self
    where
        B: FnOnce() -> RB,
    {
        StackJob {
            header: JobHeader {
                call: Self::call_stolen,
            },
            latch: Latch::new(),
            deque,
            closure: UnsafeCell::new(MaybeUninit::new(closure)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    #[inline(always)]
    fn header(&self) -> NonNull<JobHeader> {
        NonNull::from(self).cast()
    }

    /// # Safety
    ///
    /// The caller is the one who has taken the job out of the deque, and does this once.
    #[inline(always)]
    unsafe fn take_closure(&self) -> B {
        // SAFETY: it is there until it is taken, and the caller is alone.
        unsafe { (*self.closure.get()).assume_init_read() }
    }

    /// # Safety
    ///
    /// The latch is set, and the caller does this once.
    unsafe fn take_result(&self) -> thread::Result<RB> {
        // SAFETY: it was written before the latch was set.
        unsafe { (*self.result.get()).assume_init_read() }
    }

    // ANCHOR: call_stolen
    /// What a thief does with it. What is not stolen does not come here.
    ///
    /// # Safety
    ///
    /// The header is that of a job of this type, and the caller has taken it out of the deque.
    unsafe fn call_stolen(header: NonNull<JobHeader>, how: How)
    where
        B: FnOnce() -> RB,
    {
        debug_assert_eq!(how, How::RunStolen, "a join takes back what is its own");
        // SAFETY: it is the first field of a job, which lives until the latch is set.
        let job = unsafe { header.cast::<Self>().as_ref() };
        follow(job.deque.number());
        let owner = job.deque.owner();
        // SAFETY: we have taken the job out.
        let result = panic::catch_unwind(AssertUnwindSafe(unsafe { job.take_closure() }));
        // SAFETY: nobody reads it before the latch is set.
        unsafe { (*job.result.get()).write(result) };
        // The last touch: with this the frame may be gone, and the deque another task's.
        // SAFETY: set once.
        if unsafe { Latch::set(&raw const job.latch) } {
            owner.unpark();
        }
    }
    // ANCHOR_END: call_stolen

    /// Parks the calling task until a thief has done the job.
    fn wait(&self) {
        let stay = Stay(&self.latch);
        // A helper for whom the worker has time now.
        let policy = self.deque.policy();
        policy.forks.want_help(policy);
        self.latch.wait(|| park::park_as(Wait::Scope, None));
        mem::forget(stay);
    }
}

/// The frame must not be unwound while a helper uses it.
struct Stay<'a>(&'a Latch);

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        if self.0.is_done() {
            return;
        }
        let message =
            b"fatal: a task was unwound while it waited in `join` for a job that was stolen, \
            which may still use what it has borrowed from it\n";
        // The process ends; if the reason cannot be told, it still does.
        let _ = std::io::stderr().write_all(message);
        process::abort();
    }
}
