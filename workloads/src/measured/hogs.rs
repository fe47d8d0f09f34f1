//! Whether tasks that compute without a pause leave the others their turn.
//!
//! Timed: how late a task is that wants to run every millisecond, while four tasks compute for one second each and
//! never call the runtime. The beginning, when the computing tasks have just been started and the runtime does not know
//! yet what they are, is reported apart.
//! Checked: all four compute the same chain, and their results agree.

use std::hint::black_box;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::heartbeat::Heartbeat;
use super::{joined, ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};
use crate::work;

const METRICS: &[MetricInfo] = &[
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
    detail(
        "start_up_max_ms",
        "the same in the first 100 ms (worst beat)",
        "ms",
        Better::Lower,
    ),
    detail(
        "elapsed_ms",
        "until all four had ended",
        "ms",
        Better::Lower,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "hogs",
    title: "Heartbeat beside tasks that never yield",
    group: Group::Full,
    explain: "Four tasks compute for a second each without ever calling the runtime, while another wants to run every \
              millisecond and notes how late it is. The kernel takes the core away from a thread that has had its \
              share; a runtime that cannot do the same with a task makes the heartbeat wait until a hog has finished. \
              The first tenth of a second is reported apart.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 1,
    cost: 2.2,
};

const HOGS: usize = 4;

/// The beginning, which is reported apart; half of the time, if that is less.
const START_UP: Duration = Duration::from_millis(100);

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let each_us = params
        .size
        .pick(20_000.0, 250_000.0, 1_000_000.0, 1_000_000.0);
    let steps = work::steps_for(each_us);
    rt.run(|| {
        let heartbeat = Heartbeat::start(rt);
        rt.sleep(Duration::from_millis(params.size.pick(2, 20, 20, 20)));
        let start = Instant::now();
        let hogs: Vec<_> = (0..HOGS)
            .map(|_| rt.spawn(move || work::chain(black_box(1), steps)))
            .collect();
        let results = hogs
            .into_iter()
            .map(joined)
            .collect::<Result<Vec<_>, _>>()?;
        let end = Instant::now();
        let beats = heartbeat.stop()?;
        if results.iter().any(|result| *result != results[0]) {
            return Err(format!("the same computation gave {results:?}"));
        }
        let start_up = START_UP.min((end - start) / 2);
        let beginning = beats.between(start, start + start_up);
        let late = beats.between(start + start_up, end);
        if late.beats == 0 {
            return Err("the heartbeat did not beat once in the whole measurement".to_owned());
        }
        Ok(Outcome::Measured(vec![
            Sample::noted(
                &METRICS[0],
                ms(late.p99),
                format!("{} beats", thousands(late.beats)),
            ),
            Sample::new(&METRICS[1], ms(late.max)),
            Sample::new(&METRICS[2], ms(beginning.max)),
            Sample::new(&METRICS[3], ms(end - start)),
        ]))
    })
}
