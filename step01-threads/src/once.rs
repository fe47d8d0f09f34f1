//! Running an initialiser once, while others who need it wait.
//!
//! # The protocol
//!
//! A word that goes NEW → RUNNING → COMPLETE, or back to NEW if the initialiser panics, and a crowd of those who wait
//! for it to leave RUNNING. The word changes under the lock of the crowd. Only COMPLETE is ever read without it: it is
//! final, so a caller that sees it needs nothing else, and that is the path that counts, one load.
//!
//! # If the initialiser panics
//!
//! The panic goes to the caller whose initialiser it was. The crowd is let go, and the first of it to come tries again
//! with its own closure. So `call_once` keeps one promise: when it returns, an initialiser has run to its end.
//!
//! std instead poisons its `Once`, and all later callers panic though they have done nothing wrong. Go's counts a panic
//! as done, and all later callers go on with what was never initialised. C++ and `OnceLock::get_or_init` do as we do.
//!
//! # Rejected
//!
//! Waking one of the crowd after a panic, and the next if that one fails too. It would have to be passed on if a stage
//! ends the chosen task before it runs, and initialisers do not panic so often that it matters.

use std::fmt;
use std::ptr;

use crate::crowd::Crowd;
use crate::park::{self, Wait};
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::sync::atomic::{AtomicPtr, AtomicUsize};
use crate::sync::const_fn;

const NEW: usize = 0;
const RUNNING: usize = 1;
const COMPLETE: usize = 2;

/// Runs one closure, once, however many tasks and threads ask for it.
///
/// ```
/// use step01::{Mutex, Once};
///
/// static READY: Once = Once::new();
/// static TABLE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
///
/// fn square(n: usize) -> u32 {
///     READY.call_once(|| TABLE.lock().extend((0..100).map(|n| n * n)));
///     TABLE.lock()[n]
/// }
///
/// assert_eq!(square(7), 49);
/// assert_eq!(square(8), 64);
/// ```
pub struct Once {
    state: AtomicUsize,
    /// Which task runs the initialiser, as far as its `Unparker` names it; changes with `state`, under the lock.
    runner: AtomicPtr<()>,
    crowd: Crowd,
}

// ANCHOR: once
impl Once {
    const_fn! {
        /// Nothing has run yet. Allocates nothing.
        pub const fn new() -> Self {
            Once {
                state: AtomicUsize::new(NEW),
                runner: AtomicPtr::new(ptr::null_mut()),
                crowd: Crowd::new(),
            }
        }
    }

    /// Calls `f`, unless a closure given to this `Once` has already run to its end. If one is running now, parks the
    /// calling task until it is over. When this returns, one has run to its end, and what it did is visible.
    ///
    /// # Panics
    ///
    /// If `f` panics, with its panic; the next caller tries again. If an initialiser calls `call_once` of its own
    /// `Once`, which would wait for itself for ever.
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_completed() && self.begin() {
            let running = Running { once: self };
            f();
            std::mem::forget(running);
            self.end(COMPLETE);
        }
    }

    /// True once an initialiser has run to its end; what it did is then visible.
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire: pairs with the Release in `end`.
        self.state.load(Acquire) == COMPLETE
    }

    /// Waits until it is certain who has to run an initialiser: true if it is the caller.
    #[cold]
    #[track_caller]
    fn begin(&self) -> bool {
        let me = park::current().data().cast_mut();
        loop {
            let crowd = self.crowd.lock();
            // Relaxed, here and in the stores below: all is under the lock.
            match self.state.load(Relaxed) {
                COMPLETE => return false,
                NEW => {
                    self.state.store(RUNNING, Relaxed);
                    self.runner.store(me, Relaxed);
                    return true;
                }
                _ => {}
            }
            let runner = self.runner.load(Relaxed);
            assert!(runner != me, "a Once was called by its own initialiser");
            let waiter = crowd.waiter();
            self.crowd.wait(crowd, &waiter, Wait::Once, None, || ());
        }
    }

    /// The initialiser is over: COMPLETE or, to be tried again, NEW.
    fn end(&self, state: usize) {
        let crowd = self.crowd.lock();
        // Release: pairs with the Acquire in `is_completed`, so that what the initialiser did is seen.
        self.state.store(state, Release);
        self.crowd.dismiss(crowd);
    }
}

/// Says that it is to be tried again if an initialiser panics, or is ended while it is parked.
struct Running<'a> {
    once: &'a Once,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.once.end(NEW);
    }
}
// ANCHOR_END: once

impl Default for Once {
    fn default() -> Self {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once")
            .field("completed", &self.is_completed())
            .finish_non_exhaustive()
    }
}
