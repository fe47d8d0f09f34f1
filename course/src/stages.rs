//! The stages, in the order of the book: what they are called, and how one of them runs a workload.
//!
//! This list is the only place of this program that knows them. A new stage is one entry here, and its crate among
//! the dependencies; the table, the options, the questions and the JSON file follow.

use std::convert::Infallible;

use step01::Threads;
use step02::{Coroutine, Region, Resumed, RoundRobin, SlotLayout};
use workloads::catalog::{self, Outcome, Params, StackWanted};

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
    #[allow(dead_code, reason = "read by the stages that have workers")]
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

static ALL: &[Stage] = &[
    Stage {
        name: "step01",
        title: "one OS thread per task",
        summary: "Every task is a thread of the operating system; the kernel schedules, blocks and wakes them.",
        management: "the OS kernel",
        why: &[
            (
                "spawn_join",
                "a thread is a stack to map, a system call that makes the kernel's own half of it, and a wake-up; its end \
                 is another system call, and one more wakes whoever joins it",
            ),
            (
                "memory",
                "the kernel reserves the addresses of a stack and finds memory for a page when it is first touched; a \
                 parked thread has touched two or three pages, whatever its stack's size",
            ),
            (
                "switch",
                "a yield is a system call in which the kernel's scheduler looks for the next thread, and the way there \
                 and back is only a part of it",
            ),
            (
                "ping_pong",
                "only one of the two ever has something to do, so a second core has nothing to give, and a thread that \
                 is woken there finds it asleep and has to wait until it has been started",
            ),
            (
                "ping_pong_2",
                "the thread that is woken may be put on another core, which sleeps and has to be started first",
            ),
            (
                "alive",
                "each thread takes a process id, some memory mappings and a stack in the kernel, all of which the system \
                 limits, long before the memory is full",
            ),
            (
                "blocked",
                "a task that blocks takes its own thread out of the run queue and nobody else's: this is what threads \
                 are good at, and what every runtime with fewer threads than tasks has to win back",
            ),
        ],
        run: threads,
    },
    Stage {
        name: "step02",
        title: "many tasks on one thread",
        summary: "Every task has a stack of its own in one large mapping, and the thread that called `run` switches from \
                  one to the next by itself; the kernel knows of one thread.",
        management: "the runtime, on one thread",
        why: &[
            (
                "spawn_join",
                "a spawned task is a closure in a queue, put there without a system call, and has no stack until it first \
                 runs; then it takes the one that the last task has just left, whose page is in memory and in the cache",
            ),
            (
                "memory",
                "a stack is a slot of one mapping, and of its slot a parked task has touched one page; neighbours share \
                 their page tables, and the kernel has no second stack for it",
            ),
            (
                "switch",
                "a yield puts the task at the end of a queue and loads the registers of the next one: a few instructions \
                 of our own, in which the kernel has no part",
            ),
            (
                "ping_pong",
                "both tasks are on the one thread that there is, on one core as on all, so a hand-over is an entry in a \
                 queue and a switch, and nobody has to be woken",
            ),
            (
                "ping_pong_2",
                "there is one thread, however many cores there are: the others have nothing to give, and take nothing",
            ),
            (
                "alive",
                "a task takes a slot of the mapping, a page and its part of a page table; the kernel counts one mapping \
                 and one thread, so that memory is the first limit that is met",
            ),
            (
                "blocked",
                "all tasks share one thread, and `blocking` can only make the call: until it returns nobody else runs, \
                 so that the calls come one after the other and everyone waits for all of them",
            ),
            (
                "web_server",
                "one thread serves all connections, and nobody tells it which of them has something to read: it asks \
                 each of them again and again",
            ),
            (
                "pipeline",
                "one thread is on one core, so the parts of the pipeline take turns instead of running side by side",
            ),
            (
                "fan_out",
                "waiting tasks cost nothing here, but an answer is found only when its task looks again, up to a \
                 millisecond after it has come",
            ),
            (
                "raw_switch",
                "a switch exchanges the stack pointer and very few other registers; of the rest the compiler saves what \
                 is alive, and here that is next to nothing",
            ),
        ],
        run: coroutines,
    },
];

/// The smallest stack that is safe for a task which calls into std and into the C library: where signal frames are
/// larger, the C library itself asks for more.
const SMALL_THREAD_STACK: usize = 64 << 10;

/// What is measured of threads as they are used: the article's "1–2 MB" are the stack that a thread gets if nobody asks
/// for another. Its addresses cost no memory, but they spread the stacks so that each has a page table of its own.
const WITH_USUAL_STACKS: &[&str] = &["memory"];

fn threads(workload: &str, params: &Params, config: &StageConfig) -> Result<Outcome, String> {
    let threads = match config.stack {
        StackWanted::Small if !WITH_USUAL_STACKS.contains(&workload) => {
            let smallest = SMALL_THREAD_STACK.max(libc::PTHREAD_STACK_MIN);
            let builder = Threads::builder().stack_size(smallest);
            builder.build().map_err(|error| error.to_string())?
        }
        _ => Threads::new(),
    };
    catalog::run(workload, &threads, params)
}

/// The slots for workloads with a million tasks that do little: a quarter of the usual ones, so that the addresses of a
/// million are 64 GiB. What a task uses of its slot is one page, whatever the slot's size.
const SMALL_SLOT: usize = 64 << 10;

fn coroutines(workload: &str, params: &Params, config: &StageConfig) -> Result<Outcome, String> {
    if workload == "raw_switch" {
        return raw_switch(params);
    }
    let rt = match config.stack {
        StackWanted::Small => {
            let builder = RoundRobin::builder().stack_size(SMALL_SLOT);
            builder.build().map_err(|error| error.to_string())?
        }
        StackWanted::Default => RoundRobin::new(),
    };
    let mut outcome = catalog::run(workload, &rt, params)?;
    // The process is weighed when the runtime is there, and this one has reserved the addresses of all its stacks by then.
    // So the difference between before and after the tasks is nothing, and says nothing: a task's share is its slot.
    if let Outcome::Measured(samples) = &mut outcome
        && let Some(reserved) = samples
            .iter_mut()
            .find(|sample| sample.metric == "reserved_per_task")
    {
        reserved.value = rt.layout().slot() as f64;
        reserved.note = Some(
            "a slot of the region, which is reserved as a whole when the runtime is made"
                .to_owned(),
        );
    }
    Ok(outcome)
}

/// The coroutine by itself, as the book's listings use it: the default slot, a number in, a number out.
fn raw_switch(params: &Params) -> Result<Outcome, String> {
    let region = Region::map(SlotLayout::default(), 1).map_err(|error| error.to_string())?;
    let stack = region.open().map_err(|error| error.to_string())?;
    let mut coroutine = Coroutine::new(stack, |suspender, mut n: u64| -> Infallible {
        loop {
            n = suspender.suspend(n);
        }
    });
    catalog::raw_switch(params, |n| match coroutine.resume(n) {
        Resumed::Yielded(n) => n,
        Resumed::Returned(never) => match never {},
    })
}

#[cfg(test)]
mod tests {
    use workloads::catalog::{Group, Size};
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
