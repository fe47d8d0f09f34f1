//! The `cargo course` command: everything around the five crates that a reader, an instructor or a maintainer runs.
//!
//! `cargo run --release` and `cargo course compare` are the same: measure every stage on this machine and print the
//! seed article's table with the numbers in it. So the options of `compare` may follow without its name:
//! `cargo run --release -- --quick`.
//!
//! It is a library and a small program (`main.rs`), so that the tests of the book can make its generated files with the
//! same code. What is public is public for them.

mod book;
mod compare;
mod diff;
mod exercises;
mod mutants;
mod report;
mod simulate;
mod stages;
mod workshop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use book::recorded;

/// From Threads to Goroutines: five runtimes, measured, explained and broken on purpose.
///
/// Without a command it compares: it measures the stages on this machine and prints them side by side.
#[derive(Parser)]
#[command(
    name = "course",
    bin_name = "cargo course",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    compare: compare::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the stages on this machine and print them side by side (what a bare `cargo run --release` does)
    #[command(long_about = compare::LONG_ABOUT)]
    Compare(compare::Args),
    /// Make the page of a saved run again, without measuring anything
    Report(report::command::Args),
    /// Say what changed between two stages
    #[command(long_about = diff::LONG_ABOUT)]
    Diff(diff::Args),
    /// Simulate more cores than there are, with the real policies of steps 3 and 4
    #[command(long_about = simulate::LONG_ABOUT)]
    Simulate(simulate::Args),
    /// List the exercises, check one, or ask for a hint
    Exercises(exercises::Args),
    /// Put historical bugs back, one by one, and prove that a test catches each
    Mutants(mutants::Args),
    /// Build the book and serve it on this machine
    Book(book::Args),
    /// Run one repetition of one workload in this process, for a profiler; what `compare` starts as its children
    #[command(hide = true)]
    Repetition(compare::repetition::Args),
}

/// Understands the command line, does what it asks for, and says how that went.
pub fn main() -> ExitCode {
    // A load client or a slow service of some workload, asked for by a parent process of the same program.
    workloads::side::become_if_asked();
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Report(args)) => report::command::run(&args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Simulate(args)) => simulate::run(&args),
        Some(Command::Exercises(args)) => exercises::run(&args),
        Some(Command::Mutants(args)) => mutants::run(&args),
        Some(Command::Book(args)) => book::run(&args),
        Some(Command::Repetition(args)) => compare::repetition::run(&args),
        None => compare::run(&cli.compare),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
