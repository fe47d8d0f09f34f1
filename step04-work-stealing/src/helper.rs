//! Helpers: ordinary tasks that steal jobs from those who fork, and do them.
//!
//! # Who steals
//!
//! A job has no stack and is in no run queue. A worker that has nothing to do would have to know of deques, and of a
//! second kind of work, to find one. It does not: *who forks spawns a task*, a helper, as one would spawn any other.
//! It lands in a run queue; a sleeping worker is woken for it, or an idle one steals it; and when it runs, on a stack of its
//! own, it looks through the deques of all who fork, and does what it finds. So the policy knows nothing of fork and join,
//! and a job may do all that a task may: park, spawn, sleep, fork.
//!
//! A helper is a *token*: it says "there is work that can be stolen", and one is enough. As long as one looks, or waits in
//! a queue to begin, nobody spawns another: the same thought as in `idle.rs`, where one searching worker is enough. A
//! helper that has found a job no longer looks; then the next fork, perhaps inside of that job, spawns another. So they
//! come one after the other, as long as there is something to steal, and each fork pays one load of a number.
//!
//! # When a helper ends
//!
//! After a job it gives the tasks a turn that the job has woken, and looks again. It ends if it has found nothing for
//! [`PATIENCE`]; if more tasks wait in run queues than there are helpers among them, since those are as entitled to its
//! worker as the jobs are; and at once if it begins when nobody forks any more.
//!
//! # What a missed wake-up costs
//!
//! A fork may come just when the last helper has stopped looking, and not see that. Then its job is not stolen, until the
//! next fork. Nothing waits for a helper: who joins does the job himself. So the number is read and written relaxed, with
//! no fence, and what is lost is some of the parallelism, and never a job.
//!
//! # The end of a runtime
//!
//! Tasks are unwound by their numbers, the largest first, since who has a larger one may borrow from who has a smaller one.
//! A helper that has stolen a job borrows from the stack of its victim, who may have been there before the helper or be
//! newer. So the helper *renumbers itself* above its victim, before it touches the job. It may: between two jobs it
//! borrows from nobody, and nobody from it. (And for this reason a task that waits for a stolen job does not steal in
//! the meantime, as rayon's threads do: it has frames that others borrow from.)

use std::cell::Cell;
use std::fmt;
use std::hint;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use step01::Job;
use step03::above;
use step03::runtime::yield_now;

use crate::chase_lev::Steal;
use crate::registry::Registry;
use crate::stealing::WorkStealing;
use crate::task_deque::{How, JobHeader, Lent, TaskDeque};

/// How long a helper looks without finding anything. About what it costs to put a worker to sleep and to wake it.
const PATIENCE: Duration = Duration::from_micros(50);

/// How many turns of an empty loop, each some ten nanoseconds, a helper waits between two looks that find nothing.
const BREATH: u32 = 32;

/// The most deques that a helper looks at before it looks at the clock.
const LOOKS: usize = 64;

/// What a runtime keeps for fork and join.
pub(crate) struct Forks {
    pub(crate) deques: Registry<TaskDeque>,
    /// Helpers that look for jobs, or wait in a run queue to begin.
    looking: AtomicUsize,
    /// Helpers that wait in a run queue to begin.
    queued: AtomicUsize,
}

