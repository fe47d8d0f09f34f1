//! What got slower since an earlier run.
//!
//! Two runs are two moments of a machine. A figure has changed only if the ranges of its repetitions do not touch: the
//! best repetition of the worse run is worse than the worst repetition of the better one, and the medians differ by
//! more than a twentieth. With fewer than two repetitions on either side there is no range, and the medians must be
//! twofold apart. Whatever speaks against the comparison as a whole (another machine, other distances between cores) is
//! said beside it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::results::{Baseline, Change, Direction, Measurement, Report, SCHEMA};
use super::screen::Screen;
use super::stats::Summary;
use super::units;
use super::yardsticks::Crossing;
use crate::report;

/// Medians nearer than this factor are the same.
const NEAR: f64 = 1.05;
/// The same where one of the runs has a single repetition.
const NEAR_WITHOUT_A_RANGE: f64 = 2.0;
/// Crossings further apart than this factor mean that the cores were placed differently.
const MOVED: f64 = 1.6;

/// Reads a saved run: what `compare --json` writes, or the page that it leaves, which has the same inside.
pub(crate) fn read(file: &Path) -> anyhow::Result<Report> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let report: Report = serde_json::from_str(report::results_in(&text)).with_context(|| {
        format!("{shown} is neither what `compare --json` writes nor a page of it")
    })?;
    if report.schema != SCHEMA {
        bail!(
            "{shown} is of the form {:?}, which this does not know",
            report.schema
        );
    }
    Ok(report)
}

/// A name to compare with has to be among those that there are.
pub(crate) fn check_against<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    let known: Vec<&str> = known.collect();
    if !known.contains(&name) {
        bail!("--against {name}: this run has {}", known.join(", "));
    }
    Ok(())
}

/// Compares every headline, and every point of a curve, that both runs have.
pub(crate) fn compare(earlier: &Report, now: &Report) -> Baseline {
    let mut baseline = Baseline {
        date: earlier.date.clone(),
        commit: earlier.machine.commit.clone(),
        remarks: remarks(earlier, now),
        compared: 0,
        worse: Vec::new(),
        better: Vec::new(),
    };
    for after in now
        .results
        .iter()
        .filter(|result| result.headline || result.at.is_some())
    {
        let same = |other: &&Measurement| {
            other.stage == after.stage
                && other.workload == after.workload
                && other.metric == after.metric
                && other.unit == after.unit
                && other.at == after.at
        };
        let Some(before) = earlier.results.iter().find(same) else {
            continue;
        };
        let (Some(old), Some(new)) = (before.summary(), after.summary()) else {
            continue;
        };
        baseline.compared += 1;
        let change = || Change {
            stage: after.stage.clone(),
            workload: after.workload.clone(),
            title: title(after),
            unit: after.unit.clone(),
            before: old.median,
            after: new.median,
        };
        let enough = before.n > 1 && after.n > 1;
        match (moved(&old, &new, enough), after.better) {
            (None, _) => {}
            (Some(Way::Up), Direction::Higher) | (Some(Way::Down), Direction::Lower) => {
                baseline.better.push(change());
            }
            _ => baseline.worse.push(change()),
        }
    }
    for changes in [&mut baseline.worse, &mut baseline.better] {
        changes.sort_by(|a, b| size(b).total_cmp(&size(a)));
    }
    baseline
}

fn title(result: &Measurement) -> String {
    match (result.at, &result.along) {
        (Some(at), Some(along)) => {
            format!("{} at {} {}", result.title, units::count(at), along.unit)
        }
        _ => result.title.clone(),
    }
}

/// Which way a figure went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Up,
    Down,
}

/// Which way it went, if it went far enough.
fn moved(old: &Summary, new: &Summary, enough: bool) -> Option<Way> {
    let near = if enough { NEAR } else { NEAR_WITHOUT_A_RANGE };
    if new.min > old.max && new.median > old.median * near {
        Some(Way::Up)
    } else if new.max < old.min && new.median * near < old.median {
        Some(Way::Down)
    } else {
        None
    }
}

/// How far a figure went, as a factor whichever way.
fn size(change: &Change) -> f64 {
    let ratio = change.after / change.before;
    ratio.max(1.0 / ratio)
}

/// What speaks against comparing the two runs.
fn remarks(earlier: &Report, now: &Report) -> Vec<String> {
    let (a, b) = (&earlier.machine, &now.machine);
    let mut remarks = Vec::new();
    let mut differs = |what: &str, before: &str, after: &str| {
        if before != after {
            remarks.push(format!("{what} was {before} then and is {after} now"));
        }
    };
    differs("the processor", &a.cpu, &b.cpu);
    differs(
        "the number of cores",
        &a.cores.to_string(),
        &b.cores.to_string(),
    );
    differs("the kernel", &a.kernel, &b.kernel);
    differs("the build", &a.profile, &b.profile);
    differs(
        "the size of the workloads",
        earlier.settings.size.word(),
        now.settings.size.word(),
    );
    let workers = |report: &Report| report.settings.workers.to_string();
    differs("the number of workers", &workers(earlier), &workers(now));
    if let (Some(old), Some(new)) = (farthest(&a.crossings), farthest(&b.crossings))
        && (new / old).max(old / new) > MOVED
    {
        remarks.push(format!(
            "a cache line took {} from core to core then and takes {} now: figures of several workers may have changed \
             for that alone",
            units::quantity(old, "ns"),
            units::quantity(new, "ns")
        ));
    }
    for (report, when) in [(earlier, "then"), (now, "now")] {
        if !report.noise.remarks.is_empty() {
            remarks.push(format!(
                "the machine was noisy {when}: {}",
                report.noise.remarks.join("; ")
            ));
        }
    }
    remarks
}

