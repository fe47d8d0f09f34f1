//! What a runtime's builder says when it is asked for something that cannot work.
//!
//! A stack of zero bytes, no workers at all: such a setting is refused when the runtime is built, by name, and not when
//! the first task dies of it. Every stage's builder returns this type.

use std::fmt;

/// A setting that was refused: its name, its value, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    setting: &'static str,
    value: String,
    reason: String,
}

impl BuildError {
    /// Refuses `setting`, which has the value `value`, for this reason. The reason is a sentence without its full stop,
    /// and says what would be accepted.
    pub fn new(setting: &'static str, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        BuildError {
            setting,
            value: value.to_string(),
            reason: reason.into(),
        }
    }

    /// The name of the builder's method that was given the value.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Why it was refused.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the setting {}({}) is refused: {}",
            self.setting, self.value, self.reason
        )
    }
}

impl std::error::Error for BuildError {}
