//! `cargo course mutants`: puts historical bugs back, one by one, and proves that a test catches each.

use std::process::ExitCode;

/// Which mutants, and what to do with them.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("there are no mutants yet")
}
