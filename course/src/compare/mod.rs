//! `course compare`.

use std::process::ExitCode;

use anyhow::Result;

/// What to measure.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {}

/// Measures.
pub(crate) fn run(_args: &Args) -> Result<ExitCode> {
    anyhow::bail!("nothing to measure yet")
}
