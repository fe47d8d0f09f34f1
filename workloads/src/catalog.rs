//! What can be measured: one entry for each workload, and the call that runs one.
//!
//! One call of [`run`] is one repetition. It warms up, measures, checks the answers, and returns the numbers; who calls
//! it repeats it, each time in a fresh process, and takes the median. A wrong answer is an error and has no number.
//! A workload that the runtime cannot do is [`Outcome::Skipped`] with the reason, which is a result too.
//!
//! A new workload is a file in `measured/` and one line in the list at the end of this one.

use serde::{Deserialize, Serialize};
use step01::Runtime;

use crate::machine::Pinned;
use crate::measured;
use crate::side::Side;

/// Which part of the report a workload belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A row of the table "Goroutines against threads".
    Seed,
    /// One of the three real programs.
    Program,
    /// The same at several sizes: how something grows.
    Scaling,
    /// One of the other rows, measured on request.
    Full,
    /// Something that a runtime is made of, taken by itself. A stage that has it brings a measurement of its own, see
    /// [`raw_switch`]. Measured on request, and beside peers.
    Part,
}

/// How many workers a workload is made for, if the user does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkersWanted {
    /// One, on one core: see [`Params::workers`].
    One,
    /// One for each core of the machine.
    All,
    /// One, two, four and so on up to one for each core: it is measured with each of these numbers.
    Each,
}

impl WorkersWanted {
    /// The numbers of workers to measure with, where there are `all`, from the smallest.
    pub fn numbers(self, all: usize) -> Vec<usize> {
        let all = all.max(1);
        match self {
            WorkersWanted::One => vec![1],
            WorkersWanted::All => vec![all],
            WorkersWanted::Each => {
                let doubled = std::iter::successors(Some(1), |n| Some(n * 2));
                doubled.take_while(|n| *n < all).chain([all]).collect()
            }
        }
    }
}

/// Which stacks a workload is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackWanted {
    /// The stage's own default.
    Default,
    /// The smallest with which the tasks of this workload are safe: they are many, and do little.
    Small,
}

/// Which direction is an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Costs, latencies.
    Lower,
    /// Rates, counts.
    Higher,
}

/// One number that a workload measures.
#[derive(Clone, Copy, Debug)]
pub struct MetricInfo {
    /// The name in the JSON output: `"ns_per_task"`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The unit, as it is printed behind the value.
    pub unit: &'static str,
    /// Which direction is an improvement.
    pub better: Better,
    /// True for the one number that stands in the table.
    pub headline: bool,
    /// Along what it is measured, for a number that is measured at several places: see [`at`](Sample::at).
    pub along: Option<Axis>,
}

/// What a metric is measured along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it is, in a few words: `"tasks alive"`.
    pub title: &'static str,
    /// Its unit: `"tasks"`.
    pub unit: &'static str,
}

/// One workload.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The name on the command line and in the JSON output.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Where it is reported.
    pub group: Group,
    /// What is timed, what is checked, and why it matters.
    pub explain: &'static str,
    /// What it measures. The first is the headline.
    pub metrics: &'static [MetricInfo],
    /// How many workers it is made for.
    pub workers: WorkersWanted,
    /// Which stacks it is made for.
    pub stack: StackWanted,
    /// How often it is repeated, where nobody says otherwise.
    pub default_reps: u32,
    /// About how many seconds one repetition of [`Size::Default`] takes on one thread per task. For progress bars.
    pub cost: f64,
}

impl Info {
    /// The metric of this name.
    pub fn metric(&self, name: &str) -> Option<&'static MetricInfo> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The number that stands in the table.
    pub fn headline(&self) -> &'static MetricInfo {
        &self.metrics[0]
    }
}

/// How much of a workload to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// As little as still exercises everything and checks every answer. The numbers mean nothing.
    Test,
    /// Enough for a rough number.
    Quick,
    /// What the main job measures.
    Default,
    /// What the literature measures: a million tasks.
    Full,
}

impl Size {
    /// One of four values, by size.
    pub(crate) fn pick<T>(self, test: T, quick: T, default: T, full: T) -> T {
        match self {
            Size::Test => test,
            Size::Quick => quick,
            Size::Default => default,
            Size::Full => full,
        }
    }
}

/// How to run a workload.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    /// How much of it.
    pub size: Size,
    /// How many workers the runtime has. The calling thread, and what it starts, is held on as many cores, so that a
    /// number of workers means the same on every stage, also where each task has a thread of its own. What runs beside
    /// the measured program is not held.
    pub workers: usize,
    /// Where load clients and slow services run.
    pub side: Side,
}

/// What became of one repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran, every answer was right, and these are the numbers.
    Measured(Vec<Sample>),
    /// This runtime cannot do it.
    Skipped {
        /// Why not: what was tried, and which limit was met.
        reason: String,
    },
}

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The [`MetricInfo::name`].
    pub metric: String,
    /// The [`MetricInfo::unit`].
    pub unit: String,
    /// The value in that unit.
    pub value: f64,
    /// What must be known to read the number rightly, such as which limit ended a count.
    pub note: Option<String>,
    /// Where along the metric's [axis](MetricInfo::along) it was measured; none for a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
}

impl Sample {
    pub(crate) fn new(metric: &MetricInfo, value: f64) -> Self {
        Sample {
            metric: metric.name.to_owned(),
            unit: metric.unit.to_owned(),
            value,
            note: None,
            at: None,
        }
    }

    /// A number at a place of its metric's axis.
    pub(crate) fn placed(metric: &MetricInfo, at: f64, value: f64) -> Self {
        Sample {
            at: Some(at),
            ..Sample::new(metric, value)
        }
    }

