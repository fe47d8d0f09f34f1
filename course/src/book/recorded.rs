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

use super::drawings;
use super::rounded::{count, quantity, times, two_digits};

/// The steps that have recordings.
pub const STEPS: &[&str] = &["step01"];

/// What this file reads of a report of `compare --json`.
#[derive(Debug, Deserialize)]
struct Report {
    schema: String,
    date: String,
    command: Vec<String>,
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
pub(super) struct Weight {
    pub(super) reserved: f64,
    pub(super) resident: f64,
    pub(super) page_tables: f64,
    /// What the kernel keeps beside the page tables: its own stack and its entry for a thread.
    pub(super) kernel: f64,
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
///
/// # Errors
///
/// A recording that is not there, is no report of `compare`, or lacks a number that a page includes.
pub fn files(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for step in STEPS {
        let recording = Recording::read(folder, step)?;
        let mut add = |name: &str, text: String| files.push((format!("{step}-{name}"), text));
        add("numbers.md", recording.numbers()?);
        add("table.md", recording.table()?);
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
            kernel: of("kernel_per_task")?,
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
        add("command", &self.report.command.join(" "));
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
    fn table(&self) -> anyhow::Result<String> {
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
            let cell = match (info.name, result.value) {
                ("memory", Some(_)) => {
                    let bytes = |bytes| quantity(bytes, "bytes");
                    let weight = self.weight()?;
                    format!(
                        "{} in use, {} of page tables, {} in the kernel ({} reserved)",
                        bytes(weight.resident),
                        bytes(weight.page_tables),
                        bytes(weight.kernel),
                        bytes(weight.reserved),
                    )
                }
                ("blocked", Some(value)) => format!("{} late", quantity(value, &result.unit)),
                (_, Some(value)) if info.group == Group::Program => {
                    format!("✓ {}", quantity(value, &result.unit))
                }
                (_, Some(value)) => quantity(value, &result.unit),
                (_, None) => format!("{}: {reason}", result.status),
            };
            let _ = writeln!(out, "| {} | {article} | {cell} |", info.title);
        }
        Ok(out)
    }
}

/// What the article says about threads.
const ARTICLE: &[(&str, &str)] = &[
    ("spawn_join", "high, slow to create"),
    ("memory", "large and fixed, 1–2 MB"),
    ("switch", "slow"),
    ("alive", "a few thousand"),
    ("web_server", "impossible"),
];
