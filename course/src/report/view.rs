//! A report as a page needs it: columns in order with their colours, rows in order with their groups.
//!
//! Everything is taken from the report. The catalogue is asked only about files that are older than the list of rows in
//! them; and a row that nobody has described still has its name and its numbers. So a new stage, a new peer and a new
//! workload show up without a change here.

use workloads::catalog;

use super::svg::Tone;
use crate::compare::results::{Column, Described, Kind, Measurement, Report};

/// A column and its colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// The stage or peer.
    pub(crate) column: &'a Column,
    /// Its colour.
    pub(crate) tone: Tone,
}

/// The columns as they are shown: the stages in their order, the peers after them.
pub(crate) fn columns(report: &Report) -> Vec<Shown<'_>> {
    let of = |kind: Kind| {
        report
            .stages
            .iter()
            .filter(move |column| column.kind == kind)
    };
    let stages = of(Kind::Stage).enumerate().map(|(n, column)| Shown {
        column,
        tone: Tone::Stage(n),
    });
    let peers = of(Kind::Peer).enumerate().map(|(n, column)| Shown {
        column,
        tone: Tone::Peer(n),
    });
    stages.chain(peers).collect()
}

/// The rows: those that the report lists, then those that have results without being listed.
pub(crate) fn rows(report: &Report) -> Vec<Described> {
    let mut rows = report.workloads.clone();
    for result in &report.results {
        if rows.iter().any(|row| row.name == result.workload) {
            continue;
        }
        rows.push(match catalog::find(&result.workload) {
            Some(info) => Described::of(info),
            None => Described {
                name: result.workload.clone(),
                title: result.workload.clone(),
                group: String::new(),
                explain: String::new(),
            },
        });
    }
    rows
}

/// The groups of rows in the order of the page, each with its heading and what is said below that. What belongs to none of
/// these is in the last.
pub(crate) const GROUPS: &[(&str, &str, &str)] = &[
    (
        "seed",
        "Row by row",
        "Each bar is a median, its whisker reaches from the smallest repetition to the largest.",
    ),
    (
        "scaling",
        "How it grows",
        "The same at several sizes. A line that ends in a bar across it could not go on.",
    ),
    (
        "program",
        "The three programs",
        "Written once, run on every stage, every answer checked.",
    ),
    (
        "part",
        "Parts by themselves",
        "What a runtime is made of, with everything else taken away.",
    ),
    ("", "More workloads", "Measured on request."),
];

/// The heading of the group that a row belongs to.
pub(crate) fn heading(row: &Described) -> &'static str {
    let last = GROUPS.len() - 1;
    let place = GROUPS.iter().position(|(group, ..)| *group == row.group);
    GROUPS[place.unwrap_or(last)].1
}

/// The metrics that a workload was measured by along an axis, each once, in their order.
pub(crate) fn curves<'a>(report: &'a Report, workload: &str) -> Vec<&'a Measurement> {
    let mut found: Vec<&Measurement> = Vec::new();
    let along = |result: &&Measurement| result.workload == workload && result.at.is_some();
    for result in report.results.iter().filter(along) {
        if !found.iter().any(|known| known.metric == result.metric) {
            found.push(result);
        }
    }
    found
}

/// Any result of a workload's headline, for what all of them have in common.
pub(crate) fn headline<'a>(report: &'a Report, workload: &str) -> Option<&'a Measurement> {
    let of = |result: &&Measurement| {
        result.workload == workload && result.headline && result.at.is_none()
    };
    report.results.iter().find(of)
}

/// The points of one metric of one workload on one stage, from left to right.
pub(crate) fn points<'a>(
    report: &'a Report,
    stage: &str,
    like: &Measurement,
) -> Vec<&'a Measurement> {
    let of = |result: &&Measurement| {
        result.stage == stage
            && result.workload == like.workload
            && result.metric == like.metric
            && result.at.is_some()
            && result.value.is_some()
    };
    let mut points: Vec<&Measurement> = report.results.iter().filter(of).collect();
    points.sort_by(|a, b| {
        a.at.unwrap_or_default()
            .total_cmp(&b.at.unwrap_or_default())
    });
    points
}

/// Why a stage could not go on along a workload's axis, if it could not: the note of its headline.
pub(crate) fn stopped<'a>(report: &'a Report, stage: &str, workload: &str) -> Option<&'a str> {
    let note = report.headline(stage, workload)?.note.as_deref()?;
    note.starts_with("stopped").then_some(note)
}
