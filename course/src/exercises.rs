//! `cargo course exercises`: the list with the learner's progress, checks, hints, and the maintainers' proof.
//!
//! An exercise is a folder with a task (`README.md`), a file to edit, tests that judge it, and a model answer. The
//! manifest names them all. The file to edit is cut from the model answer (`cut.rs`), so the two cannot drift apart, and
//! `reset` can always make it again. `check --all` proves all of it on a copy of the workspace.
//!
//! Models: rustlings, which has one manifest and proves that each exercise fails and each solution passes, and
//! comprehensive-rust, which cuts problem and solution from one file.

mod check;
mod cut;
mod judge;
mod manifest;
mod measured;
mod progress;
mod prove;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use crate::workshop;
use manifest::{Exercise, Kind, MINE, Manifest};
use progress::{Progress, State};

/// Which exercise, and what to do with it.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The workspace to work on, for the tests of this command
    #[arg(long, hide = true, global = true, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the exercises with your progress (the default)
    List,
    /// Judge your answer to one exercise and say what to do next
    Check {
        /// The exercise; with --all, several or none for all of them
        names: Vec<String>,
        /// For maintainers: prove on a copy that every start fails as stated and every solution passes
        #[arg(long)]
        all: bool,
        /// Show everything that the tests print
        #[arg(long, conflicts_with = "all")]
        verbose: bool,
    },
    /// Give one more hint
    Hint {
        /// The exercise
        name: String,
    },
    /// Put the start back; your file is kept beside it
    Reset {
        /// The exercise
        name: String,
    },
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = args.workspace.clone().unwrap_or_else(workshop::root);
    let manifest = Manifest::read(&root)?;
    match &args.command {
        None | Some(Command::List) => list(&root, &manifest),
        Some(Command::Check {
            names, all: true, ..
        }) => {
            let exercises: Result<Vec<&Exercise>> =
                names.iter().map(|name| manifest.find(name)).collect();
            let exercises = if names.is_empty() {
                manifest.exercises.iter().collect()
            } else {
                exercises?
            };
            prove::all(&root, &manifest, &exercises)
        }
        Some(Command::Check { names, verbose, .. }) => match names.as_slice() {
            [name] => check::one(&root, &manifest, manifest.find(name)?, *verbose),
            [] => bail!("which one? `cargo course exercises` lists them"),
            _ => bail!("one at a time, please"),
        },
        Some(Command::Hint { name }) => hint(&root, manifest.find(name)?),
        Some(Command::Reset { name }) => reset(&root, manifest.find(name)?),
    }
}

fn list(root: &Path, manifest: &Manifest) -> Result<ExitCode> {
    let progress = Progress::read(root)?;
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "step",
            "exercise",
            "kind",
            "minutes",
            "what it is",
            "progress",
        ]);
    let (mut next, mut done, mut minutes) = (None, 0, 0);
    for exercise in &manifest.exercises {
        let state = progress.state(root, exercise)?;
        match state {
            State::Done | State::ChangedSince => done += 1,
            State::NotStarted | State::Started => {
                next = next.or(Some(exercise));
                minutes += exercise.minutes;
            }
        }
        table.add_row([
            &exercise.step.to_string(),
            &exercise.name,
            &exercise.kind.to_string(),
            &exercise.minutes.to_string(),
            &exercise.title,
            state.words(),
        ]);
    }
    println!("{table}");
    println!(
        "{done} of {} done, about {minutes} minutes to go.",
        manifest.exercises.len()
    );
    if let Some(exercise) = next {
        println!("\nNext: {}. {}", exercise.name, exercise.teaches);
        println!("  read   {}", exercise.dir().join("README.md").display());
        if exercise.kind == Kind::Compare {
            exercise.make_room(root)?;
            exercise
                .measurements
                .iter()
                .for_each(|measurement| println!("  run    {}", measurement.command));
        }
        println!("  edit   {}", exercise.edited().display());
        println!("  check  cargo course exercises check {}", exercise.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn hint(root: &Path, exercise: &Exercise) -> Result<ExitCode> {
    let mut progress = Progress::read(root)?;
    let record = progress.of(exercise);
    let all = exercise.hints.len();
    if record.hints < all {
        record.hints += 1;
        println!(
            "Hint {} of {all}: {}",
            record.hints,
            exercise.hints[record.hints - 1].trim()
        );
        progress.write(root)?;
    } else {
        println!("You have had all {all} hints:");
        for (number, hint) in exercise.hints.iter().enumerate() {
            println!("{}. {}", number + 1, hint.trim());
        }
        let solution = exercise.dir().join(&exercise.solution);
        println!("What is left is the model answer: {}", solution.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn reset(root: &Path, exercise: &Exercise) -> Result<ExitCode> {
    let start = exercise.start(root)?;
    let path = root.join(exercise.edited());
    match fs::read_to_string(&path) {
        Ok(text) if text == start => {
            println!(
                "{} is as it was in the beginning.",
                exercise.edited().display()
            );
            return Ok(ExitCode::SUCCESS);
        }
        Ok(text) => {
            let seconds = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            let kept = exercise
                .dir()
                .join(MINE)
                .join(format!("{seconds}-{}", exercise.edit));
            exercise.make_room(root)?;
            fs::write(root.join(&kept), text)
                .with_context(|| format!("cannot write {}", kept.display()))?;
            println!("Your file is kept: {}", kept.display());
        }
        Err(_) => {}
    }
    fs::write(&path, start).with_context(|| format!("cannot write {}", path.display()))?;
    let mut progress = Progress::read(root)?;
    progress.of(exercise).forget();
    progress.write(root)?;
    println!(
        "{} is as it was in the beginning again.",
        exercise.edited().display()
    );
    Ok(ExitCode::SUCCESS)
}
