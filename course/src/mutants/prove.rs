//! The proof itself: the canary, then one mutant after the other.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Mutant;
use crate::workshop::cargo;
use crate::workshop::patch::PlantedBug;
use crate::workshop::tree::Tree;

/// How long cargo may take to compile. It is generous: what hangs is a test, not the compiler.
const COMPILE_LIMIT: Duration = Duration::from_secs(1_800);

/// What came of one mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The test failed and said what it was to say.
    Caught,
    /// The test passed.
    Survived,
    /// The test failed, but said something else.
    OtherReason,
    /// The test did not end in time, and was not expected to hang; or it was, and ended.
    Hung,
    /// The sources have moved on.
    DoesNotApply,
    /// The compiler refused it.
    DoesNotCompile,
    /// The named test does not pass without the mutant either, or it tests nothing.
    NoCanary,
}

impl Verdict {
    pub(super) fn words(self) -> &'static str {
        match self {
            Verdict::Caught => "caught",
            Verdict::Survived => "SURVIVED",
            Verdict::OtherReason => "FAILED FOR ANOTHER REASON",
            Verdict::Hung => "HUNG",
            Verdict::DoesNotApply => "DOES NOT APPLY",
            Verdict::DoesNotCompile => "DOES NOT COMPILE",
            Verdict::NoCanary => "TEST FAILS WITHOUT IT",
        }
    }
}

/// A verdict with what led to it.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
    /// Why it is not `Caught`, for the person who has to mend it.
    pub(super) detail: String,
}

/// The words of the mutant's cargo command after `cargo`, cut where the test binary's own arguments begin.
pub(super) fn command(planted: &PlantedBug) -> Result<(Vec<&str>, Vec<&str>)> {
    let mut words = planted.test.split_whitespace();
    ensure!(
        words.next() == Some("cargo") && words.next() == Some("test"),
        "`# test:` must be a `cargo test` command, not `{}`",
        planted.test
    );
    let mut to_cargo = vec!["test"];
    to_cargo.extend(words.by_ref().take_while(|word| *word != "--"));
    Ok((to_cargo, words.collect()))
}

/// Compiles, then runs; none if it does not compile.
fn compile_and_run(
    tree: &Tree,
    planted: &PlantedBug,
    limit: Duration,
) -> Result<(cargo::Ran, Option<cargo::Ran>)> {
    let (to_cargo, to_test) = command(planted)?;
    let compile: Vec<&str> = to_cargo.iter().copied().chain(["--no-run"]).collect();
    let compiled = cargo::run(tree.dir(), Some(tree.target()), &compile, COMPILE_LIMIT)?;
    if !compiled.passed() {
        return Ok((compiled, None));
    }
    let run: Vec<&str> = to_cargo.into_iter().chain(["--"]).chain(to_test).collect();
    let ran = cargo::run(tree.dir(), Some(tree.target()), &run, limit)?;
    Ok((compiled, Some(ran)))
}

