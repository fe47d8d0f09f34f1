//! Virtual workers, virtual time, and the real policy.
//!
//! Which task is found where is decided by the policy itself, the very type that the runtime is built with, through
//! [`Drive`]: its rings and their overflow, its injector, its choice of victims and what a thief takes. What is made up is
//! the time that each step takes ([`Costs`]), and who sleeps: a worker that finds nothing sleeps, and is woken by the rule
//! of its policy.
//!
//! Time is a heap of events, each of a worker that is about to do its next step. Steps happen in the order of their
//! times, and at the same time in the order in which they were planned, so a run is a function of what goes into it.
//!
//! A lock is a moment from which on it is free. Whoever comes earlier waits, and if somebody else had it last, the cache
//! line has to cross first. That is all that contention is here: no threads that sleep on the lock, no lines that several
//! cores fight for while they wait. So a real shared queue does worse than this one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use step03::drive::Drive;
use step03::{GlobalQueue, Policy, Why};
use step04::WorkStealing;

use super::costs::Costs;

/// Whose rules the workers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Step 3: one queue under one lock.
    Shared,
    /// Step 4: a queue each, and stealing.
    Stealing,
}

impl Kind {
    /// Both, in the order of the book.
    pub(super) const ALL: [Kind; 2] = [Kind::Shared, Kind::Stealing];

    /// The stage that it is of.
    pub(super) fn stage(self) -> &'static str {
        match self {
            Kind::Shared => "step03",
            Kind::Stealing => "step04",
        }
    }
}

/// What the tasks are: one task spawns all the others, each of which computes for a while.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// How long each computes, in nanoseconds.
    pub(super) work: Vec<f64>,
}

impl Program {
    /// So many tasks of about so long: between a half and one and a half times, as the seed says.
    pub(super) fn of(tasks: usize, work: f64, seed: u64) -> Program {
        let mut random = seed;
        let mut draw = || {
            // splitmix64: a few lines, and the same on every machine and for ever.
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        Program {
            work: (0..tasks).map(|_| work * (0.5 + draw())).collect(),
        }
    }

    /// What a plain loop would take.
    pub(super) fn in_a_loop(&self) -> f64 {
        self.work.iter().sum()
    }
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// From the first step until the last task has ended, in nanoseconds.
    pub(super) makespan: f64,
    /// How much of all workers' time was spent on waiting for the lock, from 0 to 1.
    pub(super) waiting: f64,
    /// How many times a worker that had nothing looked into the others' queues.
    pub(super) searches: u64,
}

/// Runs a program on so many workers.
pub(super) fn run(kind: Kind, workers: usize, program: &Program, costs: &Costs) -> Run {
    match kind {
        Kind::Shared => Engine::new(
            kind,
            Drive::new(workers, |_| GlobalQueue::new()),
            program,
            costs,
        )
        .run(),
        Kind::Stealing => {
            Engine::new(kind, Drive::new(workers, WorkStealing::new), program, costs).run()
        }
    }
}

/// What a worker is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// To look for a task.
    Look,
    /// To go on with the spawner, which spawns this task next.
    Spawn(usize),
}

struct Engine<'a, P: Policy> {
    kind: Kind,
    drive: Drive<P>,
    program: &'a Program,
    costs: &'a Costs,
    /// Time in whole picoseconds, which can be ordered; then the number of the event.
    events: BinaryHeap<Reverse<(u64, u64, usize, Step)>>,
    planned: u64,
    lock: Lock,
    asleep: Vec<usize>,
    /// Workers that were woken, or search, and have found nothing yet.
    searching: usize,
    is_searching: Vec<bool>,
    ended: usize,
    makespan: f64,
    searches: u64,
}

/// A lock, and the line that it lies in.
#[derive(Default)]
struct Lock {
    free_at: f64,
    last: Option<usize>,
    waited: f64,
}

impl Lock {
    /// Takes and releases it; returns when that is done.
    fn pass(&mut self, now: f64, worker: usize, costs: &Costs) -> f64 {
        let begin = now.max(self.free_at);
        self.waited += begin - now;
        let fetch = match self.last.replace(worker) {
            Some(last) if last != worker => costs.crossing,
            _ => 0.0,
        };
        self.free_at = begin + fetch + costs.lock;
        self.free_at
    }
}

/// The spawner is the task of this index; the others follow.
const SPAWNER: usize = 0;

