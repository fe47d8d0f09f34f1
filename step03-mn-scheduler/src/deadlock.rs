//! Everyone waits, and nobody is left who could wake anyone: step 2's report, with several workers.
//!
//! It must never be said falsely. So the last worker that fell asleep, with no timer set, waits a moment and then looks at
//! all of this:
//!
//! 1. the process has no threads but the workers
//! 2. all the other workers sleep in the policy's `idle`
//! 3. there is no task for us, and no timer is set
//! 4. they still sleep, and none has run a task since before 1
//!
//! With 1 nobody but a worker can wake a task, and with 4 no worker did while we looked: one that runs a task counts its
//! turn before it falls asleep again, and we have seen its falling asleep. To be in `idle` is not to sleep: a policy may
//! search there, and have a task in its hands. So the policy is asked.

use std::fmt::Write as _;

use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::scheduler::Scheduler;
use crate::task;

/// The most tasks that are listed.
const MOST: usize = 1_000;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count)
}

// ANCHOR: look
/// The calling worker counts as asleep. If this is a deadlock, it says so and ends the process.
pub(crate) fn look<P: Policy>(scheduler: &Scheduler<P>, processor: &Processor<P>) {
    let turns = scheduler.snapshot().switches;
    let others_sleep = || scheduler.policy.asleep() + 1 == scheduler.workers;
    if scheduler.stopping() || threads() != scheduler.workers || !others_sleep() {
        return;
    }
    if let Some(task) = scheduler.policy.try_next(processor) {
        return scheduler.policy.ready(task, Some(processor), Why::Unpark);
    }
    if scheduler.watch.all_is_quiet(others_sleep) && scheduler.snapshot().switches == turns {
        report(scheduler);
    }
}
// ANCHOR_END: look

fn report<P: Policy>(scheduler: &Scheduler<P>) -> ! {
    let mut tasks = task::living(scheduler.home);
    tasks.reverse();
    let mut text = String::from("\nfatal error: all tasks are asleep - deadlock!\n");
    for task in tasks.iter().take(MOST) {
        let (number, wait) = (task.number.get(), task.wait.get());
        // Writing to a string cannot fail.
        let _ = match task.site.get() {
            Some(site) => write!(text, "\ntask {number} [{wait}], spawned at {site}"),
            None => write!(text, "\ntask {number} [{wait}]"),
        };
    }
    if tasks.len() > MOST {
        let _ = write!(text, "\n... and {} more", tasks.len() - MOST);
    }
    eprintln!("{text}");
    std::process::exit(2)
}
