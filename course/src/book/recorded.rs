//! From a recorded run to what the pages include: numbers, tables, drawings.
//!
//! Nobody types a measured number into the book. `cargo course book --record` measures all stages in one run, the peers
//! beside them, and keeps what `compare --json` wrote as `book/src/recorded/run.json`; then, in a second run, the rows that
//! take a million tasks (`run-full.json`, see `several.rs`). This file turns them into small files beside them, which are
//! committed too, so that mdbook alone can build the book. A test generates them again and compares.
//!
//! A step is set against the one before within one run, since a ratio of two runs is a ratio of two days.
//!
//! - `STEP-numbers.md`: every number that was measured, and a few that follow from them, each between two anchors, so that
//!   a sentence can include it
//! - `STEP-table.md`: the seed article's table; from the second step on with the step before instead of the article
//! - `table.md`: the same with a column for every step
//! - `STEP-cost.svg`, `STEP-times.svg`, `STEP-gain.svg`: drawings to scale
//!
//! A sentence must stay true when the numbers change. So ratios are computed here, and what is rounded is rounded here.
//! A number that a sentence needs and that was not measured is an error, not a gap.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use workloads::catalog::{self, Group};

use super::rounded::{count, quantity, three_digits, times, two_digits};
use super::run::{Machine, Measured, Report};
use super::{charts, drawings, several};
use crate::compare::{results, since, story};
use crate::{diff, simulate, workshop};

pub use super::run::{FULL, RUN};
pub use super::stackless::RECORDING as STACKLESS;
pub use crate::simulate::RECORDING as SIMULATED;

/// The steps that the book has numbers of, in its order.
pub const STEPS: &[&str] = &["step01", "step02", "step03", "step04"];

/// What is recorded: all else in the folder is made from these.
pub const RECORDINGS: &[&str] = &[RUN, FULL, STACKLESS, SIMULATED];

/// What a parked task takes, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    pub(super) reserved: f64,
    pub(super) resident: f64,
    pub(super) page_tables: f64,
    /// What the kernel keeps beside the page tables: its own stack and its entry for a thread. Zero where it keeps none.
    pub(super) kernel: f64,
}

impl Weight {
    fn in_memory(&self) -> f64 {
        self.resident + self.page_tables + self.kernel
    }
}

/// One step of the recorded run.
#[derive(Clone, Copy)]
struct Step<'a> {
    run: &'a Report,
    name: &'a str,
}

/// Every generated file of the folder `recorded`: its name and its text.
///
/// # Errors
///
/// If the recording cannot be read, or lacks a number that the book needs.
pub fn files(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let run = Report::read(&folder.join(RUN))?;
    let (all, full) = (
        since::read(&folder.join(RUN))?,
        since::read(&folder.join(FULL))?,
    );
    let mut files = Vec::new();
    for (i, name) in STEPS.iter().enumerate() {
        let step = Step { run: &run, name };
        let mut add =
            |name: &str, text: String| files.push((format!("{}-{name}", step.name), text));
        match i.checked_sub(1) {
            None => {
                add("numbers.md", step.numbers()?.0);
                add("table.md", step.table_beside_the_article()?);
                add("cost.svg", drawings::cost(&step.weight()?));
            }
            Some(before) => {
                let before = Step {
                    run: &run,
                    name: STEPS[before],
                };
                let mut numbers = step.numbers()?;
                add_gains(&all, before.name, name, &mut numbers)?;
                several::add_changes(&all, before.name, name, CHANGES, &mut numbers);
                several::add_workers(&all, Some(before.name), name, "", &mut numbers);
                let in_full = |name: &str| full.stages.iter().any(|column| column.name == name);
                if in_full(name) {
                    let before = Some(before.name).filter(|name| in_full(name));
                    several::add_full(&full, before, name, &mut numbers);
                }
                if *name == COROUTINES {
                    step.add_raw_switch(&mut numbers)?;
                }
                add("numbers.md", numbers.0);
                add("table.md", table_of(&[before, step])?);
                let weights = [
                    (before.task(), before.weight()?),
                    (step.task(), step.weight()?),
                ];
                add("cost.svg", drawings::costs(&weights));
                add(
                    "gain.svg",
                    drawings::gains(before.name, name, &step.gains(before)?),
                );
            }
        }
        add("times.svg", drawings::times(&step.times()?));
    }
    let steps: Vec<_> = STEPS.iter().map(|name| Step { run: &run, name }).collect();
    files.push(("table.md".to_owned(), table_of(&steps)?));
    files.extend(super::stackless::files(folder)?);
    files.extend(charts::files(&all, &full));
    files.extend(diff::files(&workshop::root())?);
    files.extend(simulate::files(folder)?);
    Ok(files)
}

