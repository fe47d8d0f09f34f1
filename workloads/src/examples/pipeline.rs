//! The data pipeline over this workspace's text, or that of another folder.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::Stop;
use super::options::Options;
use crate::measured::{ms, thousands};
use crate::programs::pipeline::{self, Statistics, Width};

pub(super) const USAGE: &str = "\
Counts lines and words of text in a pipeline of tasks, and compares the result with that of a plain loop.

  --folder PATH  the .rs and .md files below this folder (this workspace)
  --passes N     read them so many times (until it takes about a second)";

pub(super) fn run<R: Runtime>(rt: &R, options: &Options) -> Result<(), Stop> {
    let files = match options.text("--folder") {
        Some(folder) => pipeline::texts_below(Path::new(folder))?,
        None => pipeline::corpus()?,
    };
    let start = Instant::now();
    let once = pipeline::sequentially(&files, 1)?;
    let in_a_loop = start.elapsed();
    describe(&once);

    let fitting = (1.0 / in_a_loop.as_secs_f64()).ceil().clamp(1.0, 10_000.0) as usize;
    let passes = options.number("--passes", fitting)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let width = Width::for_workers(cores);
    println!(
        "A pipeline on {}: 1 task hands out the names of the files, {} read them, {} count, and 1 adds up.\n\
         It reads everything {passes} times.",
        rt.name(),
        width.readers,
        width.counters
    );
    let start = Instant::now();
    let counted = rt.run(|| pipeline::run(rt, &files, passes, width))?;
    let by_tasks = start.elapsed();
    let mut expected = Statistics::default();
    for _ in 0..passes {
        expected.add(once.clone());
    }
    if counted != expected {
        return Err("the pipeline has counted something else than the plain loop".into());
    }
    let rate = |time: Duration, passes: usize| {
        once.bytes as f64 * passes as f64 / 1e6 / time.as_secs_f64().max(1e-9)
    };
    println!(
        "  pipeline:   {:>8.0} ms, {:>6.1} MB/s\n  plain loop: {:>8.0} ms, {:>6.1} MB/s \
         (one pass, taken {passes} times)\n\n\
         Both counted the same, down to how often each of {} different words occurs.",
        ms(by_tasks),
        rate(by_tasks, passes),
        ms(in_a_loop) * passes as f64,
        rate(in_a_loop, 1),
        thousands(counted.occurrences.len())
    );
    Ok(())
}

fn describe(text: &Statistics) {
    let words: Vec<_> = text
        .most_frequent(12)
        .into_iter()
        .map(|(word, count)| format!("{word} {}", thousands(count as usize)))
        .collect();
    println!(
        "{} files, {} lines ({} of them blank, the longest with {} characters), {} words.\n\
         The most frequent: {}.\n",
        thousands(text.files as usize),
        thousands(text.lines as usize),
        thousands(text.blank_lines as usize),
        thousands(text.longest_line),
        thousands(text.words as usize),
        words.join(", ")
    );
}
