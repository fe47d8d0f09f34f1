//! A runtime in which one task moves at a time, and which tries every order.
//!
//! Each task is an OS thread, but only one of them runs; the others wait for their turn. A turn ends where the running
//! task parks, ends, yields, or is about to do something that other tasks can see (a [`point`]: a lock, a look at a
//! shared word). There the runtime chooses who goes on. A *scenario* is a closure that builds something, spawns tasks and
//! checks what came of it; [`every_order`] runs it again and again, each time with other choices, until none is left.
//!
//! It hangs from the seam that all stages hang from: it installs a parker (`step01::park::install`) in its threads. So
//! it sees every park and every unpark of channels, locks and join handles, knows when everybody waits for everybody,
//! and can wake a task for no reason, as the contract of `park` allows, to see whether it looks again.
//!
//! # What it does not see
//!
//! Memory is as one expects it: each write is seen by all at once. What a weaker memory does is loom's subject. And a
//! task that goes round in a loop without ever coming to a point keeps its turn; after a minute a watchdog says so.
//!
//! # How the orders are found
//!
//! Depth first: a run notes at each choice how many ways there were and which was taken; the next run takes the same
//! ways up to the last choice that has another one left. Taking the turn away from a task that could go on costs one
//! *preemption*. Runs without any come first, then those with one, and so on, so that the first order that fails is also
//! one of the simplest. Most bugs of this kind need two at most (Musuvathi and Qadeer, *Iterative Context Bounding*,
//! 2007).

mod plan;
mod world;

use std::sync::Arc;
use std::time::Duration;

use step01::net::StdNet;
use step01::{Job, Runtime, SpawnError};

use plan::Plan;
pub(crate) use world::note;
pub use world::point;
use world::{Outcome, World};

/// The runtime, as a scenario gets it. Clones mean the same run.
///
/// `sleep` does not sleep: among all orders are those in which a sleep takes long, so it only yields. The sockets are
/// std's and block the thread that has the turn, so scenarios do without.
#[derive(Clone, Debug)]
pub struct Turns {
    world: Arc<World>,
}

impl Runtime for Turns {
    type Net = StdNet;

    fn name(&self) -> &'static str {
        "turns"
    }

    /// Calls `main` where it is: the scenario is the first task already.
    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        main()
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        self.world.start(None, job);
        Ok(())
    }

    fn yield_now(&self) {
        self.world.yield_now();
    }

    fn sleep(&self, _: Duration) {
        self.world.yield_now();
    }

    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        f()
    }

    fn net(&self) -> &StdNet {
        &StdNet
    }
}

impl Turns {
    /// [`Runtime::spawn`] for a task with a name, which reports and schedules use.
    #[track_caller]
    pub fn spawn_named<T, F>(&self, name: &str, f: F) -> step01::JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, handle) = Job::new(f, std::panic::Location::caller());
        self.world.start(Some(name), job);
        handle
    }

    /// Lets all other tasks go on until each of them is parked or has ended. Returns when nobody else can move.
    pub fn settle(&self) {
        self.world.settle();
    }
}

/// How thoroughly to look. [`every_order`] is this with the defaults.
#[derive(Clone, Debug)]
pub struct Explore {
    preemptions: usize,
    wake_ups: usize,
    at_most: usize,
}

impl Default for Explore {
    fn default() -> Self {
        Explore {
            preemptions: 2,
            wake_ups: 0,
            at_most: 20_000,
        }
    }
}

impl Explore {
    /// How often a run may take the turn away from a task that could go on.
    pub fn preemptions(self, preemptions: usize) -> Self {
        Explore {
            preemptions,
            ..self
        }
    }

    /// How often a run may wake a parked task for no reason.
    pub fn wake_ups_for_no_reason(self, wake_ups: usize) -> Self {
        Explore { wake_ups, ..self }
    }

    /// Runs `scenario` in every order within these bounds, and returns how many there were.
    ///
    /// # Panics
    ///
    /// If in some order the scenario panics, or everybody waits, or a task goes round for ever. The message is the
    /// order, turn by turn.
    pub fn run<F>(self, scenario: F) -> usize
    where
        F: Fn(&Turns) + Send + Sync + 'static,
    {
        let scenario: Arc<dyn Fn(&Turns) + Send + Sync> = Arc::new(scenario);
        if let Some((preemptions, ways)) = plan::from_environment() {
            let plan = Plan::replay(ways, preemptions, self.wake_ups);
            let (outcome, _) = one_run(&scenario, plan);
            match outcome {
                Outcome::Finished(log) => println!("In this order nothing goes wrong:\n{log}"),
                Outcome::Failed(report) => panic!("{report}"),
            }
            return 1;
        }
        let mut orders = 0;
        for preemptions in 0..=self.preemptions {
            let mut plan = Plan::first(preemptions, self.wake_ups);
            loop {
                let (outcome, ran) = one_run(&scenario, plan);
                orders += 1;
                if let Outcome::Failed(report) = outcome {
                    panic!("{report}\n{}", ran.how_to_replay());
                }
                match ran.next() {
                    Some(next) if orders < self.at_most => plan = next,
                    _ => break,
                }
            }
        }
        println!("{orders} orders tried");
        orders
    }
}

/// Runs `scenario` in every order in which its tasks can take turns, with at most two preemptions, and returns how many
/// there were.
///
/// # Panics
///
/// As [`Explore::run`].
pub fn every_order<F>(scenario: F) -> usize
where
    F: Fn(&Turns) + Send + Sync + 'static,
{
    Explore::default().run(scenario)
}

/// How a run along a given schedule ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Everybody came to the end. With the turns as they were taken.
    Finished(String),
    /// It went wrong: the report that [`Explore::run`] would panic with.
    Failed(String),
}

/// Runs `scenario` once, with the turns given out as `schedule` says: each entry names the task that takes the next step
/// that others can see. When the schedule is used up, tasks go on in the order in which they were spawned.
///
/// # Panics
///
/// If the schedule names a task that cannot move at that moment.
pub fn follow<F>(schedule: &[&str], scenario: F) -> Followed
where
    F: Fn(&Turns) + Send + Sync + 'static,
{
    let scenario: Arc<dyn Fn(&Turns) + Send + Sync> = Arc::new(scenario);
    let names = schedule.iter().map(|name| (*name).to_owned()).collect();
    let (outcome, plan) = one_run(&scenario, Plan::follow(names));
    if let Some(trouble) = plan.trouble() {
        let (Outcome::Finished(turns) | Outcome::Failed(turns)) = outcome;
        panic!("{trouble}\nWithout it, it goes like this:\n{turns}");
    }
    match outcome {
        Outcome::Finished(log) => Followed::Finished(log),
        Outcome::Failed(report) => Followed::Failed(report),
    }
}

fn one_run(scenario: &Arc<dyn Fn(&Turns) + Send + Sync>, plan: Plan) -> (Outcome, Plan) {
    let world = World::new(plan);
    let turns = Turns {
        world: world.clone(),
    };
    let scenario = scenario.clone();
    world.run_main(move || scenario(&turns))
}
