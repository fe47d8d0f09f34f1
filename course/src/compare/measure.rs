//! Which repetitions run, in which order, and what becomes of their numbers.
//!
//! Repetitions are taken in rounds. The first round visits every cell of the table, so that no row is ever cut. Each
//! further round visits the rows that still want a repetition and whose usual time fits into what is left of the
//! budget; a row is visited on all its stages or on none. Within a row the stages take turns, and a row's repetitions
//! lie as far apart as the run is long: a slow minute of the machine touches every stage and one repetition of each.
//!
//! Rejected: all repetitions of a row at once, which is kinder to caches and lets one busy moment spoil a whole row;
//! and fixed numbers of repetitions, which on a slow machine break the promise of two minutes.

use std::time::{Duration, Instant};

use workloads::catalog::{Better, Info, Sample};

use super::child::{self, Ended};
use super::progress::Progress;
use super::repetition::{self, Scale};
use super::results::{Direction, Measurement, Status};
use super::stats::Summary;
use crate::stages::Stage;

/// What to measure.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The columns.
    pub(crate) stages: Vec<&'static Stage>,
    /// The rows.
    pub(crate) workloads: Vec<&'static Info>,
    /// How much of each.
    pub(crate) scale: Scale,
    /// How many workers, for workloads that take all.
    pub(crate) workers: usize,
    /// How many repetitions, if the user has said so.
    pub(crate) reps: Option<u32>,
    /// After this long no further round begins for a row.
    pub(crate) budget: Option<Duration>,
    /// When to give up on a repetition, if the user has said so.
    pub(crate) timeout: Option<Duration>,
}

impl Plan {
    /// How often a row is to be repeated, if time allows.
    pub(crate) fn reps(&self, info: &Info) -> u32 {
        let usual = match self.scale {
            Scale::Test | Scale::Quick => info.default_reps.min(3),
            Scale::Default | Scale::Full => info.default_reps,
        };
        self.reps.unwrap_or(usual).max(1)
    }

    /// About how long one repetition of a row takes, before it has been seen.
    fn guess(&self, info: &Info) -> Duration {
        let scale = match self.scale {
            Scale::Test => 0.05,
            Scale::Quick => 0.3,
            Scale::Default => 1.0,
            Scale::Full => 3.0,
        };
        // Starting and ending the process comes on top.
        Duration::from_secs_f64(info.cost * scale + 0.01)
    }

    fn timeout(&self, info: &Info) -> Duration {
        let usual = self.guess(info) * 20;
        self.timeout.unwrap_or(usual.max(Duration::from_secs(30)))
    }

    /// About how long all of it takes.
    pub(crate) fn estimate(&self) -> Duration {
        let row = |info: &&'static Info| self.guess(info) * self.reps(info);
        let once = |info: &&'static Info| self.guess(info);
        let stages = self.stages.len() as u32;
        let all = self.workloads.iter().map(row).sum::<Duration>() * stages;
        let first_round = self.workloads.iter().map(once).sum::<Duration>() * stages;
        match self.budget {
            Some(budget) => all.min(budget.max(first_round)),
            None => all,
        }
    }
}

/// One cell of the table while it is being measured.
struct Cell {
    stage: &'static Stage,
    reps: Vec<Vec<Sample>>,
    took: Vec<Duration>,
    /// Once there is one, the cell is not repeated.
    end: Option<(Status, String)>,
}

/// A row: one workload on all stages.
struct Row {
    info: &'static Info,
    wanted: u32,
    cells: Vec<Cell>,
}

impl Cell {
    fn new(stage: &'static Stage) -> Cell {
        Cell {
            stage,
            reps: Vec::new(),
            took: Vec::new(),
            end: None,
        }
    }

    /// About how long the next repetition will take.
    fn usual(&self, guess: Duration) -> Duration {
        if self.end.is_some() {
            return Duration::ZERO;
        }
        match self.took.len() as u32 {
            0 => guess,
            n => self.took.iter().sum::<Duration>() / n,
        }
    }

