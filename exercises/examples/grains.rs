//! How long a unit of work takes, with all that the scheduler adds, for units of several sizes and any number of workers.
//!
//!     cargo run --release -p exercises --example grains -- --stage step03 --workers 1 2 4 --work 0 1000 10000
//!
//! A unit is a *turn* (16 tasks that compute for so many nanoseconds and yield, again and again) or, with `--unit tasks`, a
//! *task* (four tasks that spawn 64 others at a time, each of which computes for so long, and join them). What is printed
//! is the time from the first unit to the last, divided by their number: with two workers and nothing in the way that is
//! half of what it is with one. The median of seven repetitions; all combinations take turns, so that whatever else
//! happens on the machine happens to all of them. `--json` prints the results for a program to read, and the table to
//! the standard error.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use step01::{JoinHandle, Runtime};
use step03::{Builder, Policy, Scheduled};

/// A repetition has as many units as would take one worker so long, were there nothing but their work and a tenth of a
/// microsecond.
const NANOSECONDS: u64 = 40_000_000;

const STAGES: &[&str] = &["step03", "step04"];
const UNITS: &[&str] = &["turns", "tasks"];

struct Options {
    stages: Vec<String>,
    workers: Vec<usize>,
    work: Vec<u64>,
    unit: String,
    reps: usize,
    json: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        stages: Vec::new(),
        workers: Vec::new(),
        work: Vec::new(),
        unit: UNITS[0].to_owned(),
        reps: 7,
        json: false,
    };
    let known = |value: &str, all: &[&str]| match all.contains(&value) {
        true => Ok(value.to_owned()),
        false => Err(format!("{value} is none of {}", all.join(", "))),
    };
    let number = |value: &str| {
        let number = value.parse::<usize>();
        number.map_err(|error| format!("{value}: {error}"))
    };
    let mut option = String::new();
    for arg in std::env::args().skip(1) {
        if arg.starts_with("--") {
            options.json |= arg == "--json";
            option = arg;
            continue;
        }
        match option.as_str() {
            "--stage" => options.stages.push(known(&arg, STAGES)?),
            "--workers" => options.workers.push(number(&arg)?),
            "--work" => options.work.push(number(&arg)? as u64),
            "--unit" => options.unit = known(&arg, UNITS)?,
            "--reps" => options.reps = number(&arg)?.max(1),
            _ => {
                return Err(format!(
                    "{arg} comes after no option; there are --stage, --workers, --work, --unit, --reps, --json"
                ));
            }
        }
    }
    for (name, empty) in [
        ("--stage", options.stages.is_empty()),
        ("--workers", options.workers.is_empty()),
        ("--work", options.work.is_empty()),
    ] {
        if empty {
            return Err(format!("{name} is missing"));
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One combination and what was measured of it, in nanoseconds for each unit.
struct Row<'a> {
    stage: &'a str,
    workers: usize,
    work: u64,
    samples: Vec<f64>,
}

impl Row<'_> {
    fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        f64::midpoint(sorted[low], sorted[high])
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let steps = steps_per_nanosecond();
    let mut rows = Vec::new();
    for &work in &options.work {
        for stage in &options.stages {
            for &workers in &options.workers {
                rows.push(Row {
                    stage,
                    workers,
                    work,
                    samples: Vec::new(),
                });
            }
        }
    }
    for _ in 0..options.reps {
        for row in &mut rows {
            let builder = Builder::default().workers(row.workers).max_tasks(4_096);
            let count = NANOSECONDS / (row.work + 100);
            let steps = (row.work as f64 * steps).round() as u64;
            let sample = match row.stage {
                "step03" => builder
                    .build()
                    .map(|rt| units(&rt, &options.unit, count, steps)),
                _ => step04::build(&builder).map(|rt| units(&rt, &options.unit, count, steps)),
            };
            row.samples.push(sample.map_err(|error| error.to_string())?);
        }
    }
    if options.json {
        print_json(&options.unit, &rows);
    }
    print_table(options, &rows);
    Ok(())
}

