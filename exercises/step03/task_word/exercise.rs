//! The word of a task, with one state more than this step's.
//!
//! In the book's word a task that was woken and waits in the queue is RUNNING. So an unpark that comes now leaves a token,
//! though the task has not even seen the first wake-up: its next park returns for nothing. Here the word tells the two
//! apart: a task that was woken is WOKEN until its turn begins, and a second unpark finds that there is nothing to do.
//!
//! | who | RUNNING | NOTIFIED | PARKED | WOKEN |
//! |---|---|---|---|---|
//! | `unpark`, anybody | NOTIFIED | stays | WOKEN, and the caller queues the task | stays |
//! | `try_park`, the worker, off the task's stack | PARKED | RUNNING, and the task goes on | – | – |
//! | `take_up`, the worker that took the task out of the queue, before it runs | stays | stays | – | RUNNING |
//!
//! RUNNING is also the state of a task that has yielded and waits for its turn: it has asked for no wake-up, so a token
//! that comes now is for its next park. A dash is a case that cannot be.

// Here these are loom's. They have the names and the meaning of std's.
use super::sync::atomic::AtomicU8;
use super::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

const RUNNING: u8 = 0;
const NOTIFIED: u8 = 1;
const PARKED: u8 = 2;
const WOKEN: u8 = 3;

/// The word.
#[derive(Debug)]
pub struct Word(AtomicU8);

impl Word {
    /// The word of a task that runs.
    pub fn new() -> Self {
        Word(AtomicU8::new(RUNNING))
    }

    /// The worker whose task wants to park, when it is off the task's stack. True if the task is parked now: from here on
    /// it is whoever unparks it that has it. False if a token was there. The token is taken, and the task goes on.
    pub fn try_park(&self) -> bool {
        todo!("park the task, or take the token")
    }

    /// Anybody. True if the task was parked: then it is the caller's, who puts it into a queue, once.
    pub fn unpark(&self) -> bool {
        todo!("wake the task, or leave the token, or see that it is woken already")
    }

    /// The worker that has taken the task out of the queue, before it goes to the task's stack.
    pub fn take_up(&self) {
        todo!("the turn of a task that was woken begins")
    }
}