    fn take(&mut self, info: &Info, ended: Ended, took: Duration) {
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

/// Measures everything and returns one entry for each stage, workload and metric.
pub(crate) fn measure(plan: &Plan, progress: &mut Progress) -> Vec<Measurement> {
    let cells = || plan.stages.iter().map(|stage| Cell::new(stage)).collect();
    let row = |info: &&'static Info| Row {
        info,
        wanted: plan.reps(info),
        cells: cells(),
    };
    let mut run = Run {
        plan,
        rows: plan.workloads.iter().map(row).collect(),
        begin: Instant::now(),
    };
    run.warm_up(progress);
    let rounds = run.rows.iter().map(|row| row.wanted).max().unwrap_or(0);
    for round in 0..rounds {
        for row in 0..run.rows.len() {
            if run.wants(row, round) {
                for stage in 0..plan.stages.len() {
                    run.repeat(row, stage, progress);
                }
            }
        }
    }
    progress.finish();
    run.rows
        .iter()
        .flat_map(|row| row.measurements(plan))
        .collect()
}

struct Run<'a> {
    plan: &'a Plan,
    rows: Vec<Row>,
    begin: Instant,
}

impl Run<'_> {
    /// One repetition of the first row on each stage that does not count. It brings the program into memory and the
    /// cores out of their sleep.
    fn warm_up(&mut self, progress: &mut Progress) {
        let Some(row) = self.rows.first_mut() else {
            return;
        };
        for cell in &mut row.cells {
            let args = repetition::Args {
                size: Scale::Test,
                ..request(self.plan, row.info, cell.stage)
            };
            progress.begin(format!("{} warming up", cell.stage.name), Duration::ZERO);
            let ended = child::run(&args, self.plan.timeout(row.info), || progress.tick());
            if let Ended::Failed(reason) = ended {
                cell.end = Some((Status::Failed, reason));
            }
        }
    }

    /// Whether a row is to be visited in this round.
    fn wants(&self, row: usize, round: u32) -> bool {
        let row = &self.rows[row];
        if round >= row.wanted {
            return false;
        }
        let Some(budget) = self.plan.budget else {
            return true;
        };
        let guess = self.plan.guess(row.info);
        let usual: Duration = row.cells.iter().map(|cell| cell.usual(guess)).sum();
        round == 0 || self.begin.elapsed() + usual <= budget
    }

    fn repeat(&mut self, row: usize, stage: usize, progress: &mut Progress) {
        let (info, wanted) = (self.rows[row].info, self.rows[row].wanted);
        let cell = &self.rows[row].cells[stage];
        if cell.end.is_some() {
            return;
        }
        let number = cell.reps.len() + 1;
        let what = format!("{} {}, {number} of {wanted}", cell.stage.name, info.name);
        progress.begin(what, self.rest());
        let args = request(self.plan, info, cell.stage);
        let start = Instant::now();
        let ended = child::run(&args, self.plan.timeout(info), || progress.tick());
        self.rows[row].cells[stage].take(info, ended, start.elapsed());
    }

    /// About how long everything that is still to be done will take.
    fn rest(&self) -> Duration {
        let of_row = |row: &Row| {
            let guess = self.plan.guess(row.info);
            let of_cell = |cell: &Cell| {
                let left = row.wanted.saturating_sub(cell.reps.len() as u32);
                cell.usual(guess) * left
            };
            row.cells.iter().map(of_cell).sum::<Duration>()
        };
        let all = self.rows.iter().map(of_row).sum::<Duration>();
        match self.plan.budget {
            Some(budget) => all.min(budget.saturating_sub(self.begin.elapsed())),
            None => all,
        }
    }
}

fn request(plan: &Plan, info: &Info, stage: &Stage) -> repetition::Args {
    repetition::Args {
        stage: stage.name.to_owned(),
        workload: info.name.to_owned(),
        size: plan.scale,
        workers: plan.workers,
    }
}

impl Row {
    /// What is written down about this row: an entry for each stage and metric, whatever happened.
    fn measurements(&self, plan: &Plan) -> Vec<Measurement> {
        let of_cell = |cell: &Cell| -> Vec<Measurement> {
            let entry = |metric| self.measurement(plan, cell, metric);
            self.info.metrics.iter().map(entry).collect()
        };
        self.cells.iter().flat_map(of_cell).collect()
    }

    fn measurement(
        &self,
        plan: &Plan,
        cell: &Cell,
        metric: &workloads::catalog::MetricInfo,
    ) -> Measurement {
        // A stage that fails one time in three has no number.
        let kept: &[Vec<Sample>] = if cell.end.is_some() { &[] } else { &cell.reps };
        let of_metric = |sample: &&Sample| sample.metric == metric.name;
        let samples: Vec<&Sample> = kept.iter().flatten().filter(of_metric).collect();
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
        Measurement {
            stage: cell.stage.name.to_owned(),
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
            note: summary.and_then(|summary| typical_note(&samples, summary.median)),
            samples: values,
            workers: repetition::workers(self.info, plan.workers),
            status,
            reason,
        }
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