/// Proves all of `mutants`, on as many trees at a time as there are. The proofs are in the order of the mutants.
pub(super) fn all(trees: &[Tree], mutants: &[&Mutant], limit: Duration) -> Result<Vec<Proof>> {
    let bar = ProgressBar::new(mutants.len() as u64).with_style(
        ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos}/{len} {msg}")
            .context("a fixed template")?,
    );
    bar.enable_steady_tick(Duration::from_millis(250));
    let shares = shares(mutants, trees.len());
    let bar = &bar;
    let proofs: Result<Vec<Vec<(usize, Proof)>>> = thread::scope(|scope| {
        let jobs = trees.iter().zip(&shares);
        let jobs: Vec<_> = jobs
            .map(|(tree, share)| scope.spawn(move || prove(tree, mutants, share, limit, bar)))
            .collect();
        jobs.into_iter()
            .map(|job| match job.join() {
                Ok(proofs) => proofs,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    bar.finish_and_clear();
    let mut proofs: Vec<(usize, Proof)> = proofs?.into_iter().flatten().collect();
    proofs.sort_by_key(|(index, _)| *index);
    Ok(proofs.into_iter().map(|(_, proof)| proof).collect())
}

/// Which mutants each of so many jobs proves. Those with the same test go to the same job, which then compiles and runs
/// it once without a mutant; the largest groups are dealt out first, each to the job that has the least.
pub(super) fn shares(mutants: &[&Mutant], jobs: usize) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, mutant) in mutants.iter().enumerate() {
        groups.entry(&mutant.planted.test).or_default().push(index);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut shares = vec![Vec::new(); jobs];
    for group in groups {
        if let Some(least) = shares.iter_mut().min_by_key(|share| share.len()) {
            least.extend(group);
        }
    }
    shares
}

/// Proves a share of the mutants on one tree.
fn prove(
    tree: &Tree,
    mutants: &[&Mutant],
    share: &[usize],
    limit: Duration,
    bar: &ProgressBar,
) -> Result<Vec<(usize, Proof)>> {
    // Canaries first: from then on nothing but a patch can be the reason for a failure.
    let mut canaries: HashMap<&str, Option<String>> = HashMap::new();
    for index in share {
        let planted = &mutants[*index].planted;
        if !canaries.contains_key(planted.test.as_str()) {
            bar.set_message(format!("without any mutant: {}", planted.test));
            let trouble = canary(tree, planted, limit)?;
            canaries.insert(&planted.test, trouble);
        }
    }
    let mut proofs = Vec::new();
    for index in share {
        let planted = &mutants[*index].planted;
        bar.set_message(planted.name.clone());
        let proof = match &canaries[planted.test.as_str()] {
            Some(trouble) => Proof {
                verdict: Verdict::NoCanary,
                seconds: 0.0,
                detail: trouble.clone(),
            },
            None => one(tree, planted, limit)?,
        };
        proofs.push((*index, proof));
        bar.inc(1);
    }
    Ok(proofs)
}

/// Runs a test on the unchanged copy; says what is wrong with it, if anything is.
fn canary(tree: &Tree, planted: &PlantedBug, limit: Duration) -> Result<Option<String>> {
    let (compiled, ran) = compile_and_run(tree, planted, limit)?;
    Ok(match ran {
        None => Some(compiled.tail(40)),
        Some(ran) if !ran.passed() => Some(ran.tail(40)),
        Some(ran) if ran.tests_passed() == 0 => {
            Some(format!("`{}` runs no test at all", planted.test))
        }
        Some(_) => None,
    })
}

fn one(tree: &Tree, planted: &PlantedBug, limit: Duration) -> Result<Proof> {
    let before = match planted.apply(tree) {
        Ok(before) => before,
        Err(error) => {
            return Ok(Proof {
                verdict: Verdict::DoesNotApply,
                seconds: 0.0,
                detail: format!("{error:#}"),
            });
        }
    };
    let outcome = compile_and_run(tree, planted, limit);
    for (file, text) in before {
        tree.write(&file, &text)?;
    }
    let (compiled, ran) = outcome?;
    let Some(ran) = ran else {
        return Ok(Proof {
            verdict: Verdict::DoesNotCompile,
            seconds: compiled.seconds,
            detail: compiled.tail(40),
        });
    };
    let verdict = if ran.status.is_none() {
        if planted.expects_hang() {
            Verdict::Caught
        } else {
            Verdict::Hung
        }
    } else if ran.passed() {
        Verdict::Survived
    } else if planted.expects_hang() || !ran.output.contains(&planted.expect) {
        Verdict::OtherReason
    } else {
        Verdict::Caught
    };
    let detail = match verdict {
        Verdict::Caught => String::new(),
        Verdict::Survived => format!("`{}` passes with it", planted.test),
        Verdict::Hung => format!(
            "no end after {} s; it printed:\n{}",
            limit.as_secs(),
            ran.tail(40)
        ),
        _ => format!(
            "expected `{}`, but it printed:\n{}",
            planted.expect,
            ran.tail(40)
        ),
    };
    Ok(Proof {
        verdict,
        seconds: compiled.seconds + ran.seconds,
        detail,
    })
}

/// The results for a program to read.
pub(super) fn as_json(mutants: &[&Mutant], proofs: &[Proof]) -> serde_json::Value {
    mutants
        .iter()
        .zip(proofs)
        .map(|(mutant, proof)| {
            json!({
                "name": mutant.planted.name,
                "step": mutant.step,
                "files": mutant.planted.files().unwrap_or_default(),
                "bug": mutant.planted.bug,
                "test": mutant.planted.test,
                "verdict": proof.verdict.words().to_lowercase(),
                "seconds": proof.seconds,
                "detail": proof.detail,
            })
        })
        .collect()
}