    pub(crate) fn noted(metric: &MetricInfo, value: f64, note: impl Into<String>) -> Self {
        Sample {
            note: Some(note.into()),
            ..Sample::new(metric, value)
        }
    }
}

/// A metric for the table.
pub(crate) const fn headline(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
) -> MetricInfo {
    MetricInfo {
        name,
        title,
        unit,
        better,
        headline: true,
        along: None,
    }
}

/// A metric that stands behind the table.
pub(crate) const fn detail(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
) -> MetricInfo {
    MetricInfo {
        name,
        title,
        unit,
        better,
        headline: false,
        along: None,
    }
}

/// A metric that is measured at several places of an axis.
pub(crate) const fn curve(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    along: Axis,
) -> MetricInfo {
    MetricInfo {
        along: Some(along),
        ..detail(name, title, unit, better)
    }
}

/// Every workload, in the order of the report.
pub fn all() -> &'static [Info] {
    ALL
}

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Info> {
    ALL.iter().find(|info| info.name == name)
}

/// Runs one repetition of a workload. To be called from a plain OS thread, outside any runtime.
///
/// # Errors
///
/// A message for the user: there is no such workload, an answer was wrong, or the system refused something that the
/// workload needs.
pub fn run<R: Runtime>(name: &str, rt: &R, params: &Params) -> Result<Outcome, String> {
    let info = find(name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|info| info.name).collect();
        format!(
            "no workload is named {name:?}; there are: {}",
            names.join(", ")
        )
    })?;
    let _pinned = Pinned::to_cores(params.workers)
        .map_err(|e| format!("cannot hold the process on {} cores: {e}", params.workers))?;
    dispatch(info.name, rt, params)
}

/// Measures the workload `raw_switch` of one coroutine: `resume` resumes it with a number and returns the one that it
/// suspends itself with, which must be the same. For whoever has coroutines, a stage or a peer; [`run`] skips this
/// workload, since a runtime has no function to resume one. To be called from a plain OS thread, which is held on one core
/// meanwhile.
///
/// # Errors
///
/// A message for the user: another number came back, or the thread could not be held on its core.
pub fn raw_switch(params: &Params, resume: impl FnMut(u64) -> u64) -> Result<Outcome, String> {
    measured::raw_switch::measure(params, resume)
}

/// Fork and join without tasks, for whoever has it: see [`fork_join`].
pub trait ForkJoin: Sync {
    /// Calls `f` where forks are made: on a task of the runtime, on a thread of the pool.
    fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T;

    /// Calls both, perhaps at the same time.
    fn join<RA: Send, RB: Send>(
        &self,
        a: impl FnOnce() -> RA + Send,
        b: impl FnOnce() -> RB + Send,
    ) -> (RA, RB);

    /// Maps all elements and reduces the results, in pieces of about `grain` elements.
    fn map_reduce<T: Sync, R: Send>(
        &self,
        slice: &[T],
        grain: usize,
        map: impl Fn(&T) -> R + Send + Sync,
        reduce: impl Fn(R, R) -> R + Send + Sync,
    ) -> Option<R>;
}

/// Whether a workload is measured by [`fork_join`], where there is something to measure.
pub fn is_fork_join(name: &str) -> bool {
    ["join_fib", "join_all", "join_sum"].contains(&name)
}

/// Measures one of the workloads [that are about joins](is_fork_join). For whoever has one, a stage or a peer; [`run`]
/// skips them, since a runtime has no such function. `make` is called on a thread that is held on as many cores as there
/// are workers, and so are the threads that it starts. To be called from a plain OS thread.
///
/// # Errors
///
/// A message for the user: a result was wrong, `make` failed, or the thread could not be held on its cores.
pub fn fork_join<F: ForkJoin>(
    name: &str,
    params: &Params,
    make: impl FnOnce() -> Result<F, String>,
) -> Result<Outcome, String> {
    measured::fork_join::measure(name, params, make)
}

/// The list: where an entry is, and the function that runs it.
macro_rules! catalog {
    ($($module:ident :: $info:ident => $run:ident,)*) => {
        static ALL: &[Info] = &[$(measured::$module::$info),*];

        fn dispatch<R: Runtime>(name: &str, rt: &R, params: &Params) -> Result<Outcome, String> {
            $(
                if name == measured::$module::$info.name {
                    return measured::$module::$run(rt, params);
                }
            )*
            unreachable!("`run` has found {name} in the list that this function is made from")
        }
    };
}

catalog! {
    spawn_join::INFO => run,
    memory::INFO => run,
    switch::INFO => run,
    ping_pong::ONE => run,
    ping_pong::ALL => run,
    alive::INFO => run,
    blocking::BLOCKED => lateness,
    web_server::INFO => run,
    pipeline::INFO => run,
    fan_out::INFO => run,
    spawn_join::ONE => run,
    skynet::INFO => run,
    fan_in::INFO => run,
    sleepers::INFO => run,
    fib::SPAWN => spawn,
    fib::ALL => all,
    spread::INFO => run,
    echo::FEW => few,
    echo::MANY => many,
    blocking::DECLARED => declared,
    blocking::UNDECLARED => undeclared,
    hogs::INFO => run,
    raw_switch::INFO => run,
    fork_join::FIB => run,
    fork_join::ALL => run,
    fork_join::SUM => run,
    scale_tasks::INFO => run,
    scale_echo::INFO => run,
    scale_workers::INFO => run,
    scale_turns::INFO => run,
}
