//! A task's closure and its result, in one allocation shared by whoever runs it and whoever waits for it.
//!
//! # The protocol
//!
//! Two parties hold the allocation: the [`Job`], which a runtime runs, and the [`JoinHandle`], which the user keeps. One
//! word says how far they are:
//!
//! - DONE: the result is written and is the handle's
//! - WAITER: the handle's task has written its unparker and is about to park
//! - RUNNER_GONE: the runner will not touch the allocation again
//! - HANDLE_GONE: the handle will not touch it again
//!
//! The runner writes the result, then sets DONE. If it finds no WAITER it says RUNNER_GONE in the same step: in the
//! common case a task ends with one atomic operation. Otherwise it reads the unparker, says RUNNER_GONE, and unparks.
//! Whoever is second to go frees the allocation; a handle that is dropped first leaves result and allocation to the
//! runner.
//!
//! The joiner may take the result as soon as it sees DONE. It may *replace* the unparker only after it has taken WAITER
//! back, which fails once DONE is there; so the runner never reads a half-written one.
//!
//! Rejected: an `Arc` around a mutex, a condition variable and an `Option`, which is two allocations for each task and
//! three locked operations at its end, where a spawn and a join together should cost some tens of nanoseconds.

use std::alloc::Layout;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{self, AssertUnwindSafe, Location};
use std::ptr::NonNull;
use std::time::Instant;

pub use crate::join_error::{ForcedUnwind, JoinError};
use crate::packet_memory;
use crate::park::{self, Wait};
use crate::spawn_error::SpawnError;
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{AcqRel, Acquire};
use crate::unparker::Unparker;

const DONE: usize = 1;
const WAITER: usize = 2;
const RUNNER_GONE: usize = 4;
const HANDLE_GONE: usize = 8;

/// What both parties share, without the types of closure and result.
#[repr(C)]
struct Header {
    state: AtomicUsize,
    /// Written by the joiner before it sets WAITER, read by the runner after it has seen WAITER.
    waiter: UnsafeCell<Option<Unparker>>,
    vtable: &'static JobVTable,
    site: &'static Location<'static>,
}

struct JobVTable {
    /// Calls the closure (or drops it, if it is to be cancelled) and writes the result. True if it panicked.
    run: unsafe fn(NonNull<Header>, cancel: bool) -> bool,
    /// Drops the result if it is still there, and frees the allocation.
    free: unsafe fn(NonNull<Header>),
}

enum Stage<F, T> {
    Closure(F),
    Finished(Result<T, JoinError>),
    Empty,
}

/// The whole allocation. `repr(C)` with the header first: a pointer to it is a pointer to its header.
#[repr(C)]
struct Packet<F, T> {
    header: Header,
    stage: UnsafeCell<Stage<F, T>>,
}

/// A task that has not run yet: its closure and the place of its result, behind one pointer.
///
/// A runtime calls [`Job::run`] on whatever stack it has for it. A job that is dropped without having run counts as
/// cancelled, and whoever joins it is told so.
pub struct Job {
    header: NonNull<Header>,
}

// SAFETY: the closure and the result are Send (`Job::new` asks for it), and the header is made for two threads.
unsafe impl Send for Job {}

impl Job {
    /// Puts a closure into a job, with the handle that waits for it. `site` is the place in the user's source that
    /// reports name as where the task was created.
    pub fn new<T, F>(f: F, site: &'static Location<'static>) -> (Job, JoinHandle<T>)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: nothing is borrowed.
        unsafe { Job::borrowing(f, site) }
    }

    /// [`Job::new`] for a closure that borrows.
    ///
    /// # Safety
    ///
    /// The job must have run or been dropped, and the handle must be gone, before the borrows end.
    pub unsafe fn borrowing<T, F>(f: F, site: &'static Location<'static>) -> (Job, JoinHandle<T>)
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let memory = packet_memory::allocate(Layout::new::<Packet<F, T>>()).cast();
        let packet = Packet {
            header: Header {
                state: AtomicUsize::new(0),
                waiter: UnsafeCell::new(None),
                vtable: const {
                    &JobVTable {
                        run: run::<F, T>,
                        free: free::<F, T>,
                    }
                },
                site,
            },
            stage: UnsafeCell::new(Stage::<F, T>::Closure(f)),
        };
        // SAFETY: it is new, and laid out for a packet.
        unsafe { memory.write(packet) };
        let header = memory.cast::<Header>();
        let handle = JoinHandle {
            inner: Inner::Started {
                header,
                take: take::<F, T>,
            },
            _result: PhantomData,
        };
        (Job { header }, handle)
    }

    /// Where the task was created.
    pub fn site(&self) -> &'static Location<'static> {
        // SAFETY: the job keeps the allocation alive, and `site` never changes.
        unsafe { self.header.as_ref() }.site
    }

    /// Calls the closure here and now, catches its panic, stores what came of it and wakes the joiner. True if it
    /// panicked.
    pub fn run(self) -> bool {
        let job = ManuallyDrop::new(self);
        // SAFETY: `job` is not used again, so this is the runner's one completion.
        unsafe { complete(job.header, false) }
    }

    /// The job as one pointer, for a runtime that keeps it in a slot of its own.
    pub fn into_raw(self) -> NonNull<()> {
        ManuallyDrop::new(self).header.cast()
    }

    /// Takes a job back from [`Job::into_raw`].
    ///
    /// # Safety
    ///
    /// `raw` must come from `into_raw`, and each such pointer may be taken back once.
    pub unsafe fn from_raw(raw: NonNull<()>) -> Job {
        Job { header: raw.cast() }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // SAFETY: a job that is dropped has not run, since `run` consumes it without dropping it.
        unsafe { complete(self.header, true) };
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("site", &self.site()).finish()
    }
}

