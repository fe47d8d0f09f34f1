//! Which repetitions run, in which order, and what becomes of their numbers.
//!
//! Repetitions are taken in rounds. The first round visits every cell of the table, so that no row is ever cut. Each
//! further round visits the rows that still want a repetition and whose usual time fits into what is left of the
//! budget; a row is visited in all its columns or in none. Within a row the columns take turns, stages and peers alike,
//! and a row's repetitions lie as far apart as the run is long: a slow minute of the machine touches every column and one
//! repetition of each.
//!
//! Rejected: all repetitions of a row at once, which is kinder to caches and lets one busy moment spoil a whole row;
//! and fixed numbers of repetitions, which on a slow machine break the promise of two minutes.

use std::time::{Duration, Instant};

use workloads::catalog::Info;
use workloads::costs;

use super::cell::{Cell, Row};
use super::child::{self, Ended};
use super::plan::Plan;
use super::progress::Progress;
use super::repetition::{self, Scale};
use super::results::{Measurement, Status};
use super::who::Who;

/// Where repetitions are made, and the clock by which they are budgeted.
trait Laboratory {
    /// Makes one repetition; calls `tick` now and then.
    fn repeat(
        &mut self,
        who: Who,
        args: &repetition::Args,
        timeout: Duration,
        tick: &mut dyn FnMut(),
    ) -> Ended;
    /// How long it has been measured so far.
    fn elapsed(&self) -> Duration;
}

/// Each repetition a child process.
struct Children {
    begin: Instant,
}

impl Laboratory for Children {
    fn repeat(
        &mut self,
        who: Who,
        args: &repetition::Args,
        timeout: Duration,
        tick: &mut dyn FnMut(),
    ) -> Ended {
        child::run(who, args, timeout, tick)
    }

    fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }
}

/// Measures everything and returns one entry for each stage, workload and metric.
pub(crate) fn measure(plan: &Plan, progress: &mut Progress) -> Vec<Measurement> {
    let children = Children {
        begin: Instant::now(),
    };
    let rows = run(plan, children, progress);
    progress.finish();
    rows.iter().flat_map(Row::measurements).collect()
}

/// Makes the warm-up and all rounds.
fn run(plan: &Plan, laboratory: impl Laboratory, progress: &mut Progress) -> Vec<Row> {
    // A workload that is measured with several numbers of workers has a row for each.
    let rows = |info: &&'static Info| {
        let info: &'static Info = info;
        let numbers = info.workers.numbers(plan.workers).into_iter();
        numbers.map(move |workers| Row {
            info,
            workers,
            wanted: plan.reps(info),
            cells: plan.who(info).map(Cell::new).collect(),
        })
    };
    let mut run = Run {
        plan,
        rows: plan.workloads.iter().flat_map(rows).collect(),
        laboratory,
    };
    run.warm_up(progress);
    let rounds = run.rows.iter().map(|row| row.wanted).max().unwrap_or(0);
    for round in 0..rounds {
        for row in 0..run.rows.len() {
            if run.wants(row, round) {
                for column in 0..run.rows[row].cells.len() {
                    run.repeat(row, column, progress);
                }
            }
        }
    }
    if plan.count {
        run.count(progress);
    }
    run.rows
}

struct Run<'a, L> {
    plan: &'a Plan,
    rows: Vec<Row>,
    laboratory: L,
}

