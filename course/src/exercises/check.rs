//! `check NAME`: judges a learner's answer and says in plain words what is missing and what to do next.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::judge::{self, Verdict};
use super::manifest::{Exercise, Kind, MINE, Manifest};
use super::progress::{Progress, State};
use crate::workshop::cargo::{self, Ran};

/// How long cargo may take to compile the tests.
pub(super) const COMPILE_LIMIT: Duration = Duration::from_secs(1_800);
/// How long the tests of one exercise may take; they have watchdogs of their own.
pub(super) const TEST_LIMIT: Duration = Duration::from_secs(180);

/// Checks the learner's file.
pub(super) fn one(
    root: &Path,
    manifest: &Manifest,
    exercise: &Exercise,
    everything: bool,
) -> Result<ExitCode> {
    let mut progress = Progress::read(root)?;
    progress.of(exercise).checks += 1;
    progress.write(root)?;
    println!("{}: {}\n", exercise.name, exercise.title);
    let passed = if exercise.kind == Kind::Compare {
        compare(root, exercise)?
    } else {
        build(root, exercise, everything)?
    };
    if !passed {
        let given = progress.of(exercise).hints;
        if given < exercise.hints.len() {
            println!(
                "\nStuck? `cargo course exercises hint {}` gives hint {}.",
                exercise.name,
                given + 1
            );
        }
        return Ok(ExitCode::FAILURE);
    }
    progress
        .of(exercise)
        .pass(&exercise.read(root, &exercise.edit)?);
    progress.write(root)?;
    println!(
        "\nDone. Now compare it with the model answer, {}{}.",
        exercise.dir().join(&exercise.solution).display(),
        if exercise.kind == Kind::Compare {
            ""
        } else {
            ", and see in `wrong/` which answers the tests refuse"
        }
    );
    let mut next = None;
    for candidate in &manifest.exercises {
        if next.is_none() && progress.state(root, candidate)? != State::Done {
            next = Some(candidate);
        }
    }
    match next {
        Some(next) => println!(
            "Next: {} ({}, about {} minutes).",
            next.name, next.title, next.minutes
        ),
        None => println!("That was the last one."),
    }
    Ok(ExitCode::SUCCESS)
}

/// Compiles and runs an exercise's tests in `root`; none if they do not compile.
pub(super) fn run_tests(
    root: &Path,
    target: Option<&Path>,
    exercise: &Exercise,
) -> Result<(Ran, Option<Ran>)> {
    let command = ["test", "-p", "exercises", "--test", exercise.test()?];
    let compile: Vec<&str> = command.iter().copied().chain(["--no-run"]).collect();
    let compiled = cargo::run(root, target, &compile, COMPILE_LIMIT)?;
    if !compiled.passed() {
        return Ok((compiled, None));
    }
    let ran = cargo::run(root, target, &command, TEST_LIMIT)?;
    Ok((compiled, Some(ran)))
}

fn build(root: &Path, exercise: &Exercise, everything: bool) -> Result<bool> {
    let spinner = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {msg}").context("a fixed template")?)
        .with_message(format!(
            "compiling and testing {}",
            exercise.edited().display()
        ));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let outcome = run_tests(root, None, exercise);
    spinner.finish_and_clear();
    let (compiled, ran) = outcome?;
    let Some(ran) = ran else {
        println!("{}", compiled.output.trim_end());
        println!("\nIt does not compile yet: begin with the first error above.");
        return Ok(false);
    };
    if everything {
        println!("{}", ran.output.trim_end());
    }
    let tests = tests(&ran.output);
    let mut told = false;
    for test in &tests {
        let word = if test.passed { "ok    " } else { "FAILED" };
        println!("  {word} {}", test.name);
        // One at a time: what is wrong with the first is often what is wrong with the others.
        if !test.passed && !told {
            told = true;
            for line in test.says.lines() {
                println!("           {line}");
            }
        }
    }
    if ran.status.is_none() {
        println!(
            "\nThe tests did not end in {} s. Something waits for what never comes, or goes round in a loop.",
            TEST_LIMIT.as_secs()
        );
        return Ok(false);
    }
    let failed = tests.iter().filter(|test| !test.passed).count();
    if !ran.passed() && failed == 0 {
        println!("{}\n\nThe tests came to an early end.", ran.tail(20));
    } else if failed > 0 {
        println!(
            "\n{failed} of {} tests failed: begin with the first (`--verbose` shows all that they say).",
            tests.len()
        );
    } else {
        println!("\nAll {} tests pass.", tests.len());
    }
    Ok(ran.passed())
}

