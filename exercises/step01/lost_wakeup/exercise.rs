//! A parker that loses a wake-up, about once in ten million. Find out how, show it, and mend it.
//!
//! It has two words. `token` is 1 while the token is there. `asleep` is 1 while the owner sleeps on it, or is about to:
//! `wait(1)` sleeps if the word is 1 and otherwise returns at once, as the kernel's futex does. It may also return for no
//! reason, and so may `park`: the owner calls it in a loop that looks at what it waits for.
//!
//! Each operation on a word is one step, and all tasks see the steps in one order. So no memory order is to blame.

use exercises::sync::Word;

/// First show it: who takes the next step, `"sleeper"` or `"waker"`, until the sleeper sleeps and nobody will wake it?
///
/// The sleeper calls `park`, the waker calls `unpark`. One entry is one operation on a word. The schedule is tried on the
/// parker as it was found, which stays in `broken.rs`.
pub const SCHEDULE: &[&str] = &[
    // one line for each step
];

/// Then mend it.
#[derive(Debug)]
pub struct Parker {
    token: Word,
    asleep: Word,
}

impl Parker {
    /// A parker without a token.
    pub fn new() -> Self {
        Parker {
            token: Word::new("token", 0),
            asleep: Word::new("asleep", 0),
        }
    }

    /// Sleeps until the token is there, and takes it; or returns for no reason.
    pub fn park(&self) {
        // If the token is there already, there is nothing to wait for.
        if self.token.swap(0) == 1 {
            return;
        }
        // Say so before falling asleep, or the waker would not know that it has to wake somebody.
        self.asleep.store(1);
        self.asleep.wait(1);
        self.asleep.store(0);
        self.token.swap(0);
    }

    /// Leaves the token, and wakes the owner if it sleeps.
    pub fn unpark(&self) {
        self.token.store(1);
        // Waking is a system call. Most of the time nobody sleeps, so look first.
        if self.asleep.load() == 1 {
            self.asleep.store(0);
            self.asleep.wake_one();
        }
    }
}
