//! Step 4 as a column: a queue for each processor, and stealing. Everything else is step 3's.

use ::step03::Builder;
use ::step04::Stealing;
use step01::Runtime;
use workloads::catalog::{self, ForkJoin, Outcome, Params};

use super::step03::measure;
use super::{Stage, StageConfig};

pub(super) const STAGE: Stage = Stage {
    name: "step04",
    title: "a queue each, and stealing",
    summary: "As before, but each thread takes its tasks from a queue of its own, without a lock, and one that has \
              nothing left takes half of what another one has.",
    management: "the runtime, a queue per worker",
    why: &[
        (
            "spawn_join",
            "a spawned task goes to the end of its worker's own ring, which is two plain writes and no lock; what others \
             run of it they fetch many at a time",
        ),
        (
            "memory",
            "nothing has changed since step 2: a page of the slot, a part of a page table and a header; a queue holds \
             a pointer to each task, and nothing of it",
        ),
        (
            "switch",
            "a yield puts the task at the end of its worker's own ring and takes the one at the front, and as long as \
             nobody steals no other core ever touches either end",
        ),
        (
            "ping_pong",
            "a task that is woken goes into its waker's next slot, past the ring and past any lock, and runs as soon \
             as its waker parks",
        ),
        (
            "ping_pong_2",
            "the woken task stays with its waker, in a slot that thieves leave alone, so the two go on taking turns on \
             one core as if the other worker were not there",
        ),
        (
            "alive",
            "a task takes a slot of the mapping, a page and a header that is never given back; memory is the first \
             limit that is met, as in step 2",
        ),
        (
            "blocked",
            "a blocking call still keeps its worker, and what waits in that worker's ring must be stolen by one that is \
             free; when all of them block there is none, whatever the queues look like",
        ),
        (
            "web_server",
            "connections stay with the worker that served them last, but nobody tells it which has something to read: \
             they are asked again and again",
        ),
        (
            "pipeline",
            "a part that is woken starts with its waker's data still in the cache, and a worker without work steals a \
             part that has been waiting",
        ),
        (
            "fan_out",
            "waiting tasks cost nothing, but an answer is found only when its task looks again, up to a millisecond \
             after it has come",
        ),
        (
            "spread",
            "one worker fills its ring and the others take half of it at a time, so they come for work once in many \
             tasks, and not for each",
        ),
        (
            "scale_turns",
            "each worker turns on its own ring, and with nothing to steal no cache line has to leave its core, so \
             every further worker adds its turns to the others'",
        ),
        (
            "join_all",
            "a fork is a push and a pop in a deque that only its own task writes, and the second half runs on the same \
             stack as the first, unless another worker has taken it in the meantime",
        ),
        (
            "skynet",
            "most of a million short tasks are run by the worker that spawned them, and thieves take whole branches of \
             the tree",
        ),
        (
            "fan_in",
            "producers and consumer that wake each other stay on one worker, since a thief takes only tasks that have \
             been waiting for a while",
        ),
    ],
    run,
};

fn run(workload: &str, params: &Params, config: &StageConfig) -> Result<Outcome, String> {
    if catalog::is_fork_join(workload) {
        let settings = Builder::default().workers(config.workers);
        return catalog::fork_join(workload, params, || {
            let rt = ::step04::build(&settings).map_err(|error| error.to_string())?;
            Ok(Forks(rt))
        });
    }
    measure(workload, params, config, ::step04::build)
}

/// Joins by the tasks of this stage.
struct Forks(Stealing);

impl ForkJoin for Forks {
    fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        self.0.run(f)
    }

    #[inline(always)]
    fn join<RA: Send, RB: Send>(
        &self,
        a: impl FnOnce() -> RA + Send,
        b: impl FnOnce() -> RB + Send,
    ) -> (RA, RB) {
        ::step04::join(a, b)
    }

    fn map_reduce<T: Sync, R: Send>(
        &self,
        slice: &[T],
        grain: usize,
        map: impl Fn(&T) -> R + Send + Sync,
        reduce: impl Fn(R, R) -> R + Send + Sync,
    ) -> Option<R> {
        ::step04::par_map_reduce(slice, grain, map, reduce)
    }
}
