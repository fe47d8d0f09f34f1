//! The two tasks with stacks of their own, on step 2's runtime: the same text without `async` and `await`.
//!
//! Where `ping` waits is written nowhere in it. `send` parks the task, wherever it was called from, and what has to be
//! remembered is on the task's stack.

use step01::{Receiver, Sender};

// ANCHOR: ping
/// As [`crate::as_async::ping`], on step01's channels.
pub fn ping<F>(mut next: F, to: Sender<u64>, from: Receiver<u64>)
where
    F: FnMut(Option<u64>) -> Option<u64>,
{
    let mut answer = None;
    while let Some(number) = next(answer) {
        if to.send(number).is_err() {
            return;
        }
        answer = from.recv().ok();
        if answer.is_none() {
            return;
        }
    }
}
// ANCHOR_END: ping

/// As [`crate::as_async::pong`], on step01's channels.
pub fn pong<F>(mut answer: F, from: Receiver<u64>, to: Sender<u64>)
where
    F: FnMut(u64) -> Option<u64>,
{
    while let Ok(number) = from.recv() {
        let Some(reply) = answer(number) else { return };
        if to.send(reply).is_err() {
            return;
        }
    }
}
