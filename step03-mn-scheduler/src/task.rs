//! A task: a closure, a stack once it has begun, and what is known of it.
//!
//! # Who touches what
//!
//! `word` and `home` are for everyone. The rest belongs to whoever *has* the task: the spawner until it is queued, then
//! the queue, then the worker that took it out, and the task itself while it runs. It goes from one to the next through
//! the queue's lock, or through the word (Release when it is parked, Acquire by the one unpark that finds it parked).
//! So no two threads are ever in these cells at the same time, and each sees what the one before has left.
//!
//! # Type-stable
//!
//! As in step 2: an unpark may come at any time, also after the task has ended, so headers are never freed. They come
//! from slabs, and are used again as headers. Slabs are also how a runtime finds its tasks when it ends, and for the
//! report of a deadlock: it looks through all of them. In step 2 each task was in a list of the living; with several
//! workers that list would need a lock at each spawn and each end.
//!
//! # Why a task may move between threads
//!
//! A closure that is spawned is `Send`, and so are the values that come out. What lies on the stack in between is in no
//! type: a task may hold an `Rc` across a park. It goes along with the stack, and is never on two threads at a time, so
//! its count is not in danger. What is not sound to hold across a park are things tied to the *thread*: a borrow of a
//! thread-local, or std's `MutexGuard`, which on some systems must be unlocked by the thread that locked it. No type
//! prevents it here, nor in `may` or in any stackful runtime; the book says what that means.

use std::cell::{Cell, UnsafeCell};
use std::panic::Location;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, MutexGuard, PoisonError};

use step01::park::Wait;
use step01::{Job, UnparkVTable, Unparker};
use step02::run_queue::Linked;
use step02::task_word::{TaskWord, Unpark};
use step02::{Coroutine, Suspender};

use crate::home::Home;
use crate::policy::Why;

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

/// The stack of a task that has begun.
pub(crate) type Fiber = Coroutine<(), Stop, ()>;

/// A task's header. It lives for ever, and is many tasks one after the other.
#[repr(align(128))]
pub struct Task {
    pub(crate) word: TaskWord,
    /// What it is parked for.
    pub(crate) wait: Cell<Wait>,
    /// The runtime that it belongs to; null while the header is free.
    home: AtomicPtr<Home>,
    pub(crate) number: Cell<u64>,
    pub(crate) site: Cell<Option<&'static Location<'static>>>,
    /// The number of the timer that is to wake it; 0 for none. Touched under the lock of the timers.
    pub(crate) timer: Cell<u64>,
    /// Its closure, until it has begun.
    pub(crate) job: Cell<Option<Job>>,
    /// Its stack, once it has begun.
    pub(crate) fiber: UnsafeCell<Option<Fiber>>,
    /// How to leave that stack; null until it has begun.
    pub(crate) suspender: Cell<*const Suspender<(), Stop>>,
    /// It is being unwound, and has caught that so many times.
    pub(crate) caught: Cell<Option<u32>>,
    /// The one behind it in a run queue, or among the free ones.
    next: Cell<Option<TaskRef>>,
    /// The index of the processor that ran it last.
    pub(crate) last: Cell<u32>,
    /// For a library above the scheduler; see `above.rs`.
    pub(crate) above: Cell<*const ()>,
}

const _: () = assert!(
    size_of::<Task>() == 128,
    "two lines of the cache, and not a part of a third"
);

/// A task; good for ever.
pub type TaskRef = &'static Task;

// SAFETY: see "who touches what": one thread at a time, handed over by a lock or by the word.
unsafe impl Sync for Task {}
// SAFETY: as above; and what is on a task's stack moves with it, see "why a task may move".
unsafe impl Send for Task {}

static VTABLE: UnparkVTable = UnparkVTable {
    // SAFETY: `data` came from `unparker`, so it is a task, which lives for ever.
    unpark: |data| unsafe { &*data.cast::<Task>() }.unpark(),
};

impl Task {
    fn new() -> Task {
        Task {
            word: TaskWord::new(),
            wait: Cell::new(Wait::Park),
            home: AtomicPtr::new(ptr::null_mut()),
            number: Cell::new(0),
            site: Cell::new(None),
            timer: Cell::new(0),
            job: Cell::new(None),
            fiber: UnsafeCell::new(None),
            suspender: Cell::new(ptr::null()),
            caught: Cell::new(None),
            next: Cell::new(None),
            last: Cell::new(u32::MAX),
            above: Cell::new(ptr::null()),
        }
    }

    /// Makes a free header a task.
    pub(crate) fn begin(&self, home: &'static Home, number: u64, job: Job) {
        self.number.set(number);
        self.site.set(Some(job.site()));
        self.wait.set(Wait::Park);
        self.caught.set(None);
        self.suspender.set(ptr::null());
        self.job.set(Some(job));
        self.word.begin();
        // Release: pairs with the Acquire in `belongs_to`, so that whoever looks through the slabs sees the rest.
        self.home.store(ptr::from_ref(home).cast_mut(), Release);
    }

