//! How one who waits for a stolen job learns that it is done.
//!
//! # The protocol
//!
//! ```text
//!   PENDING ── the joiner has to wait ──▶ WAITING ── the thief is done ──▶ DONE, and unparks
//!      └───────── the thief is done ──────────────────────────────────────▶ DONE
//! ```
//!
//! The latch lies in the job, and the job on the stack of the joiner. So the moment the word says DONE, the joiner may
//! return and its stack may be something else: the exchange that sets it is the thief's *last touch*. Whom to unpark he
//! has to know by then. (std's `scope` once read it afterwards, out of a frame that could be gone: rust-lang/rust#98498.)
//!
//! Most joins find the job undone and unstolen, and never look at the latch; of the others many come when the thief is
//! done. Only one who has to wait says so, and only then is there an unpark.
//!
//! Both changes are read-modify-writes of one word: if the joiner could set WAITING over a DONE, it would sleep for ever.

use crate::sync::atomic::AtomicU8;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const PENDING: u8 = 0;
const WAITING: u8 = 1;
const DONE: u8 = 2;

/// The word.
#[derive(Debug)]
pub(crate) struct Latch(AtomicU8);

// ANCHOR: latch
impl Latch {
    /// Of a job that is not done.
    #[inline]
    pub(crate) fn new() -> Self {
        Latch(AtomicU8::new(PENDING))
    }

    /// The thief: the job is done. True if the joiner waits, and is to be unparked.
    ///
    /// # Safety
    ///
    /// `latch` points at a latch that was not set before. It may be gone when this returns, and this is why it is not a
    /// `&self`, which would have to be good until then.
    #[must_use]
    pub(crate) unsafe fn set(latch: *const Latch) -> bool {
        // Release: pairs with the Acquires below. What the job did, and its result, are seen after the join.
        // SAFETY: the joiner does not leave before it has read DONE.
        unsafe { &(*latch).0 }.swap(DONE, Release) == WAITING
    }

    /// The joiner: whether it is done.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with the Release in `set`.
        self.0.load(Acquire) == DONE
    }

    /// The joiner: calls `park`, which may return for no reason, until it is done.
    pub(crate) fn wait(&self, mut park: impl FnMut()) {
        // Relaxed: it publishes nothing. Acquire: if it fails, the job is done; see `is_done`.
        let waits = self.0.compare_exchange(PENDING, WAITING, Relaxed, Acquire);
        if waits.is_ok() {
            while !self.is_done() {
                park();
            }
        }
    }
}
// ANCHOR_END: latch
