//! The policy of this step: a queue for each processor, and stealing.
//!
//! # Where a task goes
//!
//! | why it is ready | where it goes |
//! |---|---|
//! | woken by a task | the *next* slot: it runs as soon as its waker stops, with the data still in the cache |
//! | a timer has fired | the first one to the next slot, if that is empty, the others behind it in the ring |
//! | spawned, yielded | the end of the ring |
//! | the task that it joins has ended | the end of the ring: a joiner that runs at once finds the next task unfinished |
//! | from another thread | the injector |
//!
//! The next slot is one task, and who is put there pushes the one before into the ring. Two tasks that wake each other
//! could go on like this for ever and starve the ring. So after some tasks from the slot in a row, one from the ring has its
//! turn (`next_slot.rs`).
//!
//! # Where the next task comes from
//!
//! At every 61st turn the injector, so that it is never starved; then the next slot, the ring, the injector, and then the
//! other processors' rings, in random order.
//!
//! # What a thief leaves alone
//!
//! A task that was queued a moment ago is mostly about to be run by the one who queued it: a producer and a consumer on one
//! worker hand each other the turn. A thief that takes one of them makes both slower. So a thief looks twice, with a
//! short nap between, and takes only what was there at both looks. And a worker is not woken for the next slot alone.
//! A task cannot wait there for long: its waker is running, and either stops, or pushes it into the ring by waking
//! another, or is one that computes without end, for which step 5 has a remedy. If it is not its waker that runs now,
//! but one from the ring or the injector whose turn it was, the slot is emptied into the ring.
//!
//! # Who is told
//!
//! Every task that goes into a queue is announced: a sleeper is woken, or somebody searches. There is one exception. A task
//! that yields comes to the end of the ring of a worker that is about to look there, and this is not worth a fence: if
//! the ring is empty, it is the next; if not, the ones before it were announced, and whoever searches goes on until he
//! has seen the ring empty. But if there is a task in the next slot, of which nobody was told, that one runs first, and
//! perhaps for ever. Then the task that yields is announced, too.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use step03::{Policy, Processor, Task, TaskRef, Why};

use crate::helper::Forks;
use crate::idle::Idle;
use crate::injector::Injector;
use crate::local_queue::LocalQueue;
use crate::next_slot::NextSlot;

/// The injector is looked at first once in so many turns.
const LOOK_OUTSIDE: u32 = 61;

/// How long a thief waits between its two looks.
const NAP: Duration = Duration::from_micros(5);

// ANCHOR: has
/// Queues for each processor, and stealing between them.
#[derive(Debug)]
pub struct WorkStealing {
    rings: Box<[Arc<LocalQueue<Task>>]>,
    injector: Injector<Task>,
    idle: Idle,
    pub(crate) forks: Forks,
}

/// What the policy keeps with a processor, beside its ring.
#[derive(Debug)]
pub struct Local {
    ring: Arc<LocalQueue<Task>>,
    next: NextSlot<TaskRef>,
    /// Turns until the next look outside.
    turns: Cell<u32>,
    random: RefCell<fastrand::Rng>,
}
// ANCHOR_END: has

// SAFETY: a task may be sent, and the rest is numbers.
unsafe impl Send for Local {}

impl WorkStealing {
    /// For so many processors.
    pub fn new(processors: usize) -> Self {
        WorkStealing {
            rings: (0..processors)
                .map(|_| Arc::new(LocalQueue::new()))
                .collect(),
            injector: Injector::new(),
            idle: Idle::new(),
            forks: Forks::new(processors),
        }
    }

    /// Puts a task behind the others of this processor.
    #[inline]
    fn push(&self, on: &Processor<Self>, task: TaskRef) {
        if let Err(overflow) = on.local().ring.push(pointer(task)) {
            self.injector.push(overflow.tasks.into_iter().map(task_of));
        }
    }

    /// There is a task in a ring: wakes a thief if all sleep. One processor has no thieves.
    #[inline]
    fn announce(&self) {
        if self.rings.len() > 1 {
            self.idle.task_is_ready();
        }
    }

    // ANCHOR: search
    /// Looks into the injector and into the others' rings.
    fn search(&self, on: &Processor<Self>) -> Option<TaskRef> {
        if let Some(task) = self.take_injected(on) {
            return Some(task);
        }
        let count = self.rings.len();
        let ends: Vec<u32> = self.rings.iter().map(|ring| ring.end()).collect();
        if self.rings.iter().all(|ring| ring.len() == 0) {
            return None;
        }
        thread::sleep(NAP);
        let start = on.local().random.borrow_mut().usize(..count);
        let victims = (0..count).map(|n| (start + n) % count);
        let mut victims = victims.filter(|victim| *victim != on.index());
        victims.find_map(|victim| {
            let stolen = self.rings[victim].steal_into(&on.local().ring, ends[victim]);
            stolen.map(task_of)
        })
    }
    // ANCHOR_END: search