/// One test, as its binary reports it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// Its name, as words.
    pub(super) name: String,
    pub(super) passed: bool,
    /// What it panicked with.
    pub(super) says: String,
}

/// Reads what a test binary prints.
pub(super) fn tests(output: &str) -> Vec<Test> {
    let words = |name: &str| name.rsplit("::").next().unwrap_or(name).replace('_', " ");
    let mut tests: Vec<Test> = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
        .filter(|(_, result)| *result == "ok" || *result == "FAILED")
        .map(|(name, result)| Test {
            name: words(name.trim_end_matches(" - should panic")),
            passed: result == "ok",
            says: says(output, name),
        })
        .collect();
    // Those that pass first: what is last on the screen is what is to be done.
    tests.sort_by_key(|test| !test.passed);
    tests
}

/// What a failed test panicked with: the last panic of its part of the output, without the line that says where.
fn says(output: &str, name: &str) -> String {
    let head = format!("---- {name} stdout ----\n");
    let Some((_, part)) = output.split_once(&head) else {
        return String::new();
    };
    let part = part.split("\n---- ").next().unwrap_or(part);
    let part = part.split("\nfailures:\n").next().unwrap_or(part);
    let Some((_, panic)) = part
        .rsplit_once("' panicked at ")
        .or_else(|| part.rsplit_once(") panicked at "))
    else {
        return part.trim().to_owned();
    };
    let message = panic
        .split_once('\n')
        .map_or(panic, |(_place, message)| message);
    let message: Vec<&str> = message
        .lines()
        .take_while(|line| !line.starts_with("note: "))
        .collect();
    let message = message.join("\n").trim().to_owned();
    match message.strip_prefix("not yet implemented") {
        Some(what) => format!("not written yet{what}"),
        None => message,
    }
}

fn compare(root: &Path, exercise: &Exercise) -> Result<bool> {
    let folder = root.join(exercise.dir()).join(MINE);
    let missing: Vec<&str> = exercise
        .measurements
        .iter()
        .filter(|measurement| !folder.join(&measurement.file).is_file())
        .map(|measurement| measurement.command.as_str())
        .collect();
    if !missing.is_empty() {
        exercise.make_room(root)?;
        println!(
            "Not measured yet. Write your guess into {}, then run",
            exercise.edited().display()
        );
        missing.iter().for_each(|command| println!("  {command}"));
        println!(
            "and look at the table that it prints. Then answer the questions and check again."
        );
        return Ok(false);
    }
    let answers = exercise.read(root, &exercise.edit)?;
    let verdicts = judge::judge(&exercise.questions, &answers, &folder)?;
    for (question, verdict) in exercise.questions.iter().zip(&verdicts) {
        let (word, text) = match verdict {
            Verdict::NotFilledIn => (
                "OPEN  ",
                &format!("is not filled in. {}", question.in_full()),
            ),
            Verdict::Guess(text) => ("guess ", text),
            Verdict::Right(text) => ("ok    ", text),
            Verdict::Wrong(text) => ("WRONG ", text),
            Verdict::Inconclusive(text) => ("unsure", text),
        };
        println!("  {word} {}: {text}", question.field);
    }
    if verdicts
        .iter()
        .any(|verdict| matches!(verdict, Verdict::Inconclusive(_)))
    {
        println!(
            "\nUnsure: nothing in your measurement contradicts the answer, and nothing proves it."
        );
    }
    Ok(verdicts.iter().all(Verdict::is_good))
}

#[cfg(test)]
mod unit {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a_token_is_kept ... ok
test model::park_waits ... FAILED
test unpark_wakes ... FAILED

failures:

---- model::park_waits stdout ----

thread 'model::park_waits' (17) panicked at exercises/step01/parker/exercise.rs:30:9:
not yet implemented: wait for the token
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- unpark_wakes stdout ----
the first line

thread 'unpark_wakes' (18) panicked at exercises/step01/parker/tests.rs:9:5:
it never wakes
in any order


failures:
    model::park_waits
    unpark_wakes

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn the_report_of_a_test_binary_is_put_into_plain_words() {
        let tests = tests(OUTPUT);
        let expected = [
            ("a token is kept", true, ""),
            ("park waits", false, "not written yet: wait for the token"),
            ("unpark wakes", false, "it never wakes\nin any order"),
        ];
        let expected = expected.map(|(name, passed, says)| Test {
            name: name.into(),
            passed,
            says: says.into(),
        });
        assert_eq!(tests, expected);
    }
}
