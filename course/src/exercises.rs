//! `cargo course exercises`: the list with the learner's progress, checks, hints, and the maintainers' proof.

use std::process::ExitCode;

/// Which exercise, and what to do with it.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("there are no exercises yet")
}
