//! `cargo course book`: builds the book, and serves it with the runtime that its first chapter is about.
//!
//! The book is built by the package `booktool`, which is started through cargo, so that whoever only measures does not
//! have to compile mdbook. It is served by the web server of `workloads::programs`, on `step01`'s threads.
//!
//! `--record` is for maintainers: it measures this machine and makes the book's numbers from what was found. `--regenerate`
//! makes them anew from the recordings that are there. See `recorded.rs` and `stackless.rs`.

mod charts;
mod drawings;
pub mod recorded;
mod rounded;
mod run;
mod several;
mod stackless;

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail, ensure};
use step01::{Runtime as _, Threads};
use workloads::catalog;
use workloads::programs::web_server;

use crate::{simulate, workshop};

/// Where the book is to be served, or what else is to be done with it.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// Serve it on this port of 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,

    /// Build it, and do not serve it
    #[arg(long)]
    no_serve: bool,

    /// Measure this machine, and make the numbers in the book from what was found (for maintainers; a few minutes)
    #[arg(long, conflicts_with = "no_serve")]
    record: bool,

    /// With --record: measure less of everything, for a try
    #[arg(long, requires = "record")]
    quick: bool,

    /// Make the numbers in the book anew from the recordings that are there, and what changed between two stages from
    /// their sources (for maintainers)
    #[arg(long, conflicts_with_all = ["no_serve", "record"])]
    regenerate: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root = workshop::root();
    let recordings = root.join("book/src/recorded");
    if args.record {
        record(&recordings, args.quick)?;
        stackless::record(&root, &recordings, args.quick)?;
        simulate::record(&recordings)?;
    }
    if args.record || args.regenerate {
        regenerate(&recordings)?;
        return Ok(ExitCode::SUCCESS);
    }
    let pages = root.join("book/book");
    build(&root, &pages)?;
    if args.no_serve {
        println!("The book is in {}", pages.join("index.html").display());
    } else {
        serve(&pages, args.port)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `booktool`. Where nothing is compiled any more, cargo and it take a second together.
fn build(root: &Path, pages: &Path) -> anyhow::Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo.args(["run", "--release", "--quiet", "-p", "booktool"]);
    cargo.args(["--", "build", "--dest"]).arg(pages);
    println!(
        "Building the book (the first time its tools are compiled, which takes a minute or two)"
    );
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "the book was not built: see above");
    Ok(())
}

/// Serves the pages until somebody ends this process.
fn serve(pages: &Path, port: u16) -> anyhow::Result<()> {
    let announce = |address: std::net::SocketAddr| {
        println!("The book is at http://{address}/ (Ctrl-C ends this)");
        // Whoever reads this through a pipe waits for it.
        let _ = std::io::stdout().flush();
    };
    let rt = Threads::new();
    let served = rt.run(|| web_server::serve_folder(&rt, pages, ("127.0.0.1", port), announce));
    match served {
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "port {port} is taken, perhaps by another `cargo course book`: choose one with --port, or --port 0 for any"
        ),
        served => served.with_context(|| format!("cannot serve on port {port}")),
    }
}

/// Measures all stages and the peers, and then the rows that take a million tasks, each run in a process of its own, and
/// keeps the results.
fn record(recordings: &Path, quick: bool) -> anyhow::Result<()> {
    let how = if quick { "--quick" } else { "--patient" };
    record_one(recordings, recorded::RUN, &["compare", "--peers", how])?;
    let fork_join = |name: &&str| {
        several::FORK_JOIN
            .iter()
            .any(|begin| name.starts_with(begin))
    };
    let names = catalog::all().iter().map(|info| info.name);
    let how = if quick { "--quick" } else { "--full" };
    let mut args = vec!["compare", "--peers", how, "--stage"];
    args.extend(several::FULL_STAGES);
    args.push("--workload");
    args.extend(several::FULL_ROWS);
    args.extend(names.filter(fork_join));
    record_one(recordings, recorded::FULL, &args)
}

fn record_one(recordings: &Path, name: &str, args: &[&str]) -> anyhow::Result<()> {
    let file = recordings.join(name);
    let mut course = Command::new(std::env::current_exe().context("cannot find this program")?);
    let status = course.args(args).arg("--json").arg(&file).status();
    let status = status.context("cannot start this program")?;
    ensure!(status.success(), "the stages were not measured: see above");
    let text = fs::read_to_string(&file)?;
    let command = format!("cargo course {} --json {name}", args.join(" "));
    fs::write(&file, with_command(&text, &command)?)?;
    Ok(())
}

/// A report with its command line as one would type it, without the folders of the machine that it was measured on.
fn with_command(report: &str, command: &str) -> anyhow::Result<String> {
    let parsed: serde_json::Value = serde_json::from_str(report)?;
    let old = serde_json::to_string(&parsed["command"])?;
    let new: serde_json::Value = command.split(' ').collect();
    // In the text and not in the parsed value, which would forget the order of the fields.
    let (before, rest) = report
        .split_once("\"command\":")
        .context("a report says its command")?;
    let (_, after) = rest.split_once(']').context("a command is a list")?;
    let text = format!("{before}\"command\": {new}{after}");
    let parsed: serde_json::Value = serde_json::from_str(&text)?;
    ensure!(
        parsed["command"] == new,
        "cannot find the command {old} in the report"
    );
    Ok(text)
}

/// Writes what follows from the recordings.
fn regenerate(recordings: &Path) -> anyhow::Result<()> {
    for (name, text) in recorded::files(recordings)? {
        let file = recordings.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("wrote {}", file.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_says_how_to_make_it_and_not_where_it_was_made() {
        let report = "{\n  \"schema\": \"x\",\n  \"command\": [\n    \"/home/me/course\"\n  ],\n  \"results\": []\n}\n";
        let text = with_command(report, "cargo course compare").unwrap();
        let expected = "{\n  \"schema\": \"x\",\n  \"command\": [\"cargo\",\"course\",\"compare\"],\n  \"results\": []\n}\n";
        assert_eq!(text, expected);
    }
}
