//! What is known about a cell of the table while it is measured, and what is written down about it at the end.

use std::time::Duration;

use workloads::catalog::{Better, Info, MetricInfo, Sample};
use workloads::costs;

use super::child::Ended;
use super::results::{Along, Direction, Measurement, Status};
use super::stats::Summary;
use super::who::Who;

/// One cell of the table while it is being measured.
pub(crate) struct Cell {
    /// The column.
    pub(crate) who: Who,
    /// What each repetition reported.
    pub(crate) reps: Vec<Vec<Sample>>,
    /// How long each took, also those that failed.
    pub(crate) took: Vec<Duration>,
    /// Instructions and cycles, from a repetition of their own.
    pub(crate) counted: Vec<Sample>,
    /// Once there is one, the cell is not repeated.
    pub(crate) end: Option<(Status, String)>,
}

/// A row: one workload, on all who take part in it.
pub(crate) struct Row {
    /// The workload.
    pub(crate) info: &'static Info,
    /// With how many workers.
    pub(crate) workers: usize,
    /// How many repetitions there should be.
    pub(crate) wanted: u32,
    /// One for each who takes part, the stages first.
    pub(crate) cells: Vec<Cell>,
}

impl Cell {
    /// Nothing is known yet.
    pub(crate) fn new(who: Who) -> Cell {
        Cell {
            who,
            reps: Vec::new(),
            took: Vec::new(),
            counted: Vec::new(),
            end: None,
        }
    }

    /// About how long the next repetition will take.
    pub(crate) fn usual(&self, guess: Duration) -> Duration {
        if self.end.is_some() {
            return Duration::ZERO;
        }
        match self.took.len() as u32 {
            0 => guess,
            n => self.took.iter().sum::<Duration>() / n,
        }
    }

    /// Notes how a repetition ended.
    pub(crate) fn take(&mut self, info: &Info, ended: Ended, took: Duration) {
        self.took.push(took);
        match ended {
            Ended::Measured(samples) => match check(info, &samples) {
                Ok(()) => self.reps.push(samples),
                Err(reason) => self.end = Some((Status::Failed, reason)),
            },
            Ended::Skipped(reason) => self.end = Some((Status::Skipped, reason)),
            Ended::Failed(reason) => self.end = Some((Status::Failed, reason)),
        }
    }
}

/// A workload may report only what the catalogue says it does, in the units that it names.
fn check(info: &Info, samples: &[Sample]) -> Result<(), String> {
    let headline = info.metrics.iter().find(|metric| metric.headline);
    for sample in samples {
        let Some(metric) = info
            .metrics
            .iter()
            .chain(costs::METRICS)
            .find(|metric| metric.name == sample.metric)
        else {
            return Err(format!(
                "it reported {:?}, which is none of its metrics",
                sample.metric
            ));
        };
        if metric.unit != sample.unit || !sample.value.is_finite() {
            let (value, unit) = (sample.value, &sample.unit);
            return Err(format!("it reported {} as {value} {unit}", sample.metric));
        }
    }
    match headline {
        Some(metric) if !samples.iter().any(|sample| sample.metric == metric.name) => {
            Err(format!("it did not report {}", metric.name))
        }
        _ => Ok(()),
    }
}

impl Row {
    /// What is written down about this row: an entry for each column, metric and place along the metric's axis, whatever
    /// happened. What was counted about the processes themselves is left out where it could not be counted.
    pub(crate) fn measurements(&self) -> Vec<Measurement> {
        let of_cell = |cell: &Cell| -> Vec<Measurement> {
            let own = self
                .info
                .metrics
                .iter()
                .flat_map(|metric| self.of_metric(cell, metric));
            let counted = costs::METRICS
                .iter()
                .flat_map(|metric| self.of_metric(cell, metric))
                .filter(|entry| entry.value.is_some());
            own.chain(counted).collect()
        };
        self.cells.iter().flat_map(of_cell).collect()
    }

