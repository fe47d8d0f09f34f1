//! The parker of an OS thread: one word and one futex.
//!
//! ```text
//!              park                    futex wait
//!   EMPTY ───────────────▶ PARKED ───────────────── sleeping in the kernel
//!     ▲                      │
//!     │ the park returns     │ unpark (and wakes the sleeper)
//!     │                      ▼
//!     └──────────────── NOTIFIED ◀──── unpark from EMPTY: the token waits for the next park
//! ```
//!
//! Only the thread that owns the word parks on it; anyone may unpark. A park that finds a token takes it and does not
//! sleep. All changes are read-modify-writes of one word, so they happen in one order that everybody agrees on: either
//! the unpark comes first and the park sees NOTIFIED, or the park comes first and the unpark sees PARKED. There is no
//! third case, and so no wake-up is lost. tokio#1768 is what happens when one of the two only loads the word.
//!
//! A park returns after one sleep, whatever ended it. Callers look at their condition again in a loop, as the contract
//! of `park` tells them to, so a loop here would only repeat theirs.
//!
//! Rejected: a mutex and a condition variable, as crossbeam's parker has. It is portable, and it takes three atomic
//! operations where one does.

use std::time::Instant;

use crate::sync::Futex;
use crate::sync::atomic::Ordering::{Acquire, Release};

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

// ANCHOR: os_parker
/// A place for one OS thread to sleep.
#[derive(Debug)]
pub(crate) struct OsParker {
    word: Futex,
}

impl OsParker {
    pub(crate) fn new() -> Self {
        OsParker {
            word: Futex::new(EMPTY),
        }
    }

    /// Sleeps until a token is left, the deadline passes, or for no reason. Only the owning thread may call it.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        // Acquire, here and below: pairs with the Release in `unpark`, so that what the waker wrote is seen.
        if self
            .word
            .compare_exchange(EMPTY, PARKED, Acquire, Acquire)
            .is_ok()
        {
            self.word.wait(PARKED, deadline);
        }
        // PARKED (woken for no reason, or too late) or NOTIFIED: empty in either case, and the token, if any, is ours.
        self.word.swap(EMPTY, Acquire);
    }

    // ANCHOR: unpark
    /// Leaves the token; wakes the thread if it sleeps. Never blocks.
    pub(crate) fn unpark(&self) {
        // Release: pairs with the Acquire in `park`. A swap and not a load that looks first: see the comment above.
        if self.word.swap(NOTIFIED, Release) == PARKED {
            self.word.wake_one();
        }
    }
    // ANCHOR_END: unpark
}
// ANCHOR_END: os_parker
