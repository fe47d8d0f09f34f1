//! What a run of `compare` found: the types behind the JSON file, the table, the verdicts and whatever shows them
//! later.
//!
//! The file is an interface. A change that a reader of the old form would misunderstand gets a new number in
//! [`SCHEMA`]; new fields do not.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub(crate) use super::appendix::{Along, Baseline, Change, Described, Judged};
use super::machine::{Machine, Share};
use super::repetition::Scale;
use super::stats::{ENOUGH, Summary, WIDE};
use super::yardsticks::Crossing;

/// The form of the file, and its version.
pub(crate) const SCHEMA: &str = "course.compare/1";

/// One run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Report {
    /// [`SCHEMA`].
    pub(crate) schema: String,
    /// When the run began, in UTC: `2026-01-31T12:00:00Z`.
    pub(crate) date: String,
    /// The command line.
    pub(crate) command: Vec<String>,
    /// How it was measured.
    pub(crate) settings: Settings,
    /// What it was measured on.
    pub(crate) machine: Machine,
    /// How far the numbers can be trusted.
    pub(crate) noise: Noise,
    /// The columns.
    pub(crate) stages: Vec<Column>,
    /// The rows, in their order. A file from before this was kept has none.
    #[serde(default)]
    pub(crate) workloads: Vec<Described>,
    /// The numbers: one entry for each stage, workload and metric, also for what was skipped or failed.
    pub(crate) results: Vec<Measurement>,
    /// The guesses that were made about this run, and what became of them.
    #[serde(default)]
    pub(crate) guesses: Vec<Judged>,
    /// The stage with which the others are compared pair by pair, if one was chosen.
    #[serde(default)]
    pub(crate) against: Option<String>,
    /// The comparison with an earlier run, if one was asked for.
    #[serde(default)]
    pub(crate) baseline: Option<Baseline>,
}

/// How a run was measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Settings {
    /// The size of the workloads.
    pub(crate) size: Scale,
    /// The workers of workloads that use them all.
    pub(crate) workers: usize,
    /// Seconds of measuring after which no further repetition was begun; none if there was no limit.
    pub(crate) budget_seconds: Option<f64>,
    /// Seconds that the measuring took.
    pub(crate) took_seconds: f64,
}

/// A column of the table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Column {
    /// The stage's name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) title: String,
    /// Who manages its tasks.
    pub(crate) management: String,
    /// Whether it is one of ours. A file from before there were peers does not say, and has stages only.
    #[serde(default)]
    pub(crate) kind: Kind,
    /// Which version of it was measured; none for the stages, which have the commit of the whole.
    #[serde(default)]
    pub(crate) version: Option<String>,
}

/// Whose a column is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A stage of the book.
    #[default]
    Stage,
    /// Something made by others, that `--peers` sets beside the stages.
    Peer,
}

/// One metric of one workload on one stage.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// The stage's name.
    pub(crate) stage: String,
    /// The workload's name.
    pub(crate) workload: String,
    /// The metric's name.
    pub(crate) metric: String,
    /// What the metric is, for people.
    pub(crate) title: String,
    /// True for the one metric of a workload that stands in the table.
    pub(crate) headline: bool,
    /// The unit of `value`, `min`, `max` and `samples`.
    pub(crate) unit: String,
    /// `lower` or `higher`: what counts as better.
    pub(crate) better: Direction,
    /// The median of the samples; none unless the status is `ok`.
    pub(crate) value: Option<f64>,
    /// The smallest sample.
    pub(crate) min: Option<f64>,
    /// The largest sample.
    pub(crate) max: Option<f64>,
    /// How many samples there are.
    pub(crate) n: usize,
    /// The samples, in the order in which they were taken.
    pub(crate) samples: Vec<f64>,
    /// What must be known to read the value rightly, such as what ended a count.
    pub(crate) note: Option<String>,
    /// How many workers the stage had.
    pub(crate) workers: usize,
    /// What became of it.
    pub(crate) status: Status,
    /// Why it was skipped, or how it failed.
    pub(crate) reason: Option<String>,
    /// Where along an axis it was measured; none for a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<f64>,
    /// That axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) along: Option<Along>,
}

/// Which direction is an improvement.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// What became of a measurement.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It was measured, and every answer was right.
    Ok,
    /// The stage, or this machine, cannot do it.
    Skipped,
    /// It went wrong.
    Failed,
}

/// What speaks against the numbers.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Noise {
    /// Where the processors' time went while we measured; none if the kernel did not tell.
    pub(crate) during: Option<Share>,
    /// How long a cache line took from core to core after the run.
    pub(crate) crossings_after: Vec<Crossing>,
    /// The rows whose repetitions differ widely, as `stage/workload`.
    pub(crate) wide: Vec<String>,
    /// One sentence for each thing that speaks against the numbers. Empty: nothing was noticed.
    pub(crate) remarks: Vec<String>,
}