// ANCHOR: complete
/// The runner's whole part: run or cancel, then DONE, then go.
///
/// # Safety
///
/// The caller is the runner, and calls this once.
unsafe fn complete(header: NonNull<Header>, cancel: bool) -> bool {
    // SAFETY: RUNNER_GONE is not set yet, so the allocation is there.
    let shared = unsafe { header.as_ref() };
    let vtable = shared.vtable;
    // SAFETY: before DONE, closure and result belong to the runner.
    let panicked = unsafe { (vtable.run)(header, cancel) };
    let before = loop {
        // Acquire: pairs with the joiner's setting of WAITER, so that the unparker is seen.
        let state = shared.state.load(Acquire);
        let gone = if state & WAITER == 0 { RUNNER_GONE } else { 0 };
        // AcqRel: Release publishes the result to whoever sees DONE; Acquire takes over what a dropped handle left.
        let exchange = shared
            .state
            .compare_exchange(state, state | DONE | gone, AcqRel, Acquire);
        if let Ok(before) = exchange {
            break before;
        }
    };
    if before & WAITER != 0 {
        // SAFETY: WAITER was set when DONE was set, so the joiner has written the unparker and cannot replace it.
        let unparker = shared.waiter.with(|waiter| unsafe { *waiter });
        // AcqRel: Release ends the runner's reads before the handle frees; Acquire is for the case that we free.
        let before = shared.state.fetch_or(RUNNER_GONE, AcqRel);
        if before & HANDLE_GONE != 0 {
            // SAFETY: both parties are gone, and the handle went first.
            unsafe { (vtable.free)(header) };
        }
        if let Some(unparker) = unparker {
            unparker.unpark();
        }
    } else if before & HANDLE_GONE != 0 {
        // SAFETY: as above.
        unsafe { (vtable.free)(header) };
    }
    panicked
}
// ANCHOR_END: complete

/// # Safety
///
/// `header` is that of a `Packet<F, T>`, DONE is not set, and the caller is its runner.
unsafe fn run<F: FnOnce() -> T, T>(header: NonNull<Header>, cancel: bool) -> bool {
    // SAFETY: the caller says which type this is.
    let packet = unsafe { header.cast::<Packet<F, T>>().as_ref() };
    // SAFETY: before DONE the stage is the runner's alone.
    let stage = packet
        .stage
        .with_mut(|stage| unsafe { mem::replace(&mut *stage, Stage::Empty) });
    let Stage::Closure(f) = stage else {
        unreachable!("a job is completed once");
    };
    let result = if cancel {
        drop_quietly(|| drop(f));
        Err(JoinError::Cancelled)
    } else {
        // The result says that it panicked, and everything the closure owned has been dropped: nothing half-changed
        // can be seen but through what the user shares, which is theirs to guard.
        panic::catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
            if payload.is::<ForcedUnwind>() {
                JoinError::Cancelled
            } else {
                JoinError::Panicked(payload)
            }
        })
    };
    let panicked = matches!(result, Err(JoinError::Panicked(_)));
    packet
        .stage
        // SAFETY: as above.
        .with_mut(|stage| unsafe { *stage = Stage::Finished(result) });
    panicked
}

/// # Safety
///
/// `header` is that of a `Packet<F, T>`, and DONE was seen. The caller is its handle.
unsafe fn take<F, T>(header: NonNull<Header>) -> Result<T, JoinError> {
    // SAFETY: the caller says which type this is.
    let packet = unsafe { header.cast::<Packet<F, T>>().as_ref() };
    // SAFETY: after DONE the stage is the handle's alone.
    let stage = packet
        .stage
        .with_mut(|stage| unsafe { mem::replace(&mut *stage, Stage::Empty) });
    match stage {
        Stage::Finished(result) => result,
        _ => unreachable!("DONE is set after the result is written, and it is taken once"),
    }
}

/// # Safety
///
/// `header` is that of a `Packet<F, T>`, and both parties are gone.
unsafe fn free<F, T>(header: NonNull<Header>) {
    // Nothing to the machine. To loom it is a write, so that a party which still reads, and has said too early that it
    // was gone, is seen.
    // SAFETY: the allocation is still there.
    unsafe { header.as_ref() }.waiter.with_mut(|_| ());
    let packet = header.cast::<Packet<F, T>>();
    // SAFETY: nobody else has it any more. It is dropped once, here, and then its memory is given back.
    unsafe {
        if mem::needs_drop::<Packet<F, T>>() {
            drop_quietly(|| packet.drop_in_place());
        }
        packet_memory::free(packet.cast(), Layout::new::<Packet<F, T>>());
    }
}

