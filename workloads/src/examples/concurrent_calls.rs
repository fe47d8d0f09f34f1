//! Concurrent calls to slow services, beside the same calls one after the other.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::Stop;
use super::options::Options;
use crate::machine;
use crate::measured::{joined, ms, thousands};
use crate::programs::fan_out::{self, CallError, Service};
use crate::side::{self, Report, Role, ServiceSpec, Services, Side, answer_of};

pub(super) const USAGE: &str = "\
Asks ten slow services, which run in another process, one after the other and all at once.

  --askers N   so many tasks ask all ten at the same time in the last part (50)";

/// The services, and how many milliseconds each takes for an answer.
const SERVICES: [(&str, u64); 10] = [
    ("weather", 60),
    ("news", 45),
    ("trains", 90),
    ("flights", 120),
    ("hotels", 100),
    ("museums", 35),
    ("concerts", 70),
    ("markets", 25),
    ("exchange", 15),
    ("holidays", 40),
];

/// Longer than any service takes.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run<R: Runtime>(rt: &R, options: &Options) -> Result<(), Stop> {
    let askers = options.number("--askers", 50)?;
    let most = (askers + 1) * SERVICES.len();
    machine::allow_open_files(most as u64 + 100)?;
    let specs = SERVICES.map(|(name, millis)| ServiceSpec {
        name: name.to_owned(),
        delay: Duration::from_millis(millis),
    });
    let role = Role::Services(Services {
        services: specs.to_vec(),
        limit: Duration::from_secs(120),
        most_connections: most,
    });
    let mut side = side::start(Side::Process, role)?;
    let ports = side.ready()?;
    side.go()?;
    let services: Vec<_> = SERVICES
        .iter()
        .zip(ports)
        .map(|((name, _), port)| Service {
            name: (*name).to_owned(),
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
        .collect();

    println!(
        "Ten slow services run in another process. Asked about a city, each takes its time:\n"
    );
    rt.run(|| -> Result<(), Stop> {
        one_after_the_other(rt, &services)?;
        all_at_once(rt, &services)?;
        no_longer_than(rt, &services, Duration::from_millis(80))?;
        many_askers(rt, &services, askers)
    })?;
    side.stop()?;
    match side.report()? {
        Report::Services(report) => {
            println!(
                "The services gave {} answers in all.",
                thousands(report.answered)
            );
            Ok(())
        }
        other => Err(format!("the services reported {other:?}").into()),
    }
}

/// How the plain program does it: call, wait, call the next.
fn one_after_the_other<R: Runtime>(rt: &R, services: &[Service]) -> Result<(), Stop> {
    let start = Instant::now();
    for service in services {
        let asked = Instant::now();
        let answer = fan_out::ask(rt, service, "oslo")?;
        check(service, "oslo", &answer)?;
        let elapsed = asked.elapsed();
        let bar = "\u{2588}".repeat((ms(elapsed) / 5.0).round() as usize);
        println!("  {:<10}{:>4.0} ms  {bar}", service.name, ms(elapsed));
    }
    println!("\nOne after the other:  {:>4.0} ms", ms(start.elapsed()));
    Ok(())
}

fn all_at_once<R: Runtime>(rt: &R, services: &[Service]) -> Result<(), Stop> {
    let start = Instant::now();
    let answers = fan_out::ask_all(rt, services, "lima", start + PATIENCE);
    let elapsed = start.elapsed();
    for (service, answer) in services.iter().zip(answers) {
        check(
            service,
            "lima",
            &answer.map_err(|error| format!("{}: {error:?}", service.name))?,
        )?;
    }
    println!(
        "All at once, on {}: {:>4.0} ms, ten tasks",
        rt.name(),
        ms(elapsed)
    );
    Ok(())
}

/// With a deadline that some will miss.
fn no_longer_than<R: Runtime>(rt: &R, services: &[Service], limit: Duration) -> Result<(), Stop> {
    let start = Instant::now();
    let answers = fan_out::ask_all(rt, services, "rome", start + limit);
    let elapsed = start.elapsed();
    let mut late = Vec::new();
    for (service, answer) in services.iter().zip(answers) {
        match answer {
            Ok(answer) => check(service, "rome", &answer)?,
            Err(CallError::TooLate) => late.push(service.name.as_str()),
            Err(CallError::Failed(error)) => {
                return Err(format!("{}: {error}", service.name).into());
            }
        }
    }
    println!(
        "With a deadline of {} ms: {:>4.0} ms, {} answers; too late: {}",
        limit.as_millis(),
        ms(elapsed),
        services.len() - late.len(),
        late.join(", ")
    );
    Ok(())
}

/// Many tasks that each ask all services.
fn many_askers<R: Runtime>(rt: &R, services: &[Service], askers: usize) -> Result<(), Stop> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..askers)
        .map(|asker| {
            let (rt2, services) = (rt.clone(), services.to_vec());
            rt.spawn(move || -> Result<(), String> {
                let city = format!("city-{asker}");
                let answers = fan_out::ask_all(&rt2, &services, &city, Instant::now() + PATIENCE);
                for (service, answer) in services.iter().zip(answers) {
                    check(
                        service,
                        &city,
                        &answer.map_err(|error| format!("{error:?}"))?,
                    )?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        joined(task)??;
    }
    let elapsed = start.elapsed();
    let alone: u64 = SERVICES.iter().map(|(_, millis)| millis).sum();
    println!(
        "{} tasks, each asking all ten: {:.0} ms for {} calls, every answer checked.\n\
         One after the other, these would have taken {:.0} s.\n",
        thousands(askers),
        ms(elapsed),
        thousands(askers * services.len()),
        alone as f64 * askers as f64 / 1e3
    );
    Ok(())
}

fn check(service: &Service, question: &str, answer: &str) -> Result<(), String> {
    if answer == answer_of(&service.name, question) {
        Ok(())
    } else {
        Err(format!("{} on {question} said {answer:?}", service.name))
    }
}
