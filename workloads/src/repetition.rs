//! One repetition in a process of its own, seen from inside: what such a process does first, and how it says at the end
//! what it has found.
//!
//! `compare` starts a process for each repetition. For a stage it is `compare`'s own program, for a peer another one.
//! What they have to do alike is here.
//!
//! The protocol is one line: the last one on stdout is a [`Message`], as JSON. Whatever is written before that line is
//! ignored, so a stray `println!` does no harm. A process that ends without such a line has crashed.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::catalog::Outcome;

/// What a repetition has to say to whoever started it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Message {
    /// It ran, or could not be asked of this runtime.
    Ended(Outcome),
    /// It went wrong: a wrong answer, a limit.
    Failed(String),
}

impl Message {
    /// The message about a repetition that came out like this.
    pub fn about(result: Result<Outcome, String>) -> Message {
        match result {
            Ok(outcome) => Message::Ended(outcome),
            Err(reason) => Message::Failed(reason),
        }
    }
}

/// To be called before anything is measured. A repetition may fill the memory. If the kernel then has to kill someone, it
/// should be this process, not its parent or what else the user runs. And it should not go on after its parent has ended.
pub fn be_the_first_to_go() {
    // Any process may raise its own score; where /proc is not writable the kernel's own choice has to do.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    // SAFETY: the call takes numbers only. It asks to be killed when the thread that started this process ends, which
    // is the main thread of `compare`.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}
