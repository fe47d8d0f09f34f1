//! `course simulate`: what many cores would show.
//!
//! Two cores cannot show what happens at 64. The policies can: they decide, and do nothing else, so they can be driven
//! without threads, with as many workers as one likes, in a time that is counted and not measured ([`engine`]). What a step
//! takes is measured on this machine first ([`costs`]).
//!
//! It is a simulation, and says so. It knows nothing of caches that are full, of memory that is far away, of a kernel that
//! moves threads. It shows one thing: where a lock that everybody takes ends to scale, and that queues of one's own do not
//! end there.

mod costs;
mod engine;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::compare::machine::Machine;
use crate::compare::screen::Screen;
use crate::compare::stats::Summary;
use crate::compare::units;
use crate::report::svg::{Line, Lines, Point, Tone, lines};
use costs::Costs;
use engine::{Kind, Program, Run};

/// What `simulate` does, for its `--help`.
pub(crate) const LONG_ABOUT: &str = "\
Simulate more cores than there are, with the real policies of steps 3 and 4.

One task spawns many others, each of which computes for a while. Which task goes where is decided by the policies \
themselves: the queue, the rings, the injector, the choice of victims are the code that the runtimes are built with. Time \
is counted, not measured: what a lock, a cache line on its way from core to core, a nap and a wake-up take is measured \
here in a moment, and printed. Then the same program is run with 1, 2, 4 … 64 workers.

The same prices and the same seed give the same result, on every machine.";

const AFTER_HELP: &str = "\
Examples:
  cargo course simulate                        up to 64 workers, tasks of 5 µs, prices of this machine
  cargo course simulate --work-us 1            shorter tasks: the lock matters sooner
  cargo course simulate --workers 256          further out
  cargo course simulate --json prices.json     keep the prices and the result
  cargo course simulate --costs prices.json    the same again, on any machine

What is left out: threads that sleep on a taken lock, cores that fight for a line while they wait, full caches, far \
memory. A real shared queue does worse than this one.";

/// What to simulate.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The largest number of workers; 1, 2, 4 and so on are simulated up to it
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,

    /// How many tasks are spawned
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tasks: u32,

    /// How many microseconds a task computes, on average
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 5.0)]
    work_us: f64,

    /// What says how long each task is
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Take the prices from this file, which --json has written, and measure nothing
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,

    /// Write the prices and the result to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The prices of a simulation, and where they are from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Prices {
    /// [`SCHEMA`].
    schema: String,
    /// What they were measured on.
    machine: String,
    /// What was simulated.
    tasks: u32,
    work_us: f64,
    workers: u16,
    seed: u64,
    costs: Costs,
    /// What came out.
    #[serde(default)]
    results: Vec<Simulated>,
}

/// One run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Simulated {
    stage: String,
    workers: usize,
    makespan_ms: f64,
    speed_up: f64,
    /// The part of all workers' time that was spent on waiting for the lock.
    waiting: f64,
}

/// The form of the file.
const SCHEMA: &str = "course.simulate/1";

/// The recording in the folder `book/src/recorded`.
pub const RECORDING: &str = "simulate.json";

/// Does what the options ask for.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.work_us > 0.0 && args.work_us <= 1e6,
        "--work-us is a time above zero, up to a second"
    );
    let (costs, machine) = match &args.costs {
        Some(file) => {
            let prices = read(file)?;
            (prices.costs, prices.machine)
        }
        None => (Costs::measure()?, here()),
    };
    let mut prices = Prices {
        schema: SCHEMA.to_owned(),
        machine,
        tasks: args.tasks,
        work_us: args.work_us,
        workers: args.workers,
        seed: args.seed,
        costs,
        results: Vec::new(),
    };
    prices.results = simulated(&prices);
    if let Some(file) = &args.json {
        write(file, &prices)?;
    }
    let text = terminal(&prices, &Screen::of_stdout());
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read our output has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(ExitCode::SUCCESS)
}

fn here() -> String {
    let machine = Machine::look();
    format!("{}, {} cores", machine.cpu, machine.cores)
}

fn read(file: &Path) -> anyhow::Result<Prices> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let prices: Prices = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `simulate --json` writes", file.display()))?;
    ensure!(
        prices.schema == SCHEMA,
        "{} is of another form: {}",
        file.display(),
        prices.schema
    );
    Ok(prices)
}

fn write(file: &Path, prices: &Prices) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(prices)? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Measures the prices for the book and keeps them.
pub(crate) fn record(recordings: &Path) -> anyhow::Result<()> {
    let mut prices = Prices {
        schema: SCHEMA.to_owned(),
        machine: here(),
        tasks: 20_000,
        work_us: 5.0,
        workers: 64,
        seed: 1,
        costs: Costs::measure()?,
        results: Vec::new(),
    };
    prices.results = simulated(&prices);
    write(&recordings.join(RECORDING), &prices)
}

