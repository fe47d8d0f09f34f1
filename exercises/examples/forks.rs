//! How long a recursion takes whose calls are forked, down to a size from which on they are plain calls.
//!
//!     cargo run --release -p exercises --example forks -- --below 2 8 14 20
//!
//! The recursion is Fibonacci's, of 27: nothing but calls and additions, so whatever a fork costs is seen. It is done
//! plainly, by `step04::join`, and by a task for one of the two halves (spawn, and join its handle), with one worker and
//! with two. `--below 8` forks the calls down to those for numbers below 8, which are plain ones. What is printed is the
//! time of the whole: the median of seven repetitions that take turns. `--json` prints the results for a program to read,
//! and the table to the standard error.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use step01::Runtime;
use step03::Builder;
use step04::Stealing;

/// What is computed: more than half a million calls.
const OF: u64 = 27;
const RESULT: u64 = 196_418;

const REPETITIONS: usize = 7;

#[inline(never)]
fn alone(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    alone(n - 1) + alone(n - 2)
}

fn by_join(n: u64, below: u64) -> u64 {
    if n < below {
        return alone(n);
    }
    let (a, b) = step04::join(|| by_join(n - 1, below), || by_join(n - 2, below));
    a + b
}

fn by_spawn(rt: &Stealing, n: u64, below: u64) -> u64 {
    if n < below {
        return alone(n);
    }
    let own = rt.clone();
    let task = rt.spawn(move || by_spawn(&own, n - 2, below));
    let a = by_spawn(rt, n - 1, below);
    a + task.join().unwrap_or_else(|error| error.resume())
}

struct Row {
    /// `alone`, `join` or `spawn`.
    by: &'static str,
    below: u64,
    workers: usize,
    /// Microseconds.
    samples: Vec<f64>,
}

impl Row {
    fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        f64::midpoint(sorted[low], sorted[high])
    }

    /// One repetition.
    fn measure(&mut self, runtimes: &[Stealing]) -> Result<(), String> {
        let rt = &runtimes[self.workers - 1];
        let by = self.by;
        let below = self.below;
        let (result, sample) = rt.run(|| {
            // The first time wakes the workers up and maps stacks.
            let mut result = 0;
            let mut start = Instant::now();
            for _ in 0..2 {
                start = Instant::now();
                result = match by {
                    "alone" => alone(black_box(OF)),
                    "join" => by_join(black_box(OF), below),
                    _ => by_spawn(rt, black_box(OF), below),
                };
            }
            (result, start.elapsed())
        });
        if result != RESULT {
            return Err(format!("{by} below {below}: {result}, and not {RESULT}"));
        }
        self.samples.push(sample.as_nanos() as f64 / 1_000.0);
        Ok(())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let (mut json, mut sizes) = (false, Vec::new());
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--json" => json = true,
            "--below" => {}
            number => {
                let below: u64 = number
                    .parse()
                    .map_err(|error| format!("{number}: {error}; there are --below and --json"))?;
                sizes.push(below.max(2));
            }
        }
    }
    if sizes.is_empty() {
        return Err("--below is missing: the sizes from which on calls are forked".to_owned());
    }
    let runtime = |workers| step04::build(&Builder::default().workers(workers));
    let runtimes: Result<Vec<Stealing>, _> = (1..=2).map(runtime).collect();
    let runtimes = runtimes.map_err(|error| error.to_string())?;
    let row = |by, below, workers| Row {
        by,
        below,
        workers,
        samples: Vec::new(),
    };
    let mut rows = vec![row("alone", OF, 1)];
    for by in ["join", "spawn"] {
        for &below in &sizes {
            rows.extend([1, 2].map(|workers| row(by, below, workers)));
        }
    }
    for _ in 0..REPETITIONS {
        for row in &mut rows {
            row.measure(&runtimes)?;
        }
    }
    let mut text = format!("{:>24}{:>14}{:>14}", "", "1 worker", "2 workers");
    text += &format!("\n{:>24}{:>11.0} µs", "plain calls", rows[0].median());
    for pair in rows[1..].chunks(2) {
        let name = format!("{} down to {}", pair[0].by, pair[0].below);
        text += &format!("\n{name:>24}");
        for row in pair {
            text += &format!("{:>11.0} µs", row.median());
        }
    }
    if json {
        print_json(&rows);
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
    Ok(())
}

/// In the form of `cargo course compare --json`, as far as the exercises read it.
fn print_json(rows: &[Row]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let name = match row.by {
                "alone" => "alone".to_owned(),
                by => format!("{by}_{}", row.below),
            };
            let samples: Vec<String> = row.samples.iter().map(|n| format!("{n:.2}")).collect();
            format!(
                "  {{\"stage\": \"step04\", \"workload\": \"{name}\", \"metric\": \"workers_{}\", \"unit\": \"us\", \
                 \"value\": {:.2}, \"samples\": [{}]}}",
                row.workers,
                row.median(),
                samples.join(", ")
            )
        })
        .collect();
    println!("{{\"results\": [\n{}\n]}}", rows.join(",\n"));
}
