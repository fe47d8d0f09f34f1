//! Scopes: tasks that may borrow from the stack of the task that starts them.
//!
//! `scope` returns only when every task started in it is over, so what outlives the call outlives the tasks. The
//! lifetimes are those of `std::thread::scope`: `'scope`, during which tasks may be started and may run, and `'env`, of
//! what they borrow, which is at least as long. Nothing hangs on a guard that could be forgotten: the waiting is done
//! by `scope` itself, after the closure has returned or panicked.
//!
//! # The order at the end of a task
//!
//! The result of a task may borrow too, and dropping it may run code that looks at what it borrows. So a result is
//! either stored where its handle finds it, or dropped, *before* the task is taken off the tally (`tally.rs`). The
//! allocation of the [`Job`] is no place for it: the runtime frees that when it likes, perhaps after the scope. So the
//! job's result is `()`, and the task's own is in a packet that the task and its handle share. Of the two, whoever lets
//! go last drops the result, and either does so before the scope ends: the task before it leaves the tally; the handle
//! because it lives in the closure or in another task of the scope, or in one of their results.
//!
//! A handle that is leaked leaks its result; nothing waits for that, and nothing touches it.
//!
//! # Panics
//!
//! A panic of the closure is caught, the tasks are waited for, and then the panic goes on. So no task is parked while
//! its thread unwinds, as long as the panic began in the closure. A panic of a task belongs to whoever joins it. If
//! nobody has, `scope` panics at its end, as std's does. Since the tally counts the panics that nobody has asked for,
//! it does not matter whether a handle was dropped early, kept or leaked.
//!
//! # Rejected
//!
//! *A handle that joins in its destructor*, as in the scoped threads that std had before 1.0. It can be forgotten
//! (`mem::forget` is safe), and then the task runs on over a stack that is gone.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::{self, AssertUnwindSafe, Location};
use std::time::Instant;

use crate::join::{Job, JoinError, JoinHandle};
use crate::runtime::{Runtime, SpawnError};
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::{Arc, UnsafeCell};
use crate::tally::Tally;

// ANCHOR: scope
/// Calls `f` with a [`Scope`], in which it can start tasks on `rt` that borrow; returns when all of them are over.
///
/// The caller may be a task or a plain OS thread. It is parked while it waits at the end.
///
/// # Panics
///
/// With the panic of `f`, if it panics. Otherwise with `a scoped task panicked` if a task panicked that nobody joined,
/// and with a message that says so if one that nobody joined was not started or was ended by its runtime. In every case
/// all tasks are over first.
///
/// ```
/// use step01::{Runtime, Threads, scope};
///
/// let text = String::from("from threads to goroutines");
/// let rt = Threads::new();
/// let (words, letters) = scope(&rt, |s| {
///     let words = s.spawn(|| text.split(' ').count());
///     let letters = s.spawn(|| text.chars().filter(|c| c.is_alphabetic()).count());
///     (words.join().unwrap(), letters.join().unwrap())
/// });
/// assert_eq!((words, letters), (4, 23));
/// ```
///
/// A task cannot borrow what ends before the scope does:
///
/// ```compile_fail,E0373
/// use step01::{Runtime, Threads, scope};
///
/// scope(&Threads::new(), |s| {
///     s.spawn(|| {
///         let inside = String::from("of this task");
///         s.spawn(|| println!("{inside}"));
///     });
/// });
/// ```
pub fn scope<'env, R, F, T>(rt: &R, f: F) -> T
where
    R: Runtime,
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, R>) -> T,
{
    let scope = Scope {
        rt: rt.clone(),
        tally: Tally::new(),
        scope: PhantomData,
        env: PhantomData,
    };
    let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.tally.wait();
    match result {
        Err(payload) => panic::resume_unwind(payload),
        // Relaxed: `wait` has made visible all that the tasks did, and joins happened in them or in `f`.
        Ok(_) if scope.tally.panicked.load(Relaxed) != 0 => panic!("a scoped task panicked"),
        Ok(_) if scope.tally.lost.load(Relaxed) != 0 => {
            panic!("a scoped task could not be started, or was ended by its runtime")
        }
        Ok(value) => value,
    }
}

