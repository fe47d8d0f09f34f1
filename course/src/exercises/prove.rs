//! `check --all`, for the maintainers: every start compiles and fails for the stated reason, every solution passes, and
//! every wrong answer that somebody thought of is refused.
//!
//! It works on a copy of the workspace, so the files that a learner has edited are neither read nor changed. Whatever is
//! to be tried is put in the place of the learner's file: the start cut from the solution, the solution itself, the
//! solution with a wrong answer's patch.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};

use super::check::{COMPILE_LIMIT, run_tests};
use super::judge::{self, Verdict};
use super::manifest::{Exercise, Kind, Manifest};
use crate::workshop::cargo;
use crate::workshop::tree::Tree;

/// One row of the report: what came of each part, `ok` or what is wrong.
struct Row<'a> {
    exercise: &'a Exercise,
    start: String,
    solution: String,
    wrong: Vec<(String, String)>,
}

const OK: &str = "ok";

/// Proves `exercises` and prints the table.
pub(super) fn all(root: &Path, manifest: &Manifest, exercises: &[&Exercise]) -> Result<ExitCode> {
    manifest.agrees_with_folders(root)?;
    let tree = Tree::copy(root, &root.join("target/exercises"))?;
    let bar = ProgressBar::new(exercises.len() as u64 * 3).with_style(
        ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos}/{len} {msg}")
            .context("a fixed template")?,
    );
    bar.enable_steady_tick(Duration::from_millis(250));

    // All starts together first: the package as a newcomer gets it must compile.
    bar.set_message("the package as it starts");
    for exercise in &manifest.exercises {
        tree.write(&exercise.edited(), &exercise.start(root)?)?;
    }
    let compile = ["test", "-p", "exercises", "--no-run"];
    let compiled = cargo::run(tree.dir(), Some(tree.target()), &compile, COMPILE_LIMIT)?;
    ensure!(
        compiled.passed(),
        "the starts do not compile:\n{}",
        compiled.tail(60)
    );

    let mut rows = Vec::new();
    for exercise in exercises {
        bar.set_message(format!("{}: start", exercise.name));
        let mut start = committed(root, exercise)?;
        if start == OK {
            start = try_start(&tree, exercise)?;
        }
        rows.push(Row {
            exercise,
            start,
            solution: String::new(),
            wrong: Vec::new(),
        });
        bar.inc(1);
    }
    for row in &mut rows {
        let exercise = row.exercise;
        bar.set_message(format!("{}: solution", exercise.name));
        let solution = exercise.read(root, &exercise.solution)?;
        tree.write(&exercise.edited(), &solution)?;
        row.solution = try_solution(&tree, exercise)?;
        bar.inc(1);
        if row.solution == OK {
            for wrong in exercise.wrong_answers(root)? {
                bar.set_message(format!("{}: {}", exercise.name, wrong.name));
                let verdict = match wrong.apply_to(&solution) {
                    Err(error) => format!("does not apply: {error:#}"),
                    Ok(text) => {
                        tree.write(&exercise.edited(), &text)?;
                        try_wrong(&tree, exercise, &wrong.expect)?
                    }
                };
                row.wrong.push((wrong.name, verdict));
            }
        }
        tree.write(&exercise.edited(), &exercise.start(root)?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(report(&rows))
}

/// Says whether the file in the last commit is the start, if git can tell.
fn committed(root: &Path, exercise: &Exercise) -> Result<String> {
    let file = exercise.edited();
    let shown = Command::new("git")
        .arg("show")
        .arg(format!("HEAD:./{}", file.display()))
        .current_dir(root)
        .output();
    Ok(match shown {
        Ok(output)
            if output.status.success() && output.stdout != exercise.start(root)?.as_bytes() =>
        {
            format!(
                "{} as committed is not the start that is cut from {}: `cargo course exercises reset {}` makes it so",
                file.display(),
                exercise.solution,
                exercise.name
            )
        }
        // No git, or not committed yet: nothing to compare with.
        _ => OK.to_owned(),
    })
}

fn try_start(tree: &Tree, exercise: &Exercise) -> Result<String> {
    let expected = &exercise.start_fails_with;
    if exercise.kind == Kind::Compare {
        let verdicts = judge_recorded(tree, exercise)?;
        let fields = exercise.questions.iter().zip(&verdicts);
        let filled: Vec<&str> = fields
            .filter(|(_, v)| **v != Verdict::NotFilledIn)
            .map(|(question, _)| question.field.as_str())
            .collect();
        ensure!(
            expected == "is not filled in",
            "`{}`: an empty answer fails with `is not filled in`",
            exercise.name
        );
        return Ok(if filled.is_empty() {
            OK.to_owned()
        } else {
            format!("the start has answers: {}", filled.join(", "))
        });
    }
    try_wrong(tree, exercise, expected)
}

fn try_solution(tree: &Tree, exercise: &Exercise) -> Result<String> {
    if exercise.kind == Kind::Compare {
        let verdicts = judge_recorded(tree, exercise)?;
        let mut bad = exercise
            .questions
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| !verdict.is_good());
        return Ok(match bad.next() {
            Some((question, verdict)) => format!("{}: {verdict:?}", question.field),
            None => OK.to_owned(),
        });
    }
    let (compiled, ran) = run_tests(tree.dir(), Some(tree.target()), exercise)?;
    Ok(match ran {
        None => format!("does not compile:\n{}", compiled.tail(40)),
        Some(ran) if !ran.passed() => format!("fails:\n{}", ran.tail(60)),
        Some(ran) if ran.tests_passed() == 0 => "no test ran".to_owned(),
        Some(_) => OK.to_owned(),
    })
}