/// Marsaglia's xorshift: each step needs the one before, so that nothing can be left out or done side by side.
#[inline(never)]
fn chain(mut x: u64, steps: u64) -> u64 {
    for _ in 0..steps {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

fn steps_per_nanosecond() -> f64 {
    const STEPS: u64 = 1_000_000;
    let runs = (0..10).map(|_| {
        let start = Instant::now();
        black_box(chain(black_box(1), STEPS));
        start.elapsed().as_nanos()
    });
    // The best of several: being interrupted only ever adds.
    STEPS as f64 / runs.min().unwrap_or_default().max(1) as f64
}

/// Nanoseconds for each of about `count` units.
fn units<P: Policy>(rt: &Scheduled<P>, unit: &str, count: u64, steps: u64) -> f64 {
    rt.run(|| {
        let all = match unit {
            "turns" => turns::<P>,
            _ => tasks::<P>,
        };
        // So that every worker is awake and has run something.
        all(rt, count / 20 + 1, steps);
        let start = Instant::now();
        let done = all(rt, count, steps);
        start.elapsed().as_nanos() as f64 / done as f64
    })
}

fn join(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.join().unwrap_or_else(|error| error.resume());
    }
}

/// 16 tasks that compute and yield. Returns how many turns they had.
fn turns<P: Policy>(rt: &Scheduled<P>, count: u64, steps: u64) -> u64 {
    const TASKS: u64 = 16;
    let each = count.div_ceil(TASKS);
    let tasks = (1..=TASKS).map(|seed| {
        let own = rt.clone();
        rt.spawn(move || {
            for _ in 0..each {
                black_box(chain(black_box(seed), steps));
                own.yield_now();
            }
        })
    });
    join(tasks.collect());
    each * TASKS
}

/// Four tasks that spawn 64 others at a time. Returns how many there were of those.
fn tasks<P: Policy>(rt: &Scheduled<P>, count: u64, steps: u64) -> u64 {
    const SPAWNERS: u64 = 4;
    const AT_A_TIME: u64 = 64;
    let batches = count.div_ceil(SPAWNERS * AT_A_TIME);
    let spawners = (0..SPAWNERS).map(|_| {
        let own = rt.clone();
        rt.spawn(move || {
            for _ in 0..batches {
                let batch = (1..=AT_A_TIME).map(|seed| {
                    own.spawn(move || {
                        black_box(chain(black_box(seed), steps));
                    })
                });
                join(batch.collect());
            }
        })
    });
    join(spawners.collect());
    SPAWNERS * batches * AT_A_TIME
}

fn print_table(options: &Options, rows: &[Row<'_>]) {
    let mut text = format!("{} with work of (ns)", options.unit);
    for stage in &options.stages {
        for workers in &options.workers {
            text += &format!("{:>22}", format!("{stage}, {workers} worker(s)"));
        }
    }
    for row in rows.chunk_by(|a, b| a.work == b.work) {
        text += &format!("\n{:>24}", row[0].work);
        for cell in row {
            text += &format!("{:>22}", format!("{:.0} ns", cell.median()));
        }
    }
    if options.json {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}

/// In the form of `cargo course compare --json`, as far as the exercises read it.
fn print_json(unit: &str, rows: &[Row<'_>]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let samples: Vec<String> = row.samples.iter().map(|n| format!("{n:.2}")).collect();
            format!(
                "  {{\"stage\": \"{}\", \"workload\": \"{unit}_{}\", \"metric\": \"workers_{}\", \"unit\": \"ns\", \
                 \"value\": {:.2}, \"samples\": [{}]}}",
                row.stage,
                row.work,
                row.workers,
                row.median(),
                samples.join(", ")
            )
        })
        .collect();
    println!("{{\"results\": [\n{}\n]}}", rows.join(",\n"));
}
