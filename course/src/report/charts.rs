//! The charts of a report: which there are, what each is called, and what is said about it.
//!
//! A workload that was measured once for each stage has a chart of bars, by its headline. One that was measured along an
//! axis has a chart of lines for each of its metrics. The page and the book take them from here.

use maud::Markup;

use super::sentences;
use super::svg::{Bar, Line, Lines, Point, bars, lines};
use super::view;
use crate::compare::results::{Described, Direction, Measurement, Report, Status};

/// A chart with what is said about it.
pub(crate) struct Chart {
    /// Its name: the workload's, and the metric's if the workload has several charts.
    pub(crate) name: String,
    /// The workload's title.
    pub(crate) workload: String,
    /// The heading of the section of the page that it is in.
    pub(crate) group: &'static str,
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// Which way is better.
    pub(crate) better: &'static str,
    /// The drawing.
    pub(crate) drawing: Markup,
    /// Sentences computed from the data.
    pub(crate) says: Vec<String>,
}

/// The charts of one workload, none if nothing of it was measured.
pub(crate) fn of(report: &Report, row: &Described) -> Vec<Chart> {
    let curves = view::curves(report, &row.name);
    if curves.is_empty() {
        return of_headline(report, row).into_iter().collect();
    }
    curves
        .into_iter()
        .filter_map(|like| of_curve(report, row, like))
        .collect()
}

fn better(like: &Measurement) -> &'static str {
    match like.better {
        Direction::Lower => "less is better",
        Direction::Higher => "more is better",
    }
}

fn of_headline(report: &Report, row: &Described) -> Option<Chart> {
    let like = view::headline(report, &row.name)?;
    let columns = view::columns(report);
    let bar = |shown: &view::Shown<'_>| {
        let figure = report.headline(&shown.column.name, &row.name)?;
        let absent = match figure.status {
            Status::Failed => "failed",
            _ => "skipped",
        };
        Some(Bar {
            name: shown.column.name.clone(),
            title: shown.column.title.clone(),
            tone: shown.tone,
            value: figure.summary().ok_or_else(|| absent.to_owned()),
            noisy: figure.is_noisy(),
        })
    };
    let all: Vec<Bar> = columns.iter().filter_map(bar).collect();
    Some(Chart {
        name: row.name.clone(),
        workload: row.title.clone(),
        group: view::heading(row),
        title: like.title.clone(),
        better: better(like),
        drawing: bars(&format!("{}: {}", row.title, like.title), &all, &like.unit)?,
        says: sentences::of_bars(report, &row.name),
    })
}

fn of_curve(report: &Report, row: &Described, like: &Measurement) -> Option<Chart> {
    let along = like.along.as_ref()?;
    let line = |shown: view::Shown<'_>| {
        let name = &shown.column.name;
        let points = view::points(report, name, like);
        let point = |result: &&Measurement| {
            Some(Point {
                x: result.at?,
                y: result.summary()?,
            })
        };
        let points: Vec<Point> = points.iter().filter_map(point).collect();
        (!points.is_empty()).then(|| Line {
            name: name.clone(),
            tone: shown.tone,
            stopped: view::stopped(report, name, &like.workload).is_some(),
            points,
        })
    };
    let chart = Lines {
        title: like.title.clone(),
        x_title: along.title.clone(),
        x_unit: along.unit.clone(),
        y_title: like.title.clone(),
        y_unit: like.unit.clone(),
        lines: view::columns(report).into_iter().filter_map(line).collect(),
        // A ratio along a number of workers is at best that number.
        proportion: like.unit == "times" && along.unit == "workers",
    };
    Some(Chart {
        name: format!("{}-{}", like.workload, like.metric),
        workload: row.title.clone(),
        group: view::heading(row),
        title: like.title.clone(),
        better: better(like),
        drawing: lines(&chart)?,
        says: sentences::of_curve(report, like),
    })
}