    /// One entry for a number of its own; one for each place, from the left, for what is measured along an axis.
    fn of_metric(&self, cell: &Cell, metric: &MetricInfo) -> Vec<Measurement> {
        // A stage that fails one time in three has no number.
        let kept: &[Vec<Sample>] = if cell.end.is_some() { &[] } else { &cell.reps };
        let of_metric = |sample: &&Sample| sample.metric == metric.name;
        let all = kept.iter().flatten().chain(&cell.counted);
        let samples: Vec<&Sample> = all.filter(of_metric).collect();
        let mut places: Vec<Option<f64>> = samples.iter().map(|sample| sample.at).collect();
        places.sort_by(|a, b| a.unwrap_or_default().total_cmp(&b.unwrap_or_default()));
        places.dedup_by(|a, b| is_near(*a, *b));
        if places.is_empty() {
            places.push(None);
        }
        let at_place = |place: Option<f64>| {
            let there = samples
                .iter()
                .copied()
                .filter(|sample| is_near(sample.at, place));
            self.measurement(cell, metric, place, &there.collect::<Vec<&Sample>>())
        };
        places.into_iter().map(at_place).collect()
    }

    fn measurement(
        &self,
        cell: &Cell,
        metric: &MetricInfo,
        at: Option<f64>,
        samples: &[&Sample],
    ) -> Measurement {
        let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
        let summary = Summary::of(&values);
        let (status, reason) = match (&cell.end, summary) {
            (Some((status, reason)), _) => (*status, Some(reason.clone())),
            (None, Some(_)) => (Status::Ok, None),
            (None, None) => (
                Status::Skipped,
                Some("this stage does not report it".to_owned()),
            ),
        };
        let along = metric.along.map(|axis| Along {
            title: axis.title.to_owned(),
            unit: axis.unit.to_owned(),
        });
        Measurement {
            stage: cell.who.name().to_owned(),
            workload: self.info.name.to_owned(),
            metric: metric.name.to_owned(),
            title: metric.title.to_owned(),
            headline: metric.headline,
            unit: metric.unit.to_owned(),
            better: match metric.better {
                Better::Lower => Direction::Lower,
                Better::Higher => Direction::Higher,
            },
            value: summary.map(|summary| summary.median),
            min: summary.map(|summary| summary.min),
            max: summary.map(|summary| summary.max),
            n: values.len(),
            note: summary.and_then(|summary| typical_note(samples, summary.median)),
            samples: values,
            workers: self.workers,
            status,
            reason,
            at,
            along,
        }
    }
}

/// Whether two repetitions mean the same place of an axis. Where a limit of the system ends a line it does so at nearly the
/// same number each time; the places at which a workload looks are far apart.
fn is_near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 0.01 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

/// The note of the sample that is nearest to the median.
fn typical_note(samples: &[&Sample], median: f64) -> Option<String> {
    let distance = |sample: &&&Sample| (sample.value - median).abs();
    let nearest = samples
        .iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.and_then(|sample| sample.note.clone())
}

#[cfg(test)]
mod tests {
    use workloads::catalog;

    use super::*;

    #[test]
    fn places_are_told_apart_unless_they_are_nearly_the_same() {
        assert!(is_near(None, None) && is_near(Some(32_407.0), Some(32_425.0)));
        assert!(!is_near(None, Some(0.0)) && !is_near(Some(63.0), Some(64.0)));
        assert!(!is_near(Some(1.0), Some(2.0)) && is_near(Some(1.0), Some(1.0)));
    }

    #[test]
    fn what_the_catalogue_does_not_know_is_refused() {
        let info = catalog::find("spawn_join").unwrap();
        let sample = |metric: &str, unit: &str, value| Sample {
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            value,
            note: None,
            at: None,
        };
        let name = info.metrics[0].name;
        assert_eq!(check(info, &[sample(name, "ns", 1.0)]), Ok(()));
        for samples in [
            vec![],
            vec![sample("other", "ns", 1.0)],
            vec![sample(name, "ms", 1.0)],
            vec![sample(name, "ns", f64::NAN)],
        ] {
            assert!(check(info, &samples).is_err(), "{samples:?}");
        }
    }
}
