//! What a task that blocks its thread does to the others.
//!
//! Three workloads over one scene: 200 tasks, each in a system call that takes 10 ms.
//! Timed: `blocked`: how late a task is that wants to run every millisecond meanwhile; `blocking_declared` and
//! `blocking_undeclared`: the first burst, and further ones, from the first spawn to the last join.
//! Checked: every task was in its call for at least 10 ms and returns its own number.

use std::thread;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::heartbeat::Heartbeat;
use super::{budget, joined, median, ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};

const LATENESS: &[MetricInfo] = &[
    headline(
        "heartbeat_p99_ms",
        "a 1 ms heartbeat is late by (99 of 100 beats)",
        "ms",
        Better::Lower,
    ),
    detail(
        "heartbeat_max_ms",
        "a 1 ms heartbeat is late by (worst beat)",
        "ms",
        Better::Lower,
    ),
    detail("burst_ms", "first burst of 200 calls", "ms", Better::Lower),
];

const BURSTS: &[MetricInfo] = &[
    headline(
        "first_burst_ms",
        "first burst of 200 calls",
        "ms",
        Better::Lower,
    ),
    detail(
        "repeated_burst_ms",
        "further bursts (median)",
        "ms",
        Better::Lower,
    ),
];

pub(crate) const BLOCKED: Info = Info {
    name: "blocked",
    title: "What blocking calls do to the others",
    group: Group::Seed,
    explain: "200 tasks are each in a system call that takes 10 ms, told to the runtime by `blocking`, again and \
              again. Meanwhile one task wants to run every millisecond and notes how late it is; a beat that is missed \
              counts as late, not as absent. The table shows the lateness that 99 of 100 beats stay below. A runtime \
              that lets a blocking call block everyone shows it here at once.",
    metrics: LATENESS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 0.4,
};

pub(crate) const DECLARED: Info = Info {
    name: "blocking_declared",
    title: "200 blocking calls of 10 ms, declared",
    group: Group::Full,
    explain: "200 tasks are started, each calls `blocking` around a system call of 10 ms, and all are joined. With \
              enough threads that takes little more than 10 ms; the first burst may have to create them, further ones \
              find them. One after the other it would take two seconds.",
    metrics: BURSTS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 0.4,
};

pub(crate) const UNDECLARED: Info = Info {
    name: "blocking_undeclared",
    title: "200 blocking calls of 10 ms, undeclared",
    group: Group::Full,
    explain: "The same as blocking_declared, but nobody tells the runtime: the tasks just call. That is what a library \
              does that knows nothing of the runtime. With two workers and no further help it takes a second.",
    metrics: BURSTS,
    ..DECLARED
};

const CALL: Duration = Duration::from_millis(10);

/// 200 tasks in a system call each. Returns how long it took.
fn burst<R: Runtime>(rt: &R, tasks: usize, declared: bool) -> Result<Duration, String> {
    let start = Instant::now();
    let handles: Vec<_> = (0..tasks)
        .map(|i| {
            let rt2 = rt.clone();
            rt.spawn(move || {
                let start = Instant::now();
                if declared {
                    rt2.blocking(|| thread::sleep(CALL));
                } else {
                    thread::sleep(CALL);
                }
                (i, start.elapsed())
            })
        })
        .collect();
    let results = handles
        .into_iter()
        .map(joined)
        .collect::<Result<Vec<_>, _>>()?;
    let elapsed = start.elapsed();
    for (expected, (i, blocked)) in results.into_iter().enumerate() {
        if i != expected || blocked < CALL {
            return Err(format!(
                "task {expected} returned number {i} and was blocked for {blocked:?}"
            ));
        }
    }
    Ok(elapsed)
}

pub(crate) fn lateness<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let tasks = params.size.pick(10, 200, 200, 200);
    let budget = budget(params.size);
    rt.run(|| {
        let heartbeat = Heartbeat::start(rt);
        // Let it find its rhythm first.
        rt.sleep(Duration::from_millis(params.size.pick(2, 10, 20, 20)));
        let start = Instant::now();
        let first = burst(rt, tasks, true)?;
        let mut bursts = 1;
        while start.elapsed() < budget {
            burst(rt, tasks, true)?;
            bursts += 1;
        }
        let end = Instant::now();
        let late = heartbeat.stop()?.between(start, end);
        if late.beats == 0 {
            return Err("the heartbeat did not beat once in the whole measurement".to_owned());
        }
        Ok(Outcome::Measured(vec![
            Sample::noted(
                &LATENESS[0],
                ms(late.p99),
                format!(
                    "{} beats during {bursts} bursts of {tasks} calls",
                    thousands(late.beats)
                ),
            ),
            Sample::new(&LATENESS[1], ms(late.max)),
            Sample::new(&LATENESS[2], ms(first)),
        ]))
    })
}

pub(crate) fn declared<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    bursts(rt, params, true)
}

pub(crate) fn undeclared<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    bursts(rt, params, false)
}

fn bursts<R: Runtime>(rt: &R, params: &Params, declared: bool) -> Result<Outcome, String> {
    let tasks = params.size.pick(10, 200, 200, 200);
    let budget = budget(params.size);
    rt.run(|| {
        // No warm-up: the first burst is one of the two things to be measured.
        let first = burst(rt, tasks, declared)?;
        let start = Instant::now();
        let mut further = vec![burst(rt, tasks, declared)?];
        while start.elapsed() < budget {
            further.push(burst(rt, tasks, declared)?);
        }
        let note = format!("{} bursts of {tasks} calls", further.len());
        Ok(Outcome::Measured(vec![
            Sample::new(&BURSTS[0], ms(first)),
            Sample::noted(&BURSTS[1], ms(median(&mut further)), note),
        ]))
    })
}
