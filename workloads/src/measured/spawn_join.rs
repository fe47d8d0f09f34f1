//! What it costs to create a task and to wait for its end.
//!
//! Timed: batches of 1,000 tasks, spawned one after the other by one task and then joined in the same order.
//! Checked: each task returns its own number, and the sum of what the joins return is right.

use std::time::Instant;

use step01::{JoinHandle, Runtime};

use super::{budget, joined, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, headline,
};

const METRICS: &[MetricInfo] = &[headline(
    "ns_per_task",
    "spawn and join one task",
    "ns",
    Better::Lower,
)];

pub(crate) const INFO: Info = Info {
    name: "spawn_join",
    title: "Creation: spawn and join a task",
    group: Group::Seed,
    explain: "One task spawns 1,000 tasks that return at once, then joins them all, again and again. The time of all \
              batches is divided by the number of tasks. Each task returns its own number and the sums are checked. \
              This is the smallest price of a task: if it is high, you pool tasks and hand work to the pool; if it is \
              low, you start one for every little thing and your program says what it means.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 5,
    cost: 0.5,
};

pub(crate) const ONE: Info = Info {
    name: "spawn_join_1",
    title: "Creation, one worker",
    group: Group::Full,
    explain: "The same as spawn_join, with one worker: the price of a task where nobody else reaches for the queue. What \
              spawn_join takes beside that is what the other workers bring and what they cost.",
    workers: WorkersWanted::One,
    ..INFO
};

const BATCH: u64 = 1_000;

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let budget = budget(params.size);
    let (tasks, elapsed) = rt.run(|| -> Result<_, String> {
        let mut handles = Vec::with_capacity(BATCH as usize);
        batch(rt, &mut handles)?;
        let mut tasks = 0;
        let start = Instant::now();
        loop {
            batch(rt, &mut handles)?;
            tasks += BATCH;
            let elapsed = start.elapsed();
            if elapsed >= budget {
                return Ok((tasks, elapsed));
            }
        }
    })?;
    let ns = elapsed.as_nanos() as f64 / tasks as f64;
    Ok(Outcome::Measured(vec![Sample::noted(
        &METRICS[0],
        ns,
        format!("{} tasks", thousands(tasks as usize)),
    )]))
}

fn batch<R: Runtime>(rt: &R, handles: &mut Vec<JoinHandle<u64>>) -> Result<(), String> {
    handles.extend((0..BATCH).map(|i| rt.spawn(move || i)));
    let mut sum = 0;
    for handle in handles.drain(..) {
        sum += joined(handle)?;
    }
    if sum != BATCH * (BATCH - 1) / 2 {
        return Err(format!("the joins returned a sum of {sum}"));
    }
    Ok(())
}
