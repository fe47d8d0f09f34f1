//! Channels that are clocks: [`after`](crate::after) and [`tick`](crate::tick).
//!
//! Nobody sends on them. A receiver that waits on one parks until the time has come and then makes the message itself,
//! so a clock needs no thread, no timer and no lock that a sender would take, and one that nobody looks at costs nothing.
//! A `select` with such an arm parks no longer than until the earliest of them.
//!
//! Rejected: a sleeping task for each clock, which is what one would write at first. It costs a task (here: a thread)
//! for each timeout, most of which never happen.

use std::time::{Duration, Instant};

use crate::lock::Lock;

/// When the next message is due, and how it goes on from there.
#[derive(Debug)]
pub(crate) struct Clock {
    /// None: there will be no further message.
    next: Lock<Option<Instant>>,
    /// None: one message only.
    period: Option<Duration>,
}

impl Clock {
    /// One message, after `delay`. A delay past the end of time never comes.
    pub(crate) fn once(delay: Duration) -> Self {
        Clock {
            next: Lock::new(Instant::now().checked_add(delay)),
            period: None,
        }
    }

    /// A message in every `period`, the first after one.
    pub(crate) fn every(period: Duration) -> Self {
        Clock {
            next: Lock::new(Instant::now().checked_add(period)),
            period: Some(period),
        }
    }

    /// Takes the message if it is due by `now`: the time at which it was due.
    ///
    /// Ticks that nobody took while they were due are one message, as in Go and crossbeam: a slow receiver is not
    /// punished with a burst, and the one after a late tick comes a whole period after it was taken.
    pub(crate) fn take(&self, now: Instant) -> Option<Instant> {
        let mut next = self.next.lock();
        let due = next.filter(|due| *due <= now)?;
        *next = self
            .period
            .and_then(|period| due.checked_add(period).map(|at| (at, period)))
            .and_then(|(at, period)| {
                if at > now {
                    Some(at)
                } else {
                    now.checked_add(period)
                }
            });
        Some(due)
    }

    /// When to look again; none if no message will come.
    pub(crate) fn due(&self) -> Option<Instant> {
        *self.next.lock()
    }
}
