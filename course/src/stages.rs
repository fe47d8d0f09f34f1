//! The stages, in the order of the book: what they are called, and how one of them runs a workload.
//!
//! This list is the only place of this program that knows them. A new stage is a file beside this one with its entry, and
//! its crate among the dependencies; the table, the options, the questions and the JSON file follow.

mod step01;
mod step02;
mod step03;
mod step04;

use workloads::catalog::{Outcome, Params, StackWanted};

/// One stage of the book.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The package, the name on the command line and in the JSON file: `step01`.
    pub(crate) name: &'static str,
    /// What it is, in a few words: the head of its column.
    pub(crate) title: &'static str,
    /// What it is, in a sentence.
    pub(crate) summary: &'static str,
    /// Who manages the tasks: the first row of the table.
    pub(crate) management: &'static str,
    /// Why its numbers are what they are: for a workload's name, the mechanism in one sentence.
    pub(crate) why: &'static [(&'static str, &'static str)],
    /// Builds the runtime and runs one repetition of a workload on it.
    run: fn(&str, &Params, &StageConfig) -> Result<Outcome, String>,
}

/// How a stage's runtime is to be built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageConfig {
    /// How many workers. A stage without workers, where the kernel schedules, has nothing to set.
    pub(crate) workers: usize,
    /// How large the tasks' stacks are.
    pub(crate) stack: StackWanted,
}

impl Stage {
    /// Runs one repetition of a workload on this stage, in this process.
    ///
    /// # Errors
    ///
    /// What went wrong, in words: a wrong answer, a limit of the system, a setting that the stage refuses.
    pub(crate) fn run(
        &self,
        workload: &str,
        params: &Params,
        config: &StageConfig,
    ) -> Result<Outcome, String> {
        (self.run)(workload, params, config)
    }

    /// The mechanism behind this stage's number for a workload, if the stage has something to say about it.
    pub(crate) fn why(&self, workload: &str) -> Option<&'static str> {
        let entry = self.why.iter().find(|(name, _)| *name == workload);
        entry.map(|(_, sentence)| *sentence)
    }
}

/// All stages, in the order of the book.
pub(crate) fn all() -> &'static [Stage] {
    ALL
}

/// The stage of this name.
pub(crate) fn find(name: &str) -> Option<&'static Stage> {
    ALL.iter().find(|stage| stage.name == name)
}

static ALL: &[Stage] = &[step01::STAGE, step02::STAGE, step03::STAGE, step04::STAGE];

/// The slots for workloads with a million tasks that do little: a quarter of the usual ones, so that the addresses of a
/// million are 64 GiB. What a task uses of its slot is one page, whatever the slot's size.
const SMALL_SLOT: usize = 64 << 10;

/// Says what a task reserves where that is a slot of a region: the process is weighed when the runtime is there, and by
/// then it has reserved the addresses of all its stacks. So the difference between before and after the tasks is
/// nothing, and says nothing.
fn reserved_is(slot: usize, outcome: &mut Outcome) {
    let Outcome::Measured(samples) = outcome else {
        return;
    };
    let mut samples = samples.iter_mut();
    if let Some(reserved) = samples.find(|sample| sample.metric == "reserved_per_task") {
        let note = "a slot of the region, which is reserved as a whole when the runtime is made";
        reserved.value = slot as f64;
        reserved.note = Some(note.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use workloads::catalog::{self, Group, Size};
    use workloads::side::Side;

    use super::*;

    #[test]
    fn every_row_of_the_table_has_its_mechanism() {
        for stage in all() {
            for info in catalog::all()
                .iter()
                .filter(|info| info.group == Group::Seed)
            {
                assert!(
                    stage.why(info.name).is_some(),
                    "{} does not say why {}",
                    stage.name,
                    info.name
                );
            }
        }
    }

    /// What a stage does besides calling the catalogue.
    #[test]
    fn coroutines_bring_a_measurement_of_their_own_and_say_what_a_task_reserves() {
        let params = Params {
            size: Size::Test,
            workers: 1,
            side: Side::Threads,
        };
        let measured = |workload| {
            let config = StageConfig {
                workers: 1,
                stack: StackWanted::Small,
            };
            match find("step02").unwrap().run(workload, &params, &config) {
                Ok(Outcome::Measured(samples)) => samples,
                other => panic!("{workload}: {other:?}"),
            }
        };
        let switch = measured("raw_switch");
        assert_eq!(
            (switch.len(), switch[0].metric.as_str()),
            (1, "ns_per_switch")
        );
        let memory = measured("memory");
        let reserved = memory
            .iter()
            .find(|sample| sample.metric == "reserved_per_task")
            .unwrap();
        assert_eq!(reserved.value, SMALL_SLOT as f64);
    }

    /// Joins are measured where they are, and elsewhere it is said that there are none.
    #[test]
    fn one_stage_brings_its_joins() {
        let params = Params {
            size: Size::Test,
            workers: 2,
            side: Side::Threads,
        };
        let config = StageConfig {
            workers: 2,
            stack: StackWanted::Default,
        };
        for info in catalog::all() {
            if !catalog::is_fork_join(info.name) {
                continue;
            }
            match find("step04").unwrap().run(info.name, &params, &config) {
                Ok(Outcome::Measured(samples)) => {
                    assert_eq!(samples[0].metric, info.headline().name, "{}", info.name);
                    assert!(
                        samples.iter().all(|sample| sample.value > 0.0),
                        "{samples:?}"
                    );
                }
                other => panic!("{}: {other:?}", info.name),
            }
            match find("step03").unwrap().run(info.name, &params, &config) {
                Ok(Outcome::Skipped { reason }) => assert!(reason.contains("no join"), "{reason}"),
                other => panic!("{}: {other:?}", info.name),
            }
        }
    }

    #[test]
    fn names_are_unique_and_explanations_are_for_workloads_that_exist() {
        for (i, stage) in all().iter().enumerate() {
            assert!(all()[..i].iter().all(|other| other.name != stage.name));
            assert!(
                stage.title.chars().count() <= 30,
                "a column's head: {}",
                stage.title
            );
            for (workload, sentence) in stage.why {
                assert!(catalog::find(workload).is_some(), "{workload}");
                assert!(
                    !sentence.ends_with('.'),
                    "it becomes part of a sentence: {sentence}"
                );
            }
        }
    }
}