impl<L: Laboratory> Run<'_, L> {
    /// One repetition in each column, of the first row that it has, which does not count. It brings the programs into
    /// memory and the cores out of their sleep.
    fn warm_up(&mut self, progress: &mut Progress) {
        let mut warm = Vec::new();
        for row in &mut self.rows {
            for cell in &mut row.cells {
                let name = cell.who.name();
                if warm.contains(&name) {
                    continue;
                }
                warm.push(name);
                let args = repetition::Args {
                    size: Scale::Test,
                    ..request(self.plan, row.info, row.workers, cell.who)
                };
                progress.begin(format!("{name} warming up"), Duration::ZERO);
                let timeout = self.plan.timeout(row.info);
                let ended = self
                    .laboratory
                    .repeat(cell.who, &args, timeout, &mut || progress.tick());
                if let Ended::Failed(reason) = ended {
                    cell.end = Some((Status::Failed, reason));
                }
            }
        }
    }

    /// One more repetition of each cell, a small one, that counts instructions and cycles. Counting slows some stages
    /// down more than others, so nothing else is kept of it; and one is enough, since these figures hardly vary.
    fn count(&mut self, progress: &mut Progress) {
        for row in &mut self.rows {
            for cell in row.cells.iter_mut().filter(|cell| cell.end.is_none()) {
                let args = repetition::Args {
                    size: self.plan.scale.at_most(Scale::Quick),
                    count: true,
                    ..request(self.plan, row.info, row.workers, cell.who)
                };
                let what = format!("{} {}, counting", cell.who.name(), row.info.name);
                progress.begin(what, Duration::ZERO);
                let timeout = self.plan.timeout(row.info);
                let ended = self
                    .laboratory
                    .repeat(cell.who, &args, timeout, &mut || progress.tick());
                // One that fails has its reason in the repetitions before, or none that matters here.
                if let Ended::Measured(samples) = ended {
                    let counted = samples.into_iter().filter(costs::is_instructions_or_cycles);
                    cell.counted.extend(counted);
                }
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
        round == 0 || self.laboratory.elapsed() + usual <= budget
    }

    fn repeat(&mut self, row: usize, column: usize, progress: &mut Progress) {
        let Row {
            info,
            workers,
            wanted,
            ..
        } = self.rows[row];
        let cell = &self.rows[row].cells[column];
        if cell.end.is_some() {
            return;
        }
        let number = cell.reps.len() + 1;
        let who = cell.who;
        let what = format!("{} {}, {number} of {wanted}", who.name(), info.name);
        progress.begin(what, self.rest());
        let args = request(self.plan, info, workers, who);
        let start = self.laboratory.elapsed();
        let timeout = self.plan.timeout(info);
        let ended = self
            .laboratory
            .repeat(who, &args, timeout, &mut || progress.tick());
        let took = self.laboratory.elapsed() - start;
        self.rows[row].cells[column].take(info, ended, took);
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
            Some(budget) => all.min(budget.saturating_sub(self.laboratory.elapsed())),
            None => all,
        }
    }
}

