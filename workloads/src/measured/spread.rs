//! Whether work that one task hands out reaches all workers.
//!
//! Timed: one task spawns 100,000 tasks that compute for 5 µs each, and joins them; and the same computations one after
//! the other in a plain loop, without tasks.
//! Checked: the result of every task.

use std::hint::black_box;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::scale_workers::WORKERS;
use super::{joined, ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};
use crate::work;

const METRICS: &[MetricInfo] = &[
    MetricInfo {
        along: Some(WORKERS),
        ..headline(
            "speed_up",
            "speed-up against a plain loop on one core",
            "times",
            Better::Higher,
        )
    },
    detail("ms", "all tasks", "ms", Better::Lower),
    detail("loop_ms", "the plain loop", "ms", Better::Lower),
];

pub(crate) const INFO: Info = Info {
    name: "spread",
    title: "Spread: tasks of 5 µs from one spawner",
    group: Group::Full,
    explain: "One task spawns 100,000 others, each with five microseconds of computing that the compiler cannot \
              shorten, and joins them all. The same computations are done in a plain loop, and the table shows how \
              many times faster the tasks were: at best the number of workers. All tasks appear at one worker, so the \
              others must come and get them. It is measured with one worker, with two, with four and so on up to the \
              number of cores.",
    metrics: METRICS,
    workers: WorkersWanted::Each,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 5.0,
};

const WORK_US: f64 = 5.0;

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let tasks = params.size.pick(200, 10_000, 100_000, 100_000);
    let steps = work::steps_for(WORK_US);
    rt.run(|| {
        let start = Instant::now();
        let expected: Vec<u64> = (1..=tasks).map(|seed| work::chain(seed, steps)).collect();
        let in_a_loop = start.elapsed();

        by_tasks(rt, steps, &expected[..expected.len() / 20])?; // warm-up
        let elapsed = by_tasks(rt, steps, &expected)?;
        let mut speed_up = Sample::placed(
            &METRICS[0],
            params.workers as f64,
            in_a_loop.as_secs_f64() / elapsed.as_secs_f64(),
        );
        speed_up.note = Some(format!("{} tasks", thousands(tasks as usize)));
        Ok(Outcome::Measured(vec![
            speed_up,
            Sample::new(&METRICS[1], ms(elapsed)),
            Sample::new(&METRICS[2], ms(in_a_loop)),
        ]))
    })
}

/// A task for each expected result, all spawned by the caller and joined by it; how long that took.
pub(super) fn by_tasks<R: Runtime>(
    rt: &R,
    steps: u64,
    expected: &[u64],
) -> Result<Duration, String> {
    let mut handles = Vec::with_capacity(expected.len());
    let mut results = Vec::with_capacity(expected.len());
    let start = Instant::now();
    for seed in 1..=expected.len() as u64 {
        let spawned = rt.try_spawn(move || work::chain(black_box(seed), steps));
        handles.push(spawned.map_err(|error| error.to_string())?);
    }
    for handle in handles {
        results.push(joined(handle)?);
    }
    let elapsed = start.elapsed();
    if results != expected {
        return Err("a task computed something else than the plain loop".to_owned());
    }
    Ok(elapsed)
}
