//! `cargo course book`: builds the book and serves it on this machine.
//!
//! The book is built by the package `booktool`, which is started through cargo, so that whoever only measures does not
//! have to compile mdbook.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

/// Where the book is to be served, or what else is to be done with it.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// Build only: do not serve
    #[arg(long)]
    no_serve: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root = workspace_root();
    let dest = root.join("book/book");
    build(&root, &dest)?;
    if !args.no_serve {
        println!("The book is built: {}", dest.join("index.html").display());
    }
    Ok(ExitCode::SUCCESS)
}

fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

fn build(root: &Path, dest: &Path) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args([
            "run",
            "--release",
            "--quiet",
            "-p",
            "booktool",
            "--",
            "build",
            "--dest",
        ])
        .arg(dest)
        .status()
        .context("cannot start cargo to build the book")?;
    anyhow::ensure!(status.success(), "the book was not built (see above)");
    Ok(())
}
