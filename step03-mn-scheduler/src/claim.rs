//! Taking all tasks out of the others' hands, when a runtime ends.
//!
//! The workers are gone, but other threads are still there. They may unpark a task of ours, and they may even be in the
//! middle of a spawn. So each task is *claimed* first (`step02::task_word`): from then on no unpark queues it. A task that
//! was not parked at this moment is in a queue, or on its way into one: somebody has changed its word and has yet to push
//! it. It must be out of every queue before it is unwound, since its header will be another task's next. So we count them,
//! and take tasks out until we have as many.
//!
//! A spawn that began before the runtime was closed may end after the claims. Its task comes out of the queue like the
//! others, but was not claimed, and must not be counted for one that was: that one would be unwound while somebody is
//! still about to queue it. Whether a task was claimed is written down in the task. The newcomers are handed back, for
//! the next run.

use crate::sync::yield_now;
use crate::task_word::{Claim, TaskWord};

/// A task, as far as this goes.
pub(crate) trait Claimable {
    /// Its word.
    fn word(&self) -> &TaskWord;
    /// Writes down that it was claimed.
    fn mark(&self);
    /// Whether it was.
    fn is_marked(&self) -> bool;
}

// ANCHOR: claim
/// Claims all of `tasks`, and takes those that were in a queue out of it. `take` takes the next one out, whichever it is.
/// Returns those that came out and are none of `tasks`.
pub(crate) fn claim_all<'a, T: Claimable + 'a>(
    tasks: &[&'a T],
    mut take: impl FnMut() -> Option<&'a T>,
) -> Vec<&'a T> {
    let mut queued = 0;
    for task in tasks {
        task.mark();
        queued += usize::from(task.word().claim() == Claim::Queued);
    }
    let mut newcomers = Vec::new();
    while queued > 0 {
        match take() {
            Some(task) if task.is_marked() => queued -= 1,
            Some(task) => newcomers.push(task),
            None => yield_now(), // another thread is between the word and the queue
        }
    }
    newcomers
}
// ANCHOR_END: claim