/// A file of numbers that is being written: each between anchors of its name.
pub(super) struct Numbers(pub(super) String);

impl Numbers {
    pub(super) fn add(&mut self, name: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = write!(
            self.0,
            "<!-- ANCHOR: {name} -->\n{text}\n<!-- ANCHOR_END: {name} -->\n"
        );
    }
}

impl<'a> Step<'a> {
    fn results(&self) -> impl Iterator<Item = &'a Measured> {
        let name = self.name;
        self.run
            .results
            .iter()
            .filter(move |result| result.stage == name)
    }

    fn value(&self, workload: &str, metric: &str) -> anyhow::Result<f64> {
        self.run.value(self.name, workload, metric)
    }

    fn headline(&self, workload: &str) -> Option<&'a Measured> {
        self.results()
            .find(|r| r.workload == workload && r.headline)
    }

    fn weight(&self) -> anyhow::Result<Weight> {
        let of = |metric| self.value("memory", metric);
        let (resident, kernel) = (of("resident_per_task")?, of("kernel_per_task")?);
        Ok(Weight {
            reserved: of("reserved_per_task")?,
            resident,
            page_tables: of("page_tables_per_task")?,
            // Read off the whole machine. A thread's half in the kernel is larger than what it uses itself; a tenth of that
            // is what other programs happened to do meanwhile.
            kernel: if kernel > resident / 10.0 {
                kernel
            } else {
                0.0
            },
        })
    }

    /// What one of its tasks is made of, for a drawing.
    fn task(&self) -> &'static str {
        match self.name {
            "step01" => "a thread",
            COROUTINES => "a coroutine",
            _ => "a task",
        }
    }

    /// The times of the ruler, from the shortest to the longest, each with what it is the time of.
    fn times(&self) -> anyhow::Result<Vec<(String, f64)>> {
        let machine = &self.run.machine;
        let task = match self.name {
            "step01" => "thread",
            _ => "task",
        };
        let mut times = vec![
            ("a function call".to_owned(), machine.function_call_ns),
            ("a system call".to_owned(), machine.system_call_ns),
            (
                format!("a switch between two {task}s"),
                self.value("switch", "ns_per_switch")?,
            ),
            (
                "channel round trip, one core".to_owned(),
                self.value("ping_pong", "ns_per_round_trip")?,
            ),
            (
                "channel round trip, all cores".to_owned(),
                self.value("ping_pong_2", "ns_per_round_trip")?,
            ),
            (
                format!("create a {task} and join it"),
                self.value("spawn_join", "ns_per_task")?,
            ),
        ];
        let raw = self.headline("raw_switch").and_then(|raw| raw.value);
        times.extend(raw.map(|ns| ("a resume or a suspend, alone".to_owned(), ns)));
        let crossing = self.run.crossing();
        times.extend(crossing.map(|ns| ("a cache line, core to core".to_owned(), ns)));
        times.sort_by(|a, b| a.1.total_cmp(&b.1));
        Ok(times)
    }

    /// The numbers of this step by itself.
    fn numbers(&self) -> anyhow::Result<Numbers> {
        let mut out = Numbers(format!(
            "<!-- Generated from {RUN} by `cargo course book --regenerate`: do not edit. -->\n"
        ));
        let machine = &self.run.machine;
        let memory = quantity(machine.memory as f64, "bytes");
        let date = self.run.date.split('T').next().unwrap_or_default();
        let Machine {
            cpu, cores, kernel, ..
        } = machine;
        out.add(
            "machine",
            &format!("{cores} cores of {cpu}, {memory} of memory, {kernel}, on {date}"),
        );
        out.add("command", &self.run.command.join(" "));
        out.add("function_call", &quantity(machine.function_call_ns, "ns"));
        out.add("system_call", &quantity(machine.system_call_ns, "ns"));
        if let Some(ns) = self.run.crossing() {
            out.add("crossing", &quantity(ns, "ns"));
        }
        // What was measured at several places of an axis is a chart, and no number to be put into a sentence.
        let single = |result: &&Measured| {
            result.at.is_none() && !several::is_along_workers(&result.workload)
        };
        for result in self.results().filter(single) {
            let name = format!("{}-{}", result.workload, result.metric);
            match (result.value, &result.reason) {
                (Some(value), _) => out.add(&name, &quantity(value, &result.unit)),
                (None, reason) => {
                    out.add(
                        &name,
                        &format!("({}: {})", result.status, reason.as_deref().unwrap_or("?")),
                    );
                }
            }
            if let Some(note) = &result.note {
                out.add(&format!("{name}-note"), note);
            }
        }

        let spawn = self.value("spawn_join", "ns_per_task")?;
        let switch = self.value("switch", "ns_per_switch")?;
        let trip = self.value("ping_pong", "ns_per_round_trip")?;
        let far = self.value("ping_pong_2", "ns_per_round_trip")?;
        out.add(
            "spawn_join_over_call",
            &times(spawn / machine.function_call_ns),
        );
        out.add("spawn_join_over_switch", &times(spawn / switch));
        out.add("spawn_join_per_second", &count(two_digits(1e9 / spawn)));
        out.add(
            "switch_over_call",
            &times(switch / machine.function_call_ns),
        );
        out.add(
            "switch_over_system_call",
            &times(switch / machine.system_call_ns),
        );
        out.add(
            "system_call_over_switch",
            &times(machine.system_call_ns / switch),
        );
        out.add("ping_pong_over_switch", &times(trip / switch));
        out.add("ping_pong_2_over_ping_pong", &times(far / trip));
        let nature = if far > 1.3 * trip {
            "longer"
        } else if far < trip / 1.3 {
            "shorter"
        } else {
            "about as long"
        };
        out.add("ping_pong_2_nature", nature);
        self.add_weight(&mut out)?;
        Ok(out)
    }

    fn add_weight(&self, out: &mut Numbers) -> anyhow::Result<()> {
        let weight = self.weight()?;
        let total = weight.in_memory();
        let bytes = |value| quantity(value, "bytes");
        out.add("memory_kernel", &bytes(weight.kernel));
        out.add("memory_total", &bytes(total));
        out.add("memory_total_10k", &bytes(total * 1e4));
        out.add("memory_total_1m", &bytes(total * 1e6));
        out.add("memory_resident_10k", &bytes(weight.resident * 1e4));
        out.add("memory_reserved_10k", &bytes(weight.reserved * 1e4));
        out.add(
            "memory_reserved_over_total",
            &times(weight.reserved / total),
        );
        out.add(
            "memory_resident_bytes",
            &count(three_digits(weight.resident)),
        );
        out.add(
            "memory_page_tables_bytes",
            &count(three_digits(weight.page_tables)),
        );
        Ok(())
    }

    /// The coroutine beside that of the peer.
    fn add_raw_switch(&self, out: &mut Numbers) -> anyhow::Result<()> {
        let (workload, metric) = ("raw_switch", "ns_per_switch");
        let ours = self.value(workload, metric)?;
        let theirs = self.run.value(PEER, workload, metric)?;
        out.add(
            "switch_over_raw",
            &times(self.value("switch", "ns_per_switch")? / ours),
        );
        out.add("raw_switch_corosensei", &quantity(theirs, "ns"));
        out.add("raw_switch_over_corosensei", &times(ours / theirs));
        out.add(
            "raw_switch_over_call",
            &times(ours / self.run.machine.function_call_ns),
        );
        let version = self.run.column(PEER)?.version.as_deref();
        out.add(
            "corosensei_version",
            version.with_context(|| format!("{RUN} does not say which {PEER} was measured"))?,
        );
        Ok(())
    }

    /// What the drawing of the gains shows: each with its time before and its time now, in nanoseconds.
    fn gains(&self, before: Step<'_>) -> anyhow::Result<Vec<(&'static str, f64, f64)>> {
        let mut gains = Vec::new();
        for (what, workload, metric, ns) in GAINS {
            let of = |step: &Step<'_>| anyhow::Ok(step.value(workload, metric)? * ns);
            gains.push((*what, of(&before)?, of(self)?));
        }
        Ok(gains)
    }

    /// The rows of the table that the book shows.
    fn rows() -> impl Iterator<Item = &'static catalog::Info> {
        let shown = |info: &&catalog::Info| matches!(info.group, Group::Seed | Group::Program);
        catalog::all().iter().filter(shown)
    }

    fn cell(&self, info: &catalog::Info) -> anyhow::Result<Option<String>> {
        let Some(result) = self.headline(info.name) else {
            return Ok(None);
        };
        let reason = result.reason.as_deref().unwrap_or("no reason was given");
        Ok(Some(match (info.name, result.value) {
            ("memory", Some(_)) => {
                let bytes = |bytes| quantity(bytes, "bytes");
                let weight = self.weight()?;
                let (used, tables) = (bytes(weight.resident), bytes(weight.page_tables));
                let kernel = match weight.kernel {
                    0.0 => String::new(),
                    kernel => format!(", {} in the kernel", bytes(kernel)),
                };
                let reserved = bytes(weight.reserved);
                format!("{used} in use, {tables} of page tables{kernel} ({reserved} reserved)")
            }
            ("blocked", Some(value)) => format!("{} late", quantity(value, &result.unit)),
            (_, Some(value)) if info.group == Group::Program => {
                format!("✓ {}", quantity(value, &result.unit))
            }
            (_, Some(value)) => quantity(value, &result.unit),
            (_, None) => format!("{}: {reason}", result.status),
        }))
    }

    /// The seed article's table, as Markdown, with its own words beside the numbers.
    fn table_beside_the_article(&self) -> anyhow::Result<String> {
        let mut out = String::from("| | the article, on threads | measured |\n|---|---|---|\n");
        out.push_str("| Management | the operating system | the kernel |\n");
        for info in Self::rows() {
            let Some(cell) = self.cell(info)? else {
                continue;
            };
            let article = ARTICLE.iter().find(|(name, _)| *name == info.name);
            let article = article.map_or("", |(_, words)| words);
            let _ = writeln!(out, "| {} | {article} | {cell} |", info.title);
        }
        Ok(out)
    }
}

