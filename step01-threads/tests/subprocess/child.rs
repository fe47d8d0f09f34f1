//! Running a piece of a test in a process of its own: for what ends the process, and for what must be alone in it.
//!
//! The process is this very test binary, started again for the one test `child_entry`, with the name of the case in an
//! environment variable. So there is no helper program to build or to find.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

const CASE: &str = "STEP01_TEST_CASE";

/// Ends a process that hangs; far longer than anything here takes.
const WATCHDOG_SECONDS: u32 = 60;

/// A name, and what the child does that is asked for it.
pub(crate) type Case = (&'static str, fn());

/// What became of a child.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a case to its end.
pub(crate) fn run(case: &str) -> Ended {
    let program = std::env::current_exe().unwrap();
    // Under an emulator, the emulator is the program. `.ci/aarch64` says so.
    let mut command = match std::env::var_os("TEST_RUNNER") {
        Some(emulator) => Command::new(emulator),
        None => Command::new(&program),
    };
    if std::env::var_os("TEST_RUNNER").is_some() {
        command.arg(&program);
    }
    let output = command
        .args(["child_entry", "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        // One heap for all threads, so that addresses can be counted: each further one reserves 64 MiB.
        .env("MALLOC_ARENA_MAX", "1")
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// In the child: the case to run, once the watchdog is set. `None` in the parent.
pub(crate) fn case() -> Option<String> {
    let case = std::env::var(CASE).ok()?;
    // SAFETY: neither call touches memory of ours. SIGALRM ends the process unless it is caught, and nothing does.
    unsafe {
        libc::alarm(WATCHDOG_SECONDS);
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &none);
    }
    println!(); // the test harness has begun a line
    Some(case)
}

/// In the child: the case has gone as it should.
pub(crate) fn done() -> ! {
    println!("case done");
    std::process::exit(0)
}

impl Ended {
    /// It went to its end.
    #[track_caller]
    pub(crate) fn is_done(&self) -> &Self {
        assert_eq!(self.status.signal(), None, "{self:#?}");
        assert_eq!(self.status.code(), Some(0), "{self:#?}");
        self.printed("case done")
    }

    /// It exited with this status.
    #[track_caller]
    pub(crate) fn exited(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    /// This signal ended it.
    #[track_caller]
    pub(crate) fn was_ended_by(&self, signal: i32) -> &Self {
        assert_eq!(self.status.signal(), Some(signal), "{self:#?}");
        self
    }

    /// It wrote this to stderr.
    #[track_caller]
    pub(crate) fn said(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "not said: {text}\n{self:#?}");
        self
    }

    /// It did not write this to stderr.
    #[track_caller]
    pub(crate) fn did_not_say(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text), "said: {text}\n{self:#?}");
        self
    }

    /// It wrote this to stdout.
    #[track_caller]
    pub(crate) fn printed(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "not printed: {text}\n{self:#?}");
        self
    }

    /// What it printed behind `name` and a space, on a line that begins so.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> String {
        let line = self.stdout.lines().find_map(|line| line.strip_prefix(name));
        let Some(value) = line else {
            panic!("no value {name}\n{self:#?}");
        };
        value.trim().to_owned()
    }
}
