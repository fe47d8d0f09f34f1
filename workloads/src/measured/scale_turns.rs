//! How many turns a second all workers take together.
//!
//! Counted: two tasks for each worker that do nothing but yield, and how many yields all of them do in a given time. Who
//! calls this does so with one worker, with two, with four and so on.
//! Checked: every task has its turns, and each returns the number of them that it has told on its way.
//!
//! The smallest amount of work between two visits to the scheduler is none. So this is where workers get into each
//! other's way first, if what they visit is shared; and where they are not shared, nothing keeps the number from doubling.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use step01::Runtime;

use super::scale_workers::WORKERS;
use super::{budget, joined};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, headline,
};
use crate::work;

const METRICS: &[MetricInfo] = &[MetricInfo {
    along: Some(WORKERS),
    ..headline(
        "turns_per_second",
        "turns of all tasks together",
        "turns/s",
        Better::Higher,
    )
}];

pub(crate) const INFO: Info = Info {
    name: "scale_turns",
    title: "Turns a second, all workers together",
    group: Group::Scaling,
    explain: "Two tasks for each worker do nothing but yield, and the yields of all of them are counted for a while: with \
              one worker, with two, with four and so on, up to the number of cores. The tasks have nothing to do with \
              each other, so twice the workers could take twice the turns. A runtime whose workers share a queue takes \
              fewer instead: each turn is two visits to that queue, and only one worker at a time can be there. A stage \
              with a single worker takes as many as before.",
    metrics: METRICS,
    workers: WorkersWanted::Each,
    stack: StackWanted::Default,
    default_reps: 3,
    cost: 0.4,
};

/// So many tasks for each worker.
const TASKS: usize = 2;

/// How long a task computes before its first yield, so that a worker without tasks has the time to come and get one.
const HEAD_START_US: f64 = 2_000.0;

/// So many yields, and then a task tells how many there were, and asks whether to go on.
const BATCH: u64 = 16;

/// What a task has told, in a cache line of its own: the tasks share nothing but the runtime.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Told(AtomicU64);

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let steps = work::steps_for(
        params
            .size
            .pick(1.0, HEAD_START_US, HEAD_START_US, HEAD_START_US),
    );
    let tasks = TASKS * params.workers;
    let told: Arc<[Told]> = (0..tasks).map(|_| Told::default()).collect();
    let enough = Arc::new(AtomicBool::new(false));
    rt.run(|| {
        let handles: Vec<_> = (0..tasks)
            .map(|me| {
                let (rt, told, enough) = (rt.clone(), told.clone(), enough.clone());
                rt.clone().spawn(move || {
                    black_box(work::chain(black_box(1), steps));
                    let mut turns = 0;
                    while !enough.load(Relaxed) {
                        (0..BATCH).for_each(|_| rt.yield_now());
                        turns += BATCH;
                        told[me].0.store(turns, Relaxed);
                    }
                    turns
                })
            })
            .collect();
        let count = |task: &Told| task.0.load(Relaxed);
        while told.iter().any(|task| count(task) == 0) {
            rt.sleep(Duration::from_millis(1));
        }
        let (start, before) = (Instant::now(), told.iter().map(count).sum::<u64>());
        rt.sleep(budget(params.size));
        let (elapsed, after) = (start.elapsed(), told.iter().map(count).sum::<u64>());
        enough.store(true, Relaxed);
        for (handle, told) in handles.into_iter().zip(told.iter()) {
            let (returned, told) = (joined(handle)?, count(told));
            if returned != told {
                return Err(format!("a task took {returned} turns and told of {told}"));
            }
        }
        let turns = after - before;
        let mut sample = Sample::placed(
            &METRICS[0],
            params.workers as f64,
            turns as f64 / elapsed.as_secs_f64(),
        );
        sample.note = Some(format!("{turns} turns of {tasks} tasks"));
        Ok(Outcome::Measured(vec![sample]))
    })
}