fn request(plan: &Plan, info: &Info, workers: usize, who: Who) -> repetition::Args {
    repetition::Args {
        stage: who.name().to_owned(),
        workload: info.name.to_owned(),
        size: plan.scale,
        workers,
        count: false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::rc::Rc;

    use proptest::prelude::*;
    use workloads::catalog::{self, MetricInfo, Sample, WorkersWanted};

    use super::*;
    use crate::stages;

    /// What a test sees: each repetition that counts, as `stage/workload`, in the order in which they were made.
    type Log = Rc<RefCell<Vec<String>>>;

    /// No children: time passes as the test says, and so do things go wrong.
    struct Fake {
        time: Duration,
        /// Seconds that a repetition of each row takes.
        costs: HashMap<&'static str, f64>,
        log: Log,
        /// From this repetition on the workload fails.
        fails: Option<(&'static str, usize)>,
    }

    impl Laboratory for Fake {
        fn repeat(
            &mut self,
            _: Who,
            args: &repetition::Args,
            _: Duration,
            _: &mut dyn FnMut(),
        ) -> Ended {
            let info = catalog::find(&args.workload).unwrap();
            if args.size == Scale::Test {
                return Ended::Measured(Vec::new());
            }
            if args.count {
                let counted = |metric: &MetricInfo| Sample {
                    metric: metric.name.to_owned(),
                    unit: metric.unit.to_owned(),
                    value: 1e6,
                    note: None,
                    at: None,
                };
                let both = info.metrics.iter().chain(costs::METRICS);
                return Ended::Measured(both.map(counted).collect());
            }
            self.time += Duration::from_secs_f64(self.costs[info.name]);
            let mut name = format!("{}/{}", args.stage, args.workload);
            if info.workers == WorkersWanted::Each {
                name += &format!(" with {}", args.workers);
            }
            self.log.borrow_mut().push(name.clone());
            let made = self
                .log
                .borrow()
                .iter()
                .filter(|made| **made == name)
                .count();
            if self
                .fails
                .is_some_and(|(name, from)| name == info.name && made >= from)
            {
                return Ended::Failed("as told".to_owned());
            }
            let sample = |metric: &MetricInfo| Sample {
                metric: metric.name.to_owned(),
                unit: metric.unit.to_owned(),
                value: made as f64,
                note: Some(format!("repetition {made}")),
                at: None,
            };
            Ended::Measured(info.metrics.iter().map(sample).collect())
        }

        fn elapsed(&self) -> Duration {
            self.time
        }
    }

    fn plan(workloads: &[&str], stages: usize, budget: Option<f64>) -> Plan {
        let workloads = workloads.iter().map(|name| catalog::find(name).unwrap());
        Plan {
            stages: vec![&stages::all()[0]; stages],
            peers: Vec::new(),
            workloads: workloads.collect(),
            scale: Scale::Default,
            workers: 2,
            reps: None,
            count: false,
            budget: budget.map(Duration::from_secs_f64),
            timeout: None,
        }
    }

    fn fake(costs: &[(&'static str, f64)]) -> (Fake, Log) {
        let log = Log::default();
        let fake = Fake {
            time: Duration::ZERO,
            costs: costs.iter().copied().collect(),
            log: log.clone(),
            fails: None,
        };
        (fake, log)
    }

    fn progress() -> Progress {
        Progress::new(Duration::ZERO)
    }

    #[test]
    fn rows_take_turns_and_so_do_their_stages() {
        let mut plan = plan(&["spawn_join", "switch"], 2, None);
        plan.reps = Some(2);
        let (fake, log) = fake(&[("spawn_join", 1.0), ("switch", 1.0)]);
        run(&plan, fake, &mut progress());
        let round = [
            "step01/spawn_join",
            "step01/spawn_join",
            "step01/switch",
            "step01/switch",
        ];
        assert_eq!(*log.borrow(), [round, round].concat());
    }

    #[test]
    fn a_row_that_fails_once_has_no_number_and_is_not_repeated() {
        let mut plan = plan(&["spawn_join", "switch"], 1, None);
        plan.reps = Some(4);
        let (mut fake, log) = fake(&[("spawn_join", 1.0), ("switch", 1.0)]);
        fake.fails = Some(("switch", 2));
        let rows = run(&plan, fake, &mut progress());
        assert_eq!(
            log.borrow()
                .iter()
                .filter(|name| *name == "step01/switch")
                .count(),
            2
        );
        let results: Vec<Measurement> = rows.iter().flat_map(|row| row.measurements()).collect();
        for result in results {
            let (status, n) = match result.workload.as_str() {
                "switch" => (Status::Failed, 0),
                _ => (Status::Ok, 4),
            };
            assert_eq!(
                (result.status, result.n, result.samples.len()),
                (status, n, n),
                "{result:?}"
            );
            assert_eq!(result.value.is_some(), status == Status::Ok);
        }
    }

    #[test]
    fn counting_adds_instructions_and_cycles_and_nothing_else() {
        let mut plan = plan(&["switch"], 1, None);
        (plan.reps, plan.count) = (Some(2), true);
        let (fake, _) = fake(&[("switch", 1.0)]);
        let rows = run(&plan, fake, &mut progress());
        let results = rows[0].measurements();
        let find = |name: &str| results.iter().find(|result| result.metric == name);
        assert_eq!(find("ns_per_switch").map(|result| result.n), Some(2));
        for counted in ["process_instructions", "process_cycles"] {
            let value = find(counted).and_then(|result| result.value);
            assert_eq!(value, Some(1e6), "{counted}");
        }
        assert!(find("process_cpu").is_none(), "not from that repetition");
    }

    #[test]
    fn a_workload_about_workers_is_measured_with_each_number_of_them() {
        let mut plan = plan(&["scale_workers"], 1, None);
        (plan.reps, plan.workers) = (Some(1), 5);
        let (fake, log) = fake(&[("scale_workers", 1.0)]);
        run(&plan, fake, &mut progress());
        let with = |n: usize| format!("step01/scale_workers with {n}");
        assert_eq!(*log.borrow(), [1, 2, 4, 5].map(with));
    }

    #[test]
    fn a_note_is_that_of_the_middle_repetition() {
        let mut plan = plan(&["alive"], 1, None);
        plan.reps = Some(5);
        let (fake, _) = fake(&[("alive", 1.0)]);
        let rows = run(&plan, fake, &mut progress());
        let headline = &rows[0].measurements()[0];
        assert_eq!(
            (headline.value, headline.note.as_deref()),
            (Some(3.0), Some("repetition 3"))
        );
    }

    proptest! {
        /// Whatever things cost: no row is left out, stages are treated alike, and the time is kept to.
        #[test]
        fn repetitions_are_cut_and_rows_are_not(
            costs in prop::collection::vec(0.01f64..30.0, 4),
            stages in 1usize..6,
            budget in 1.0f64..200.0,
        ) {
            let names = ["spawn_join", "switch", "memory", "alive"];
            let costs: Vec<_> = names.into_iter().zip(costs).collect();
            let plan = plan(&names, stages, Some(budget));
            let (fake, log) = fake(&costs);
            let rows = run(&plan, fake, &mut progress());
            for row in &rows {
                let n: Vec<usize> = row.cells.iter().map(|cell| cell.reps.len()).collect();
                prop_assert!(n[0] >= 1 && n[0] <= row.wanted as usize);
                prop_assert!(n.iter().all(|other| *other == n[0]), "{n:?}");
            }
            let cost = |name: &String| {
                costs.iter().find(|(known, _)| name.ends_with(known)).map_or(0.0, |(_, cost)| *cost)
            };
            let spent: f64 = log.borrow().iter().map(cost).sum();
            let first_round: f64 = costs.iter().map(|(_, cost)| cost * stages as f64).sum();
            prop_assert!(spent <= budget.max(first_round) + 1e-6, "{spent}");
        }
    }
}