    /// The task has ended.
    pub(crate) fn end(&self) {
        // Release: as in `begin`.
        self.home.store(ptr::null_mut(), Release);
    }

    /// Whether it is a living task of this runtime.
    pub(crate) fn belongs_to(&self, home: &Home) -> bool {
        // Acquire: pairs with the Release in `begin`.
        ptr::eq(self.home.load(Acquire), home)
    }

    /// Who wakes it.
    pub(crate) fn unparker(&'static self) -> Unparker {
        // SAFETY: a task lives for ever, and `unpark` may be called from any thread.
        unsafe { Unparker::new(ptr::from_ref(self).cast(), &VTABLE) }
    }

    // ANCHOR: unpark
    /// Queues it if it is parked, or leaves the token.
    fn unpark(&'static self) {
        if self.word.unpark() == Unpark::Queue {
            // We found it parked, so now it is ours, and what its worker wrote before is seen.
            let why = match self.wait.get() {
                Wait::Join => Why::Join,
                _ => Why::Unpark,
            };
            self.make_ready(why);
        }
    }

    /// Fired by a timer: the same, for another reason.
    pub(crate) fn unpark_by_timer(&'static self) {
        if self.word.unpark() == Unpark::Queue {
            self.make_ready(Why::Timer);
        }
    }
    // ANCHOR_END: unpark

    fn make_ready(&'static self, why: Why) {
        // Relaxed: it was parked, so it is alive, and we have acquired its word.
        let home = self.home.load(Relaxed);
        // SAFETY: not null, since it is alive, and homes live for ever.
        unsafe { &*home }.ready(self, why);
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

/// So many headers are made at a time, and so many go from a processor to the others at once.
const CHUNK: usize = 256;

/// A processor keeps so many free headers for itself.
const KEEP: usize = 8 * CHUNK;

/// All headers that were ever made, and those that no processor has.
struct Slabs {
    all: Vec<&'static [Task]>,
    free: Vec<TaskRef>,
}

static SLABS: Mutex<Slabs> = Mutex::new(Slabs {
    all: Vec::new(),
    free: Vec::new(),
});

fn slabs() -> MutexGuard<'static, Slabs> {
    SLABS.lock().unwrap_or_else(PoisonError::into_inner)
}

// ANCHOR: living
/// The living tasks of a runtime, the newest first. The caller sees to it that none begins or ends meanwhile.
pub(crate) fn living(home: &Home) -> Vec<TaskRef> {
    let all = slabs().all.clone();
    let tasks = all.into_iter().flatten();
    let mut living: Vec<TaskRef> = tasks.filter(|task| task.belongs_to(home)).collect();
    living.sort_unstable_by_key(|task| std::cmp::Reverse(task.number.get()));
    living
}
// ANCHOR_END: living

// ANCHOR: free
/// Free headers of one processor: the one that was used last is the next.
///
/// A processor on which more tasks end than begin would collect them without end, and another would make new ones. So
/// what is beyond [`KEEP`] goes to the common list, a chunk at a time.
#[derive(Debug, Default)]
pub(crate) struct FreeTasks {
    own: Cell<Option<TaskRef>>,
    count: Cell<usize>,
}

impl FreeTasks {
    #[inline]
    pub(crate) fn take(&self) -> TaskRef {
        match self.own.get() {
            Some(task) => {
                self.own.set(task.next.get());
                self.count.set(self.count.get() - 1);
                task
            }
            None => self.fetch(),
        }
    }

    #[cold]
    fn fetch(&self) -> TaskRef {
        let mut slabs = slabs();
        if slabs.free.is_empty() {
            let chunk: Box<[Task]> = (0..CHUNK).map(|_| Task::new()).collect();
            let chunk: &'static [Task] = Box::leak(chunk);
            slabs.all.push(chunk);
            slabs.free.extend(chunk);
        }
        let rest = slabs.free.len().saturating_sub(CHUNK);
        slabs.free.drain(rest..).for_each(|task| self.put(task));
        drop(slabs);
        self.take()
    }

    #[inline]
    pub(crate) fn give_back(&self, task: TaskRef) {
        self.put(task);
        if self.count.get() > KEEP {
            self.share(CHUNK);
        }
    }

    #[inline]
    fn put(&self, task: TaskRef) {
        task.next.set(self.own.replace(Some(task)));
        self.count.set(self.count.get() + 1);
    }

    #[cold]
    fn share(&self, count: usize) {
        let mut slabs = slabs();
        for _ in 0..count {
            if let Some(task) = self.own.get() {
                self.own.set(task.next.get());
                self.count.set(self.count.get() - 1);
                slabs.free.push(task);
            }
        }
    }
}

impl Drop for FreeTasks {
    fn drop(&mut self) {
        self.share(self.count.get());
    }
}
// ANCHOR_END: free

/// A header for a task that is spawned by a thread without a processor.
pub(crate) fn take_one() -> TaskRef {
    let mut slabs = slabs();
    if let Some(task) = slabs.free.pop() {
        return task;
    }
    drop(slabs);
    FreeTasks::default().take() // the rest of the chunk goes to the common list
}
