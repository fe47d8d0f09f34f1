//! Starts a repetition as a child process, watches it, and says how it ended.
//!
//! One process per repetition, for three reasons: its memory can be counted without what others left behind; no run
//! finds the threads, pools and warm caches of the one before; and if it crashes or hangs, one row of the table is
//! lost and not the table.
//!
//! The child leads a process group of its own, so that killing it takes along what it has started: load clients and
//! slow services. Its two pipes are read by `poll` in this one thread, which also moves the progress bar; no thread of
//! the parent competes with the child for a core.

use std::io::{self, Read};
use std::mem;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use workloads::catalog::{Outcome, Sample};
use workloads::repetition::Message;

use super::repetition;
use super::who::Who;

/// How a repetition ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With measurements.
    Measured(Vec<Sample>),
    /// The stage cannot do this, for a reason.
    Skipped(String),
    /// It failed, for a reason.
    Failed(String),
}

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(200);
/// Of what a child writes, so much is kept.
const KEEP: usize = 1 << 20;

/// Runs one repetition in a child process and waits until it has ended, or kills it after `timeout`. Calls `tick` every
/// now and then.
pub(crate) fn run(
    who: Who,
    args: &repetition::Args,
    timeout: Duration,
    tick: impl FnMut(),
) -> Ended {
    let mut command = match who.command(args) {
        Ok(command) => command,
        Err(error) => {
            return Ended::Failed(format!("cannot find this program's own file: {error}"));
        }
    };
    match watch(&mut command, timeout, tick) {
        Ok(exit) => exit.judge(timeout),
        Err(error) => Ended::Failed(format!("cannot start a child process: {error}")),
    }
}

/// What there is to know about a child that has ended.
struct Exit {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    timed_out: bool,
}

fn watch(command: &mut Command, timeout: Duration, mut tick: impl FnMut()) -> io::Result<Exit> {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    command.process_group(0);
    let mut child = Group(command.spawn()?);
    let mut pipes = Pipes {
        stdout: Pipe::new(child.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?),
        stderr: Pipe::new(child.0.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?),
    };

    let deadline = Instant::now() + timeout;
    let mut timed_out = false;
    // A child that has ended with its pipes still open has left a process behind that holds them; one that has closed
    // them and not ended is about to. So both are looked at.
    while !child.has_ended()? {
        tick();
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() && !timed_out {
            timed_out = true;
            child.kill();
        }
        pipes.read(match (pipes.open(), timed_out) {
            (false, _) => Duration::from_millis(1),
            (true, true) => TICK,
            (true, false) => left.min(TICK),
        })?;
    }
    child.kill();
    while pipes.read(Duration::ZERO)? {}
    Ok(Exit {
        status: child.0.wait()?,
        stdout: pipes.stdout.text,
        stderr: pipes.stderr.text,
        timed_out,
    })
}

/// A child and the process group that it leads; killed when dropped, so that no way out of `watch` leaves it running.
struct Group(Child);

impl Group {
    /// Kills what is left of the group. Not to be called once the child has been waited for: until then its id, which
    /// is the group's too, cannot become another's.
    fn kill(&self) {
        // SAFETY: numbers only.
        unsafe { libc::kill(-(self.0.id() as libc::pid_t), libc::SIGKILL) };
    }

    /// Whether the child has ended; it is not waited for yet, see [`Group::kill`].
    fn has_ended(&self) -> io::Result<bool> {
        // SAFETY: all zeros is a `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: `info` may be written to.
        if unsafe { libc::waitid(libc::P_PID, self.0.id(), &mut info, options) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the field is there for a child's signal, and zero if no child has ended.
        Ok(unsafe { info.si_pid() } != 0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(false) = self.has_ended() {
            self.kill();
            let _ = self.0.wait();
        }
    }
}

/// What a child writes to.
struct Pipes {
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
}

impl Pipes {
    fn open(&self) -> bool {
        self.stdout.open || self.stderr.open
    }

    /// Waits until one of the pipes has something, for `wait` at most, and reads it; true if there was something.
    fn read(&mut self, wait: Duration) -> io::Result<bool> {
        let mut entries = [self.stdout.poll_entry(), self.stderr.poll_entry()];
        let millis = wait.as_micros().div_ceil(1_000) as libc::c_int;
        // SAFETY: two entries, as said.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 2, millis) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::Interrupted => Ok(true),
                _ => Err(error),
            };
        }
        if entries[0].revents != 0 {
            self.stdout.read();
        }
        if entries[1].revents != 0 {
            self.stderr.read();
        }
        Ok(ready > 0)
    }
}

/// One end of a pipe and what has come through it: the last [`KEEP`] bytes or a little more.
struct Pipe<R> {
    end: R,
    text: Vec<u8>,
    open: bool,
}

impl<R: Read + AsRawFd> Pipe<R> {
    fn new(end: R) -> Self {
        Pipe {
            end,
            text: Vec::new(),
            open: true,
        }
    }

    fn poll_entry(&self) -> libc::pollfd {
        libc::pollfd {
            // A negative descriptor is passed over.
            fd: if self.open { self.end.as_raw_fd() } else { -1 },
            events: libc::POLLIN,
            revents: 0,
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 16 * 1024];
        match self.end.read(&mut buffer) {
            Ok(0) => self.open = false,
            Ok(n) => self.text.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.open = false,
        }
        if self.text.len() > 2 * KEEP {
            self.text.drain(..self.text.len() - KEEP);
        }
    }
}

