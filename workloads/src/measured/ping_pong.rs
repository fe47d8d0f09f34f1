//! What it costs to hand a value to another task and to get one back.
//!
//! Timed: two tasks and two rendezvous channels; one sends a number, the other receives it and sends its successor
//! back. A round trip is two values handed over, with each task parked while the other runs.
//! Checked: every number that comes back.

use std::time::{Duration, Instant};

use step01::{Runtime, bounded};

use super::{budget, fill, joined};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, headline,
};

const METRICS: &[MetricInfo] = &[headline(
    "ns_per_round_trip",
    "one round trip",
    "ns",
    Better::Lower,
)];

pub(crate) const ONE: Info = Info {
    name: "ping_pong",
    title: "Channel round trip, one worker",
    group: Group::Seed,
    explain: "Two tasks on one worker hand a number back and forth over two rendezvous channels (Go's unbuffered \
              ones): one sends, the other receives it and sends back one more. Each number is checked. Every hand-over \
              parks one task and wakes the other, so this is what it costs when tasks really wait for each other. \
              Where a task is a thread, the process is held on one core.",
    metrics: METRICS,
    workers: WorkersWanted::One,
    stack: StackWanted::Default,
    default_reps: 5,
    cost: 0.5,
};

pub(crate) const ALL: Info = Info {
    name: "ping_pong_2",
    title: "Channel round trip, all workers",
    group: Group::Seed,
    explain: "The same as ping_pong, with as many workers as the machine has cores. The two tasks could run on two \
              cores, but never at the same time: a runtime that spreads them pays for carrying the value from core to \
              core and for waking a worker, one that keeps them together does not.",
    workers: WorkersWanted::All,
    ..ONE
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let fewest = params.size.pick(50, 500, 500, 500);
    let (rounds, elapsed) = fill(budget(params.size), fewest, |rounds| {
        rt.run(|| play(rt, rounds))
    })?;
    Ok(Outcome::Measured(vec![Sample::noted(
        &METRICS[0],
        elapsed.as_nanos() as f64 / rounds as f64,
        format!("{rounds} round trips"),
    )]))
}

fn play<R: Runtime>(rt: &R, rounds: u64) -> Result<Duration, String> {
    let (ping, pings) = bounded::<u64>(0);
    let (pong, pongs) = bounded::<u64>(0);
    let server = rt.spawn(move || {
        for n in pings {
            if pong.send(n + 1).is_err() {
                return;
            }
        }
    });
    let client = rt.spawn(move || {
        let there_and_back = |n| {
            ping.send(n).map_err(|e| e.to_string())?;
            match pongs.recv() {
                Ok(answer) if answer == n + 1 => Ok(()),
                other => Err(format!("{n} was answered by {other:?}")),
            }
        };
        there_and_back(0)?; // both are running now
        let start = Instant::now();
        for n in 1..=rounds {
            there_and_back(n)?;
        }
        Ok(start.elapsed())
    });
    let elapsed = joined(client)?;
    joined(server)?;
    elapsed
}
