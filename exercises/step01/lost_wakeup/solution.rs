//! A parker that loses a wake-up, about once in ten million. Find out how, show it, and mend it.
//!
//! It has two words. `token` is 1 while the token is there. `asleep` is 1 while the owner sleeps on it, or is about to:
//! `wait(1)` sleeps if the word is 1 and otherwise returns at once, as the kernel's futex does. It may also return for no
//! reason, and so may `park`: the owner calls it in a loop that looks at what it waits for.
//!
//! Each operation on a word is one step, and all tasks see the steps in one order. So no memory order is to blame.

use exercises::sync::Word;

// ANCHOR: schedule
/// First show it: who takes the next step, `"sleeper"` or `"waker"`, until the sleeper sleeps and nobody will wake it?
///
/// The sleeper calls `park`, the waker calls `unpark`. One entry is one operation on a word. The schedule is tried on the
/// parker as it was found, which stays in `broken.rs`.
pub const SCHEDULE: &[&str] = &[
    // ANCHOR: cut_schedule | // one line for each step
    "sleeper", // swaps the token: none is there
    "waker",   // stores the token
    "waker",   // looks whether anybody sleeps: not yet, so nobody needs to be woken
    "sleeper", // says that it is asleep, too late
    "sleeper", // falls asleep beside its token
               // ANCHOR_END: cut_schedule
];
// ANCHOR_END: schedule

/// Then mend it.
#[derive(Debug)]
pub struct Parker {
    token: Word,
    asleep: Word,
}

// ANCHOR: parker
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
        // ANCHOR: cut_park | // If the token is there already, there is nothing to wait for.
        // ANCHOR: cut_park | if self.token.swap(0) == 1 {
        // ANCHOR: cut_park |     return;
        // ANCHOR: cut_park | }
        // ANCHOR: cut_park | // Say so before falling asleep, or the waker would not know that it has to wake somebody.
        // ANCHOR: cut_park | self.asleep.store(1);
        // ANCHOR: cut_park | self.asleep.wait(1);
        // ANCHOR: cut_park | self.asleep.store(0);
        // ANCHOR: cut_park | self.token.swap(0);
        // Announce first, look then. Each side writes its own word and afterwards reads the other's, so whoever is second
        // sees the first: either this swap finds the token, or the waker, whose store comes later, finds `asleep`. Before,
        // the sleeper looked first and announced then, and both could miss each other.
        self.asleep.store(1);
        if self.token.swap(0) == 1 {
            self.asleep.store(0);
            return;
        }
        // If the waker comes in between, it has set `asleep` to 0, and this does not sleep.
        self.asleep.wait(1);
        self.asleep.store(0);
        self.token.swap(0);
        // On a real machine "writes its own, then reads the other's" is the one pattern that acquire and release do not
        // order: it takes a sequentially consistent fence on both sides, or read-modify-writes of one word. That is why
        // step01's parker has one word with three values, and why the bug of this kind in tokio (number 1768) was mended
        // by a read-modify-write.
        // ANCHOR_END: cut_park
    }

    /// Leaves the token, and wakes the owner if it sleeps.
    pub fn unpark(&self) {
        // ANCHOR: cut_unpark | self.token.store(1);
        // ANCHOR: cut_unpark | // Waking is a system call. Most of the time nobody sleeps, so look first.
        // ANCHOR: cut_unpark | if self.asleep.load() == 1 {
        // ANCHOR: cut_unpark |     self.asleep.store(0);
        // ANCHOR: cut_unpark |     self.asleep.wake_one();
        // ANCHOR: cut_unpark | }
        self.token.store(1);
        // Looks and clears in one step, so that of two wakers one wakes. The clearing is what keeps a sleeper that has
        // announced itself, but does not sleep yet, from falling asleep.
        if self.asleep.swap(0) == 1 {
            self.asleep.wake_one();
        }
        // ANCHOR_END: cut_unpark
    }
}
// ANCHOR_END: parker
