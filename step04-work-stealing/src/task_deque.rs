//! The deque that a task has while it forks, and the jobs that lie in it.
//!
//! # The deque goes with the stack
//!
//! rayon has a deque for each thread. A task of ours may park in the middle of a fork and go on, with all its frames, on
//! another worker; what its frames have pushed would be left in the deque of the first one, in the middle of what other
//! tasks push there. So here a deque belongs to a *task*: the outermost `join` or `scope` borrows one from the runtime's
//! [`Registry`](crate::registry::Registry), leaves its address in the task's slot (`step03::above`), and gives it back when it ends. All that is
//! nested in it uses the same one. On a deque that only the frames of one stack use, pushes and pops are nested as the
//! frames are, wherever the task runs: a frame finds its own job at the end, or it was stolen.
//!
//! # Who touches what
//!
//! `jobs` has an owner's end and a thieves' end, see `chase_lev.rs`; the owner is the borrowing task. The cells are written
//! when the deque is lent, and by a helper between two jobs. They are read by the borrowing task, and by one who has
//! stolen a job of a frame that waits for it. Such a frame ends after the thief has said that he is done, and so does
//! the loan.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use step01::{Unparker, park};
use step03::above;

use crate::chase_lev::Deque;
use crate::stealing::WorkStealing;

/// So many jobs fit before the deque has to grow: more than the depth of most recursions.
const ROOM: usize = 64;

/// What is to be done with a job that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By the task in whose deque it was.
    Run,
    /// By a helper, which has just stolen it.
    RunStolen,
    /// Not at all: the task is being ended by its runtime.
    Drop,
}

/// The beginning of every job: how to do it. A deque holds pointers to these.
#[derive(Debug)]
pub(crate) struct JobHeader {
    /// Called once, by whoever has taken the job out. It does not panic, and the job may be gone when it returns.
    pub(crate) call: unsafe fn(NonNull<JobHeader>, How),
}

/// A deque, and whose it is.
pub(crate) struct TaskDeque {
    jobs: Deque<JobHeader>,
    policy: Cell<*const WorkStealing>,
    owner: Cell<Option<Unparker>>,
    /// The owner's number: who borrows from the owner's stack has to have a larger one.
    number: Cell<u64>,
}

// SAFETY: see "who touches what". A job is pushed by those alone who may hand it to another thread.
unsafe impl Send for TaskDeque {}
// SAFETY: as above.
unsafe impl Sync for TaskDeque {}

impl TaskDeque {
    pub(crate) fn new() -> Self {
        TaskDeque {
            jobs: Deque::starting_at(0, ROOM),
            policy: Cell::new(ptr::null()),
            owner: Cell::new(None),
            number: Cell::new(0),
        }
    }

    /// The deque of the calling task; null if it has none at the moment, or if no task calls.
    ///
    /// The frame that has borrowed it is still there when this returns, so it is good for all that is nested in it, and
    /// stays the same one when the task goes on elsewhere.
    #[inline]
    pub(crate) fn here() -> *const TaskDeque {
        above::slot().cast()
    }

    /// The policy of the runtime whose task has borrowed it.
    #[inline]
    pub(crate) fn policy(&self) -> &WorkStealing {
        // SAFETY: it was written when the deque was lent, and the policy outlives all tasks.
        unsafe { &*self.policy.get() }
    }

    /// Who waits for jobs of this deque.
    pub(crate) fn owner(&self) -> Unparker {
        self.owner.get().expect("written when the deque was lent")
    }

    pub(crate) fn number(&self) -> u64 {
        self.number.get()
    }

    /// For thieves.
    pub(crate) fn jobs(&self) -> &Deque<JobHeader> {
        &self.jobs
    }

    /// The borrower: leaves a job for whoever comes first, and sees to it that somebody looks for it.
    ///
    /// # Safety
    ///
    /// The calling task has borrowed the deque. The job may be called on any thread, and lives until it was.
    #[inline]
    pub(crate) unsafe fn push(&self, job: NonNull<JobHeader>) {
        // SAFETY: the caller's promise; a task runs on one thread at a time.
        unsafe { self.jobs.push(job) };
        self.policy().forks.want_help(self.policy());
    }

    /// The borrower: takes its newest job back.
    ///
    /// # Safety
    ///
    /// The calling task has borrowed the deque.
    #[inline]
    pub(crate) unsafe fn pop(&self) -> Option<NonNull<JobHeader>> {
        // SAFETY: the caller's promise.
        unsafe { self.jobs.pop() }
    }

    /// The borrower: where its end is, for [`TaskDeque::empty_down_to`].
    #[inline]
    pub(crate) fn level(&self) -> usize {
        self.jobs.level()
    }

    /// The borrower: does all jobs that were pushed since its end was at `level`, and are still there, the newest first.
    ///
    /// # Safety
    ///
    /// The calling task has borrowed the deque.
    pub(crate) unsafe fn empty_down_to(&self, level: usize) {
        // SAFETY: the caller's promise.
        while let Some(job) = unsafe { self.jobs.pop_above(level) } {
            // SAFETY: it was taken out just now.
            unsafe { do_it(job) };
        }
    }
}

/// Does a job of one's own; or drops it, if the task is being ended: then nobody should begin anything.
///
/// # Safety
///
/// The caller has taken the job out of a deque.
pub(crate) unsafe fn do_it(job: NonNull<JobHeader>) {
    let how = match above::ended() {
        true => How::Drop,
        false => How::Run,
    };
    // SAFETY: it lives until it was called.
    unsafe { (job.as_ref().call)(job, how) }
}

/// Has the calling helper unwound before the task of this number, if the runtime ends: it is about to borrow from that
/// task's stack.
pub(crate) fn follow(number: u64) {
    let own = above::end_before(number);
    // SAFETY: null, or borrowed by a frame that is still there.
    if let Some(deque) = unsafe { TaskDeque::here().as_ref() } {
        deque.number.set(own);
    }
}

// ANCHOR: lent
/// A deque that the calling task has borrowed. It stays in the task's slot until this is dropped.
pub(crate) struct Lent {
    deque: NonNull<TaskDeque>,
}

impl Lent {
    /// For a task that has none. None if no task of this step's calls, or one that could not park any more.
    pub(crate) fn take() -> Option<Lent> {
        let policy = above::layer::<WorkStealing>()?;
        // SAFETY: it is good as long as the task is.
        let deque = unsafe { policy.as_ref() }.forks.deques.lend(TaskDeque::new);
        deque.policy.set(policy.as_ptr());
        deque.owner.set(Some(park::current()));
        deque.number.set(above::number());
        above::set_slot(ptr::from_ref(deque).cast());
        Some(Lent {
            deque: NonNull::from(deque),
        })
    }
}

impl Deref for Lent {
    type Target = TaskDeque;

    fn deref(&self) -> &TaskDeque {
        // SAFETY: deques live as long as the runtime.
        unsafe { self.deque.as_ref() }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        debug_assert!(self.jobs.seems_empty(), "every frame takes its jobs back");
        above::set_slot(ptr::null());
        self.policy().forks.deques.give_back(self);
    }
}
// ANCHOR_END: lent

impl fmt::Debug for TaskDeque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskDeque").finish_non_exhaustive()
    }
}
