//! The end of a run: what becomes of the tasks that are left.
//!
//! `run` returns when its first task has. By then all workers have left their loops and are gone but the one that
//! called `run`, so there is one thread again, and what follows is step 2's: the tasks that have not begun are dropped,
//! the others are unwound where they stopped, the newest first, since a task may own what newer ones borrow. One that was
//! woken in the meantime, or has only yielded, first goes on to its next stop.
//!
//! Other threads may still unpark a task of ours. So each is claimed first: from then on nobody queues it. Those that were
//! not parked are in a queue, or on their way into one, and are waited for.
//!
//! A worker leaves its loop when the task that it runs stops. One that computes for ever, or blocks, keeps `run` from
//! returning: nobody can take a thread away from a task before step 5.

use step02::task_word::Claim;

use crate::policy::Policy;
use crate::task;
use crate::worker::{Worker, enter};

// ANCHOR: close
/// Ends all tasks that are left. The calling thread is the only worker.
pub(crate) fn close<P: Policy>(worker: &Worker<'_, P>) {
    let scheduler = worker.scheduler;
    scheduler.set_closing();
    let _on_this_thread = enter::<P>(&worker.context);
    let living = task::living(scheduler.home);
    let claims = living.iter().map(|task| task.word.claim());
    let queued = claims.filter(|claim| *claim == Claim::Queued).count();
    let mut found = 0;
    while found < queued {
        match scheduler.policy.try_next(worker.processor) {
            Some(_) => found += 1,
            None => std::thread::yield_now(), // another thread is between the word and the queue
        }
    }
    for task in living {
        worker.context.task.set(Some(task));
        task.caught.set(Some(0));
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
}
// ANCHOR_END: close