    // ANCHOR: from_injector
    /// One task from the injector, and its share of the others for its own ring.
    fn take_injected(&self, on: &Processor<Self>) -> Option<TaskRef> {
        let share = self.injector.len() / self.rings.len();
        let room = LocalQueue::<Task>::CAPACITY / 2;
        let ring = &on.local().ring;
        let more = share.min((room.saturating_sub(ring.len())) as usize);
        self.injector.pop(more, |task| {
            if let Err(overflow) = ring.push(pointer(task)) {
                unreachable!("there was room for {:?}", overflow.tasks.len());
            }
        })
    }
    // ANCHOR_END: from_injector

    // ANCHOR: from_own
    #[inline]
    fn take_own(&self, on: &Processor<Self>) -> Option<TaskRef> {
        let next = &on.local().next;
        if let Some(task) = next.take() {
            return Some(task);
        }
        match on.local().ring.pop() {
            Some(task) => {
                self.show_next(on);
                Some(task_of(task))
            }
            None => next.empty(),
        }
    }

    /// Another task than the one in the next slot runs now, for as long as it likes. So that one goes where thieves look.
    #[inline]
    fn show_next(&self, on: &Processor<Self>) {
        if let Some(task) = on.local().next.empty() {
            self.push(on, task);
            self.announce();
        }
    }
    // ANCHOR_END: from_own
}

fn pointer(task: TaskRef) -> *mut Task {
    std::ptr::from_ref(task).cast_mut()
}

fn task_of(pointer: *mut Task) -> TaskRef {
    // SAFETY: it came from `pointer`, and tasks live for ever.
    unsafe { &*pointer }
}

impl Policy for WorkStealing {
    type Local = Local;

    fn local(&self, index: usize) -> Local {
        Local {
            ring: Arc::clone(&self.rings[index]),
            next: NextSlot::new(),
            turns: Cell::new(LOOK_OUTSIDE),
            random: RefCell::new(fastrand::Rng::with_seed(index as u64)),
        }
    }

    // ANCHOR: ready
    #[inline]
    fn ready(&self, task: TaskRef, from: Option<&Processor<Self>>, why: Why) {
        let Some(on) = from else {
            self.injector.push([task]);
            return self.idle.task_is_ready();
        };
        match why {
            // The earliest deadline is first, and stays it.
            Why::Timer if on.local().next.is_full() => {
                self.push(on, task);
                self.announce();
            }
            Why::Unpark | Why::Timer => {
                if let Some(before) = on.local().next.put(task) {
                    self.push(on, before);
                    self.announce();
                }
            }
            Why::Spawn | Why::Join | Why::Yield | Why::Inject => {
                self.push(on, task);
                // One that yields is found by this worker, unless another runs before it, of which no thief was told.
                if why != Why::Yield || on.local().next.is_full() {
                    self.announce();
                }
            }
        }
    }
    // ANCHOR_END: ready

    // ANCHOR: try_next
    #[inline]
    fn try_next(&self, on: &Processor<Self>) -> Option<TaskRef> {
        let turns = on.local().turns.get() - 1;
        on.local().turns.set(turns);
        if turns == 0 {
            on.local().turns.set(LOOK_OUTSIDE);
            if let Some(task) = self.injector.pop(0, |_| ()) {
                self.show_next(on);
                return Some(task);
            }
        }
        self.take_own(on).or_else(|| self.take_injected(on))
    }
    // ANCHOR_END: try_next

    fn idle(&self, on: &Processor<Self>, until: Option<Instant>) {
        let task = self
            .idle
            .rest(|| self.search(on), || self.anything(), until);
        if let Some(task) = task {
            // It runs as soon as this worker is back in its loop: the slot is empty, or else it would not be here.
            self.ready(task, Some(on), Why::Unpark);
        }
    }

    fn wake_one(&self) {
        self.idle.nudge();
    }

    fn wake_all(&self) {
        self.idle.close();
    }

    fn open(&self) {
        self.idle.open();
    }

    fn asleep(&self) -> usize {
        self.idle.asleep()
    }

    fn layer(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(self) // fork and join find `forks` by it
    }
}

impl WorkStealing {
    /// How many tasks wait in queues, roughly.
    pub(crate) fn waiting(&self) -> usize {
        let rings: u32 = self.rings.iter().map(|ring| ring.len()).sum();
        self.injector.len() + rings as usize
    }

    fn anything(&self) -> bool {
        !self.injector.is_empty() || self.rings.iter().any(|ring| ring.len() > 0)
    }
}
