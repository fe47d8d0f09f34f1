//! What a runtime says when it cannot have one more task.

use std::fmt;
use std::io;

/// No further task could be had: which limit was met, and what raises it.
#[derive(Debug)]
pub struct SpawnError(Box<Parts>);

/// Behind a pointer: every handle and every result has room for an error, and hardly one ever holds it.
#[derive(Debug)]
struct Parts {
    cause: io::Error,
    limit: String,
    remedy: String,
}

impl SpawnError {
    /// An error that says what the system answered, which limit is behind it, and what the user can do.
    pub fn new(cause: io::Error, limit: impl Into<String>, remedy: impl Into<String>) -> Self {
        SpawnError(Box::new(Parts {
            cause,
            limit: limit.into(),
            remedy: remedy.into(),
        }))
    }

    /// The limit that was met.
    pub fn limit(&self) -> &str {
        &self.0.limit
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> &str {
        &self.0.remedy
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot start another task: {}; {}; {}",
            self.0.cause, self.0.limit, self.0.remedy
        )
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.cause)
    }
}
