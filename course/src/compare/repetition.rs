//! One repetition of one workload on one stage: what a child process of `compare` does.
//!
//! It is a command of its own, `course repetition`, hidden from the list because few need it, and useful all the same:
//! it is what one starts under a profiler.
//!
//! What it says at the end, and how, is in `workloads::repetition`.

use std::process::ExitCode;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use workloads::catalog::{self, Outcome, Params, Size, WorkersWanted};
use workloads::costs::Costs;
use workloads::repetition::{Message, be_the_first_to_go};
use workloads::side::Side;

use crate::stages::{self, StageConfig};

/// One repetition.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The stage
    #[arg(long, value_name = "NAME", value_parser = super::args::stage_names())]
    pub(crate) stage: String,
    /// The workload
    #[arg(long, value_name = "NAME", value_parser = super::args::workload_names())]
    pub(crate) workload: String,
    /// How much of it
    #[arg(long, value_enum, default_value_t = Scale::Default)]
    pub(crate) size: Scale,
    /// Count instructions and cycles, which makes the times useless
    #[arg(long)]
    pub(crate) count: bool,
    /// How many workers the stage gets (of one: the workload decides)
    #[arg(long, value_name = "N", default_value_t = super::args::cores())]
    pub(crate) workers: usize,
}

/// The sizes of the workloads, as words on the command line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scale {
    /// As small as in the tests
    Test,
    /// A taste
    Quick,
    /// What the main job takes
    Default,
    /// All of it
    Full,
}

impl Scale {
    /// The word that the command line has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Scale::Test => "test",
            Scale::Quick => "quick",
            Scale::Default => "default",
            Scale::Full => "full",
        }
    }

    /// This size, or another one if that is smaller.
    pub(crate) fn at_most(self, other: Scale) -> Scale {
        match self.size() <= other.size() {
            true => self,
            false => other,
        }
    }

    fn size(self) -> Size {
        match self {
            Scale::Test => Size::Test,
            Scale::Quick => Size::Quick,
            Scale::Default => Size::Default,
            Scale::Full => Size::Full,
        }
    }
}

/// Runs the repetition and prints its [`Message`].
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    be_the_first_to_go();
    let fault = Fault::asked_for(&args.workload);
    let message = Message::about(fault.strike().unwrap_or_else(|| repeat(args)));
    let line = serde_json::to_string(&message)?;
    let shown = if fault == Fault::Garble {
        &line[..line.len() / 2]
    } else {
        &line
    };
    println!("{shown}");
    Ok(ExitCode::SUCCESS)
}

fn repeat(args: &Args) -> Result<Outcome, String> {
    let info = catalog::find(&args.workload).ok_or("there is no such workload")?;
    let stage = stages::find(&args.stage).ok_or("there is no such stage")?;
    let workers = workers(info, args.workers);
    let params = Params {
        size: args.size.size(),
        workers,
        side: Side::Process,
    };
    let config = StageConfig {
        workers,
        stack: info.stack,
    };
    let costs = match args.count {
        true => Costs::begin_with_instructions(),
        false => Costs::begin(),
    };
    let mut outcome = stage.run(info.name, &params, &config)?;
    costs.add_to(&mut outcome);
    Ok(outcome)
}

/// How many workers a workload gets that is asked for with so many: one that is about a single worker has one.
pub(crate) fn workers(info: &catalog::Info, asked: usize) -> usize {
    match info.workers {
        WorkersWanted::One => 1,
        WorkersWanted::All | WorkersWanted::Each => asked,
    }
}

/// A fault on demand, for the tests of this command and for showing what a failed row looks like:
/// `COURSE_FAULT=crash:spawn_join` in the environment lets each repetition of `spawn_join` crash.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fault {
    None,
    /// Ends by a signal.
    Crash,
    /// Panics.
    Panic,
    /// Never ends.
    Hang,
    /// Ends without a word, with status 7.
    Quit,
    /// Prints half a message.
    Garble,
    /// Finds a wrong answer.
    Fail,
    /// Says that it cannot be done.
    Skip,
}

impl Fault {
    fn asked_for(workload: &str) -> Fault {
        let Ok(text) = std::env::var("COURSE_FAULT") else {
            return Fault::None;
        };
        let kind = match text.split_once(':') {
            Some((kind, name)) if name == workload => kind,
            _ => return Fault::None,
        };
        match kind {
            "crash" => Fault::Crash,
            "panic" => Fault::Panic,
            "hang" => Fault::Hang,
            "quit" => Fault::Quit,
            "garble" => Fault::Garble,
            "fail" => Fault::Fail,
            "skip" => Fault::Skip,
            _ => Fault::None,
        }
    }

    /// What is to be reported instead of a measurement, if the process is still there.
    fn strike(self) -> Option<Result<Outcome, String>> {
        match self {
            Fault::None | Fault::Garble => None,
            Fault::Crash => {
                eprintln!("about to crash, as COURSE_FAULT asks");
                // SAFETY: SIGSEGV's default action ends the process, which is the point.
                unsafe {
                    libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                    libc::raise(libc::SIGSEGV);
                }
                None
            }
            Fault::Panic => panic!("COURSE_FAULT asks for a panic"),
            Fault::Hang => loop {
                std::thread::park();
            },
            Fault::Quit => std::process::exit(7),
            Fault::Fail => Some(Err("41 is not 42, as COURSE_FAULT asks".to_owned())),
            Fault::Skip => Some(Ok(Outcome::Skipped {
                reason: "COURSE_FAULT asks for it".to_owned(),
            })),
        }
    }
}
