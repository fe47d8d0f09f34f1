//! What each further worker brings.
//!
//! Timed: one task spawns 200 tasks that compute for 100 µs each, and joins them; and the same computations one after the
//! other in a plain loop, without tasks; in turns, a number of times. Who calls this does so with one worker, with two,
//! with four and so on.
//! Checked: the result of every task.
//!
//! The tasks are twenty times as long as those of `spread.rs`, so that what starting them costs does not hide what the
//! workers bring, even where a task is a thread. And they are few at a time, so that no limit of the system is met.

use std::hint::black_box;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::spread::by_tasks;
use crate::catalog::{
    Axis, Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted,
    headline,
};
use crate::work;

/// Along what the repetitions differ: who measures fills in how many there were.
pub(crate) const WORKERS: Axis = Axis {
    title: "workers",
    unit: "workers",
};

const METRICS: &[MetricInfo] = &[MetricInfo {
    along: Some(WORKERS),
    ..headline(
        "speed_up",
        "speed-up against a plain loop on one core",
        "times",
        Better::Higher,
    )
}];

pub(crate) const INFO: Info = Info {
    name: "scale_workers",
    title: "More and more workers",
    group: Group::Scaling,
    explain: "One task spawns 200 others, each with a hundred microseconds of computing that the compiler cannot \
              shorten, and joins them all, again and again: with one worker, with two, with four and so on, up to the \
              number of cores. In between the same computations are done in a plain loop, and the chart shows how many \
              times faster the tasks were. \
              At best that is the number of workers, which is the dotted line. A stage with a single worker stays at \
              one, however many cores there are.",
    metrics: METRICS,
    workers: WorkersWanted::Each,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 0.6,
};

const WORK_US: f64 = 100.0;

/// How many tasks there are at a time.
const TASKS: u64 = 200;

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let tasks = params.size.pick(20, TASKS, TASKS, TASKS);
    let rounds = params.size.pick(1, 3, 10, 50);
    let steps = work::steps_for(WORK_US);
    rt.run(|| {
        let (mut in_a_loop, mut by_workers) = (Duration::ZERO, Duration::ZERO);
        for round in 0..=rounds {
            let start = Instant::now();
            let expected: Vec<u64> = (1..=tasks)
                .map(|seed| work::chain(black_box(seed), steps))
                .collect();
            let looped = start.elapsed();
            let spread = by_tasks(rt, steps, &expected)?;
            // The first round is the warm-up.
            if round > 0 {
                in_a_loop += looped;
                by_workers += spread;
            }
        }
        let mut sample = Sample::placed(
            &METRICS[0],
            params.workers as f64,
            in_a_loop.as_secs_f64() / by_workers.as_secs_f64(),
        );
        sample.note = Some(format!("{rounds} times {tasks} tasks"));
        Ok(Outcome::Measured(vec![sample]))
    })
}
