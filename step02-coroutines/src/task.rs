//! A task: one word that says whether it runs, and what its worker keeps with it.
//!
//! # The word
//!
//! ```text
//!              park                              (nobody else ever sets PARKED)
//!   RUNNING ───────────────▶ PARKED
//!     ▲   │                    │
//!     │   │ unpark             │ unpark: whoever does it puts the task in a run queue
//!     │   ▼                    │
//!     └─ NOTIFIED ◀────────────┘
//!   the park returns
//! ```
//!
//! RUNNING means "runs, or waits in a queue for its turn". All changes are read-modify-writes of one word, so they have
//! one order. Exactly one unpark finds PARKED, and that one queues the task: it is never in two queues.
//!
//! There is a race in every scheduler between a task that parks and one that wakes it at this very moment, before its
//! stack has been left. Here it is harmless, since the one thread that could run the woken task is still busy with
//! leaving the stack. Step 3 has to do something about it.
//!
//! # Type-stable
//!
//! An unpark may come at any time, from any thread, also after the task has ended. So tasks are never freed; they are
//! used again, as tasks. A stale unpark then leaves a token for somebody else, whose next park returns for no reason.
//!
//! # Who touches what
//!
//! `state` and `home` are for everyone. All the rest is for the thread of the runtime's worker alone.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::panic::Location;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU8};
use std::sync::{Mutex, PoisonError};

use step01::{Job, UnparkVTable, Unparker, park::Wait};

use crate::coroutine::{Coroutine, Suspender};
use crate::inbox::Home;

const RUNNING: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;
/// The runtime is ending, and nobody queues the task any more; an unpark leaves its token all the same.
const CLAIMED: u8 = 3;

/// How a task that leaves its stack wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// When it is its turn again.
    Yield,
    /// When it is unparked.
    Park,
}

/// The stack of a task that has begun.
pub(crate) type Fiber = Coroutine<(), Stop, ()>;

/// A task. It lives for ever, and is many tasks one after the other.
pub(crate) struct Task {
    state: AtomicU8,
    /// The runtime that it belongs to; runtimes' homes live for ever, too.
    home: AtomicPtr<Home>,
    /// From here on: the worker's.
    pub(crate) number: Cell<u64>,
    pub(crate) site: Cell<Option<&'static Location<'static>>>,
    /// What it is parked for.
    pub(crate) wait: Cell<Wait>,
    /// The number of the timer that is to wake it; 0 for none.
    pub(crate) timer: Cell<u64>,
    /// Its closure, until it has begun.
    pub(crate) job: Cell<Option<Job>>,
    /// Its stack, once it has begun. Borrowed by the worker while it runs.
    pub(crate) fiber: RefCell<Option<Fiber>>,
    /// How to leave that stack.
    pub(crate) suspender: Cell<*const Suspender<(), Stop>>,
    /// It is being unwound, and has caught that so many times.
    pub(crate) caught: Cell<Option<u32>>,
    /// Its neighbours in the list of the living.
    older: Cell<Option<TaskRef>>,
    newer: Cell<Option<TaskRef>>,
}

/// A task; good for ever.
pub(crate) type TaskRef = &'static Task;

// SAFETY: see "who touches what": the cells are touched by one thread, and that a task goes to another worker's thread
// happens through a lock, when nobody uses it.
unsafe impl Sync for Task {}
// SAFETY: as above; a task in use does not move.
unsafe impl Send for Task {}

static VTABLE: UnparkVTable = UnparkVTable {
    // SAFETY: `data` came from `unparker`, so it is a task, which lives for ever.
    unpark: |data| unsafe { &*data.cast::<Task>() }.unpark(),
};

impl Task {
    const fn new() -> Task {
        Task {
            state: AtomicU8::new(RUNNING),
            home: AtomicPtr::new(ptr::null_mut()),
            number: Cell::new(0),
            site: Cell::new(None),
            wait: Cell::new(Wait::Park),
            timer: Cell::new(0),
            job: Cell::new(None),
            fiber: RefCell::new(None),
            suspender: Cell::new(ptr::null()),
            caught: Cell::new(None),
            older: Cell::new(None),
            newer: Cell::new(None),
        }
    }

    /// Makes it another task. `home` is where it is queued when somebody wakes it.
    pub(crate) fn begin(&self, home: &'static Home, number: u64, job: Job) {
        self.number.set(number);
        self.site.set(Some(job.site()));
        self.wait.set(Wait::Park);
        self.timer.set(0);
        self.caught.set(None);
        self.job.set(Some(job));
        // Relaxed: read by whoever finds PARKED, which comes later and is Release.
        self.home.store(ptr::from_ref(home).cast_mut(), Relaxed);
        // Relaxed: an unpark that is meant for the task before may still come. It is as good as a token for this one.
        self.state.store(RUNNING, Relaxed);
    }