/// Starts tasks that may borrow for `'env`; see [`scope`].
pub struct Scope<'scope, 'env: 'scope, R: Runtime> {
    rt: R,
    tally: Tally,
    /// `'scope` must not shrink, or a task could borrow what ends before the scope: hence the `&mut`.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}
// ANCHOR_END: scope

impl<'scope, R: Runtime> Scope<'scope, '_, R> {
    /// Starts a task that calls `f`. If no further task can be had, the handle says so when it is joined, and if it is
    /// not joined the scope panics.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (job, handle) = self.prepare(f, Location::caller());
        match self.rt.start(job) {
            Ok(()) => handle,
            // The job has been dropped, and was counted as lost by that.
            Err(error) => ScopedJoinHandle {
                inner: JoinHandle::not_started(error),
                ..handle
            },
        }
    }

    /// Starts a task that calls `f`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] names the limit that was met, and what raises it. The closure has been dropped then.
    #[track_caller]
    pub fn try_spawn<F, T>(&'scope self, f: F) -> Result<ScopedJoinHandle<'scope, T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (job, handle) = self.prepare(f, Location::caller());
        match self.rt.start(job) {
            Ok(()) => Ok(handle),
            Err(error) => {
                // It was counted as lost, and with this somebody knows. Relaxed: both are before `f` or a task ends.
                self.tally.lost.fetch_sub(1, Relaxed);
                Err(error)
            }
        }
    }

    fn prepare<F, T>(
        &'scope self,
        f: F,
        site: &'static Location<'static>,
    ) -> (Job, ScopedJoinHandle<'scope, T>)
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.tally.enter();
        let packet = Arc::new(Packet {
            end: UnsafeCell::new(End::None),
        });
        let task = Task {
            f: Some(f),
            packet: Some(packet.clone()),
            tally: &self.tally,
        };
        // SAFETY: all that the closure borrows is good for 'scope, and `scope` does not return before the tally is at
        // zero, which is after the closure, inside `task`, was called or dropped. What is left in the job's allocation
        // then is a `()`, so neither the job nor its handle have anything borrowed to touch, whenever they go.
        let (job, inner) = unsafe { Job::borrowing(move || task.run(), site) };
        let handle = ScopedJoinHandle {
            inner,
            packet,
            tally: &self.tally,
        };
        (job, handle)
    }
}

impl<R: Runtime> fmt::Debug for Scope<'_, '_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("rt", &self.rt.name())
            .finish_non_exhaustive()
    }
}

/// Where a task leaves its result for its handle.
struct Packet<T> {
    end: UnsafeCell<End<T>>,
}

/// How a task ended.
enum End<T> {
    /// Not yet; or it has been taken.
    None,
    Value(T),
    /// Its closure was left by unwinding; the job has the payload.
    Panicked,
    /// Its closure was dropped without having been called.
    Lost,
}

// SAFETY: the task writes its end before its job is done, and the handle takes it after: never both. It moves between
// threads, so it must be Send.
unsafe impl<T: Send> Sync for Packet<T> {}

// ANCHOR: task
/// A task's closure, with what is to be done when it is over. It has three fields and is not a reference in disguise,
/// so no reference to what has been borrowed is an argument of a function that is still running when the scope ends
/// (rust-lang/rust#101983).
struct Task<F, T> {
    f: Option<F>,
    packet: Option<Arc<Packet<T>>>,
    tally: *const Tally,
}

// SAFETY: closure and packet are Send if F and T are; the tally is made for many threads and outlives the task.
unsafe impl<F: Send, T: Send> Send for Task<F, T> {}

