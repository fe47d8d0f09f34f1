//! What must run beside the measured program and not in it: load clients and slow services.
//!
//! A server that is measured together with its clients shares its memory, its threads and its scheduler with them, and
//! the numbers are nobody's. So they run in a process of their own. It is this very program, started once more with an
//! environment variable that says what to become, so that there is nothing else to build and nothing to find.
//!
//! # The protocol
//!
//! One line of JSON for each message; the parent writes to the child's standard input and reads its standard output.
//!
//! ```text
//!  parent                              child
//!    │ ── start, with the role ──────▶   │   connects, or binds its ports
//!    │ ◀── Ready { ports } ───────────   │
//!    │ ── Go ────────────────────────▶   │   warms up
//!    │ ◀── Started ───────────────────   │   measures, or serves
//!    │ ── Stop (services only) ──────▶   │
//!    │ ◀── Report, or Failed ─────────   │   ends
//! ```
//!
//! The child ends when its input does, so it never outlives its parent, however that ended; it listens on loopback
//! only, and every role is bounded in count and in time besides.
//!
//! For tests, whose `main` is not ours, the same role runs on threads of this process, over two pipes, with the same
//! messages.
//!
//! Rejected: `prctl(PR_SET_PDEATHSIG)`. It fires when the *thread* that started the child ends, and on a stage where
//! every task is a thread that is soon.

mod epoll;
mod load;
mod services;
mod talk;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{self, Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use step01::Receiver;

use crate::machine::{self, Pinned};

pub(crate) use load::{Load, LoadReport};
pub(crate) use services::{ServiceSpec, Services, ServicesReport, answer_of};
pub(crate) use talk::Talk;

/// The variable that says what to become.
const VARIABLE: &str = "WORKLOADS_SIDE_ROLE";

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// In a process of its own, made from the running program: its `main` must call [`become_if_asked`] first.
    Process,
    /// On plain OS threads of this process. For tests, whose `main` is not ours.
    Threads,
}

/// What a side process does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    Load(Load),
    Services(Services),
}

/// From parent to child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    Go,
    Stop,
}

/// From child to parent.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Message {
    Ready { ports: Vec<u16> },
    Started,
    Report(Report),
    Failed(String),
}

/// What a role has to say at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Load(LoadReport),
    Services(ServicesReport),
}

/// To be called first in every `main`. In an ordinary process it returns at once. In one that was started as a load
/// client or a slow service it does that, and ends the process.
pub fn become_if_asked() {
    let Ok(role) = std::env::var(VARIABLE) else {
        return;
    };
    let role = match serde_json::from_str::<Role>(&role) {
        Ok(role) => role,
        Err(error) => {
            eprintln!("{VARIABLE} is set, but not to a role: {error}");
            process::exit(2);
        }
    };
    let parent_is_gone = || process::exit(3);
    play(role, io::stdin(), io::stdout(), parent_is_gone);
    process::exit(0);
}

/// The child's end of the two pipes.
pub(crate) struct Link {
    orders: mpsc::Receiver<Order>,
    out: Box<dyn Write + Send>,
}

impl Link {
    /// Says that all ports are bound, or all connections stand, and waits for the order to go.
    fn ready(&mut self, ports: Vec<u16>) -> Result<(), String> {
        self.say(&Message::Ready { ports })?;
        match self.orders.recv() {
            Ok(Order::Go) => Ok(()),
            Ok(Order::Stop) | Err(_) => Err("stopped before it started".to_owned()),
        }
    }

    /// Says that the warm-up is over.
    fn started(&mut self) -> Result<(), String> {
        self.say(&Message::Started)
    }

    /// Waits for the order to stop, at most for `limit`.
    fn stopped(&mut self, limit: Duration) {
        // A timeout and a parent that is gone mean the same here: there is nobody left to serve.
        let _ = self.orders.recv_timeout(limit);
    }

    fn say(&mut self, message: &Message) -> Result<(), String> {
        let mut line = serde_json::to_string(message).map_err(|e| e.to_string())?;
        line.push('\n');
        self.out
            .write_all(line.as_bytes())
            .and_then(|()| self.out.flush())
            .map_err(|e| format!("cannot write to the parent: {e}"))
    }
}

/// Runs a role between two pipes to its end. `orphaned` is called when the input ends.
fn play(
    role: Role,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    orphaned: impl FnOnce() + Send + 'static,
) {
    let (tell, orders) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(input).lines() {
            let Ok(order) = line
                .map_err(drop)
                .and_then(|line| serde_json::from_str(&line).map_err(drop))
            else {
                break;
            };
            if tell.send(order).is_err() {
                return; // the role has ended
            }
        }
        orphaned();
    });
    let mut link = Link {
        orders,
        out: Box::new(output),
    };
    let result = match role {
        Role::Load(load) => load.run(&mut link).map(Report::Load),
        Role::Services(services) => services.run(&mut link).map(Report::Services),
    };
    let last = match result {
        Ok(report) => Message::Report(report),
        Err(reason) => Message::Failed(reason),
    };
    // If nobody reads it, nobody needs it.
    let _ = link.say(&last);
}