    /// Who wakes it.
    pub(crate) fn unparker(&'static self) -> Unparker {
        // SAFETY: a task lives for ever, and `unpark` may be called from any thread.
        unsafe { Unparker::new(ptr::from_ref(self).cast(), &VTABLE) }
    }

    // ANCHOR: word
    /// Leaves the token; queues the task if it is parked.
    #[inline]
    fn unpark(&'static self) {
        // AcqRel: Release pairs with the Acquire in `take_token`, so that the task sees what its waker did; Acquire pairs
        // with the Release in `try_park`, so that we see its home.
        if self.state.swap(NOTIFIED, AcqRel) == PARKED {
            let home = self.home.load(Relaxed);
            // SAFETY: it was PARKED, so `begin` has stored a home, and those live for ever.
            unsafe { &*home }.make_ready(self);
        }
    }

    /// The task itself, about to leave its stack: true if it is parked now, false if a token was there.
    #[inline]
    pub(crate) fn try_park(&self) -> bool {
        // Release: pairs with the Acquire in `unpark`. Acquire: pairs with the Release there, for the failure.
        self.state
            .compare_exchange(RUNNING, PARKED, Release, Acquire)
            .is_ok()
    }

    /// The task itself, running again: takes the token.
    #[inline]
    pub(crate) fn take_token(&self) {
        // Acquire: pairs with the Release in `unpark`.
        self.state.swap(RUNNING, Acquire);
    }
    // ANCHOR_END: word

    /// The worker, when the runtime ends: from now on no unpark queues it. False if it is, or is about to be, in a queue.
    pub(crate) fn claim(&self) -> bool {
        // AcqRel, here and below: as in `unpark`.
        let before = self.state.swap(CLAIMED, AcqRel);
        if before == NOTIFIED {
            self.state.swap(NOTIFIED, AcqRel);
        }
        before == PARKED
    }

    /// Whether it has a token; for the worker, of a task that it has claimed.
    pub(crate) fn has_token(&self) -> bool {
        // Acquire: pairs with the Release in `unpark`.
        self.state.load(Acquire) == NOTIFIED
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Relaxed: only for the eye.
        write!(f, "Task(state {})", self.state.load(Relaxed))
    }
}

/// The tasks of one worker that have not ended, in the order in which they were spawned.
#[derive(Debug, Default)]
pub(crate) struct Living {
    newest: Cell<Option<TaskRef>>,
    count: Cell<usize>,
}

impl Living {
    #[inline]
    pub(crate) fn add(&self, task: TaskRef) {
        let before = self.newest.replace(Some(task));
        task.older.set(before);
        task.newer.set(None);
        if let Some(before) = before {
            before.newer.set(Some(task));
        }
        self.count.set(self.count.get() + 1);
    }

    #[inline]
    pub(crate) fn remove(&self, task: TaskRef) {
        let (older, newer) = (task.older.take(), task.newer.take());
        match newer {
            Some(newer) => newer.older.set(older),
            None => self.newest.set(older),
        }
        if let Some(older) = older {
            older.newer.set(newer);
        }
        self.count.set(self.count.get() - 1);
    }

    pub(crate) fn count(&self) -> usize {
        self.count.get()
    }

    /// From the newest to the oldest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskRef> {
        std::iter::successors(self.newest.get(), |task| task.older.get())
    }
}

/// Tasks to be used again: this worker's own, and those that ended workers have left.
#[derive(Debug)]
pub(crate) struct FreeTasks {
    own: UnsafeCell<Vec<TaskRef>>,
}

/// Tasks that belong to no worker.
static LEFT: Mutex<Vec<TaskRef>> = Mutex::new(Vec::new());

/// So many tasks are made at a time.
const CHUNK: usize = 256;

impl FreeTasks {
    pub(crate) fn new() -> Self {
        FreeTasks {
            own: UnsafeCell::new(Vec::new()),
        }
    }

    #[inline]
    pub(crate) fn take(&self) -> TaskRef {
        // SAFETY: not Sync, and no reference leaves this type's functions.
        let own = unsafe { &mut *self.own.get() };
        if let Some(task) = own.pop() {
            return task;
        }
        own.append(&mut LEFT.lock().unwrap_or_else(PoisonError::into_inner));
        if own.is_empty() {
            let chunk: Box<[Task]> = (0..CHUNK).map(|_| Task::new()).collect();
            own.extend(Box::leak(chunk).iter());
        }
        match own.pop() {
            Some(task) => task,
            None => unreachable!("there is a chunk of them"),
        }
    }

    #[inline]
    pub(crate) fn give_back(&self, task: TaskRef) {
        // SAFETY: as in `take`.
        unsafe { &mut *self.own.get() }.push(task);
    }
}

impl Drop for FreeTasks {
    fn drop(&mut self) {
        LEFT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(self.own.get_mut());
    }
}