/// The files of the book that follow from the recording: their names and texts.
///
/// # Errors
///
/// If the recording cannot be read.
pub(crate) fn files(recordings: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let prices = read(&recordings.join(RECORDING))?;
    let drawing = chart(&prices).context("there is nothing to draw")?;
    let mut numbers =
        String::from("<!-- Generated by `cargo course book --regenerate`: do not edit. -->\n");
    let mut add = |name: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = write!(
            numbers,
            "<!-- ANCHOR: {name} -->\n{text}\n<!-- ANCHOR_END: {name} -->\n"
        );
    };
    add("machine", &prices.machine);
    add("prices", &said(&prices.costs));
    add("sentence", &sentence(&prices));
    for kind in Kind::ALL {
        for point in prices
            .results
            .iter()
            .filter(|point| point.stage == kind.stage())
        {
            let name = format!("{}-speed_up-{}", point.stage, point.workers);
            add(&name, &units::times(point.speed_up));
        }
    }
    Ok(vec![
        ("chart-simulate.svg".to_owned(), drawing + "\n"),
        ("simulate-numbers.md".to_owned(), numbers),
    ])
}

/// All runs, from one worker on.
fn simulated(prices: &Prices) -> Vec<Simulated> {
    let program = Program::of(prices.tasks as usize, prices.work_us * 1e3, prices.seed);
    let all = usize::from(prices.workers);
    let doubled = std::iter::successors(Some(1), |n| Some(n * 2));
    let numbers: Vec<usize> = doubled.take_while(|n| *n < all).chain([all]).collect();
    let mut points = Vec::new();
    for kind in Kind::ALL {
        for workers in &numbers {
            let Run {
                makespan, waiting, ..
            } = engine::run(kind, *workers, &program, &prices.costs);
            points.push(Simulated {
                stage: kind.stage().to_owned(),
                workers: *workers,
                makespan_ms: makespan / 1e6,
                speed_up: program.in_a_loop() / makespan,
                waiting,
            });
        }
    }
    points
}

fn said(costs: &Costs) -> String {
    let ns = |value| units::quantity(value, "ns");
    format!(
        "a task {}, a lock that nobody else wants {}, a cache line from core to core {}, a thief’s nap {}, the call that \
         wakes a worker {}, until it runs {}",
        ns(costs.task),
        ns(costs.lock),
        ns(costs.crossing),
        ns(costs.nap),
        ns(costs.call),
        ns(costs.wake),
    )
}

/// What came out, in a sentence or two.
fn sentence(prices: &Prices) -> String {
    let of = |kind: Kind| {
        prices
            .results
            .iter()
            .filter(move |point| point.stage == kind.stage())
    };
    let last = |kind| of(kind).max_by_key(|point| point.workers);
    let (Some(shared), Some(stealing)) = (last(Kind::Shared), last(Kind::Stealing)) else {
        return String::new();
    };
    // The first number of workers from which on no other is better by more than a twentieth.
    let best = of(Kind::Shared)
        .map(|point| point.speed_up)
        .fold(0.0, f64::max);
    let enough = of(Kind::Shared).find(|point| point.speed_up * 1.05 >= best);
    let stops = match enough.filter(|point| point.workers < shared.workers) {
        Some(point) => {
            let slower = shared.speed_up * 1.05 < point.speed_up;
            let bring = if slower {
                "make it slower"
            } else {
                "bring it nothing"
            };
            format!(" From {} on, more of them {bring}.", workers(point.workers))
        }
        None => String::new(),
    };
    let waiting = match shared.waiting {
        part if part >= 0.005 => format!(
            ", and its workers spend {:.0} % of their time on waiting for the lock",
            part * 100.0
        ),
        _ => String::new(),
    };
    format!(
        "With {}, the queues of step04 make the program {} times as fast as a plain loop, the shared queue of step03 {} \
         times{waiting}.{stops}",
        workers(shared.workers),
        units::times(stealing.speed_up),
        units::times(shared.speed_up),
    )
}

fn workers(count: usize) -> String {
    match count {
        1 => "1 worker".to_owned(),
        n => format!("{n} workers"),
    }
}

