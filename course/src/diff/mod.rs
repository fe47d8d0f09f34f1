//! `course diff`: what changed between two stages.
//!
//! Two stages are two packages, and most of the later one is new text that *uses* the earlier one. A diff of the files
//! shows neither: it would show two thousand lines going and two thousand coming. What a reader wants to know is which
//! modules came, which of the old ones go on working and which are left behind, what is used of whom, and what can now be
//! called. So the sources are parsed ([`source`]), put together to packages ([`model`]) and compared ([`changes`]). Only
//! where a file has a namesake and has kept enough of it are their lines set side by side, and only on request.
//!
//! The book shows the same, as Markdown, in files that `course book --regenerate` writes and a test compares.

mod changes;
mod model;
mod show;
mod source;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use crate::compare::args::stage_names;
use crate::compare::screen::Screen;
use crate::workshop;
use changes::Changes;
use model::Package;

/// What `diff` does, for its `--help`.
pub(crate) const LONG_ABOUT: &str = "\
Say what changed between two stages.

Each stage uses the earlier ones and replaces one thing, so a diff of the files would hide what there is to see. This \
lists the later stage's modules with their lines of code, comments and tests apart; what became of each module of the \
earlier stage (used, needed by one that is used, or left behind); what is used of which package; and the public items \
that are new. Read it before a chapter to know where to look, or after it to see how little was needed.";

const AFTER_HELP: &str = "\
Examples:
  cargo course diff step03 step04           what work stealing took: a few files around a ring
  cargo course diff step01 step02           from threads to coroutines
  cargo course diff step02 step03 --lines   and the changed lines of files that kept their shape
  cargo course diff step03 step04 --markdown > what-changed.md

What the columns mean:
  code      lines with something for the compiler on them; a module that only tests see is counted apart
  comments  lines with nothing but a comment, documentation included
  tests     lines inside of `#[cfg(test)]`; what the folder tests/ has is said below the table";

/// Which stages, and how.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The earlier stage
    #[arg(value_name = "FROM", value_parser = stage_names())]
    from: String,

    /// The later stage
    #[arg(value_name = "TO", value_parser = stage_names())]
    to: String,

    /// Show the changed lines as well, of files that both stages have and that are alike
    #[arg(long)]
    lines: bool,

    /// Write Markdown, as the book has it
    #[arg(long, conflicts_with = "lines")]
    markdown: bool,
}

/// The steps between which the book says what changed.
const IN_THE_BOOK: &[(&str, &str)] = &[("step02", "step03"), ("step03", "step04")];

/// Prints what changed.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let screen = Screen::of_stdout();
    let packages = packages(&workshop::root())?;
    let text = compared(&packages, &args.from, &args.to, |changes| {
        match args.markdown {
            true => show::markdown(changes),
            false => show::terminal(changes, args.lines, &screen),
        }
    })?;
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read our output has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The files of the book: their names and texts.
///
/// # Errors
///
/// If a source cannot be read or parsed.
pub(crate) fn files(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let packages = packages(root)?;
    let file = |(from, to): &(&str, &str)| {
        let text = compared(&packages, from, to, show::markdown)?;
        Ok((format!("diff-{from}-{to}.md"), text))
    };
    IN_THE_BOOK.iter().map(file).collect()
}

/// All stages of the workspace: whichever two are compared, the later one may use any other.
fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let steps = model::steps(root)?.into_iter();
    steps
        .map(|(name, folder)| Package::read(&folder, &name))
        .collect()
}

fn compared(
    packages: &[Package],
    from: &str,
    to: &str,
    show: impl FnOnce(&Changes<'_>) -> String,
) -> anyhow::Result<String> {
    ensure!(from != to, "{from} and {to} are the same stage: name two");
    let find = |name: &str| {
        let found = packages.iter().find(|package| package.name == name);
        found.with_context(|| {
            let names: Vec<&str> = packages.iter().map(|package| &*package.name).collect();
            format!(
                "there is no stage {name:?}; there are: {}",
                names.join(", ")
            )
        })
    };
    Ok(show(&Changes::between(find(from)?, find(to)?, packages)))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    /// Parsing all of them takes a while, so the tests share them.
    pub(super) fn all() -> &'static [Package] {
        static ALL: OnceLock<Vec<Package>> = OnceLock::new();
        ALL.get_or_init(|| packages(&workshop::root()).unwrap())
    }

    #[test]
    fn a_stage_is_not_compared_with_itself_or_with_nothing() {
        let refused = |from, to| {
            compared(all(), from, to, show::markdown)
                .unwrap_err()
                .to_string()
        };
        assert!(refused("step01", "step01").contains("the same stage"));
        let missing = refused("step01", "step99");
        assert!(
            missing.contains("there is no stage \"step99\"; there are: step01, step02"),
            "{missing}"
        );
    }
}
