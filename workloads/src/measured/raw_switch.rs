//! What it costs to go from one stack to another, and nothing else.
//!
//! Timed: resumes of a coroutine that suspends itself again at once, with a number that goes in and comes back. The time
//! of a pair is halved, since each is a switch.
//! Checked: the number that comes back is the one that was passed in.
//!
//! A runtime's yield is more than that: a queue, a check whether anybody else is waiting, a word of the task's state. So
//! this is not asked of a runtime. Whoever has coroutines, a stage or a peer, makes one and calls [`measure`] with the
//! closure that resumes it. So all are measured by the same code, compiled around each one's own switch.

use std::hint::black_box;
use std::time::Instant;

use step01::Runtime;

use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, headline,
};
use crate::machine::Pinned;

const METRICS: &[MetricInfo] = &[headline(
    "ns_per_switch",
    "one resume or suspend",
    "ns",
    Better::Lower,
)];

pub(crate) const INFO: Info = Info {
    name: "raw_switch",
    title: "Raw resume or suspend",
    group: Group::Part,
    explain: "A coroutine is resumed with a number and suspends itself with the same number, again and again, on one core. \
              There is no scheduler, no queue and no second task: this is what is left of a switch if everything else is \
              taken away. The time of a resume and a suspend is halved. Many short runs are made and the best one \
              counts, since whatever disturbs a run only makes it longer. A runtime that leaves switching to the kernel \
              has no such part.",
    metrics: METRICS,
    workers: WorkersWanted::One,
    stack: StackWanted::Default,
    default_reps: 5,
    cost: 0.1,
};

/// What is said of a runtime: those that have coroutines are measured by [`measure`], and do not come here.
pub(crate) fn run<R: Runtime>(rt: &R, _: &Params) -> Result<Outcome, String> {
    Ok(Outcome::Skipped {
        reason: format!(
            "{} has no coroutine that could be resumed without a scheduler",
            rt.name()
        ),
    })
}

/// Measures a coroutine. `resume` resumes it with a number and returns the one that it suspends itself with, which must
/// be the same.
pub(crate) fn measure(
    params: &Params,
    mut resume: impl FnMut(u64) -> u64,
) -> Result<Outcome, String> {
    let _pinned =
        Pinned::to_cores(1).map_err(|e| format!("cannot hold the process on one core: {e}"))?;
    let runs = params.size.pick(2, 50, 200, 500);
    let pairs: u64 = params.size.pick(100, 50_000, 100_000, 100_000);
    // The warm-up, and the check. It is not repeated below, where a comparison would be timed too.
    for n in 0..pairs {
        let back = resume(n);
        if back != n {
            return Err(format!("resumed with {n}, it suspended itself with {back}"));
        }
    }
    let mut best = f64::MAX;
    for _ in 0..runs {
        let start = Instant::now();
        for n in 0..pairs {
            black_box(resume(black_box(n)));
        }
        let switches = 2 * pairs;
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / switches as f64);
    }
    let note = format!("the best of {runs} runs of {pairs} resumes and suspends");
    Ok(Outcome::Measured(vec![Sample::noted(
        &METRICS[0],
        best,
        note,
    )]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Size;
    use crate::side::Side;

    const PARAMS: Params = Params {
        size: Size::Test,
        workers: 1,
        side: Side::Threads,
    };

    #[test]
    fn a_coroutine_that_answers_with_something_else_has_no_number() {
        assert!(matches!(measure(&PARAMS, |n| n), Ok(Outcome::Measured(_))));
        let wrong = measure(&PARAMS, |n| if n == 70 { 71 } else { n });
        assert_eq!(
            wrong,
            Err("resumed with 70, it suspended itself with 71".to_owned())
        );
    }

    #[test]
    fn threads_say_that_they_have_no_such_part() {
        match run(&step01::Threads::new(), &PARAMS) {
            Ok(Outcome::Skipped { reason }) => {
                assert!(reason.starts_with("step01 has no"), "{reason}")
            }
            other => panic!("{other:?}"),
        }
    }
}