/// The same table with a column for each of these steps.
fn table_of(steps: &[Step<'_>]) -> anyhow::Result<String> {
    let columns = steps.iter().map(|step| step.run.column(step.name));
    let columns: Vec<_> = columns.collect::<anyhow::Result<_>>()?;
    let mut out = String::from("|");
    for column in &columns {
        let _ = write!(out, " | {}: {}", column.name, column.title);
    }
    let _ = write!(out, " |\n|{}\n| Management", "---|".repeat(steps.len() + 1));
    for column in &columns {
        let _ = write!(out, " | {}", column.management);
    }
    out.push_str(" |\n");
    for info in Step::rows() {
        let cells = steps.iter().map(|step| step.cell(info));
        let cells: Option<Vec<_>> = cells.collect::<anyhow::Result<_>>()?;
        if let Some(cells) = cells {
            let _ = writeln!(out, "| {} | {} |", info.title, cells.join(" | "));
        }
    }
    Ok(out)
}

/// What a step has gained on the one before, and what it has lost, as the page says it too: pair by pair.
fn add_gains(
    run: &results::Report,
    before: &str,
    after: &str,
    out: &mut Numbers,
) -> anyhow::Result<()> {
    let gain = |workload| {
        let gain = story::gain(run, before, after, workload).map(|(gain, _)| gain);
        gain.with_context(|| {
            format!("{RUN} does not let {after} be compared with {before} by {workload}")
        })
    };
    for workload in [
        "spawn_join",
        "switch",
        "ping_pong",
        "ping_pong_2",
        "memory",
        "alive",
    ] {
        out.add(&format!("{workload}_gain"), &times(gain(workload)?));
    }
    let resident = |stage: &str| {
        run.headline(stage, "memory")
            .and_then(|memory| memory.value)
    };
    if let (Some(old), Some(new)) = (resident(before), resident(after)) {
        out.add("memory_resident_gain", &times(old / new));
    }
    out.add("blocked_loss", &times(1.0 / gain("blocked")?));
    Ok(())
}

/// The rows of which the book says in words what became of them.
const CHANGES: &[&str] = &[
    "spawn_join",
    "memory",
    "switch",
    "ping_pong",
    "ping_pong_2",
    "alive",
    "blocked",
    "web_server",
    "pipeline",
    "fan_out",
];

/// The step whose coroutine is measured by itself.
const COROUTINES: &str = "step02";

/// The peer that it is set beside.
const PEER: &str = "corosensei";

/// What is drawn from step to step: what it is, the workload, the metric, and how many nanoseconds its unit has.
const GAINS: &[(&str, &str, &str, f64)] = &[
    (
        "create a task and join it",
        "spawn_join",
        "ns_per_task",
        1.0,
    ),
    ("a switch between two tasks", "switch", "ns_per_switch", 1.0),
    (
        "a channel round trip",
        "ping_pong",
        "ns_per_round_trip",
        1.0,
    ),
    (
        "how late, if others block",
        "blocked",
        "heartbeat_p99_ms",
        1e6,
    ),
];

/// What the article says about threads.
const ARTICLE: &[(&str, &str)] = &[
    ("spawn_join", "high, slow to create"),
    ("memory", "large and fixed, 1–2 MB"),
    ("switch", "slow"),
    ("alive", "a few thousand"),
    ("web_server", "impossible"),
];
