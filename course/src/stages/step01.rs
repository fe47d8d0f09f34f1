//! Step 1 as a column: threads.

use step01::Threads;
use workloads::catalog::{self, Outcome, Params, StackWanted};

use super::{Stage, StageConfig};

pub(super) const STAGE: Stage = Stage {
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
};

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
