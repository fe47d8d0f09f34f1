//! From recorded measurements to what the pages include: numbers, tables, drawings.
//!
//! Nobody types a measured number into the book. `cargo course book --record` measures, and keeps what `compare --json`
//! wrote as `book/src/recorded/STEP.json`. This file turns it into small files beside it, which are committed too, so
//! that mdbook alone can build the book. A test generates them again and compares.
//!
//! - `STEP-numbers.md`: every number that was measured, and a few that follow from them, each between two anchors, so that
//!   a sentence can include it
//! - `STEP-table.md`: the seed article's table
//! - `STEP-cost.svg`, `STEP-times.svg`: two drawings to scale
//!
//! A sentence must stay true when the numbers change. So ratios are computed here, and what is rounded is rounded here.
//! A number that a sentence needs and that was not measured is an error, not a gap.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use workloads::catalog::{self, Group};

#[path = "drawings.rs"]
mod drawings;

/// The steps that have recordings.
pub(crate) const STEPS: &[&str] = &["step01"];

/// What this file reads of a report of `compare --json`.
#[derive(Debug, Deserialize)]
struct Report {
    schema: String,
    date: String,
    machine: Machine,
    results: Vec<Measured>,
}

#[derive(Debug, Deserialize)]
struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    memory: u64,
    crossings: Vec<Crossing>,
    function_call_ns: f64,
    system_call_ns: f64,
}

#[derive(Debug, Deserialize)]
struct Crossing {
    ns: f64,
}

#[derive(Debug, Deserialize)]
struct Measured {
    stage: String,
    workload: String,
    metric: String,
    unit: String,
    headline: bool,
    value: Option<f64>,
    note: Option<String>,
    status: String,
    reason: Option<String>,
}

/// What a parked task takes, in bytes.
#[derive(Clone, Copy, Debug)]
struct Weight {
    reserved: f64,
    resident: f64,
    page_tables: f64,
    /// What the kernel keeps beside the page tables: its own stack and its entry for a thread.
    kernel: f64,
}

impl Weight {
    fn in_memory(&self) -> f64 {
        self.resident + self.page_tables + self.kernel
    }
}

/// A step's recording.
struct Recording {
    step: &'static str,
    report: Report,
}

/// Every generated file of the folder `recorded`: its name and its text.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for step in STEPS {
        let recording = Recording::read(folder, step)?;
        let mut add = |name: &str, text: String| files.push((format!("{step}-{name}"), text));
        add("numbers.md", recording.numbers()?);
        add("table.md", recording.table());
        add("cost.svg", drawings::cost(&recording.weight()?));
        add("times.svg", drawings::times(&recording.times()?));
    }
    Ok(files)
}

impl Recording {
    fn read(folder: &Path, step: &'static str) -> anyhow::Result<Recording> {
        let file = folder.join(format!("{step}.json"));
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let report: Report = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what `compare --json` writes", file.display()))?;
        if report.schema != "course.compare/1" {
            bail!(
                "{step}.json is of the form {:?}, which this does not know",
                report.schema
            );
        }
        Ok(Recording { step, report })
    }

    fn results(&self) -> impl Iterator<Item = &Measured> {
        self.report
            .results
            .iter()
            .filter(|result| result.stage == self.step)
    }

    fn value(&self, workload: &str, metric: &str) -> anyhow::Result<f64> {
        let found = self
            .results()
            .find(|r| r.workload == workload && r.metric == metric);
        let value = found.and_then(|result| result.value);
        value.with_context(|| format!("{}.json has no value for {workload}, {metric}", self.step))
    }

    fn weight(&self) -> anyhow::Result<Weight> {
        let of = |metric| self.value("memory", metric);
        Ok(Weight {
            reserved: of("reserved_per_task")?,
            resident: of("resident_per_task")?,
            page_tables: of("page_tables_per_task")?,
            // The metric is all of the kernel's memory, page tables included.
            kernel: of("kernel_per_task")? - of("page_tables_per_task")?,
        })
    }

