//! `cargo course report`: the page of a saved run, made again; and how `compare` leaves its page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::page;
use crate::compare::results::Report;
use crate::compare::screen::Screen;
use crate::compare::{since, state};

/// The page's name in the folder of what outlives a run.
const FILE: &str = "report.html";

/// Which run, and where to.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// What `compare --json` has written, or the page of a run (otherwise: the last run)
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Write the page to this file instead of target/course/report.html
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Compare every stage with this one, repetition by repetition
    #[arg(long, value_name = "NAME")]
    against: Option<String>,

    /// Say what got slower since this earlier run: its JSON file, or its page
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// Makes the page.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let last = state::folder().join("last.json");
    let mut report = since::read(args.file.as_deref().unwrap_or(&last))?;
    if let Some(name) = &args.against {
        since::check_against(
            name,
            report.stages.iter().map(|column| column.name.as_str()),
        )?;
        report.against = Some(name.clone());
    }
    if let Some(file) = &args.baseline {
        report.baseline = Some(since::compare(&since::read(file)?, &report));
    }
    let written = leave(&report, args.html.as_deref())?;
    print!("{}", where_it_is(&written, &Screen::of_stdout()));
    Ok(match written {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Where the page is, or where it could not be written and why.
pub(crate) type Written = Result<PathBuf, (PathBuf, io::Error)>;

/// Writes the page, to the file that was named or to its usual place. It is an error only if the file that was named
/// cannot be written: for the usual place, a run that has measured for minutes is told and goes on.
pub(crate) fn leave(report: &Report, named: Option<&Path>) -> anyhow::Result<Written> {
    let page = page(report);
    let Some(file) = named else {
        return Ok(state::save(FILE, &page));
    };
    fs::write(file, page)
        .with_context(|| format!("cannot write the page to {}", file.display()))?;
    Ok(Ok(file.to_owned()))
}

/// A line that says where the page is.
pub(crate) fn where_it_is(written: &Written, screen: &Screen) -> String {
    match written {
        Ok(file) => format!("The page with the charts: {}\n", file.display()),
        Err((file, error)) => {
            let text = format!("The page could not be kept in {}: {error}", file.display());
            screen.wrap("", &text)
        }
    }
}
