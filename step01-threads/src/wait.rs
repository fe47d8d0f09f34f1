//! The reasons for which a task parks.
//!
//! Every park says one. Nothing depends on it but what is said at [`Wait::Scope`]; it is for whoever asks what a
//! program is waiting for, above all for the report that a later stage prints when every task waits and nothing can
//! wake any of them.

use std::fmt;

/// What a parked task waits for: said at every park, so that a stage can say it in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// A bare [`park`](crate::park::park()).
    Park,
    /// A sleep.
    Sleep,
    /// Room in a channel, or a partner to hand the value to.
    Send,
    /// A value from a channel.
    Recv,
    /// Any of several channel operations.
    Select,
    /// A mutex.
    Mutex,
    /// A condition variable.
    Condvar,
    /// A wait group's counter to reach zero.
    WaitGroup,
    /// Permits of a semaphore.
    Semaphore,
    /// Another task that runs an initialiser.
    Once,
    /// The end of another task.
    Join,
    /// The end of all tasks of a scope, which may borrow from the stack of the one that waits. A stage must not leave
    /// this park by unwinding; it ends the tasks of the scope instead, and then the wait is over.
    Scope,
    /// A descriptor to become ready.
    Io,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wait::Park => "park",
            Wait::Sleep => "sleep",
            Wait::Send => "channel send",
            Wait::Recv => "channel receive",
            Wait::Select => "select",
            Wait::Mutex => "mutex lock",
            Wait::Condvar => "condition variable",
            Wait::WaitGroup => "wait group",
            Wait::Semaphore => "semaphore",
            Wait::Once => "once",
            Wait::Join => "join",
            Wait::Scope => "scope",
            Wait::Io => "I/O",
        })
    }
}