/// Drops a user's value where a panic has nowhere to go: on the stack of a runtime, for a task nobody waits for.
fn drop_quietly(drop: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(drop)) {
        // The hook has printed the panic. Dropping the payload could panic again.
        mem::forget(payload);
    }
}

/// Waits for a task and carries its result, or its panic.
///
/// Dropping the handle *detaches* the task: it runs on, and its result is dropped when it ends.
pub struct JoinHandle<T> {
    inner: Inner<T>,
    _result: PhantomData<T>,
}

enum Inner<T> {
    Started {
        header: NonNull<Header>,
        /// Takes the result; a function, since the handle does not know the closure's type.
        take: unsafe fn(NonNull<Header>) -> Result<T, JoinError>,
    },
    Failed(Option<SpawnError>),
}

// SAFETY: the handle is one end of a packet that is made for two threads; it hands out a T, so T must be Send.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through a shared reference it only looks at the state word.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// A handle for a task that could not be started: joining it returns the reason.
    pub fn not_started(error: SpawnError) -> Self {
        JoinHandle {
            inner: Inner::Failed(Some(error)),
            _result: PhantomData,
        }
    }

    /// Parks the calling task until this one has ended. Returns what its closure returned.
    ///
    /// # Errors
    ///
    /// [`JoinError`], if the task panicked, was ended by its runtime, or could not be started.
    pub fn join(mut self) -> Result<T, JoinError> {
        self.wait(None);
        self.take()
    }

    /// [`JoinHandle::join`], but gives up at `deadline`.
    ///
    /// # Errors
    ///
    /// The handle itself, if the task is still running then.
    pub fn join_deadline(mut self, deadline: Instant) -> Result<Result<T, JoinError>, Self> {
        if self.wait(Some(deadline)) {
            Ok(self.take())
        } else {
            Err(self)
        }
    }

    /// True once the task has ended and [`JoinHandle::join`] would return at once.
    pub fn is_finished(&self) -> bool {
        match &self.inner {
            Inner::Started { header, .. } => {
                // SAFETY: HANDLE_GONE is not set, so the allocation is there.
                let state = &unsafe { header.as_ref() }.state;
                // Acquire: pairs with the setting of DONE.
                state.load(Acquire) & DONE != 0
            }
            Inner::Failed(_) => true,
        }
    }

    // ANCHOR: wait
    /// Waits for DONE; false if the deadline came first.
    fn wait(&mut self, deadline: Option<Instant>) -> bool {
        let Inner::Started { header, .. } = &self.inner else {
            return true;
        };
        // SAFETY: HANDLE_GONE is not set, so the allocation is there.
        let shared = unsafe { header.as_ref() };
        // Acquire, everywhere here: pairs with the setting of DONE, so that the result is seen.
        if shared.state.load(Acquire) & DONE != 0 {
            return true;
        }
        let unparker = park::current();
        shared
            .waiter
            // SAFETY: neither WAITER nor DONE is set by anyone but us until the exchange below, so nobody reads it.
            .with_mut(|waiter| unsafe { *waiter = Some(unparker) });
        // AcqRel: the Release publishes the unparker.
        let registered = shared.state.compare_exchange(0, WAITER, AcqRel, Acquire);
        if registered.is_err() {
            return true; // DONE is the only thing that can have been set
        }
        loop {
            if shared.state.load(Acquire) & DONE != 0 {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                // Takes WAITER back, so that a later wait, from another task perhaps, may write its own unparker.
                let withdrawn = shared.state.compare_exchange(WAITER, 0, AcqRel, Acquire);
                return withdrawn.is_err();
            }
            park::park_as(Wait::Join, deadline);
        }
    }
    // ANCHOR_END: wait

    /// The result; DONE was seen.
    fn take(&mut self) -> Result<T, JoinError> {
        match &mut self.inner {
            // SAFETY: DONE was seen, and `self` is consumed by every caller, so it is taken once.
            Inner::Started { header, take } => unsafe { take(*header) },
            Inner::Failed(error) => match error.take() {
                Some(error) => Err(JoinError::NotStarted(error)),
                None => unreachable!("the handle is consumed by what takes its result"),
            },
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Inner::Started { header, .. } = &self.inner else {
            return;
        };
        // SAFETY: HANDLE_GONE is not set, so the allocation is there.
        let shared = unsafe { header.as_ref() };
        let vtable = shared.vtable;
        // Acquire: pairs with the runner's last Release, so that its reads and writes are over before we free.
        let mut state = shared.state.load(Acquire);
        if state & RUNNER_GONE == 0 {
            // AcqRel: Release ends our use before the runner frees; Acquire is for the case that we free.
            state = shared.state.fetch_or(HANDLE_GONE, AcqRel);
        }
        if state & RUNNER_GONE != 0 {
            // SAFETY: both parties are gone, and the runner went first.
            unsafe { (vtable.free)(*header) };
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
