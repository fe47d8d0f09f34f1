//! The recording of the interlude: what its example measures, and the numbers of its pages.
//!
//! `compare` knows stages, and the interlude is none: its forms run no workload, and what is said of them is a size
//! more often than a time. So its example measures and writes JSON, and this file keeps that as `stackless.json` and
//! makes `stackless-numbers.md` from it, in the way of `recorded.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::rounded::{count, quantity, times};
use crate::compare::machine::Machine;

/// The recording's file.
pub const RECORDING: &str = "stackless.json";

/// What measures, as one would type it.
const COMMAND: &str = "cargo run --release -p stackless --example ping_pong -- --json";

/// What this file reads of it.
#[derive(Debug, Deserialize)]
struct Recording {
    schema: String,
    machine: String,
    command: String,
    reps: f64,
    tasks: f64,
    async_fn: Form,
    by_hand: Form,
    stackful: Form,
    over_stackful: BTreeMap<String, Spread>,
    bytes: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
struct Form {
    ns_per_round_trip: Spread,
    resident_per_task: f64,
    page_tables_per_task: f64,
}

impl Form {
    fn in_memory(&self) -> f64 {
        self.resident_per_task + self.page_tables_per_task
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// Runs the example on this machine, and keeps what it says.
pub(super) fn record(root: &Path, recordings: &Path, quick: bool) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut example = Command::new(cargo);
    example.current_dir(root).args(COMMAND.split(' ').skip(1));
    if quick {
        example.args(["--reps", "3", "--millis", "20"]);
    }
    let output = example.output().context("cannot start cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the interlude was not measured: {errors}"
    );
    let text = with_machine(&String::from_utf8(output.stdout)?, &machine())?;
    let file = recordings.join(RECORDING);
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The machine in a line.
fn machine() -> String {
    let Machine {
        cpu,
        cores,
        kernel,
        memory,
        ..
    } = Machine::look();
    let memory = quantity(memory as f64, "bytes");
    format!("{cores} cores of {cpu}, {memory} of memory, {kernel}")
}

/// What the example wrote, with the machine that it was measured on and the command.
fn with_machine(example: &str, machine: &str) -> anyhow::Result<String> {
    let mut all: serde_json::Map<String, Value> =
        serde_json::from_str(example).context("the example did not write a JSON object")?;
    all.insert("machine".to_owned(), machine.into());
    all.insert("command".to_owned(), COMMAND.into());
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// The generated files: their names and their texts.
pub(super) fn files(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let file = folder.join(RECORDING);
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(vec![("stackless-numbers.md".to_owned(), numbers(&text)?)])
}

fn numbers(text: &str) -> anyhow::Result<String> {
    let recording: Recording = serde_json::from_str(text)
        .with_context(|| format!("{RECORDING} is not what `cargo course book --record` writes"))?;
    ensure!(
        recording.schema == "stackless/1",
        "{RECORDING} is of the form {:?}, which this does not know",
        recording.schema
    );
    let mut out = format!(
        "<!-- Generated from {RECORDING} by `cargo course book --regenerate`: do not edit. -->\n"
    );
    let mut add = |name: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<!-- ANCHOR: {name} -->\n{text}\n<!-- ANCHOR_END: {name} -->\n"
        );
    };
    add("machine", &recording.machine);
    add("command", &recording.command);
    add("reps", &count(recording.reps));
    add("tasks", &count(recording.tasks));
    let forms = [
        ("async_fn", &recording.async_fn),
        ("by_hand", &recording.by_hand),
        ("stackful", &recording.stackful),
    ];
    for (name, form) in forms {
        let Spread { median, min, max } = form.ns_per_round_trip;
        let ns = |value| quantity(value, "ns");
        let text = format!("{} ({} to {})", ns(median), ns(min), ns(max));
        add(&format!("{name}-ns_per_round_trip"), &text);
        let resident = quantity(form.resident_per_task, "bytes");
        add(&format!("{name}-resident_per_task"), &resident);
        let page_tables = quantity(form.page_tables_per_task, "bytes");
        add(&format!("{name}-page_tables_per_task"), &page_tables);
    }
    for (name, Spread { median, min, max }) in &recording.over_stackful {
        let text = format!("{} ({} to {})", times(*median), times(*min), times(*max));
        add(&format!("over_stackful-{name}"), &text);
    }
    for (name, form) in &forms[..2] {
        let ratio = recording.stackful.in_memory() / form.in_memory();
        add(&format!("stackful_over_{name}"), &times(ratio));
    }
    for (name, bytes) in &recording.bytes {
        add(&format!("bytes-{name}"), &count(*bytes));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{
        "schema": "stackless/1", "reps": 15, "tasks": 100000,
        "async_fn": {"ns_per_round_trip": {"median": 61.2, "min": 59.9, "max": 80.0},
                     "resident_per_task": 250.0, "page_tables_per_task": 0.5},
        "by_hand": {"ns_per_round_trip": {"median": 60.0, "min": 59.0, "max": 61.0},
                    "resident_per_task": 225.0, "page_tables_per_task": 0.5},
        "stackful": {"ns_per_round_trip": {"median": 90.0, "min": 89.0, "max": 1200.0},
                     "resident_per_task": 4296.0, "page_tables_per_task": 129.0},
        "over_stackful": {"async_fn": {"median": 0.68, "min": 0.5, "max": 1.25}},
        "bytes": {"page": 4096}
    }"#;

    #[test]
    fn what_the_example_writes_becomes_numbers() {
        let kept = with_machine(EXAMPLE, "2 cores").unwrap();
        let numbers = numbers(&kept).unwrap();
        for (name, text) in [
            ("machine", "2 cores"),
            ("command", COMMAND),
            ("tasks", "100,000"),
            ("async_fn-ns_per_round_trip", "61 ns (60 ns to 80 ns)"),
            ("stackful-ns_per_round_trip", "90 ns (89 ns to 1.2 µs)"),
            ("stackful-resident_per_task", "4.2 KiB"),
            ("over_stackful-async_fn", "0.68 (0.50 to 1.3)"),
            ("stackful_over_async_fn", "18"),
            ("bytes-page", "4,096"),
        ] {
            let anchored = format!("<!-- ANCHOR: {name} -->\n{text}\n<!-- ANCHOR_END: {name} -->");
            assert!(numbers.contains(&anchored), "{name}: {numbers}");
        }
    }

    #[test]
    fn another_form_or_a_missing_number_is_an_error() {
        let kept = with_machine(EXAMPLE, "2 cores").unwrap();
        let error = |text: &str| format!("{:#}", numbers(text).unwrap_err());
        let other = kept.replace("stackless/1", "stackless/0");
        assert!(error(&other).contains("which this does not know"));
        let less = kept.replace("resident_per_task", "weight");
        assert!(error(&less).contains("missing field `resident_per_task`"));
        assert!(with_machine("[]", "").is_err());
    }
}