impl<'a, P: Policy> Engine<'a, P> {
    fn new(kind: Kind, mut drive: Drive<P>, program: &'a Program, costs: &'a Costs) -> Self {
        for _ in 0..=program.work.len() {
            drive.add_task();
        }
        let workers = drive.processors();
        drive.ready(SPAWNER, Some(0), Why::Spawn);
        let mut engine = Engine {
            kind,
            drive,
            program,
            costs,
            events: BinaryHeap::new(),
            planned: 0,
            lock: Lock::default(),
            // The first worker begins, the others sleep; the one that slept last is woken first.
            asleep: (1..workers).rev().collect(),
            searching: 0,
            is_searching: vec![false; workers],
            ended: 0,
            makespan: 0.0,
            searches: 0,
        };
        engine.plan(0.0, 0, Step::Look);
        engine
    }

    fn plan(&mut self, at: f64, worker: usize, step: Step) {
        self.planned += 1;
        self.events
            .push(Reverse(((at * 1e3) as u64, self.planned, worker, step)));
    }

    fn run(mut self) -> Run {
        while let Some(Reverse((picoseconds, _, worker, step))) = self.events.pop() {
            let now = picoseconds as f64 / 1e3;
            match step {
                Step::Look => self.look(now, worker),
                Step::Spawn(task) => self.spawn(now, worker, task),
            }
        }
        assert_eq!(
            self.ended,
            self.program.work.len() + 1,
            "every task was found and has ended"
        );
        let all = self.makespan * self.drive.processors() as f64;
        Run {
            makespan: self.makespan,
            waiting: self.lock.waited / all,
            searches: self.searches,
        }
    }

    fn look(&mut self, now: f64, worker: usize) {
        let mut now = match self.kind {
            Kind::Shared => self.lock.pass(now, worker, self.costs),
            Kind::Stealing => now,
        };
        let mut found = self.drive.try_next(worker);
        if found.is_none() && self.kind == Kind::Stealing {
            self.searches += 1;
            self.start_searching(worker);
            // Two looks at the victim's end of its ring, a nap between them, and one exchange to take what is there.
            now += self.costs.nap + 3.0 * self.costs.crossing;
            self.drive.idle(worker);
            found = self.drive.try_next(worker);
        }
        let was_searching = std::mem::take(&mut self.is_searching[worker]);
        self.searching -= usize::from(was_searching);
        let Some(task) = found else {
            self.asleep.push(worker);
            return;
        };
        // The last one that searched and found something calls the next.
        if self.kind == Kind::Stealing && was_searching && self.searching == 0 {
            now = self.wake_one(now);
        }
        self.begin(now, worker, task);
    }

    fn begin(&mut self, now: f64, worker: usize, task: usize) {
        if task == SPAWNER {
            return self.plan(now + self.costs.task / 2.0, worker, Step::Spawn(1));
        }
        // Its header and closure were written by the spawner, on the first core.
        let fetch = if worker == 0 {
            0.0
        } else {
            self.costs.crossing
        };
        let end = now + fetch + self.costs.task / 2.0 + self.program.work[task - 1];
        self.ended(end);
        self.plan(end, worker, Step::Look);
    }

    fn ended(&mut self, at: f64) {
        self.ended += 1;
        self.makespan = self.makespan.max(at);
    }

    fn spawn(&mut self, now: f64, worker: usize, task: usize) {
        if task > self.program.work.len() {
            self.ended(now);
            return self.plan(now, worker, Step::Look);
        }
        let mut now = now + self.costs.task / 2.0;
        if self.kind == Kind::Shared {
            now = self.lock.pass(now, worker, self.costs);
        }
        self.drive.ready(task, Some(worker), Why::Spawn);
        // Step 3 wakes one for each task; step 4 only if nobody searches.
        if self.kind == Kind::Shared || self.searching == 0 {
            now = self.wake_one(now);
        }
        self.plan(now, worker, Step::Spawn(task + 1));
    }

    /// Wakes a sleeper, if there is one; returns when the caller goes on.
    fn wake_one(&mut self, now: f64) -> f64 {
        let Some(sleeper) = self.asleep.pop() else {
            return now;
        };
        self.start_searching(sleeper);
        self.plan(now + self.costs.wake, sleeper, Step::Look);
        now + self.costs.call
    }

