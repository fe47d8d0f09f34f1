//! A task: a closure, a stack once it has begun, and what its worker keeps with it.
//!
//! # Type-stable
//!
//! An unpark may come at any time, from any thread, also after the task has ended. So tasks are never freed; they are
//! used again, as tasks. A stale unpark then leaves a token for somebody else, whose next park returns for no reason.
//!
//! # Who touches what
//!
//! `word` and `home` are for everyone. All the rest is for the thread of the runtime's worker alone.

use std::cell::{Cell, UnsafeCell};
use std::panic::Location;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use step01::{Job, UnparkVTable, Unparker, park::Wait};

use crate::coroutine::{Coroutine, Suspender};
use crate::home::Home;
use crate::run_queue::Linked;
use crate::task_word::{TaskWord, Unpark};

/// How a task that leaves its stack wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// When it is its turn again.
    Yield,
    /// When it is unparked.
    Park,
    /// At once, when the worker has called what the task has left for it.
    Call,
}

/// What a task has the worker call for it, on the thread's own stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call(pub(crate) *mut (dyn FnMut() + 'static));

// SAFETY: it is there from the moment at which a task leaves its stack until the worker, on the same thread, calls it.
// The worker goes to another thread only between two runs.
unsafe impl Send for Call {}

/// The stack of a task that has begun.
pub(crate) type Fiber = Coroutine<(), Stop, ()>;

/// A task. It lives for ever, and is many tasks one after the other.
///
/// Two lines of the cache, and not a part of a third.
#[repr(align(128))]
pub(crate) struct Task {
    pub(crate) word: TaskWord,
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
    /// Its stack, once it has begun. In use by the worker's loop while it runs.
    pub(crate) fiber: UnsafeCell<Option<Fiber>>,
    /// How to leave that stack; null until it has begun.
    pub(crate) suspender: Cell<*const Suspender<(), Stop>>,
    /// It is being unwound, and has caught that so many times.
    pub(crate) caught: Cell<Option<u32>>,
    /// The one behind it in the run queue, or among the free ones.
    pub(crate) next: Cell<Option<TaskRef>>,
    /// Its neighbours in the list of the living.
    older: Cell<Option<TaskRef>>,
    newer: Cell<Option<TaskRef>>,
}

const _: () = assert!(size_of::<Task>() == 128);

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
    fn new() -> Task {
        Task {
            word: TaskWord::new(),
            home: AtomicPtr::new(ptr::null_mut()),
            number: Cell::new(0),
            site: Cell::new(None),
            wait: Cell::new(Wait::Park),
            timer: Cell::new(0),
            job: Cell::new(None),
            fiber: UnsafeCell::new(None),
            suspender: Cell::new(ptr::null()),
            caught: Cell::new(None),
            next: Cell::new(None),
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
        self.suspender.set(ptr::null());
        self.job.set(Some(job));
        // Relaxed: read by whoever finds PARKED, which comes later and is Release.
        self.home.store(ptr::from_ref(home).cast_mut(), Relaxed);
        self.word.begin();
    }

    /// Who wakes it.
    pub(crate) fn unparker(&'static self) -> Unparker {
        // SAFETY: a task lives for ever, and `unpark` may be called from any thread.
        unsafe { Unparker::new(ptr::from_ref(self).cast(), &VTABLE) }
    }

    /// Queues it if it is parked, or leaves the token.
    #[inline]
    fn unpark(&'static self) {
        if self.word.unpark() == Unpark::Queue {
            // Relaxed: the word has been acquired, and `begin` stored the home before the task could park.
            let home = self.home.load(Relaxed);
            // SAFETY: it was parked, so `begin` has stored a home, and those live for ever.
            unsafe { &*home }.make_ready(self);
        }
    }
}

impl Linked for Task {
    fn link(&self) -> &Cell<Option<TaskRef>> {
        &self.next
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("word", &self.word)
            .finish_non_exhaustive()
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

/// Tasks to be used again: this worker's own, and those that ended workers have left. The one that ended last is the
/// first to be used, since it is in the cache; they are chained by the link of the run queue.
#[derive(Debug)]
pub(crate) struct FreeTasks {
    first: Cell<Option<TaskRef>>,
}

/// Tasks that belong to no worker.
static LEFT: Mutex<Vec<TaskRef>> = Mutex::new(Vec::new());

/// So many tasks are made at a time.
const CHUNK: usize = 256;

impl FreeTasks {
    pub(crate) fn new() -> Self {
        FreeTasks {
            first: Cell::new(None),
        }
    }

    #[inline]
    pub(crate) fn take(&self) -> TaskRef {
        match self.first.get() {
            Some(task) => {
                self.first.set(task.next.get());
                task
            }
            None => self.make(),
        }
    }

    #[cold]
    fn make(&self) -> TaskRef {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            let chunk: Box<[Task]> = (0..CHUNK).map(|_| Task::new()).collect();
            left.extend(Box::leak(chunk).iter());
        }
        left.drain(..).for_each(|task| self.give_back(task));
        drop(left);
        self.take()
    }

    #[inline]
    pub(crate) fn give_back(&self, task: TaskRef) {
        task.next.set(self.first.replace(Some(task)));
    }
}

impl Drop for FreeTasks {
    fn drop(&mut self) {
        let own = std::iter::successors(self.first.take(), |task| task.next.get());
        LEFT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(own);
    }
}
