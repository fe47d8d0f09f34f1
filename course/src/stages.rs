//! The stages, in the order of the book: what they are called, and how one of them runs a workload.
//!
//! This list is the only place of this program that knows them. A new stage is one entry here, and its crate among
//! the dependencies; the table, the options, the questions and the JSON file follow.

use step01::Threads;
use workloads::catalog::{self, Outcome, Params, StackWanted};

/// One stage of the book.
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

static ALL: &[Stage] = &[Stage {
    name: "step01",
    title: "one OS thread per task",
    summary: "Every task is a thread of the operating system; the kernel schedules, blocks and wakes them.",
    management: "the OS kernel",
    why: &[
        (
            "spawn_join",
            "a thread is a stack to map, a system call that makes the kernel's own half of it, and a wake-up; its end is \
             another system call, and one more wakes whoever joins it",
        ),
        (
            "memory",
            "the kernel reserves the addresses of a stack and finds memory for a page when it is first touched; a parked \
             thread has touched two or three pages, whatever its stack's size",
        ),
        (
            "switch",
            "a yield is a system call in which the kernel's scheduler looks for the next thread, and the way there and \
             back is only a part of it",
        ),
        (
            "ping_pong",
            "only one of the two ever has something to do, so a second core has nothing to give, and a thread that is \
             woken there finds it asleep and has to wait until it has been started",
        ),
        (
            "alive",
            "each thread takes a process id, some memory mappings and a stack in the kernel, all of which the system \
             limits, long before the memory is full",
        ),
        (
            "blocked",
            "a task that blocks takes its own thread out of the run queue and nobody else's: this is what threads are \
             good at, and what every runtime with fewer threads than tasks has to win back",
        ),
    ],
    run: threads,
}];

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

#[cfg(test)]
mod tests {
    use super::*;

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
