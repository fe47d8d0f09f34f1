//! The data pipeline over real text: the book and the sources of this workspace.
//!
//! Timed: the pipeline over all files, read several times over; and the same computation in a plain loop.
//! Checked: the statistics, down to how often each word occurs, are those of the plain loop.

use std::time::Instant;

use step01::Runtime;

use super::thousands;
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};
use crate::programs::pipeline::{self, Statistics, Width};

const METRICS: &[MetricInfo] = &[
    headline(
        "mb_per_s",
        "text through the pipeline",
        "MB/s",
        Better::Higher,
    ),
    detail(
        "speed_up",
        "against a plain loop on one core",
        "times",
        Better::Higher,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "pipeline",
    title: "Pipeline over the book and the sources",
    group: Group::Program,
    explain: "Files are read, split into lines and words, counted and added up, by tasks in stages that are joined by \
              bounded channels. The text is this workspace's own book and sources, read several times over. The \
              result, down to how often each word occurs, is compared with that of a plain loop, whose time is \
              measured too. Few, large hand-overs: here a runtime can show that it uses all cores, and cannot shine by \
              cheap tasks.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 3,
    cost: 0.7,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let files = pipeline::corpus().map_err(|e| format!("cannot find the workspace: {e}"))?;
    // The plain loop, over everything once: what the result must be, and a warm file cache.
    let mut in_a_loop = f64::INFINITY;
    let mut once = Statistics::default();
    for _ in 0..params.size.pick(1, 2, 3, 3) {
        let start = Instant::now();
        once = pipeline::sequentially(&files, 1).map_err(|e| e.to_string())?;
        in_a_loop = in_a_loop.min(start.elapsed().as_secs_f64());
    }
    let wanted_seconds = params.size.pick(0.0, 0.1, 0.4, 2.0);
    let passes = (wanted_seconds / in_a_loop).ceil().max(1.0) as usize;
    let mut expected = Statistics::default();
    for _ in 0..passes {
        expected.add(once.clone());
    }

    let width = Width::for_workers(params.workers);
    let elapsed = rt.run(|| -> Result<_, String> {
        let check = |passes, expected: &Statistics| {
            let start = Instant::now();
            let counted = pipeline::run(rt, &files, passes, width).map_err(|e| e.to_string())?;
            let elapsed = start.elapsed();
            if counted == *expected {
                Ok(elapsed)
            } else {
                Err(format!(
                    "the pipeline counted {} words in {} lines, the plain loop {} in {}",
                    counted.words, counted.lines, expected.words, expected.lines
                ))
            }
        };
        check(1, &once)?; // warm-up
        check(passes, &expected)
    })?;
    let seconds = elapsed.as_secs_f64();
    Ok(Outcome::Measured(vec![
        Sample::noted(
            &METRICS[0],
            expected.bytes as f64 / 1e6 / seconds,
            format!(
                "{} files, {passes} times; {} words",
                thousands(files.len()),
                thousands(expected.words as usize)
            ),
        ),
        Sample::new(&METRICS[1], in_a_loop * passes as f64 / seconds),
    ]))
}
