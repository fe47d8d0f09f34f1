//! `cargo course mutants`: puts historical bugs back, one by one, and proves that a test catches each.
//!
//! A test that has never failed proves little: it may look at the wrong thing, or its filter may match nothing. So every
//! protocol file has *mutants* beside it, patches in the crate's `mutants/` folder, each a bug that somebody really had
//! or one step away from one. Each names the test that must catch it and the words it must be caught with.
//!
//! # What is proved
//!
//! 1. On an unchanged copy of the workspace every named test passes, and runs at least one test (the *canary*).
//! 2. With the patch applied the copy still compiles. A mutant that the compiler refuses was never tested.
//! 3. The named test then fails, and says what the patch says it will. A failure for another reason does not count, and
//!    a test that hangs counts only for a mutant that says `# expect: hang`.
//!
//! Everything happens on a copy below `target/mutants` (with `--jobs`, one for each job); the tree that you work in is not
//! touched.

mod prove;

use std::collections::BTreeSet;
use std::fs;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

use crate::workshop::patch::PlantedBug;
use crate::workshop::{self, tree::Tree};
use prove::Verdict;

/// Which mutants, and what to do with them.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only these; all if none is named
    names: Vec<String>,
    /// Only those of one step, such as 1 or step01
    #[arg(long)]
    step: Option<String>,
    /// List them and prove nothing
    #[arg(long)]
    list: bool,
    /// Tell the story of one and show its diff
    #[arg(long, value_name = "NAME", conflicts_with_all = ["list", "names"])]
    show: Option<String>,
    /// Prove so many at a time, each job on a copy of its own with its own builds
    #[arg(long, default_value = "1", value_name = "COUNT")]
    jobs: NonZeroUsize,
    /// Write the results to this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long one test may take before it counts as hanging, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    timeout: u64,
    /// The workspace to work on, for the tests of this command
    #[arg(long, hide = true, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

/// One mutant, and where it belongs.
#[derive(Debug)]
struct Mutant {
    /// The folder of its crate, such as `step01-threads`.
    krate: String,
    /// The crate's step, such as `step01`.
    step: String,
    planted: PlantedBug,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = args.workspace.clone().unwrap_or_else(workshop::root);
    let all = find(&root)?;
    if let Some(name) = &args.show {
        let mutant = by_name(&all, name)?;
        show(mutant);
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.names {
        by_name(&all, name)?;
    }
    let wanted: Vec<&Mutant> = all
        .iter()
        .filter(|mutant| args.names.is_empty() || args.names.contains(&mutant.planted.name))
        .filter(|mutant| {
            args.step
                .as_deref()
                .is_none_or(|step| is_step(mutant, step))
        })
        .collect();
    ensure!(
        !wanted.is_empty(),
        "no mutant is left to prove: see `cargo course mutants --list`"
    );
    if args.list {
        list(&wanted);
        return Ok(ExitCode::SUCCESS);
    }

    let jobs = args.jobs.get().min(wanted.len());
    let place = |job| match job {
        0 => root.join("target/mutants"),
        _ => root.join(format!("target/mutants-{}", job + 1)),
    };
    let trees: Result<Vec<Tree>> = (0..jobs)
        .map(|job| Tree::copy(&root, &place(job)))
        .collect();
    let results = prove::all(&trees?, &wanted, Duration::from_secs(args.timeout))?;
    report(&wanted, &results);
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&prove::as_json(&wanted, &results))?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    let caught = results
        .iter()
        .filter(|result| result.verdict == Verdict::Caught)
        .count();
    println!("{caught} of {} mutants caught", wanted.len());
    Ok(if caught == wanted.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every `*/mutants/*.patch` of the workspace, in the order of crates and names.
fn find(root: &Path) -> Result<Vec<Mutant>> {
    let mut paths = BTreeSet::new();
    for entry in fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))? {
        let Ok(patches) = fs::read_dir(entry?.path().join("mutants")) else {
            continue;
        };
        for patch in patches {
            let path = patch?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "patch")
            {
                paths.insert(path);
            }
        }
    }
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for path in paths {
        let planted = PlantedBug::read(&path)?;
        ensure!(
            names.insert(planted.name.clone()),
            "two mutants are called `{}`",
            planted.name
        );
        prove::command(&planted).with_context(|| path.display().to_string())?;
        let krate = path
            .ancestors()
            .nth(2)
            .and_then(|dir| dir.file_name())
            .unwrap_or_default();
        let krate = krate.to_string_lossy().into_owned();
        let step = krate.split('-').next().unwrap_or_default().to_owned();
        all.push(Mutant {
            krate,
            step,
            planted,
        });
    }
    Ok(all)
}

