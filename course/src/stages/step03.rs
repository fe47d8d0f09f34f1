//! Step 3 as a column: tasks on several threads, over one queue.

use step01::BuildError;
use step02::DEFAULT_SLOT;
use step03::{Builder, Policy, Scheduled};
use workloads::catalog::{self, Outcome, Params, StackWanted};

use super::{SMALL_SLOT, Stage, StageConfig, reserved_is};

pub(super) const STAGE: Stage = Stage {
    name: "step03",
    title: "several threads, one queue",
    summary: "Every task has a stack of its own, and a few threads, one for each core, take the tasks that are ready \
              from one queue that all of them share, under one lock.",
    management: "the runtime, one shared queue",
    why: &[
        (
            "spawn_join",
            "a task is spawned and taken without a system call still, but each of the two takes the one lock of the \
             queue, and with several workers that lock and the tasks' headers go from core to core",
        ),
        (
            "memory",
            "as in step 2, a parked task has touched one page of its slot and shares its page tables with its \
             neighbours; more workers change nothing of that",
        ),
        (
            "switch",
            "a yield is two trips to the shared queue, one to put the task back and one to take the next, each under a \
             lock that nobody else wants while there is one worker, and that every other worker waits for when there \
             are several",
        ),
        (
            "ping_pong",
            "a hand-over is a locked entry in the shared queue and a locked removal, where step 2 needed no lock, since \
             nobody else could be looking",
        ),
        (
            "ping_pong_2",
            "the one queue does not know who was running where: a task that is woken goes to whichever worker takes the \
             lock next, so its data moves to another core, and a worker that found the queue empty has to be woken by \
             the kernel, for tasks that never run at the same time anyway",
        ),
        (
            "alive",
            "a task takes a slot of the mapping, a page and a header that is never given back; memory is the first \
             limit that is met, as in step 2",
        ),
        (
            "blocked",
            "a blocking call keeps its worker, and when as many tasks block as there are workers nobody is left to run \
             the others: they wait for a few calls at a time instead of for one",
        ),
        (
            "web_server",
            "connections are served on all workers, but nobody tells them which has something to read: they are asked \
             again and again, and each time that is a trip through the one queue",
        ),
        (
            "pipeline",
            "the parts run side by side on the workers, and every hand-over between two of them goes through the one \
             queue and its lock",
        ),
        (
            "fan_out",
            "waiting tasks cost nothing, but an answer is found only when its task looks again, up to a millisecond \
             after it has come",
        ),
        (
            "spread",
            "all workers take from one queue, which spreads the tasks evenly, and each of them waits for the lock that \
             the spawner needs too, so what is short is spent on the lock",
        ),
        (
            "scale_turns",
            "all turns of all workers go through one lock, so a second worker cannot add any: it makes the lock's cache \
             line travel from core to core, and whoever finds the lock taken may have to sleep in the kernel",
        ),
        (
            "skynet",
            "a million short tasks are a million entries in the one queue and as many removals, and with more than one \
             worker each of them may wait for the lock",
        ),
        (
            "fan_in",
            "producers and consumer are woken on whichever worker comes first, so the channel and the queue's lock both \
             travel between the cores",
        ),
    ],
    run,
};

fn run(workload: &str, params: &Params, config: &StageConfig) -> Result<Outcome, String> {
    measure(workload, params, config, Builder::build)
}

/// Measures any runtime with several workers.
pub(super) fn measure<P: Policy>(
    workload: &str,
    params: &Params,
    config: &StageConfig,
    build: impl Fn(&Builder) -> Result<Scheduled<P>, BuildError>,
) -> Result<Outcome, String> {
    let slot = match config.stack {
        StackWanted::Small => SMALL_SLOT,
        StackWanted::Default => DEFAULT_SLOT,
    };
    let settings = Builder::default().workers(config.workers).stack_size(slot);
    let rt = build(&settings).map_err(|error| error.to_string())?;
    let mut outcome = catalog::run(workload, &rt, params)?;
    reserved_is(slot, &mut outcome);
    Ok(outcome)
}
