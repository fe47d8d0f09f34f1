//! The end of a run: what becomes of the tasks that are left.
//!
//! When the first task has returned, `run` returns, and the other tasks end: those that have not begun are dropped, the
//! others are unwound where they stopped. The newest goes first, since a task may own what newer ones borrow: the owner
//! of a scope waits for the tasks of that scope, and must find them gone. For the same reason a task that was woken in
//! the meantime first goes on, and is unwound at its next stop: what it has waited for is there.
//!
//! Other threads may still unpark one of them. So each is *claimed* first (`task_word.rs`): from then on nobody queues it.
//! Those that were not parked are in the queue, or on their way into it, and are waited for.

use std::thread;

use step01::SpawnError;

use crate::task_word::Claim;
use crate::worker::Worker;

impl Worker {
    // ANCHOR: close
    /// Ends all tasks that are left.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        // From here on nobody queues a task. Those that were not parked are in a queue, or on their way into one.
        let claims = self.living.iter().map(|task| task.word.claim());
        let queued = claims.filter(|claim| *claim == Claim::Queued).count();
        let mut found = std::iter::from_fn(|| self.queue.pop()).count();
        loop {
            let mail = self.home.inbox.empty();
            found += mail.ready.len();
            drop(mail.jobs);
            if found >= queued {
                break;
            }
            thread::yield_now(); // another thread is between its look at the word and the inbox
        }
        loop {
            let newest = self.living.iter().next();
            let Some(task) = newest else { break };
            self.current.set(Some(task));
            task.caught.set(Some(0));
            // SAFETY: as in `turn`.
            let fiber = unsafe { &mut *task.fiber.get() }.take();
            match fiber {
                Some(mut fiber) => {
                    if task.word.has_token() {
                        // What it waits for has come, the end of its scope perhaps. It goes on to its next stop.
                        fiber.resume(());
                    }
                    let stack = fiber.into_stack();
                    self.pool.borrow_mut().give_back(stack);
                }
                None => drop(task.job.take()),
            }
            self.current.set(None);
            self.forget(task);
        }
    }
    // ANCHOR_END: close
}

/// A task was spawned after the first one had returned.
pub(crate) fn ending() -> SpawnError {
    SpawnError::new(
        std::io::Error::from_raw_os_error(libc::ECANCELED),
        "the runtime is ending",
        "spawn tasks before the closure that was given to `run` returns",
    )
}
