//! What it costs to change from one task to another.
//!
//! Timed: two tasks on one worker that do nothing but yield, from the moment both are running until both have counted
//! to the end. Every yield is one switch.
//! Checked: both tasks finish, each having yielded as often as it was told to; and, so that a yield which does not
//! switch cannot look fast, how often the turn really changed is counted in an untimed round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use step01::Runtime;

use super::{budget, fill, joined};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};

const METRICS: &[MetricInfo] = &[
    headline("ns_per_switch", "one switch", "ns", Better::Lower),
    detail(
        "turns_changed",
        "yields after which the other task ran",
        "%",
        Better::Higher,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "switch",
    title: "Context switch: yield between two tasks",
    group: Group::Seed,
    explain: "Two tasks share one worker and do nothing but yield to each other. The elapsed time is divided by the \
              number of yields. Where a task is a thread, the process is held on one core, so that a yield has to give \
              the core to the other thread. In a second, untimed round each yield is checked: did the other task run? \
              This is what every wait in your program costs at the least.",
    metrics: METRICS,
    workers: WorkersWanted::One,
    stack: StackWanted::Default,
    default_reps: 5,
    cost: 0.4,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let fewest = params.size.pick(50, 1_000, 1_000, 1_000);
    let (each, elapsed) = fill(budget(params.size), fewest, |each| {
        rt.run(|| round(rt, each))
    })?;
    let yields = 2 * each;
    let changed = rt.run(|| turns_changed(rt, fewest))?;
    Ok(Outcome::Measured(vec![
        Sample::noted(
            &METRICS[0],
            elapsed.as_nanos() as f64 / yields as f64,
            format!("{yields} yields"),
        ),
        Sample::new(&METRICS[1], changed * 100.0),
    ]))
}

/// Two tasks, `each` yields each. Both wait for the other's start, so that neither yields to nobody.
fn round<R: Runtime>(rt: &R, each: u64) -> Result<Duration, String> {
    let here = Arc::new(AtomicUsize::new(0));
    let spawn = || {
        let (rt2, here) = (rt.clone(), here.clone());
        rt.spawn(move || {
            here.fetch_add(1, Relaxed);
            while here.load(Relaxed) < 2 {
                rt2.yield_now();
            }
            let start = Instant::now();
            for _ in 0..each {
                rt2.yield_now();
            }
            (start, Instant::now())
        })
    };
    let (a, b) = (spawn(), spawn());
    let (start_a, end_a) = joined(a)?;
    let (start_b, end_b) = joined(b)?;
    Ok(end_a.max(end_b) - start_a.min(start_b))
}

/// The share of yields after which the other task had run.
fn turns_changed<R: Runtime>(rt: &R, each: u64) -> Result<f64, String> {
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let spawn = |me: usize| {
        let (rt2, counts) = (rt.clone(), counts.clone());
        rt.spawn(move || {
            let other = &counts[1 - me];
            counts[me].fetch_add(1, Relaxed);
            while other.load(Relaxed) == 0 {
                rt2.yield_now();
            }
            let mut changed = 0;
            let mut before = other.load(Relaxed);
            for _ in 0..each {
                counts[me].fetch_add(1, Relaxed);
                rt2.yield_now();
                let after = other.load(Relaxed);
                changed += u64::from(after != before);
                before = after;
            }
            changed
        })
    };
    let (a, b) = (spawn(0), spawn(1));
    let changed = joined(a)? + joined(b)?;
    Ok(changed as f64 / (2 * each) as f64)
}
