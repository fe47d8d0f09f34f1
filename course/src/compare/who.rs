//! Who takes part in a run: the stages of the book, and with `--peers` what others have made.
//!
//! Both are measured alike: one repetition is one process, which is told what to do on its command line and answers with
//! a [`Message`](workloads::repetition::Message). A stage's is this program itself, a peer's is the program of the package
//! `peers`.

use std::io;
use std::process::Command;

use workloads::catalog::{self, Info};

use super::peers::Peer;
use super::repetition;
use super::results::{Column, Kind};
use crate::stages::Stage;

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// A stage of the book.
    Stage(&'static Stage),
    /// Something made by others.
    Peer(&'static Peer),
}

impl Who {
    /// The name on the command line and in the JSON file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Stage(stage) => stage.name,
            Who::Peer(peer) => &peer.name,
        }
    }

    /// Whether it is measured with this workload. A stage is asked for all, and says itself what it cannot do and why. A
    /// peer is asked only for what it has announced: that it is made for something else is no result.
    pub(crate) fn takes_part_in(self, info: &Info) -> bool {
        match self {
            Who::Stage(_) => true,
            Who::Peer(peer) => peer.can(info.name),
        }
    }

    /// What the JSON file says about it.
    pub(crate) fn column(self) -> Column {
        match self {
            Who::Stage(stage) => Column {
                name: stage.name.to_owned(),
                title: stage.title.to_owned(),
                management: stage.management.to_owned(),
                kind: Kind::Stage,
                version: None,
            },
            Who::Peer(peer) => Column {
                name: peer.name.clone(),
                title: peer.title.clone(),
                management: peer.management.clone(),
                kind: Kind::Peer,
                version: Some(peer.version.clone()),
            },
        }
    }

    /// The process that makes one repetition.
    ///
    /// # Errors
    ///
    /// If this program's own file cannot be found.
    pub(crate) fn command(self, args: &repetition::Args) -> io::Result<Command> {
        let (program, whom) = match self {
            Who::Stage(_) => (std::env::current_exe()?, "--stage"),
            Who::Peer(peer) => (peer.program.clone(), "--peer"),
        };
        let mut command = Command::new(program);
        command.args(["repetition", whom, self.name()]);
        command.args(["--workload", &args.workload]);
        command.args(["--size", args.size.word()]);
        // A peer's program does not have to know which workloads are about a single worker.
        let workers =
            catalog::find(&args.workload).map(|info| repetition::workers(info, args.workers));
        command.args(["--workers", &workers.unwrap_or(args.workers).to_string()]);
        command.args(args.count.then_some("--count"));
        Ok(command)
    }
}
