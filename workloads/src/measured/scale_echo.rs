//! How a server's rate and its slowest answers change with the number of connections.
//!
//! Timed and checked as in `echo.rs`, whose server and client these are, with one connection, eight, 64, 256 and a
//! thousand.

use step01::Runtime;

use super::echo;
use crate::catalog::{
    Axis, Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted,
    curve, headline,
};

const CONNECTIONS: Axis = Axis {
    title: "connections",
    unit: "connections",
};

const METRICS: &[MetricInfo] = &[
    headline(
        "connections",
        "the largest number served",
        "connections",
        Better::Higher,
    ),
    curve(
        "k_per_s",
        "requests answered",
        "k req/s",
        Better::Higher,
        CONNECTIONS,
    ),
    curve(
        "p99_us",
        "99 of 100 are answered within",
        "\u{b5}s",
        Better::Lower,
        CONNECTIONS,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "scale_echo",
    title: "More and more connections",
    group: Group::Scaling,
    explain: "The echo server of echo_64 with 1, 8, 64, 256 and 1,000 connections, each for a short time. With one \
              connection there is nothing to overlap, so the rate says what one round trip costs. With more, the rate \
              grows until the cores are busy, and from there on more connections only wait longer: the rate stays, and \
              the time within which 99 of 100 requests are answered grows with the number of connections.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 2,
    cost: 1.4,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let most = params.size.pick(8, 256, 1_000, 1_000);
    let mut samples = Vec::new();
    let mut reached = Sample::new(&METRICS[0], 0.0);
    for connections in [1, 8, 64, 256, 1_000] {
        if connections > most {
            break;
        }
        match echo::drive(rt, params, connections, echo::shorter(params.size))? {
            Ok(driven) => {
                let at = connections as f64;
                samples.push(Sample::placed(
                    &METRICS[1],
                    at,
                    driven.report.per_second / 1e3,
                ));
                samples.push(Sample::placed(&METRICS[2], at, driven.report.p99_us));
                reached.value = at;
            }
            Err(reason) if samples.is_empty() => return Ok(Outcome::Skipped { reason }),
            Err(reason) => {
                reached.note = Some(format!("stopped by the system: {reason}"));
                break;
            }
        }
    }
    samples.insert(0, reached);
    Ok(Outcome::Measured(samples))
}
