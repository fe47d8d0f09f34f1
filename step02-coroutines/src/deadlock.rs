//! Everyone waits, and nobody is left who could wake anyone.
//!
//! A runtime that has nothing to do sleeps until a timer is due or another thread brings something. If there is no timer
//! and no other thread, that is for ever. Then it is better to say so: which tasks there are, what each waits for, where
//! it was spawned. And to exit with status 2. Go does just this.
//!
//! It must never be said falsely. A thread that the runtime knows nothing of may hold the sending end of a channel and be
//! about to use it. So it is said only if `/proc/self/task` has no entry but the worker's own thread. A program with
//! other threads, a library's perhaps, gets no report; it hangs, as it would anyway. (A signal handler cannot wake a
//! task: the contract of `unpark` excludes it.)

use std::fmt::Write;

use crate::task::{Living, TaskRef};

/// The most tasks that are listed.
const MOST: usize = 1_000;

/// True if the process has no thread but the calling one.
pub(crate) fn alone() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// Prints who waits for what, and ends the process.
pub(crate) fn report(living: &Living) -> ! {
    eprint!("{}", describe(living));
    std::process::exit(2)
}

fn describe(living: &Living) -> String {
    let count = living.count();
    let mut tasks: Vec<TaskRef> = living.iter().collect();
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
    if count > MOST {
        let _ = write!(text, "\n... and {} more", count - MOST);
    }
    text.push('\n');
    text
}
