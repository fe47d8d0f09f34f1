//! Why a runtime could not start a task of some computation: said once, seen by all.
//!
//! When one of a hundred thousand tasks is refused, the computation is lost, and all others should stop trying: each
//! further attempt costs a system call and an error message.

use std::fmt::Display;
use std::sync::OnceLock;

/// Set by the first to whom it happens.
///
/// It is leaked, some bytes for each computation. So it is a plain pointer, which costs nothing to hand to a million
/// tasks; a counted one would make them all write to the same cache line, in the middle of what is being measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal(&'static OnceLock<String>);

impl Refusal {
    /// For a computation in which nobody has been refused.
    pub(crate) fn none_yet() -> Refusal {
        Refusal(Box::leak(Box::new(OnceLock::new())))
    }

    /// Whether somebody has been refused.
    pub(crate) fn happened(self) -> bool {
        self.0.get().is_some()
    }

    /// Says why. Only the first reason is kept.
    pub(crate) fn because(self, reason: impl Display) {
        if !self.happened() {
            let _ = self.0.set(reason.to_string());
        }
    }

    /// The reason, if there is one.
    pub(crate) fn reason(self) -> Option<&'static str> {
        self.0.get().map(String::as_str)
    }
}
