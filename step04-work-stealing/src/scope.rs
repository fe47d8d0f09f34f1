//! `scope`: any number of jobs that may borrow, without a task for each.
//!
//! It has the form of `step01::scope`, and of std's; but what is spawned here is a job, as in `join`: it lies in the
//! deque of the task that has spawned it, is done by that task when its scope ends, or is stolen. A job has no handle:
//! results go into what it borrows.
//!
//! # The protocol
//!
//! Jobs are on the heap, since there may be any number. All are counted in a [`Tally`], step 1's, which lies in the scope's
//! frame: the last one to end unparks the owner, if it waits. The owner, at the end of its closure, first does what is
//! still in its deque, the newest first, down to where its end was when the scope began; what lies below belongs to
//! frames further out. Then it waits for those that were stolen.
//!
//! Jobs may spawn jobs of the same scope. One that was stolen leaves them in the deque of the helper that runs it, and
//! the helper does them, unless they are stolen in turn. A task that has no deque, because it is none of this step's
//! or because it is not inside of any `join` or `scope` of its own, calls a job at once; and so does one that is unwinding
//! because of a panic, since it could not wait for a thief.
//!
//! # Panics
//!
//! Each job's panic is caught where it happens. The first one is kept, and goes on when all jobs are over. If the closure
//! itself has panicked, it is that one. If the runtime ends, jobs that have not begun are dropped.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::thread;

use step01::tally::Tally;

use crate::task_deque::{How, JobHeader, Lent, TaskDeque, follow};

/// Calls `f` with a [`Scope`], in which it can spawn jobs that borrow; returns when all of them are over.
///
/// As for [`join`](crate::join()): a job may run on another worker, and must not be waited for in any other way than by
/// the end of the scope. Off this step's tasks, and in a destructor that runs because of a panic, each job is called where
/// it is spawned.
///
/// # Panics
///
/// With the panic of `f`, or with the first panic of a job; or with a message that says so, if a job was dropped because
/// its runtime ends. In every case all jobs are over first.
///
/// ```
/// use step01::Runtime;
///
/// let rt = step04::build(&step03::Builder::default().workers(2))?;
/// let mut squares = vec![0; 100];
/// rt.run(|| {
///     step04::scope(|s| {
///         for (n, place) in squares.iter_mut().enumerate() {
///             s.spawn(move || *place = n * n);
///         }
///     });
/// });
/// assert_eq!(squares[99], 99 * 99);
/// # Ok::<(), step01::BuildError>(())
/// ```
///
/// A job cannot borrow what ends before the scope does:
///
/// ```compile_fail,E0373
/// step04::scope(|s| {
///     s.spawn(|| {
///         let inside = String::from("of this job");
///         s.spawn(|| println!("{inside}"));
///     });
/// });
/// ```
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    if thread::panicking() {
        return on_deque(None, f); // it could not wait for a thief
    }
    // SAFETY: null, or borrowed by a frame of this task that this call is nested in.
    match unsafe { TaskDeque::here().as_ref() } {
        Some(deque) => on_deque(Some(deque), f),
        None => on_deque(Lent::take().as_deref(), f),
    }
}

fn on_deque<'env, F, T>(deque: Option<&TaskDeque>, f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope {
        tally: Tally::new(),
        number: deque.map_or(0, TaskDeque::number),
        panic: Mutex::new(None),
        scope: PhantomData,
        env: PhantomData,
    };
    let level = deque.map_or(0, TaskDeque::level);
    let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
    if let Some(deque) = deque {
        // SAFETY: it is the calling task's.
        unsafe { deque.empty_down_to(level) };
        // A helper for whom the worker has time while we wait.
        deque.policy().forks.want_help(deque.policy());
    }
    scope.tally.wait();
    match (result, scope.first_panic().take()) {
        (Err(payload), _) | (Ok(_), Some(payload)) => panic::resume_unwind(payload),
        // Relaxed: `wait` has made visible all that the jobs did.
        (Ok(_), None) if scope.tally.lost.load(Relaxed) != 0 => {
            panic!("a job of this scope was dropped, since its runtime ends")
        }
        (Ok(value), None) => value,
    }
}

/// Spawns jobs that may borrow for `'env`; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    tally: Tally,
    /// The number of the task that the jobs borrow from.
    number: u64,
    /// The first panic of a job.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// `'scope` must not shrink, or a job could borrow what ends before the scope: hence the `&mut`.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Leaves a job for whoever comes first. It is over when the scope ends.
    pub fn spawn<F>(&'scope self, f: F)
    where
        F: FnOnce() + Send + 'scope,
    {
        self.tally.enter();
        let job = Box::new(HeapJob {
            header: JobHeader {
                call: HeapJob::<F>::call,
            },
            closure: f,
            scope: NonNull::from(self).cast(),
        });
        let job = NonNull::from(Box::leak(job)).cast::<JobHeader>();
        // SAFETY: if it is not null it is the calling task's. The closure is Send, and what it borrows is good for 'scope:
        // `scope` does not return before the tally is at zero, which is after it was called.
        unsafe {
            match TaskDeque::here().as_ref() {
                Some(deque) if !thread::panicking() => deque.push(job),
                _ => (job.as_ref().call)(job, How::Run),
            }
        }
    }

    fn first_panic(&self) -> std::sync::MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// A closure on the heap, and its scope.
#[repr(C)]
struct HeapJob<F> {
    /// First, so that a pointer to it is a pointer to the job.
    header: JobHeader,
    closure: F,
    /// Without its lifetimes: it is good until this job has left the tally.
    scope: NonNull<Scope<'static, 'static>>,
}

impl<F: FnOnce()> HeapJob<F> {
    /// # Safety
    ///
    /// The header is that of a job of this type, and the caller has taken it out of the deque.
    unsafe fn call(header: NonNull<JobHeader>, how: How) {
        // SAFETY: it came from a box, and is the caller's.
        let HeapJob { closure, scope, .. } =
            *unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) };
        // SAFETY: the owner waits for us to leave the tally.
        let this = unsafe { scope.as_ref() };
        if how == How::RunStolen {
            follow(this.number);
        }
        let ended = match how {
            How::Run | How::RunStolen => panic::catch_unwind(AssertUnwindSafe(closure)),
            How::Drop => {
                // Relaxed: published by `leave`.
                this.tally.lost.fetch_add(1, Relaxed);
                panic::catch_unwind(AssertUnwindSafe(|| drop(closure)))
            }
        };
        if let Err(payload) = ended {
            let mut first = this.first_panic();
            match *first {
                None => *first = Some(payload),
                Some(_) => mem::forget(payload), // dropping it could panic once more
            }
        }
        // SAFETY: entered in `spawn`, and a job is called once. Nothing borrowed is touched after this.
        unsafe { Tally::leave(&raw const (*scope.as_ptr()).tally) };
    }
}
