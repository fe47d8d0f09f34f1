//! What others have made, measured with this course's workloads.
//!
//! `cargo course compare --peers` builds this program through cargo, asks it for its list, and starts it once for each
//! repetition, in turns with the stages. It is a package of its own so that whoever measures the stages alone does not
//! have to compile, or even to download, what is only in here.
//!
//! A new peer is a file in `systems/` and an entry in [`registry`]; the table and the JSON file follow.

mod registry;
mod systems;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;
use workloads::catalog::{Params, Size};
use workloads::costs::Costs;
use workloads::repetition::{Message, be_the_first_to_go};
use workloads::side::{self, Side};

use registry::Peer;

/// The form of what `list --json` prints.
const SCHEMA: &str = "course.peers/1";

/// What others have made, measured with the workloads of From Threads to Goroutines.
#[derive(Parser)]
#[command(name = "peers", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// List the peers and what each can be measured with (what happens without a command)
    List {
        /// In one line, as JSON, for a program
        #[arg(long)]
        json: bool,
    },
    /// Run one repetition of one workload in this process, and print the result as JSON
    Repetition(Repetition),
}

#[derive(clap::Args)]
struct Repetition {
    /// The peer
    #[arg(long, value_name = "NAME")]
    peer: String,
    /// The workload
    #[arg(long, value_name = "NAME")]
    workload: String,
    /// How much of it
    #[arg(long, value_enum, default_value_t = Scale::Default)]
    size: Scale,
    /// How many workers it gets, if it has any
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Count instructions and cycles, which makes the times useless
    #[arg(long)]
    count: bool,
}

/// The sizes of the workloads, as words on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum Scale {
    Test,
    Quick,
    Default,
    Full,
}

/// What `list --json` prints.
#[derive(Serialize)]
struct List {
    schema: &'static str,
    /// This program's own file, to be started for the repetitions without cargo around it.
    program: PathBuf,
    peers: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    management: &'static str,
    version: &'static str,
    workloads: Vec<&'static str>,
}

impl Entry {
    fn of(peer: &Peer) -> Entry {
        Entry {
            name: peer.name,
            title: peer.title,
            summary: peer.summary,
            management: peer.management,
            version: peer.version,
            workloads: peer.workloads.iter().map(|(name, _)| *name).collect(),
        }
    }
}

fn main() -> ExitCode {
    // A load client or a slow service of some workload, asked for by a parent process of the same program.
    side::become_if_asked();
    let result = match Cli::parse().command {
        None | Some(Command::List { json: false }) => {
            print!("{}", listed());
            Ok(())
        }
        Some(Command::List { json: true }) => list(),
        Some(Command::Repetition(args)) => repeat(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn listed() -> String {
    let describe = |peer: &Peer| {
        let names: Vec<&str> = peer.workloads.iter().map(|(name, _)| *name).collect();
        let (name, version, summary) = (peer.name, peer.version, peer.summary);
        format!(
            "{name} {version}: {summary}\n  workloads: {}\n",
            names.join(", ")
        )
    };
    registry::all().iter().map(describe).collect()
}

fn list() -> anyhow::Result<()> {
    let list = List {
        schema: SCHEMA,
        program: std::env::current_exe().context("cannot find this program's own file")?,
        peers: registry::all().iter().map(Entry::of).collect(),
    };
    println!("{}", serde_json::to_string(&list)?);
    Ok(())
}

fn repeat(args: &Repetition) -> anyhow::Result<()> {
    let peer = registry::find(&args.peer);
    let peer = peer.with_context(|| format!("there is no peer {:?}", args.peer))?;
    let run = peer.run(&args.workload);
    let run = run.with_context(|| format!("{} cannot run {:?}", peer.name, args.workload))?;
    be_the_first_to_go();
    let params = Params {
        size: match args.size {
            Scale::Test => Size::Test,
            Scale::Quick => Size::Quick,
            Scale::Default => Size::Default,
            Scale::Full => Size::Full,
        },
        workers: args.workers,
        side: Side::Process,
    };
    let costs = match args.count {
        true => Costs::begin_with_instructions(),
        false => Costs::begin(),
    };
    let mut result = run(&params);
    if let Ok(outcome) = &mut result {
        costs.add_to(outcome);
    }
    let message = Message::about(result);
    println!("{}", serde_json::to_string(&message)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_list_names_each_with_what_it_can_do() {
        let text = listed();
        assert_eq!(text.lines().count(), 2 * registry::all().len());
        assert!(text.contains("\n  workloads: raw_switch\n"), "{text}");
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let ask = |peer: &str, workload: &str| {
            let args = Repetition {
                peer: peer.to_owned(),
                workload: workload.to_owned(),
                size: Scale::Test,
                workers: 1,
                count: false,
            };
            repeat(&args).unwrap_err().to_string()
        };
        assert_eq!(ask("nobody", "raw_switch"), "there is no peer \"nobody\"");
        assert_eq!(
            ask("corosensei", "juggle"),
            "corosensei cannot run \"juggle\""
        );
    }
}