impl Forks {
    /// For so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Forks {
            deques: Registry::new(),
            // Where there is only one worker nobody could help it. One that never comes keeps others away.
            looking: AtomicUsize::new(usize::from(workers == 1)),
            queued: AtomicUsize::new(0),
        }
    }

    // ANCHOR: want_help
    /// Spawns a helper if none looks. Called by a task of the runtime with this policy.
    #[inline]
    pub(crate) fn want_help(&self, policy: &WorkStealing) {
        // Relaxed: see "what a missed wake-up costs".
        if self.looking.load(Relaxed) == 0 {
            self.spawn_helper(policy);
        }
    }

    #[cold]
    #[inline(never)]
    fn spawn_helper(&self, policy: &WorkStealing) {
        // Relaxed, here and below: numbers, which order nothing.
        if self
            .looking
            .compare_exchange(0, 1, Relaxed, Relaxed)
            .is_err()
        {
            return;
        }
        self.queued.fetch_add(1, Relaxed);
        let place = Place {
            policy: NonNull::from(policy),
            state: Cell::new(State::Queued),
        };
        let (job, _) = Job::new(move || help(place), Location::caller());
        // If it is refused, for want of stacks or because the runtime is ending, `place` was dropped with it.
        let _ = above::start(job);
    }
    // ANCHOR_END: want_help

    /// Looks through the deques for a job, from a random one on.
    fn steal(&self, random: &mut fastrand::Rng) -> Option<NonNull<JobHeader>> {
        let all = self.deques.all();
        let start = random.usize(..all.len().max(1));
        let (before, after) = all.split_at(start.min(all.len()));
        for deque in after.iter().chain(before).take(LOOKS) {
            // SAFETY: deques live as long as the runtime, and this is called by a task of it.
            let jobs = unsafe { deque.as_ref() }.jobs();
            while !jobs.seems_empty() {
                match jobs.steal() {
                    Steal::Taken(job) => return Some(job),
                    Steal::Empty => break,
                    Steal::Lost => {} // somebody else was lucky
                }
            }
        }
        None
    }
}

impl fmt::Debug for Forks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forks")
            .field("looking", &self.looking)
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}

/// A helper's place among those that are counted.
struct Place {
    policy: NonNull<WorkStealing>,
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits in a run queue to begin.
    Queued,
    Looks,
    /// Does a job, or has ended: it is not counted.
    Works,
}

// SAFETY: the policy is shared by all workers, and outlives all tasks.
unsafe impl Send for Place {}

impl Place {
    fn policy(&self) -> &WorkStealing {
        // SAFETY: as above.
        unsafe { self.policy.as_ref() }
    }

    fn now(&self, state: State) {
        let before = self.state.replace(state);
        let forks = &self.policy().forks;
        if before == State::Queued {
            forks.queued.fetch_sub(1, Relaxed);
        }
        match (before, state) {
            (State::Works, State::Looks) => forks.looking.fetch_add(1, Relaxed),
            (State::Queued | State::Looks, State::Works) => forks.looking.fetch_sub(1, Relaxed),
            _ => 0,
        };
    }

    /// Whether more tasks wait for a worker than there are helpers among them.
    fn others_wait(&self) -> bool {
        self.policy().waiting() > self.policy().forks.queued.load(Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.now(State::Works);
    }
}

// ANCHOR: help
/// What a helper does.
fn help(place: Place) {
    place.now(State::Looks);
    let forks = &place.policy().forks;
    if forks.deques.lent() == 0 {
        return; // nobody forks any more
    }
    let Some(own) = Lent::take() else { return };
    let mut random = fastrand::Rng::with_seed(above::number());
    let mut last_luck = Instant::now();
    let level = own.level();
    loop {
        if let Some(job) = forks.steal(&mut random) {
            place.now(State::Works);
            // SAFETY: we have taken it out, and so are the one who calls it. What it leaves in our own deque is ours to do.
            unsafe {
                (job.as_ref().call)(job, How::RunStolen);
                own.empty_down_to(level);
            }
            if above::ended() {
                return;
            }
            yield_now(); // whom the job has woken, its joiner perhaps, goes first
            place.now(State::Looks);
            last_luck = Instant::now();
        } else if last_luck.elapsed() > PATIENCE || place.others_wait() {
            return;
        } else {
            // A look reads what the owner of a deque writes at each fork, and makes that dearer for him. So not too often.
            (0..BREATH).for_each(|_| hint::spin_loop());
        }
    }
}
// ANCHOR_END: help