impl Exit {
    fn judge(self, timeout: Duration) -> Ended {
        if self.timed_out {
            let seconds = timeout.as_secs_f64();
            return Ended::Failed(
                self.with_tail(format!("no result after {seconds:.0} s; stopped")),
            );
        }
        if !self.status.success() {
            return Ended::Failed(self.with_tail(format!("the process {}", how(self.status))));
        }
        let stdout = String::from_utf8_lossy(&self.stdout);
        let last = stdout.trim_end().lines().next_back().unwrap_or_default();
        match serde_json::from_str(last) {
            Ok(Message::Ended(Outcome::Measured(samples))) => Ended::Measured(samples),
            Ok(Message::Ended(Outcome::Skipped { reason })) => Ended::Skipped(reason),
            Ok(Message::Failed(reason)) => Ended::Failed(reason),
            Err(error) => {
                let text = format!("the process ended without a readable result ({error})");
                Ended::Failed(self.with_tail(text))
            }
        }
    }

    /// Adds the last words that the child wrote to stderr, if any.
    fn with_tail(&self, text: String) -> String {
        match tail(&String::from_utf8_lossy(&self.stderr)) {
            tail if tail.is_empty() => text,
            tail => format!("{text}; it wrote: {tail}"),
        }
    }
}

/// The last few lines of a text as one line of moderate length.
fn tail(text: &str) -> String {
    const LINES: usize = 4;
    const CHARS: usize = 400;
    // The panic's message comes before its backtrace.
    let text = text
        .split("\nstack backtrace:\n")
        .next()
        .unwrap_or_default();
    let hint = |line: &&str| line.starts_with("note: run with `RUST_BACKTRACE");
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !hint(line))
        .collect();
    let joined = lines[lines.len().saturating_sub(LINES)..].join(" / ");
    let excess = joined.chars().count().saturating_sub(CHARS);
    match excess {
        0 => joined,
        _ => format!("…{}", joined.chars().skip(excess).collect::<String>()),
    }
}

/// How a process ended, in words.
fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal} ({})", signal_name(signal)),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => format!("ended oddly ({status})"),
    }
}

/// The signals that end a process that went wrong, each with what is mostly behind it.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => {
            "SIGSEGV: it touched memory that is not there; a stack overflow looks like this too"
        }
        libc::SIGBUS => "SIGBUS: memory that could not be had, or was not aligned",
        libc::SIGILL => "SIGILL: an instruction that this processor does not have, or a trap",
        libc::SIGFPE => "SIGFPE: arithmetic",
        libc::SIGABRT => "SIGABRT: it gave up by itself",
        libc::SIGKILL => "SIGKILL: killed from outside; by the kernel, if memory ran out",
        libc::SIGTERM => "SIGTERM: asked to end from outside",
        libc::SIGINT => "SIGINT: interrupted from the keyboard",
        libc::SIGPIPE => "SIGPIPE: it wrote to a closed pipe",
        libc::SIGSYS => "SIGSYS: a forbidden system call",
        libc::SIGTRAP => "SIGTRAP: a trap",
        _ => "see signal(7)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Ended {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        watch(&mut command, timeout, || ())
            .expect("a shell")
            .judge(timeout)
    }

    fn failure(script: &str) -> String {
        match shell(script, Duration::from_secs(60)) {
            Ended::Failed(reason) => reason,
            other => panic!("{script} gave {other:?}"),
        }
    }

    #[test]
    fn a_signal_is_named_and_the_last_words_are_kept() {
        let reason = failure("echo first >&2; echo last >&2; kill -SEGV $$");
        assert!(reason.contains("signal 11 (SIGSEGV"), "{reason}");
        assert!(reason.ends_with("it wrote: first / last"), "{reason}");
    }

    #[test]
    fn a_status_is_told() {
        assert!(failure("exit 7").contains("ended with status 7"));
        assert!(failure("echo '{'").contains("without a readable result"));
        assert!(failure("echo '{\"Failed\":\"41 is not 42\"}'").starts_with("41 is not 42"));
    }

    #[test]
    fn only_the_last_line_of_stdout_counts() {
        let script = "echo noise; echo '{\"Ended\":{\"measured\":[]}}'";
        assert!(
            matches!(shell(script, Duration::from_secs(60)), Ended::Measured(samples) if samples.is_empty())
        );
    }

    #[test]
    fn a_child_that_takes_too_long_is_killed_with_all_that_it_started() {
        // The grandchild holds the pipe. If it survived, the `sleep` would keep `watch` from seeing the end.
        match shell("sleep 1000 & sleep 1000", Duration::from_millis(100)) {
            Ended::Failed(reason) => assert!(reason.contains("stopped"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_grandchild_left_behind_does_not_keep_the_parent_waiting() {
        let script = "sleep 1000 & echo '{\"Ended\":{\"measured\":[]}}'";
        assert!(matches!(
            shell(script, Duration::from_secs(60)),
            Ended::Measured(_)
        ));
    }

    #[test]
    fn a_panic_keeps_its_message_and_loses_its_backtrace() {
        let text = "\nthread 'main' panicked at x.rs:1:2:\nno such luck\nstack backtrace:\n   0: main\n   1: start\n";
        assert_eq!(
            tail(text),
            "thread 'main' panicked at x.rs:1:2: / no such luck"
        );
    }

    #[test]
    fn long_last_words_are_cut_in_front() {
        let text = format!(
            "{}\nthe end\nnote: run with `RUST_BACKTRACE=1` to see more\n",
            "x".repeat(1_000)
        );
        let tail = tail(&text);
        assert!(tail.starts_with('…') && tail.ends_with("the end"), "{tail}");
        assert_eq!(tail.chars().count(), 401);
    }
}
