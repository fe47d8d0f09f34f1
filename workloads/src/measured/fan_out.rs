//! Concurrent calls to slow services.
//!
//! Timed: several tasks at once, each of which asks ten services the same question and awaits all answers together.
//! The services run in another process, and each takes a known time for an answer.
//! Checked: every answer is the one that this service gives to this question, and the services have answered as often
//! as they were asked.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::{joined, median, ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};
use crate::machine;
use crate::programs::fan_out::{self, Service};
use crate::side::{self, Report, Role, ServiceSpec, Services, answer_of};

const METRICS: &[MetricInfo] = &[
    headline(
        "ms_per_question",
        "all services asked, all answers there",
        "ms",
        Better::Lower,
    ),
    detail(
        "past_longest_ms",
        "of that, beyond the slowest service's own time",
        "ms",
        Better::Lower,
    ),
    detail(
        "times_faster",
        "than asking one service after the other",
        "times",
        Better::Higher,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "fan_out",
    title: "Concurrent calls to ten slow services",
    group: Group::Program,
    explain: "Ten services run in another process and take 4 to 40 ms for an answer, 220 ms together. Twenty tasks ask \
              all ten at once, each with a question of its own, and await the answers together, several times over; so \
              two hundred calls wait at the same time. Every answer is checked. At best a question takes as long as \
              the slowest service. A runtime whose tasks block each other takes as long as all of them together.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 3,
    cost: 0.6,
};

/// Nobody waits for an answer longer than that.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let count = params.size.pick(3, 10, 10, 10);
    let askers = params.size.pick(2, 20, 20, 20);
    let rounds = params.size.pick(2, 2, 6, 20);
    let specs: Vec<_> = (1..=count)
        .map(|i| ServiceSpec {
            name: format!("service-{i}"),
            delay: Duration::from_millis(params.size.pick(i, 4 * i, 4 * i, 4 * i)),
        })
        .collect();
    let most = askers * specs.len();
    machine::allow_open_files(2 * most as u64 + 100)?;
    let role = Role::Services(Services {
        services: specs.clone(),
        limit: Duration::from_secs(120),
        most_connections: most + 10,
    });
    let mut side = side::start(params.side, role)?;
    let ports = side.ready()?;
    side.go()?;
    let services: Vec<_> = specs
        .iter()
        .zip(ports)
        .map(|(spec, port)| Service {
            name: spec.name.clone(),
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
        .collect();

    let mut times = rt.run(|| -> Result<Vec<Duration>, String> {
        ask_and_check(rt, &services, "warm-up")?;
        let tasks: Vec<_> = (0..askers)
            .map(|asker| {
                let (rt2, services) = (rt.clone(), services.clone());
                rt.spawn(move || {
                    (0..rounds)
                        .map(|round| ask_and_check(&rt2, &services, &format!("{asker}-{round}")))
                        .collect::<Result<Vec<_>, String>>()
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(joined(task)??);
        }
        Ok(times)
    })?;

    side.stop()?;
    let asked = services.len() * (askers * rounds + 1);
    match side.report()? {
        Report::Services(report) if report.answered == asked => {}
        other => {
            return Err(format!(
                "asked {asked} times, the services reported {other:?}"
            ));
        }
    }
    let sum: Duration = specs.iter().map(|spec| spec.delay).sum();
    let longest = specs
        .iter()
        .map(|spec| spec.delay)
        .max()
        .unwrap_or_default();
    let time = median(&mut times);
    Ok(Outcome::Measured(vec![
        Sample::noted(
            &METRICS[0],
            ms(time),
            format!(
                "median of {} questions; the services take {} ms together, the slowest {} ms",
                thousands(times.len()),
                sum.as_millis(),
                longest.as_millis()
            ),
        ),
        Sample::new(&METRICS[1], ms(time.saturating_sub(longest))),
        Sample::new(&METRICS[2], sum.as_secs_f64() / time.as_secs_f64()),
    ]))
}

/// One question to all services. Returns how long it took until all answers were there.
fn ask_and_check<R: Runtime>(
    rt: &R,
    services: &[Service],
    question: &str,
) -> Result<Duration, String> {
    let start = Instant::now();
    let answers = fan_out::ask_all(rt, services, question, start + PATIENCE);
    let elapsed = start.elapsed();
    for (service, answer) in services.iter().zip(answers) {
        match answer {
            Ok(answer) if answer == answer_of(&service.name, question) => {}
            other => return Err(format!("{} on {question}: {other:?}", service.name)),
        }
    }
    Ok(elapsed)
}
