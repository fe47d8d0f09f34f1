//! The policy of this step: a queue for each processor, and stealing.
//!
//! # Where a task goes
//!
//! | why it is ready | where it goes |
//! |---|---|
//! | woken by a task | the *next* slot: it runs as soon as its waker stops, with the data still in the cache |
//! | a timer has fired | the first one to the next slot, the others behind it in the ring |
//! | spawned, yielded | the end of the ring |
//! | the task that it joins has ended | the end of the ring: a joiner that runs at once finds the next task unfinished |
//! | from another thread | the injector |
//!
//! The next slot is one task, and who is put there pushes the one before into the ring. Two tasks that wake each other
//! could go on like this for ever and starve the ring. So after [`IN_A_ROW`] tasks from the slot in a row, one from the
//! ring has its turn.
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
//! another, or is one that computes without end, for which step 5 has a remedy.

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::{Duration, Instant};

use step03::{Policy, Processor, Task, TaskRef, Why};

use crate::idle::Idle;
use crate::injector::Injector;
use crate::local_queue::LocalQueue;

/// The injector is looked at first once in so many turns.
const LOOK_OUTSIDE: u32 = 61;

/// So many tasks from the next slot in a row, and then one from the ring.
const IN_A_ROW: u32 = 16;

/// How long a thief waits between its two looks.
const NAP: Duration = Duration::from_micros(5);

/// Queues for each processor, and stealing between them.
#[derive(Debug)]
pub struct WorkStealing {
    rings: Box<[LocalQueue<Task>]>,
    injector: Injector<Task>,
    idle: Idle,
}

/// What the policy keeps with a processor, beside its ring.
#[derive(Debug)]
pub struct Local {
    next: Cell<Option<TaskRef>>,
    turn: Cell<u32>,
    in_a_row: Cell<u32>,
    random: RefCell<fastrand::Rng>,
}

// SAFETY: a task may be sent, and the rest is numbers.
unsafe impl Send for Local {}

impl WorkStealing {
    /// For so many processors.
    pub fn new(processors: usize) -> Self {
        WorkStealing {
            rings: (0..processors).map(|_| LocalQueue::new()).collect(),
            injector: Injector::new(),
            idle: Idle::new(),
        }
    }

    fn ring(&self, of: &Processor<Self>) -> &LocalQueue<Task> {
        &self.rings[of.index()]
    }

    /// Puts a task behind the others of this processor.
    fn push(&self, on: &Processor<Self>, task: TaskRef) {
        if let Err(overflow) = self.ring(on).push(pointer(task)) {
            self.injector.push(overflow.tasks.into_iter().map(task_of));
        }
    }

    // ANCHOR: search
    /// Looks into the injector and into the others' rings.
    fn search(&self, on: &Processor<Self>) -> Option<TaskRef> {
        if let Some(task) = self.from_injector(on) {
            return Some(task);
        }
        let count = self.rings.len();
        let ends: Vec<u32> = self.rings.iter().map(LocalQueue::end).collect();
        if self.rings.iter().all(|ring| ring.len() == 0) {
            return None;
        }
        thread::sleep(NAP);
        let start = on.local().random.borrow_mut().usize(..count);
        let victims = (0..count).map(|n| (start + n) % count);
        let mut victims = victims.filter(|victim| *victim != on.index());
        victims.find_map(|victim| {
            let stolen = self.rings[victim].steal_into(self.ring(on), ends[victim]);
            stolen.map(task_of)
        })
    }
    // ANCHOR_END: search

    // ANCHOR: from_injector
    /// One task from the injector, and its share of the others for its own ring.
    fn from_injector(&self, on: &Processor<Self>) -> Option<TaskRef> {
        let share = self.injector.len() / self.rings.len();
        let room = crate::local_queue::CAPACITY / 2;
        let ring = self.ring(on);
        let more = share.min((room.saturating_sub(ring.len())) as usize);
        self.injector.pop(more, |task| {
            if let Err(overflow) = ring.push(pointer(task)) {
                unreachable!("there was room for {:?}", overflow.tasks.len());
            }
        })
    }
    // ANCHOR_END: from_injector

    // ANCHOR: from_own
    fn from_own(&self, on: &Processor<Self>) -> Option<TaskRef> {
        let local = on.local();
        if local.in_a_row.get() < IN_A_ROW
            && let Some(task) = local.next.take()
        {
            local.in_a_row.set(local.in_a_row.get() + 1);
            return Some(task);
        }
        local.in_a_row.set(0);
        let task = self.ring(on).pop().map(task_of);
        task.or_else(|| local.next.take())
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
            next: Cell::new(None),
            turn: Cell::new(0),
            in_a_row: Cell::new(0),
            random: RefCell::new(fastrand::Rng::with_seed(index as u64)),
        }
    }

    // ANCHOR: ready
    fn ready(&self, task: TaskRef, from: Option<&Processor<Self>>, why: Why) {
        let Some(on) = from else {
            self.injector.push([task]);
            return self.idle.task_is_ready();
        };
        match why {
            Why::Unpark | Why::Timer => {
                if let Some(before) = on.local().next.replace(Some(task)) {
                    self.push(on, before);
                    self.idle.task_is_ready();
                }
            }
            Why::Spawn | Why::Join | Why::Yield | Why::Inject => {
                self.push(on, task);
                if why != Why::Yield {
                    self.idle.task_is_ready();
                }
            }
        }
    }
    // ANCHOR_END: ready

    // ANCHOR: try_next
    fn try_next(&self, on: &Processor<Self>) -> Option<TaskRef> {
        let local = on.local();
        let turn = local.turn.get().wrapping_add(1);
        local.turn.set(turn);
        if turn.is_multiple_of(LOOK_OUTSIDE)
            && let Some(task) = self.injector.pop(0, |_| ())
        {
            return Some(task);
        }
        self.from_own(on).or_else(|| self.from_injector(on))
    }
    // ANCHOR_END: try_next

    // ANCHOR: idle
    fn idle(&self, on: &Processor<Self>, until: Option<Instant>) {
        self.idle.start_searching();
        if let Some(task) = self.search(on) {
            on.local().next.set(Some(task));
            return self.idle.found();
        }
        if self.idle.stop_searching() && self.anything() {
            self.idle.get_up();
            return self.idle.found();
        }
        if !self.idle.sleep(until) {
            self.idle.get_up();
        }
        // A searcher now. It looks in `try_next`, and comes back here if there is nothing.
        self.idle.found();
    }
    // ANCHOR_END: idle

    fn wake_one(&self) {
        self.idle.nudge();
    }

    fn wake_all(&self) {
        self.idle.close();
    }

    fn open(&self) {
        self.idle.open();
    }
}

impl WorkStealing {
    fn anything(&self) -> bool {
        !self.injector.is_empty() || self.rings.iter().any(|ring| ring.len() > 0)
    }
}