    fn start_searching(&mut self, worker: usize) {
        if !std::mem::replace(&mut self.is_searching[worker], true) {
            self.searching += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs {
        task: 60.0,
        lock: 20.0,
        crossing: 100.0,
        nap: 60_000.0,
        call: 2_000.0,
        wake: 20_000.0,
    };

    fn speed_up(kind: Kind, workers: usize, program: &Program, costs: &Costs) -> f64 {
        program.in_a_loop() / run(kind, workers, program, costs).makespan
    }

    #[test]
    fn a_run_is_a_function_of_its_seed() {
        let once = |seed| {
            let program = Program::of(2_000, 5_000.0, seed);
            Kind::ALL.map(|kind| run(kind, 8, &program, &COSTS))
        };
        assert_eq!(once(1), once(1));
        assert_ne!(once(1), once(2));
    }

    #[test]
    fn one_worker_pays_for_its_tasks_and_waits_for_nobody() {
        let program = Program::of(1_000, 5_000.0, 1);
        for kind in Kind::ALL {
            let run = run(kind, 1, &program, &COSTS);
            let extra = run.makespan - program.in_a_loop();
            assert!(
                (0.0..=1_000.0 * (COSTS.task + 2.0 * COSTS.lock) + 100_000.0).contains(&extra),
                "{kind:?}: {extra}"
            );
            assert_eq!(run.waiting, 0.0, "{kind:?}");
        }
    }

    #[test]
    fn nobody_is_faster_than_his_share() {
        let program = Program::of(3_000, 5_000.0, 7);
        for kind in Kind::ALL {
            for workers in [1, 2, 5, 16] {
                let times = speed_up(kind, workers, &program, &COSTS);
                assert!(
                    times > 0.0 && times <= workers as f64,
                    "{kind:?} with {workers}: {times}"
                );
            }
        }
    }

    /// Where the lock is dear and tasks are short, the shared queue ends at what the lock lets through, whatever the number
    /// of workers; queues of one's own do not.
    #[test]
    fn the_lock_is_the_limit_of_the_shared_queue() {
        let costs = Costs {
            lock: 200.0,
            call: 0.0,
            wake: 0.0,
            ..COSTS
        };
        let program = Program::of(20_000, 5_000.0, 3);
        // Each task is two passes of the lock, each with a line to fetch where another worker had it last.
        let limit = 5_000.0 / (2.0 * costs.lock);
        let shared = |workers| speed_up(Kind::Shared, workers, &program, &costs);
        let stealing = |workers| speed_up(Kind::Stealing, workers, &program, &costs);
        assert!(shared(64) <= limit, "{} of {limit}", shared(64));
        assert!(
            shared(64) < 1.1 * shared(32),
            "it has stopped growing: {} {}",
            shared(32),
            shared(64)
        );
        assert!(
            stealing(32) > 1.5 * shared(32),
            "{} {}",
            stealing(32),
            shared(32)
        );
        assert!(run(Kind::Shared, 64, &program, &costs).waiting > 0.01);
        assert_eq!(run(Kind::Stealing, 64, &program, &costs).waiting, 0.0);
    }

    /// With more workers than the spawner can feed, the shared queue is empty again and again, and each spawn pays for a
    /// wake-up: more workers are slower. One that steals wakes the next by itself, and does not ask the spawner.
    #[test]
    fn workers_that_fall_asleep_make_the_spawner_of_the_shared_queue_pay() {
        let program = Program::of(4_000, 5_000.0, 1);
        let shared = |workers| speed_up(Kind::Shared, workers, &program, &COSTS);
        let stealing = |workers| speed_up(Kind::Stealing, workers, &program, &COSTS);
        assert!(shared(32) < shared(4), "{} {}", shared(4), shared(32));
        assert!(
            stealing(32) > stealing(4),
            "{} {}",
            stealing(4),
            stealing(32)
        );
    }

    /// Without prices both are as good as can be.
    #[test]
    fn where_nothing_costs_anything_nothing_is_lost() {
        let free = Costs {
            task: 0.0,
            lock: 0.0,
            crossing: 0.0,
            nap: 0.0,
            call: 0.0,
            wake: 0.0,
        };
        let program = Program::of(10_000, 5_000.0, 3);
        for kind in Kind::ALL {
            let times = speed_up(kind, 8, &program, &free);
            assert!(times > 7.5, "{kind:?}: {times}");
        }
    }
}