    /// What a line of this machine costs to pass from core to core; the median of the pairs that were measured.
    fn crossing(&self) -> Option<f64> {
        let mut all: Vec<f64> = self.report.machine.crossings.iter().map(|c| c.ns).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// The times of the ruler, from the shortest to the longest, each with what it is the time of.
    fn times(&self) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let machine = &self.report.machine;
        let mut times = vec![
            ("a function call", machine.function_call_ns),
            ("a system call", machine.system_call_ns),
            (
                "a switch between two threads",
                self.value("switch", "ns_per_switch")?,
            ),
            (
                "channel round trip, one core",
                self.value("ping_pong", "ns_per_round_trip")?,
            ),
            (
                "channel round trip, all cores",
                self.value("ping_pong_2", "ns_per_round_trip")?,
            ),
            (
                "create a thread and join it",
                self.value("spawn_join", "ns_per_task")?,
            ),
        ];
        times.extend(self.crossing().map(|ns| ("a cache line, core to core", ns)));
        times.sort_by(|a, b| a.1.total_cmp(&b.1));
        Ok(times)
    }

    /// The numbers, each between anchors of its name.
    fn numbers(&self) -> anyhow::Result<String> {
        let mut out = format!(
            "<!-- Generated from {}.json by `cargo course book --regenerate`: do not edit. -->\n",
            self.step
        );
        let mut add = |name: &str, text: &str| {
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "<!-- ANCHOR: {name} -->\n{text}\n<!-- ANCHOR_END: {name} -->\n"
            );
        };
        let machine = &self.report.machine;
        let memory = quantity(machine.memory as f64, "bytes");
        let date = self.report.date.split('T').next().unwrap_or_default();
        let Machine {
            cpu, cores, kernel, ..
        } = machine;
        add(
            "machine",
            &format!("{cores} cores of {cpu}, {memory} of memory, {kernel}, on {date}"),
        );
        add("function_call", &quantity(machine.function_call_ns, "ns"));
        add("system_call", &quantity(machine.system_call_ns, "ns"));
        if let Some(ns) = self.crossing() {
            add("crossing", &quantity(ns, "ns"));
        }
        for result in self.results() {
            let name = format!("{}-{}", result.workload, result.metric);
            match (result.value, &result.reason) {
                (Some(value), _) => add(&name, &quantity(value, &result.unit)),
                (None, reason) => {
                    add(
                        &name,
                        &format!("({}: {})", result.status, reason.as_deref().unwrap_or("?")),
                    );
                }
            }
            if let Some(note) = &result.note {
                add(&format!("{name}-note"), note);
            }
        }

        let spawn = self.value("spawn_join", "ns_per_task")?;
        let switch = self.value("switch", "ns_per_switch")?;
        let trip = self.value("ping_pong", "ns_per_round_trip")?;
        let far = self.value("ping_pong_2", "ns_per_round_trip")?;
        add(
            "spawn_join_over_call",
            &times(spawn / machine.function_call_ns),
        );
        add("spawn_join_over_switch", &times(spawn / switch));
        add("spawn_join_per_second", &count(two_digits(1e9 / spawn)));
        add(
            "switch_over_call",
            &times(switch / machine.function_call_ns),
        );
        add(
            "switch_over_system_call",
            &times(switch / machine.system_call_ns),
        );
        add("ping_pong_over_switch", &times(trip / switch));
        add("ping_pong_2_over_ping_pong", &times(far / trip));
        let nature = if far > 1.3 * trip {
            "longer"
        } else if far < trip / 1.3 {
            "shorter"
        } else {
            "about as long"
        };
        add("ping_pong_2_nature", nature);

