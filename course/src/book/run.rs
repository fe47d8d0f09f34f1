//! The recorded run: what is read of the file that `compare --json` has written.
//!
//! These are not the types of `compare` itself: a recording may be older than the program, and what the book does not
//! need may change without making it unreadable.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// Its file in the folder `book/src/recorded`.
pub const RUN: &str = "run.json";

/// That of the second one, at full size.
pub const FULL: &str = "run-full.json";

/// What is read of a report of `compare --json`.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) schema: String,
    pub(super) date: String,
    pub(super) command: Vec<String>,
    pub(super) machine: Machine,
    pub(super) stages: Vec<Column>,
    pub(super) results: Vec<Measured>,
}

/// A column of its table.
#[derive(Debug, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) management: String,
    pub(super) version: Option<String>,
}

/// What it was measured on.
#[derive(Debug, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    pub(super) memory: u64,
    pub(super) crossings: Vec<Crossing>,
    pub(super) function_call_ns: f64,
    pub(super) system_call_ns: f64,
}

/// How long a cache line takes from one core to another.
#[derive(Debug, Deserialize)]
pub(super) struct Crossing {
    pub(super) ns: f64,
}

/// One metric of one workload in one column.
#[derive(Debug, Deserialize)]
pub(super) struct Measured {
    pub(super) stage: String,
    pub(super) workload: String,
    pub(super) metric: String,
    pub(super) unit: String,
    pub(super) headline: bool,
    pub(super) value: Option<f64>,
    pub(super) note: Option<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    /// Where along an axis it was measured, for what is one of several.
    pub(super) at: Option<f64>,
}

impl Report {
    /// Reads the recording.
    pub(super) fn read(file: &Path) -> anyhow::Result<Report> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let report: Report = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what `compare --json` writes", file.display()))?;
        if report.schema != "course.compare/1" {
            bail!(
                "{RUN} is of the form {:?}, which this does not know",
                report.schema
            );
        }
        Ok(report)
    }

    /// A number that was measured; an error if it was not.
    pub(super) fn value(&self, column: &str, workload: &str, metric: &str) -> anyhow::Result<f64> {
        let found = self
            .results
            .iter()
            .find(|r| r.stage == column && r.workload == workload && r.metric == metric);
        let value = found.and_then(|result| result.value);
        value.with_context(|| format!("{RUN} has no value of {column} for {workload}, {metric}"))
    }

    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> anyhow::Result<&Column> {
        let found = self.stages.iter().find(|column| column.name == name);
        found.with_context(|| format!("{RUN} has no column {name}"))
    }

    /// What a line of this machine costs to pass from core to core; the median of the pairs that were measured.
    pub(super) fn crossing(&self) -> Option<f64> {
        let mut all: Vec<f64> = self.machine.crossings.iter().map(|c| c.ns).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }
}