impl Report {
    /// The number that stands in the table for a workload on a stage.
    pub(crate) fn headline(&self, stage: &str, workload: &str) -> Option<&Measurement> {
        let found = |result: &&Measurement| {
            result.stage == stage && result.workload == workload && result.headline
        };
        self.results.iter().find(found)
    }

    /// The same for a workload that is measured along an axis: at this place.
    pub(crate) fn headline_at(
        &self,
        stage: &str,
        workload: &str,
        at: Option<f64>,
    ) -> Option<&Measurement> {
        let found = |result: &&Measurement| {
            result.stage == stage && result.workload == workload && result.headline
        };
        let mut figures = self.results.iter().filter(found);
        // What failed or was skipped has no place, and stands at each.
        figures.find(|result| result.at == at || result.value.is_none())
    }

    /// One metric of a workload on a stage.
    pub(crate) fn metric(&self, stage: &str, workload: &str, metric: &str) -> Option<&Measurement> {
        let found = |result: &&Measurement| {
            result.stage == stage && result.workload == workload && result.metric == metric
        };
        self.results.iter().find(found)
    }

    /// True if a row failed.
    pub(crate) fn has_failures(&self) -> bool {
        self.results
            .iter()
            .any(|result| result.status == Status::Failed)
    }
}

impl Measurement {
    /// Whether the repetitions differ so widely that the median says little.
    pub(crate) fn is_noisy(&self) -> bool {
        let wide = |summary: Summary| summary.width() > WIDE;
        self.status == Status::Ok && self.n >= ENOUGH && self.summary().is_some_and(wide)
    }

    /// Median, smallest and largest, if it was measured.
    pub(crate) fn summary(&self) -> Option<Summary> {
        Some(Summary {
            median: self.value?,
            min: self.min?,
            max: self.max?,
        })
    }
}

/// The present moment in UTC, as `2026-01-31T12:00:00Z`.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |since| since.as_secs()))
}

/// Seconds since 1970 as a date and a time. The calendar repeats every 400 years of 146,097 days; within these, years
/// are counted from March, so that the leap day comes last.
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
pub(crate) mod tests {
    use workloads::catalog::{self, Better};

    use super::*;

    /// A report in which each metric of each workload has the value that the function gives for its stage, with a
    /// spread of an eighth to either side.
    pub(crate) fn report(stages: &[&str], value: impl Fn(&str, &str, &str) -> f64) -> Report {
        let measurement = |stage: &str, info: &catalog::Info, metric: &catalog::MetricInfo| {
            let value = value(stage, info.name, metric.name);
            Measurement {
                stage: stage.to_owned(),
                workload: info.name.to_owned(),
                metric: metric.name.to_owned(),
                title: metric.title.to_owned(),
                headline: metric.headline,
                unit: metric.unit.to_owned(),
                better: match metric.better {
                    Better::Lower => Direction::Lower,
                    Better::Higher => Direction::Higher,
                },
                value: Some(value),
                min: Some(value * 0.875),
                max: Some(value * 1.125),
                n: 3,
                samples: vec![value, value * 0.875, value * 1.125],
                note: Some("stopped by the system: no more".to_owned()),
                workers: 2,
                status: Status::Ok,
                reason: None,
                at: None,
                along: None,
            }
        };
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            title: format!("the title of {name}"),
            management: "somebody".to_owned(),
            kind: Kind::Stage,
            version: None,
        };
        let mut results = Vec::new();
        for stage in stages {
            for info in catalog::all() {
                results.extend(
                    info.metrics
                        .iter()
                        .map(|metric| measurement(stage, info, metric)),
                );
            }
        }
        Report {
            schema: SCHEMA.to_owned(),
            date: now(),
            command: vec!["course".to_owned()],
            settings: Settings {
                size: Scale::Default,
                workers: 2,
                budget_seconds: None,
                took_seconds: 1.0,
            },
            machine: Machine {
                function_call_ns: 1.0,
                system_call_ns: 100.0,
                ..Machine::default()
            },
            noise: Noise::default(),
            stages: stages.iter().map(column).collect(),
            workloads: catalog::all().iter().map(Described::of).collect(),
            results,
            guesses: Vec::new(),
            against: None,
            baseline: None,
        }
    }

    #[test]
    fn a_report_survives_being_written_and_read() {
        let report = report(&["step01"], |_, _, _| 1.5);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        assert!(report.headline("step01", "spawn_join").is_some());
        assert!(report.headline("step99", "spawn_join").is_none());
    }

    #[test]
    fn dates_follow_the_calendar() {
        // Each of these is what `date -u -d @SECONDS` prints.
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(date(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
