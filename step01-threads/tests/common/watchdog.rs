//! Ends the process if a test on real threads hangs: no failure would be reported otherwise.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Far longer than anything that is watched takes, on however busy a machine.
const LIMIT: Duration = Duration::from_secs(60);

/// While this lives, the process has a minute.
#[derive(Debug)]
#[must_use = "it watches until it is dropped"]
pub(crate) struct Watchdog {
    _alive: Sender<()>,
}

/// Ends the process in a minute, saying that `what` hangs, unless the result is dropped before.
pub(crate) fn watch(what: impl Into<String>) -> Watchdog {
    let what = what.into();
    let (alive, watching) = channel();
    std::thread::spawn(move || {
        if watching.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            // Past the test harness, which keeps what is printed until the test ends.
            let _ = writeln!(std::io::stderr(), "hangs: {what}");
            std::process::abort();
        }
    });
    Watchdog { _alive: alive }
}
