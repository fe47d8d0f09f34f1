//! Runs cargo on a copy of the workspace and keeps what it prints; a run that takes too long is ended.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How a run of cargo ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status; none if the run was ended because it took too long.
    pub(crate) status: Option<ExitStatus>,
    /// Everything it printed, standard output and standard error in the order in which they came.
    pub(crate) output: String,
    pub(crate) seconds: f64,
}

impl Ran {
    /// True if it ended by itself and without an error.
    pub(crate) fn passed(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How many tests its test binaries say have passed.
    pub(crate) fn tests_passed(&self) -> usize {
        self.output
            .lines()
            .filter_map(|line| line.strip_prefix("test result: ")?.split(". ").nth(1))
            .filter_map(|counts| counts.split(' ').next()?.parse::<usize>().ok())
            .sum()
    }

    /// The last lines of the output, for a report.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let all: Vec<&str> = self.output.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// Runs `cargo ARGS` in `dir` with builds going to `target` (or wherever they go by default).
pub(crate) fn run(
    dir: &Path,
    target: Option<&Path>,
    args: &[&str],
    limit: Duration,
) -> Result<Ran> {
    let start = Instant::now();
    let (mut reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(dir)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    if let Some(target) = target {
        command.env("CARGO_TARGET_DIR", target);
    }
    let mut child = command.spawn().context("cannot start cargo")?;
    // The command still holds the writing ends, and the reader would never see the end of the pipe.
    drop(command);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let end = reader.read_to_end(&mut bytes);
        let _ = tell.send(end.map(|_| bytes));
    });
    let bytes = match told.recv_timeout(limit) {
        Ok(bytes) => Some(bytes?),
        Err(_) => {
            end_with_descendants(child.id());
            None
        }
    };
    let status = child.wait().context("cannot wait for cargo")?;
    let (status, bytes) = match bytes {
        Some(bytes) => (Some(status), bytes),
        // Whatever it printed before it was ended.
        None => (
            None,
            told.recv_timeout(Duration::from_secs(10))
                .map_or(Ok(Vec::new()), |end| end)?,
        ),
    };
    Ok(Ran {
        status,
        output: String::from_utf8_lossy(&bytes).into_owned(),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Ends a process that this program has started, and those that it has started in turn.
///
/// A process group of its own would make this one call; but then a Ctrl-C at the terminal would no longer reach it.
fn end_with_descendants(process: u32) {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // "id (name) state parent …", and the name may hold anything, closing parentheses too.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if let Some(parent) = after_name
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
        {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut all = vec![process];
    let mut seen = 0;
    while seen < all.len() {
        all.extend(children.get(&all[seen]).into_iter().flatten());
        seen += 1;
    }
    for id in all {
        // SAFETY: `kill` touches no memory. The ids are this program's child, which has not been waited for and so
        // still is itself, and what descended from it a moment ago.
        unsafe { libc::kill(id as libc::pid_t, libc::SIGKILL) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_over_all_test_binaries() {
        let ran = Ran {
            status: None,
            output: "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored\n\n\
                     test result: FAILED. 3 passed; 1 failed; 0 ignored\n"
                .into(),
            seconds: 0.0,
        };
        assert_eq!(ran.tests_passed(), 5);
        assert_eq!(
            ran.tail(1),
            "test result: FAILED. 3 passed; 1 failed; 0 ignored"
        );
    }
}
