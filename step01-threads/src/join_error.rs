//! Why a joined task has no result, and what a stage ends a task with before its time.

use std::any::Any;
use std::fmt;
use std::panic;

use crate::spawn_error::SpawnError;

/// Why a task has no result.
pub enum JoinError {
    /// It panicked; this is what it panicked with, as `std::thread::JoinHandle::join` returns it.
    Panicked(Box<dyn Any + Send>),
    /// Its runtime ended it, or dropped it before it ran.
    Cancelled,
    /// It was never started.
    NotStarted(SpawnError),
}

impl JoinError {
    /// The panic's message, if it panicked with one.
    pub fn panic_message(&self) -> Option<&str> {
        let JoinError::Panicked(payload) = self else {
            return None;
        };
        let text = payload.downcast_ref::<&'static str>().copied();
        text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }

    /// Goes on with the task's panic in the calling task.
    ///
    /// # Panics
    ///
    /// Always: with the task's own payload if it panicked, otherwise with this error's text.
    pub fn resume(self) -> ! {
        match self {
            JoinError::Panicked(payload) => panic::resume_unwind(payload),
            other => panic!("{other}"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(_) => match self.panic_message() {
                Some(message) => write!(f, "the task panicked: {message}"),
                None => f.write_str("the task panicked"),
            },
            JoinError::Cancelled => f.write_str("the task was ended by its runtime"),
            JoinError::NotStarted(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

/// What a stage unwinds a task's stack with that it ends before its time.
///
/// Code that catches panics should pass it on: `resume_unwind` it if a payload is this.
#[derive(Debug)]
pub struct ForcedUnwind {
    _private: (),
}

impl ForcedUnwind {
    /// Starts to unwind the calling task's stack. No panic hook is called.
    pub fn throw() -> ! {
        panic::resume_unwind(Box::new(ForcedUnwind { _private: () }))
    }
}