impl<F: FnOnce() -> T, T> Task<F, T> {
    fn run(mut self) {
        let (Some(f), Some(packet)) = (self.f.take(), &self.packet) else {
            unreachable!("both are there until the task is dropped");
        };
        // A panic goes on into the job, which catches it like that of any task, and keeps the payload.
        let value = f();
        packet
            .end
            // SAFETY: the job is not done, so the handle does not look.
            .with_mut(|end| unsafe { *end = End::Value(value) });
        // Dropping `self` does the rest, here and if `f` panics.
    }
}

impl<F, T> Drop for Task<F, T> {
    fn drop(&mut self) {
        // SAFETY: the task leaves the tally at the end of this function.
        let tally = unsafe { &*self.tally };
        if let Some(packet) = &self.packet {
            // SAFETY: the job is not done, so the handle does not look.
            let end = packet.end.with_mut(|end| unsafe { &mut *end });
            if matches!(end, End::None) {
                let (how, count) = match self.f {
                    Some(_) => (End::Lost, &tally.lost),
                    None => (End::Panicked, &tally.panicked),
                };
                *end = how;
                // Relaxed, here and below: published by `leave` to the owner, and by the job's end to who joins.
                count.fetch_add(1, Relaxed);
            }
        }
        let (f, packet) = (self.f.take(), self.packet.take());
        // If the handle is gone, this drops the result: user code, which may panic and has nobody to tell it to.
        for dropped in [
            panic::catch_unwind(AssertUnwindSafe(|| drop(f))),
            panic::catch_unwind(AssertUnwindSafe(|| drop(packet))),
        ] {
            if let Err(payload) = dropped {
                tally.panicked.fetch_add(1, Relaxed);
                // Dropping the payload could panic once more.
                mem::forget(payload);
            }
        }
        // SAFETY: entered in `prepare`, and a task is dropped once. Nothing borrowed is touched after this.
        unsafe { Tally::leave(self.tally) };
    }
}
// ANCHOR_END: task

/// Waits for a task of a [`scope`] and carries its result, or its panic.
///
/// Dropping it does not detach the task from the scope, which waits for it in any case.
pub struct ScopedJoinHandle<'scope, T> {
    inner: JoinHandle<()>,
    packet: Arc<Packet<T>>,
    tally: &'scope Tally,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Parks the calling task until this one has ended. Returns what its closure returned.
    ///
    /// # Errors
    ///
    /// [`JoinError`], if the task panicked, was ended by its runtime, or could not be started. The scope does not panic
    /// for it any more.
    pub fn join(self) -> Result<T, JoinError> {
        let ended = self.inner.join();
        Self::result(ended, &self.packet, self.tally)
    }

    /// [`ScopedJoinHandle::join`], but gives up at `deadline`.
    ///
    /// # Errors
    ///
    /// The handle itself, if the task is still running then.
    pub fn join_deadline(self, deadline: Instant) -> Result<Result<T, JoinError>, Self> {
        match self.inner.join_deadline(deadline) {
            Ok(ended) => Ok(Self::result(ended, &self.packet, self.tally)),
            Err(inner) => Err(ScopedJoinHandle { inner, ..self }),
        }
    }

    /// True once the task has ended and [`ScopedJoinHandle::join`] would return at once.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn result(
        ended: Result<(), JoinError>,
        packet: &Packet<T>,
        tally: &Tally,
    ) -> Result<T, JoinError> {
        if let Err(error @ JoinError::NotStarted(_)) = ended {
            // Nothing is known about the job but what the runtime says, so the packet is left alone.
            tally.lost.fetch_sub(1, Relaxed);
            return Err(error);
        }
        // SAFETY: the job is done, so the task does not write any more.
        let end = packet
            .end
            .with_mut(|end| unsafe { mem::replace(&mut *end, End::None) });
        // Relaxed: what is taken back was counted before the job was done.
        match (ended, end) {
            (Ok(()), End::Value(value)) => Ok(value),
            (Err(error), End::Panicked) => {
                tally.panicked.fetch_sub(1, Relaxed);
                Err(error)
            }
            (Err(error), End::Lost) => {
                tally.lost.fetch_sub(1, Relaxed);
                Err(error)
            }
            _ => unreachable!("the job ends as its closure does, and is joined once"),
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