/// Says whether what is in the learner's place compiles and fails with the `expected` words.
fn try_wrong(tree: &Tree, exercise: &Exercise, expected: &str) -> Result<String> {
    if exercise.kind == Kind::Compare {
        let verdicts = judge_recorded(tree, exercise)?;
        let refused =
            |verdict: &Verdict| matches!(verdict, Verdict::Wrong(why) if why.contains(expected));
        return Ok(if verdicts.iter().any(refused) {
            OK.to_owned()
        } else {
            format!("no answer is refused with `{expected}`: {verdicts:?}")
        });
    }
    let (compiled, ran) = run_tests(tree.dir(), Some(tree.target()), exercise)?;
    Ok(match ran {
        None => format!("does not compile:\n{}", compiled.tail(40)),
        Some(ran) if ran.status.is_none() => format!("hangs:\n{}", ran.tail(40)),
        Some(ran) if ran.passed() => "passes".to_owned(),
        Some(ran) if !ran.output.contains(expected) => {
            format!("fails, but does not say `{expected}`:\n{}", ran.tail(60))
        }
        Some(_) => OK.to_owned(),
    })
}

fn judge_recorded(tree: &Tree, exercise: &Exercise) -> Result<Vec<Verdict>> {
    let answers = tree.read(&exercise.edited())?;
    judge::judge(
        &exercise.questions,
        &answers,
        &tree.dir().join(exercise.dir()).join("recorded"),
    )
    .with_context(|| format!("`{}`", exercise.name))
}

fn report(rows: &[Row<'_>]) -> ExitCode {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "exercise",
            "kind",
            "start fails as stated",
            "solution passes",
            "wrong answers refused",
        ]);
    let word = |result: &str| if result == OK { "yes" } else { "NO" };
    let mut bad = 0;
    for row in rows {
        let refused = row.wrong.iter().filter(|(_, result)| result == OK).count();
        let wrong = format!("{refused} of {}", row.wrong.len());
        let kind = row.exercise.kind.to_string();
        table.add_row([
            &row.exercise.name,
            &kind,
            word(&row.start),
            word(&row.solution),
            &wrong,
        ]);
    }
    println!("{table}");
    for row in rows {
        let parts = [("start", &row.start), ("solution", &row.solution)];
        let wrong = row
            .wrong
            .iter()
            .map(|(name, result)| (name.as_str(), result));
        for (part, result) in parts
            .into_iter()
            .chain(wrong)
            .filter(|(_, result)| *result != OK)
        {
            println!("\n{}: {part}: {result}", row.exercise.name);
            bad += 1;
        }
    }
    println!("{} exercises, {bad} complaints", rows.len());
    if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