/// A role that is being played: the parent's end of the two pipes. Dropped, it ends the child and waits for it.
pub(crate) struct Running {
    to: Option<Box<dyn Write + Send>>,
    from: BufReader<Box<dyn Read + Send>>,
    child: Option<Child>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// Starts `role`. Blocks the OS thread for a moment: call it from plain threads.
pub(crate) fn start(side: Side, role: Role) -> Result<Running, String> {
    let failed = |e: io::Error| format!("cannot start the side process: {e}");
    // The measured program may be held on few cores; what runs beside it is not part of it.
    let _free = Pinned::undone().map_err(failed)?;
    match side {
        Side::Process => {
            let role = serde_json::to_string(&role).map_err(|e| e.to_string())?;
            let mut child = Command::new(std::env::current_exe().map_err(failed)?)
                .env(VARIABLE, role)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(failed)?;
            let (to, from) = (child.stdin.take(), child.stdout.take());
            let (Some(to), Some(from)) = (to, from) else {
                unreachable!("both were asked to be pipes");
            };
            Ok(Running {
                to: Some(Box::new(to)),
                from: BufReader::new(Box::new(from)),
                child: Some(child),
            })
        }
        Side::Threads => {
            let (input, to) = io::pipe().map_err(failed)?;
            let (from, output) = io::pipe().map_err(failed)?;
            thread::Builder::new()
                .name("side".to_owned())
                .spawn(move || play(role, input, output, || ()))
                .map_err(failed)?;
            Ok(Running {
                to: Some(Box::new(to)),
                from: BufReader::new(Box::new(from)),
                child: None,
            })
        }
    }
}

impl Running {
    /// Waits until the child is ready. Returns the ports that it listens on.
    pub(crate) fn ready(&mut self) -> Result<Vec<u16>, String> {
        match self.hear()? {
            Message::Ready { ports } => Ok(ports),
            other => Err(format!(
                "the side process said {other:?} before it was ready"
            )),
        }
    }

    /// Lets it go, and waits until its warm-up is over.
    pub(crate) fn go(&mut self) -> Result<(), String> {
        self.order(Order::Go)?;
        match self.hear()? {
            Message::Started => Ok(()),
            other => Err(format!("the side process said {other:?} before it started")),
        }
    }

    /// Tells services to stop.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        self.order(Order::Stop)
    }

    /// Waits for its last word.
    pub(crate) fn report(&mut self) -> Result<Report, String> {
        match self.hear()? {
            Message::Report(report) => Ok(report),
            other => Err(format!(
                "the side process said {other:?} in place of a report"
            )),
        }
    }

    fn order(&mut self, order: Order) -> Result<(), String> {
        let Some(to) = &mut self.to else {
            unreachable!("it is taken by drop alone");
        };
        let line = serde_json::to_string(&order).map_err(|e| e.to_string())?;
        writeln!(to, "{line}")
            .and_then(|()| to.flush())
            .map_err(|e| format!("cannot write to the side process: {e}"))
    }

    fn hear(&mut self) -> Result<Message, String> {
        let mut line = String::new();
        self.from
            .read_line(&mut line)
            .map_err(|e| format!("cannot read from the side process: {e}"))?;
        if line.is_empty() {
            return Err("the side process ended without a word; \
                        does `main` call `workloads::side::become_if_asked()` first?"
                .to_owned());
        }
        match serde_json::from_str(&line) {
            Ok(Message::Failed(reason)) => Err(format!("the side process failed: {reason}")),
            Ok(message) => Ok(message),
            Err(_) => Err(format!(
                "the side process said {line:?}; \
                 does `main` call `workloads::side::become_if_asked()` first?"
            )),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.to = None; // the end of its input ends the child
        if let Some(child) = &mut self.child {
            // Nothing depends on how it ended; waiting is for the sake of the process table.
            let _ = child.wait();
        }
    }
}

/// What came of a load, and what it cost this process.
#[derive(Clone, Debug)]
pub(crate) struct Driven {
    /// The client's numbers.
    pub(crate) report: LoadReport,
    /// The processor time of this process while the client measured. With [`Side::Threads`], the client's is in it.
    pub(crate) processor_time: Duration,
}

/// Drives a load from start to end on a plain thread, so that no worker of a runtime is blocked by it. What came of it
/// arrives on the channel.
pub(crate) fn drive(side: Side, load: Load) -> Receiver<Result<Driven, String>> {
    let (tx, rx) = step01::bounded(1);
    let drive = move || -> Result<Driven, String> {
        let mut client = start(side, Role::Load(load))?;
        client.ready()?;
        client.go()?;
        let before = machine::processor_time();
        match client.report()? {
            Report::Load(report) => Ok(Driven {
                report,
                processor_time: machine::processor_time() - before,
            }),
            other => Err(format!("a load client reported {other:?}")),
        }
    };
    thread::spawn(move || {
        // The receiver is gone only if the workload has failed already.
        let _ = tx.send(drive());
    });
    rx
}