        let weight = self.weight()?;
        let total = weight.in_memory();
        add("memory_kernel", &quantity(weight.kernel, "bytes"));
        add("memory_total", &quantity(total, "bytes"));
        add("memory_total_10k", &quantity(total * 1e4, "bytes"));
        add("memory_total_1m", &quantity(total * 1e6, "bytes"));
        add(
            "memory_resident_10k",
            &quantity(weight.resident * 1e4, "bytes"),
        );
        add(
            "memory_reserved_10k",
            &quantity(weight.reserved * 1e4, "bytes"),
        );
        add(
            "memory_reserved_over_total",
            &times(weight.reserved / total),
        );
        Ok(out)
    }

    /// The seed article's table, as Markdown.
    fn table(&self) -> String {
        let mut out = String::from("| | the article, on threads | measured |\n|---|---|---|\n");
        out.push_str("| Management | the operating system | the kernel |\n");
        for info in catalog::all() {
            let headline = self
                .results()
                .find(|r| r.workload == info.name && r.headline);
            let Some(result) = headline.filter(|_| info.group != Group::Full) else {
                continue;
            };
            let article = ARTICLE.iter().find(|(name, _)| *name == info.name);
            let article = article.map_or("", |(_, words)| words);
            let reason = result.reason.as_deref().unwrap_or("no reason was given");
            let cell = match result.value {
                Some(value) if info.group == Group::Program => {
                    format!("✓ {}", quantity(value, &result.unit))
                }
                Some(value) => quantity(value, &result.unit),
                None => format!("{}: {reason}", result.status),
            };
            let _ = writeln!(out, "| {} | {article} | {cell} |", info.title);
        }
        out
    }
}

/// What the article says about threads.
const ARTICLE: &[(&str, &str)] = &[
    ("spawn_join", "high, slow to create"),
    ("memory", "large and fixed, 1–2 MB"),
    ("switch", "slow"),
    ("alive", "a few thousand"),
];

/// A number with its unit, rounded to two significant digits where it is a measurement and not a count.
fn quantity(value: f64, unit: &str) -> String {
    const TIME: &[(f64, &str)] = &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    const BYTES: &[(f64, &str)] = &[
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
        (1.0, "bytes"),
    ];
    let scaled = |scale: &[(f64, &'static str)], value: f64| {
        let in_units = |(from, symbol): &(f64, &'static str)| (two_digits(value / from), *symbol);
        let mut all = scale.iter().map(in_units);
        let (value, symbol) = all
            .find(|(value, _)| *value >= 1.0)
            .unwrap_or_else(|| in_units(&scale[scale.len() - 1]));
        format!("{} {symbol}", digits(value))
    };
    match unit {
        "ns" => scaled(TIME, value),
        "µs" => scaled(TIME, value * 1e3),
        "ms" => scaled(TIME, value * 1e6),
        "bytes" => scaled(BYTES, value),
        "times" => format!("{} times", digits(two_digits(value))),
        "tasks" => format!("{} tasks", count(value)),
        _ => format!("{} {unit}", digits(two_digits(value))),
    }
}

/// Rounds to two significant digits: nobody should believe the third.
fn two_digits(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let step = 10f64.powi(value.log10().floor() as i32 - 1);
    (value / step).round() * step
}

/// At most two digits that say something, and none after the point from ten on.
fn digits(value: f64) -> String {
    match value {
        v if v < 0.95 && v > 0.0 => format!("{v:.2}"),
        v if v < 9.95 && (v - v.round()).abs() > 0.04 => format!("{v:.1}"),
        v => count(v),
    }
}

/// A whole number with its thousands marked.
fn count(value: f64) -> String {
    let text = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in text.chars().enumerate() {
        if i > 0 && (text.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ratio: `1.9`, `31`, `12,000`.
fn times(ratio: f64) -> String {
    digits(two_digits(ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_have_their_unit() {
        let cases = [
            (1.62, "ns", "1.6 ns"),
            (999.7, "ns", "1 µs"),
            (59_123.0, "ns", "59 µs"),
            (41_700.0, "ns", "42 µs"),
            (2.04, "ms", "2 ms"),
            (0.55, "ms", "550 µs"),
            (9_732.0, "bytes", "9.5 KiB"),
            (2_304_851.0, "bytes", "2.2 MiB"),
            (25_276_514_304.0, "bytes", "24 GiB"),
            (32_407.0, "tasks", "32,407 tasks"),
            (10.26, "times", "10 times"),
            (82.4, "k req/s", "82 k req/s"),
            (0.55, "MB/s", "0.55 MB/s"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(quantity(value, unit), text, "{value} {unit}");
        }
        assert_eq!(times(36_412.0), "36,000");
        assert_eq!(times(13.6), "14");
        assert_eq!(times(2.31), "2.3");
    }
}
