//! `booktool`: builds the book with mdbook's own library crates.
//!
//! It does what `mdbook build book` does, and nothing that the stock tool could not do: no preprocessor, no renderer of
//! its own. What it adds is that nobody has to install mdbook first, and that it is strict: mdbook reports an include
//! that cannot be read, or a tag that is never closed, as a line in its log and builds the page without it. Here such a
//! line fails the build.
//!
//! It is a package of its own, outside the default members of the workspace, because mdbook brings a hundred
//! dependencies which nobody who only measures or tests should have to compile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, Subcommand};
use mdbook_driver::MDBook;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Builds the book
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the book into a folder of HTML pages
    Build {
        /// The folder to build into, `book/book` if not given; what an earlier build left there is replaced
        #[arg(long)]
        dest: Option<PathBuf>,
        /// The folder with the book's `book.toml`, this workspace's `book` if not given
        #[arg(long)]
        book: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Build { dest, book } = Cli::parse().command;
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let book = book.unwrap_or_else(|| own.parent().unwrap_or(own).to_path_buf());
    match build(&book, dest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the book whose `book.toml` is in the folder `book`.
fn build(book: &Path, dest: Option<PathBuf>) -> anyhow::Result<()> {
    let complaints = Complaints::default();
    let log = tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_target(false)
                .without_time(),
        )
        .with(complaints.clone())
        .with(LevelFilter::WARN);
    tracing::subscriber::with_default(log, || {
        let mut book = MDBook::load(book)?;
        if let Some(dest) = dest {
            // A relative path would be taken from the book's folder, which is not where the command was typed.
            book.config.build.build_dir = std::path::absolute(dest)?;
        }
        let dest = book.build_dir_for("html");
        refuse_foreign_folder(&dest)?;
        book.build()
    })?;
    let count = complaints.0.load(Relaxed);
    ensure!(
        count == 0,
        "mdbook complained (see above), so the pages are not what was written"
    );
    Ok(())
}

/// mdbook empties the folder it builds into, whatever is in it. This lets it empty what was built before, and no more.
fn refuse_foreign_folder(dest: &Path) -> anyhow::Result<()> {
    let mut entries = match dest.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot look into {}", dest.display()));
        }
    };
    if entries.next().is_some() && !dest.join("toc.html").is_file() {
        bail!(
            "{} is not empty and holds no book: building would delete what is there",
            dest.display()
        );
    }
    Ok(())
}

/// Counts the warnings and errors of the log. Its clones share the count.
#[derive(Clone, Default)]
struct Complaints(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Complaints {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            // Relaxed: a count that is read after the build, on the thread that built.
            self.0.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A book of one page in a fresh folder.
    fn sample(page: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let src = dir.path().join("src");
        std::fs::create_dir(&src).unwrap();
        std::fs::write(dir.path().join("book.toml"), "[book]\ntitle = \"Sample\"\n").unwrap();
        std::fs::write(src.join("SUMMARY.md"), "# Summary\n\n- [Page](page.md)\n").unwrap();
        std::fs::write(src.join("page.md"), page).unwrap();
        dir
    }

    #[test]
    fn a_book_is_built_where_it_was_asked_for() {
        let book = sample("# Page\n\nText.\n");
        let dest = book.path().join("out");
        build(book.path(), Some(dest.clone())).unwrap();
        let page = std::fs::read_to_string(dest.join("page.html")).unwrap();
        assert!(page.contains("<p>Text.</p>"));
        // Again, into the same folder.
        build(book.path(), Some(dest)).unwrap();
    }

    #[test]
    fn an_include_that_cannot_be_read_fails_the_build() {
        let book = sample("# Page\n\n{{#include nowhere.rs:anchor}}\n");
        let error = build(book.path(), None).unwrap_err();
        assert!(error.to_string().contains("mdbook complained"), "{error:#}");
    }

    #[test]
    fn a_tag_that_is_never_closed_fails_the_build() {
        let book = sample("# Page\n\n<details><summary>Answer</summary>\n\nText.\n");
        assert!(build(book.path(), None).is_err());
    }

    #[test]
    fn a_folder_that_holds_no_book_is_left_alone() {
        let book = sample("# Page\n");
        let dest = tempfile::tempdir().unwrap();
        let letter = dest.path().join("letter.txt");
        std::fs::write(&letter, "keep me").unwrap();
        let error = build(book.path(), Some(dest.path().to_path_buf())).unwrap_err();
        assert!(error.to_string().contains("would delete"), "{error:#}");
        assert!(letter.is_file());
    }
}