fn by_name<'a>(all: &'a [Mutant], name: &str) -> Result<&'a Mutant> {
    let Some(mutant) = all.iter().find(|mutant| mutant.planted.name == name) else {
        bail!("there is no mutant `{name}`: see `cargo course mutants --list`");
    };
    Ok(mutant)
}

fn is_step(mutant: &Mutant, step: &str) -> bool {
    mutant.step == step
        || step
            .parse()
            .is_ok_and(|number: u32| mutant.step == format!("step{number:02}"))
}

fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head);
    if !std::io::stdout().is_terminal() {
        table.set_width(160);
    }
    table
}

fn list(mutants: &[&Mutant]) {
    let mut table = table(["mutant", "file", "bug", "caught by"]);
    for mutant in mutants {
        let planted = &mutant.planted;
        let files = planted.files().unwrap_or_default();
        let files: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        table.add_row([
            &planted.name,
            &files.join("\n"),
            &planted.bug,
            &planted.test,
        ]);
    }
    println!(
        "{table}\n{} mutants; `--show NAME` tells the story of one",
        mutants.len()
    );
}

fn show(mutant: &Mutant) {
    let planted = &mutant.planted;
    println!("{} ({})\n", planted.name, mutant.krate);
    println!("Bug:        {}", planted.bug);
    println!("Caught by:  {}", planted.test);
    println!("Which says: {}\n", planted.expect);
    println!("{}\n\n{}", planted.story, planted.diff.trim_end());
}

fn report(mutants: &[&Mutant], results: &[prove::Proof]) {
    let mut table = table(["mutant", "bug", "caught by", "verdict", "seconds"]);
    for (mutant, result) in mutants.iter().zip(results) {
        let planted = &mutant.planted;
        let seconds = format!("{:.1}", result.seconds);
        table.add_row([
            &planted.name,
            &planted.bug,
            &planted.test,
            result.verdict.words(),
            &seconds,
        ]);
    }
    println!("{table}");
    for (mutant, result) in mutants.iter().zip(results) {
        if result.verdict != Verdict::Caught {
            println!(
                "\n{}: {}\n{}",
                mutant.planted.name,
                result.verdict.words(),
                result.detail
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sources move on, and a patch that no longer fits should be noticed by whoever moves them.
    #[test]
    fn every_mutant_applies_to_the_sources_as_they_are() {
        let root = workshop::root();
        let stale: Vec<String> = find(&root)
            .unwrap()
            .iter()
            .filter_map(|mutant| {
                let error = mutant.planted.applies(&root).err()?;
                Some(format!("{}: {error:#}", mutant.planted.name))
            })
            .collect();
        assert!(stale.is_empty(), "{stale:#?}");
    }

    /// Each mutant is proved once, and those with the same test by the same job, however many jobs there are.
    #[test]
    fn jobs_share_the_mutants_by_their_tests() {
        let all = find(&workshop::root()).unwrap();
        let all: Vec<&Mutant> = all.iter().collect();
        for jobs in 1..5 {
            let shares = prove::shares(&all, jobs);
            assert_eq!(shares.len(), jobs);
            let mut job_of = std::collections::HashMap::new();
            let mut seen: Vec<usize> = Vec::new();
            for (job, share) in shares.iter().enumerate() {
                for index in share {
                    let test = &all[*index].planted.test;
                    assert_eq!(*job_of.entry(test).or_insert(job), job, "{test}");
                    seen.push(*index);
                }
            }
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..all.len()));
        }
    }
}
