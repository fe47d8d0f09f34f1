//! The end of a run: what becomes of the tasks that are left.
//!
//! `run` returns when its first task has. By then all workers have left their loops and are gone but the one that
//! called `run`, so there is one thread again, and what follows is step 2's: the tasks that have not begun are dropped,
//! the others are unwound where they stopped, the newest first, since a task may own what newer ones borrow. One that was
//! woken in the meantime, or has only yielded, first goes on to its next stop.
//!
//! Other threads may still unpark a task of ours. So each is claimed first (`claim.rs`): from then on nobody queues it.
//! Those that were not parked are in a queue, or on their way into one, and are waited for. With the workers gone, the
//! calling thread may use all their processors, and looks into the queues of each.
//!
//! A worker leaves its loop when the task that it runs stops. One that computes for ever, or blocks, keeps `run` from
//! returning: nobody can take a thread away from a task before step 5.

use crate::claim::{Claimable, claim_all};
use crate::policy::{Policy, Why};
use crate::processor::Processor;
use crate::task::{self, Task};
use crate::task_word::TaskWord;
use crate::worker::{Worker, enter};

impl Claimable for Task {
    fn word(&self) -> &TaskWord {
        &self.word
    }

    fn mark(&self) {
        self.caught.set(Some(0));
    }

    fn is_marked(&self) -> bool {
        self.caught.get().is_some()
    }
}

// ANCHOR: close
/// Ends all tasks that are left. The calling thread is the only worker, and nobody uses the other processors.
pub(crate) fn close<P: Policy>(worker: &Worker<'_, P>, processors: &[Processor<P>]) {
    let scheduler = worker.scheduler;
    scheduler.set_closing(true);
    let _on_this_thread = enter::<P>(&worker.context);
    let living = task::living(scheduler.home);
    let newcomers = claim_all(&living, || {
        let mut processors = processors.iter();
        processors.find_map(|processor| scheduler.policy.try_next(processor))
    });
    for task in newcomers {
        scheduler.policy.ready(task, None, Why::Inject);
    }
    for task in living {
        worker.context.task.set(Some(task));
        // SAFETY: the task was claimed, and was taken out of the queue: it is ours.
        let fiber = unsafe { &mut *task.fiber.get() }.take();
        match fiber {
            Some(mut fiber) => {
                if task.word.has_token() {
                    // What it waits for has come, the end of its scope perhaps. It goes on to its next stop.
                    fiber.resume(());
                }
                let stack = fiber.into_stack();
                worker.processor.pool.borrow_mut().give_back(stack);
            }
            None => drop(task.job.take()),
        }
        worker.context.task.set(None);
        scheduler.forget(worker.processor, task);
    }
    scheduler.set_closing(false); // what is spawned from now on waits for the next run
}
// ANCHOR_END: close
