//! The two tasks as `async fn`: what one writes.
//!
//! What is said is decided by a closure, so that a test can let all three forms say the same, and a measurement can
//! count.

use crate::{Receiver, Sender};

// ANCHOR: ping
/// Says a number, hears the answer, and so on, until `next` has no further number or the other one is gone. `next` is
/// told the last answer; `None` at first.
pub async fn ping<F>(mut next: F, to: Sender<u64>, mut from: Receiver<u64>)
where
    F: FnMut(Option<u64>) -> Option<u64>,
{
    let mut answer = None;
    while let Some(number) = next(answer) {
        if to.send(number).await.is_err() {
            return;
        }
        answer = from.recv().await;
        if answer.is_none() {
            return;
        }
    }
}
// ANCHOR_END: ping

/// Hears a number and says what `answer` makes of it, until that is nothing or the other one is gone.
pub async fn pong<F>(mut answer: F, mut from: Receiver<u64>, to: Sender<u64>)
where
    F: FnMut(u64) -> Option<u64>,
{
    while let Some(number) = from.recv().await {
        let Some(reply) = answer(number) else { return };
        if to.send(reply).await.is_err() {
            return;
        }
    }
}
