//! Step 2 as a column: coroutines on one thread, and the coroutine by itself.

use std::convert::Infallible;

use step02::{Coroutine, Region, Resumed, RoundRobin, SlotLayout};
use workloads::catalog::{self, Outcome, Params, StackWanted};

use super::{SMALL_SLOT, Stage, StageConfig, reserved_is};

pub(super) const STAGE: Stage = Stage {
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
};

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
    reserved_is(rt.layout().slot(), &mut outcome);
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