fn farthest(crossings: &[Crossing]) -> Option<f64> {
    crossings
        .iter()
        .map(|crossing| crossing.ns)
        .reduce(f64::max)
}

/// The comparison for a terminal; nothing if none was asked for.
pub(crate) fn tell(report: &Report, screen: &Screen) -> String {
    let Some(baseline) = &report.baseline else {
        return String::new();
    };
    let heading = format!("Since the run of {}", baseline.date);
    let mut out = format!("\n{}\n", screen.bold(&heading));
    for remark in &baseline.remarks {
        out.push_str(&screen.wrap("  ! ", remark));
    }
    let line = match (baseline.compared, baseline.worse.len()) {
        (0, _) => "The two runs have no figure in common.".to_owned(),
        (n, 0) => format!(
            "Of {n} figures that both runs have, none got worse that the repetitions could tell."
        ),
        (n, worse) => format!("Of {n} figures that both runs have, {worse} got worse:"),
    };
    out.push_str(&screen.wrap("  ", &line));
    for change in &baseline.worse {
        out.push_str(&screen.wrap("  ✗ ", &change.words()));
    }
    for change in &baseline.better {
        out.push_str(&screen.wrap("  ✓ better: ", &change.words()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::report;
    use super::*;

    const SCREEN: Screen = Screen {
        width: 100,
        colour: false,
    };

    /// Two runs of one stage, in the second of which everything has this factor.
    fn runs(factor: f64) -> (Report, Report) {
        let run = |value: f64| report(&["step01"], move |_, _, _| value);
        (run(100.0), run(100.0 * factor))
    }

    fn headlines(report: &Report, better: Direction) -> usize {
        let of = |result: &&Measurement| result.headline && result.better == better;
        report.results.iter().filter(of).count()
    }

    #[test]
    fn slower_is_worse_for_a_time_and_better_for_a_rate() {
        let (before, after) = runs(2.0);
        let found = compare(&before, &after);
        assert_eq!(found.worse.len(), headlines(&after, Direction::Lower));
        assert_eq!(found.better.len(), headlines(&after, Direction::Higher));
        assert_eq!(found.compared, found.worse.len() + found.better.len());
        let (before, after) = runs(0.5);
        assert_eq!(
            compare(&before, &after).better.len(),
            headlines(&after, Direction::Lower)
        );
    }

    #[test]
    fn what_lies_within_the_spread_has_not_changed() {
        // The repetitions reach an eighth to either side, so a fifth more is not clear of them.
        for factor in [1.0, 1.2, 0.85] {
            let (before, after) = runs(factor);
            let found = compare(&before, &after);
            assert_eq!((found.worse.len(), found.better.len()), (0, 0), "{factor}");
        }
        assert!(!compare(&runs(1.4).0, &runs(1.4).1).worse.is_empty());
    }

    #[test]
    fn a_single_repetition_has_to_differ_twofold() {
        let point = |median| Summary {
            median,
            min: median,
            max: median,
        };
        assert_eq!(moved(&point(10.0), &point(15.0), false), None);
        assert_eq!(moved(&point(10.0), &point(15.0), true), Some(Way::Up));
        assert_eq!(moved(&point(10.0), &point(21.0), false), Some(Way::Up));
        assert_eq!(moved(&point(21.0), &point(10.0), false), Some(Way::Down));
    }

    #[test]
    fn another_machine_is_said() {
        let (mut before, after) = runs(1.0);
        before.machine.kernel = "Linux 2.4".to_owned();
        before.noise.remarks = vec!["a storm".to_owned()];
        let remarks = compare(&before, &after).remarks.join("\n");
        assert!(
            remarks.contains("the kernel was Linux 2.4 then"),
            "{remarks}"
        );
        assert!(remarks.contains("noisy then: a storm"), "{remarks}");
    }

    #[test]
    fn the_terminal_says_what_got_worse() {
        let (before, mut after) = runs(3.0);
        assert_eq!(tell(&after, &SCREEN), "");
        after.baseline = Some(compare(&before, &after));
        let text = tell(&after, &SCREEN);
        assert!(text.contains("✗ step01, spawn_join,"), "{text}");
        let (before, mut after) = runs(1.0);
        after.baseline = Some(compare(&before, &after));
        assert!(
            tell(&after, &SCREEN).contains("none got worse"),
            "{}",
            tell(&after, &SCREEN)
        );
    }
}