fn terminal(prices: &Prices, screen: &Screen) -> String {
    let mut out = format!("{}\n", screen.bold("More cores than there are, simulated"));
    let program = format!(
        "One task spawns {} others of {} on average, seed {}. Prices of {}: {}.",
        units::count(f64::from(prices.tasks)),
        units::quantity(prices.work_us, "µs"),
        prices.seed,
        prices.machine,
        said(&prices.costs),
    );
    out.push_str(&screen.wrap("  ", &program));
    // Writing to a String cannot fail.
    let _ = write!(out, "\n{:>9}", "workers");
    for kind in Kind::ALL {
        let _ = write!(out, "   {:>12} {:>9}", kind.stage(), "speed-up");
    }
    let _ = writeln!(out, "   lock wait");
    let of = |kind: Kind, workers| {
        let mut points = prices.results.iter();
        points.find(move |point| point.stage == kind.stage() && point.workers == workers)
    };
    for first in prices
        .results
        .iter()
        .filter(|point| point.stage == Kind::Shared.stage())
    {
        let _ = write!(out, "{:>9}", first.workers);
        for kind in Kind::ALL {
            let Some(point) = of(kind, first.workers) else {
                continue;
            };
            let makespan = units::quantity(point.makespan_ms, "ms");
            let times = format!("{}×", units::times(point.speed_up));
            let _ = write!(out, "   {makespan:>12} {times:>9}");
        }
        let _ = writeln!(out, "   {:>7.0} %", first.waiting * 100.0);
    }
    out.push('\n');
    out.push_str(&bars(prices, screen));
    out.push_str(&screen.wrap("  • ", &sentence(prices)));
    out.push_str(&screen.wrap(
        "  • ",
        "It is a simulation: the policies are the real ones, the time is counted. What is left out (`--help` says what) \
         would make the shared queue worse, not better.",
    ));
    out
}

/// The speed-ups as bars, since a picture is read sooner than a column of numbers.
fn bars(prices: &Prices, screen: &Screen) -> String {
    let most = prices
        .results
        .iter()
        .map(|point| point.speed_up)
        .fold(1.0, f64::max);
    let room = screen.width.saturating_sub(34).max(10) as f64;
    let mut out = String::new();
    for point in &prices.results {
        let length = (point.speed_up / most * room).round().max(1.0) as usize;
        let _ = writeln!(
            out,
            "  {} {:>4}  {} {}×",
            point.stage,
            point.workers,
            "█".repeat(length),
            units::times(point.speed_up),
        );
    }
    out.push('\n');
    out
}

/// The chart for the book: speed-up along the workers.
fn chart(prices: &Prices) -> Option<String> {
    let line = |kind: Kind, place: usize| Line {
        name: kind.stage().to_owned(),
        tone: Tone::Stage(place),
        points: prices
            .results
            .iter()
            .filter(|point| point.stage == kind.stage())
            .map(|point| Point {
                x: point.workers as f64,
                y: Summary {
                    median: point.speed_up,
                    min: point.speed_up,
                    max: point.speed_up,
                },
            })
            .collect(),
        stopped: false,
    };
    let title = "simulated speed-up against a plain loop";
    let chart = Lines {
        title: title.to_owned(),
        x_title: "workers".to_owned(),
        x_unit: "workers".to_owned(),
        y_title: title.to_owned(),
        y_unit: "times".to_owned(),
        // The colours that these stages have on the page.
        lines: vec![line(Kind::Shared, 2), line(Kind::Stealing, 3)],
        proportion: true,
    };
    lines(&chart).map(maud::Markup::into_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices() -> Prices {
        let mut prices = Prices {
            schema: SCHEMA.to_owned(),
            machine: "nobody".to_owned(),
            tasks: 4_000,
            work_us: 5.0,
            workers: 32,
            seed: 1,
            costs: Costs {
                task: 60.0,
                lock: 200.0,
                crossing: 100.0,
                nap: 60_000.0,
                call: 2_000.0,
                wake: 20_000.0,
            },
            results: Vec::new(),
        };
        prices.results = simulated(&prices);
        prices
    }

    #[test]
    fn everything_is_said_and_keeps_within_the_screen() {
        let prices = prices();
        let screen = Screen {
            width: 80,
            colour: false,
        };
        let text = terminal(&prices, &screen);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        for part in ["step03", "step04", "nobody", "With 32 workers", "seed 1"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(chart(&prices).unwrap().contains("simulated speed-up"));
    }

    #[test]
    fn what_was_written_can_be_read_and_leads_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(RECORDING);
        let prices = prices();
        write(&file, &prices).unwrap();
        let back = read(&file).unwrap();
        assert_eq!(back, prices);
        assert_eq!(simulated(&back), prices.results);
        let names: Vec<String> = files(folder.path())
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["chart-simulate.svg", "simulate-numbers.md"]);
        fs::write(&file, "{}").unwrap();
        assert!(
            read(&file)
                .unwrap_err()
                .to_string()
                .contains("is not what `simulate --json` writes")
        );
    }
}
