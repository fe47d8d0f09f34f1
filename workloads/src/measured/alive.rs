//! How many tasks can be alive at the same time.
//!
//! Counted: parked tasks, until the runtime refuses another one, a million are there, half of the memory that was
//! available at the start is used, or its time is up.
//! Checked: every counted task has run and is parked; all of them end when they are told to; and afterwards the runtime
//! can start tasks again.

use std::time::{Duration, Instant};

use step01::Runtime;

use super::crowd::Crowd;
use super::{joined, ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};
use crate::machine;

const METRICS: &[MetricInfo] = &[
    headline("tasks", "tasks alive at once", "tasks", Better::Higher),
    detail("start_ms", "to start them all", "ms", Better::Lower),
    detail("end_ms", "to end them all", "ms", Better::Lower),
];

pub(crate) const INFO: Info = Info {
    name: "alive",
    title: "How many can be alive at once",
    group: Group::Seed,
    explain: "Tasks are started that park at once, until the runtime refuses another one, or there are a million, or \
              half of the available memory is used (the machine's, or what the cgroup still allows, whichever is \
              less), or eight seconds have passed (with --full a minute). The note says which of these it was, and which limit of the \
              system. Then all are woken and must end, and a further task must start. This is the number of \
              connections that a program with a task for each can have. Where a task is a thread, the limit is one of \
              the whole system: for a moment other programs may be refused threads as well.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 1,
    cost: 4.0,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let most = params.size.pick(200, 10_000, 1_000_000, 1_000_000);
    // A runtime that has not been stopped by anything after this time is stopped by us: where pages are dear, on a busy
    // host say, a million of them would take the time that the other rows need.
    let patience = Duration::from_secs(params.size.pick(60, 8, 8, 60));
    let (available, whose) = machine::available_memory()?;
    rt.run(|| {
        let mut crowd = Crowd::with_room(rt, most);
        let start = Instant::now();
        let stopped = loop {
            if let Some(refused) = crowd.grow()? {
                break format!("stopped by the system: {}", refused.0);
            }
            if crowd.size() >= most {
                break format!("stopped at {}, the most that is asked for", thousands(most));
            }
            if start.elapsed() > patience {
                break format!(
                    "stopped after {} s; nothing had been refused",
                    patience.as_secs()
                );
            }
            let (left, _) = machine::available_memory()?;
            if left < available / 2 {
                break format!(
                    "stopped when half of {whose} was used ({} MiB of {} MiB)",
                    (available - left) >> 20,
                    available >> 20
                );
            }
        };
        let started = start.elapsed();
        let tasks = crowd.size();
        let start = Instant::now();
        crowd.disperse()?;
        let ended = start.elapsed();

        let one_more = rt.try_spawn(|| 42);
        let one_more =
            one_more.map_err(|e| format!("after all had ended, no task could start: {e}"))?;
        if joined(one_more)? != 42 {
            return Err("the task after all others returned something else".to_owned());
        }
        Ok(Outcome::Measured(vec![
            Sample::noted(&METRICS[0], tasks as f64, stopped),
            Sample::new(&METRICS[1], ms(started)),
            Sample::new(&METRICS[2], ms(ended)),
        ]))
    })
}
