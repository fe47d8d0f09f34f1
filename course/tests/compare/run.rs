//! Runs the built program, under a watchdog, with a folder of its own for what it keeps.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A run of the program with a folder of its own for what it keeps.
pub(crate) struct Run {
    pub(crate) folder: tempfile::TempDir,
    fault: Option<&'static str>,
}

impl Run {
    pub(crate) fn new() -> Run {
        Run {
            folder: tempfile::tempdir().expect("a temporary folder"),
            fault: None,
        }
    }

    pub(crate) fn with_fault(fault: &'static str) -> Run {
        Run {
            fault: Some(fault),
            ..Run::new()
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.file(name));
        let text = text.unwrap_or_else(|error| panic!("{name} was not written: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_course"));
        command.args(args);
        command.env("COURSE_DIR", self.folder.path());
        command.env_remove("COURSE_FAULT");
        command.env_remove("RUST_BACKTRACE");
        if let Some(fault) = self.fault {
            command.env("COURSE_FAULT", fault);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.answer(args, "")
    }

    /// Runs it with something on stdin.
    pub(crate) fn answer(&self, args: &[&str], input: &str) -> Done {
        finish(&mut self.command(args), input)
    }
}

/// Waits for a program, for a minute at most.
pub(crate) fn finish(command: &mut Command, input: &str) -> Done {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let id = child.id().to_string();
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that does not want its input closes the pipe.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || tx.send(child.wait_with_output()));
    match rx.recv_timeout(Duration::from_secs(60)) {
        Ok(output) => Done::new(output.expect("its output")),
        Err(_) => {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
            panic!("{command:?} hangs");
        }
    }
}

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn new(output: Output) -> Done {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Done {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn ended_with(self, status: i32) -> Done {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Done {
        // Lines may break anywhere.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (stdout, stderr) = (flat(&self.stdout), flat(&self.stderr));
        for part in parts {
            let said = stdout.contains(part) || stderr.contains(part);
            assert!(
                said,
                "{part:?} is not said:\n{}\n{}",
                self.stdout, self.stderr
            );
        }
        self
    }

    #[track_caller]
    pub(crate) fn prints_nothing_to_stdout(self) -> Done {
        assert_eq!(self.stdout, "", "{}", self.stderr);
        self
    }
}

/// The results of a file for one workload.
pub(crate) fn results<'a>(report: &'a Value, workload: &str) -> Vec<&'a Value> {
    let all = report["results"].as_array().expect("a list of results");
    let found: Vec<&Value> = all
        .iter()
        .filter(|result| result["workload"] == workload)
        .collect();
    assert!(!found.is_empty(), "no results for {workload}");
    found
}
