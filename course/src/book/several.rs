//! The numbers that several workers bring, and those of the second recorded run: the rows that take a million tasks, beside
//! the peers that can do them.
//!
//! What one step is to the one before is said in words here ("2.3 times less"), computed from the pairs of repetitions by
//! the same functions as the sentences of the page, so that no sentence of the book can contradict a recording.

use workloads::catalog::{self, WorkersWanted};

use super::recorded::Numbers;
use super::rounded::{quantity, times};
use crate::compare::ratios::{self, Ratio};
use crate::compare::results::{Kind, Measurement, Report};
use crate::compare::story;

/// What the second run measures beside forks and joins.
pub(super) const FULL_ROWS: &[&str] = &[
    "spawn_join",
    "spawn_join_1",
    "memory",
    "skynet",
    "fan_in",
    "spread",
];

/// The stages that it measures: a thread for each of a million tasks is no comparison.
pub(super) const FULL_STAGES: &[&str] = &["step02", "step03", "step04"];

/// What the names of workloads begin with that fork and join, by tasks or without.
pub(super) const FORK_JOIN: &[&str] = &["fib_", "join_"];

/// Whether a workload is measured with one worker, with two and so on. Then it has every number several times, and only its
/// headline gets a name for each.
pub(super) fn is_along_workers(workload: &str) -> bool {
    catalog::find(workload).is_some_and(|info| info.workers == WorkersWanted::Each)
}

/// How a ratio is said of the step before.
fn words(ratio: &Ratio) -> String {
    match ratio.is_clear() {
        true => ratio.words(),
        false => "hardly any different".to_owned(),
    }
}

/// What a step is to the one before, for each of these rows: `WORKLOAD_change`.
pub(super) fn add_changes(
    run: &Report,
    before: &str,
    after: &str,
    rows: &[&str],
    out: &mut Numbers,
) {
    for row in rows {
        if let Some((_, ratio)) = story::gain(run, before, after, row) {
            out.add(&format!("{row}_change"), &words(&ratio));
        }
    }
}

/// What was measured with one worker, with two and so on, and what the last of these brings to the first.
pub(super) fn add_workers(
    run: &Report,
    before: Option<&str>,
    step: &str,
    prefix: &str,
    out: &mut Numbers,
) {
    let along = |result: &&Measurement| {
        result.stage == step
            && result.headline
            && result
                .along
                .as_ref()
                .is_some_and(|along| along.unit == "workers")
    };
    let points: Vec<&Measurement> = run.results.iter().filter(along).collect();
    let mut workloads: Vec<&str> = points.iter().map(|point| &*point.workload).collect();
    workloads.dedup();
    for point in &points {
        if let (Some(at), Some(value)) = (point.at, point.value) {
            let name = format!("{prefix}{}-{}-{at:.0}", point.workload, point.metric);
            out.add(&name, &quantity(value, &point.unit));
        }
    }
    for workload in workloads {
        if let Some(ratio) = story::second_worker(run, step, workload) {
            out.add(
                &format!("{workload}_second_worker"),
                &times(ratio.of.median),
            );
            out.add(&format!("{workload}_second_worker_words"), &words(&ratio));
        }
        let last = |stage| story::first_and_last(run, stage, workload).map(|(_, last)| last);
        if let Some((gain, ratio)) = before
            .and_then(last)
            .zip(last(step))
            .and_then(|(before, after)| ratios::gain(after, before))
        {
            out.add(&format!("{workload}_change"), &words(&ratio));
            out.add(&format!("{workload}_gain"), &times(gain));
        }
    }
}

/// Everything of the second run for one step.
pub(super) fn add_full(full: &Report, before: Option<&str>, step: &str, out: &mut Numbers) {
    out.add("full_command", &full.command.join(" "));
    let single = |result: &&Measurement| {
        result.stage == step && result.at.is_none() && !is_along_workers(&result.workload)
    };
    for result in full.results.iter().filter(single) {
        let name = format!("full-{}-{}", result.workload, result.metric);
        match (result.value, &result.reason) {
            (Some(value), _) => out.add(&name, &quantity(value, &result.unit)),
            (None, reason) => out.add(
                &name,
                &format!("({})", reason.as_deref().unwrap_or("not measured")),
            ),
        }
        if let Some(note) = &result.note {
            out.add(&format!("{name}-note"), note);
        }
    }
    add_workers(full, before, step, "full-", out);
    let headlines = full
        .results
        .iter()
        .filter(|result| result.stage == step && result.headline && result.at.is_none());
    for ours in headlines {
        let workload = &ours.workload;
        // What the first run has too is compared there, in the default size.
        let in_both = ["spawn_join", "memory"].contains(&&**workload);
        if let (Some(before), false) = (before, in_both)
            && let Some((gain, ratio)) = story::gain(full, before, step, workload)
        {
            out.add(&format!("{workload}_gain"), &times(gain));
            out.add(&format!("{workload}_change"), &words(&ratio));
        }
        for peer in full
            .stages
            .iter()
            .filter(|column| column.kind == Kind::Peer)
        {
            let Some(theirs) = full.headline(&peer.name, workload) else {
                continue;
            };
            if let (Some(value), Some(ratio)) = (theirs.value, Ratio::of(ours, theirs)) {
                out.add(
                    &format!("full-{workload}-{}", peer.name),
                    &quantity(value, &theirs.unit),
                );
                out.add(
                    &format!("{workload}_over_{}", peer.name),
                    &times(ratio.of.median),
                );
            }
        }
    }
    if let (Some(all), Some(one)) = (
        full.headline(step, "spawn_join"),
        full.headline(step, "spawn_join_1"),
    ) && let Some(ratio) = Ratio::of(all, one)
    {
        out.add("spawn_join_all_over_one", &times(ratio.of.median));
        out.add("spawn_join_all_over_one_words", &words(&ratio));
    }
    for peer in full
        .stages
        .iter()
        .filter(|column| column.kind == Kind::Peer)
    {
        if let Some(version) = &peer.version {
            out.add(&format!("{}_version", peer.name), version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::tests::report;

    fn anchors(numbers: &Numbers) -> Vec<(&str, &str)> {
        let parts = numbers.0.split("<!-- ANCHOR: ").skip(1);
        parts
            .filter_map(|part| {
                let (name, rest) = part.split_once(" -->\n")?;
                Some((name, rest.split_once('\n')?.0))
            })
            .collect()
    }

    /// Two steps and a peer, with every name once: mdbook would take the first of two.
    #[test]
    fn a_full_run_has_its_numbers_once_each() {
        let mut full = report(&["step03", "step04", "rayon"], |stage, _, _| match stage {
            "step03" => 8.0,
            "step04" => 2.0,
            _ => 4.0,
        });
        full.stages[2].kind = Kind::Peer;
        full.stages[2].version = Some("1.11".to_owned());
        let mut out = Numbers(String::new());
        add_full(&full, Some("step03"), "step04", &mut out);
        let found = anchors(&out);
        let value = |name: &str| {
            found
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, text)| *text)
        };
        assert_eq!(value("full-skynet-ms"), Some("2 ms"));
        assert_eq!(value("skynet_change"), Some("4.0 times less"));
        assert_eq!(value("skynet_gain"), Some("4"));
        assert_eq!(value("fib_spawn_over_rayon"), Some("0.50"));
        assert_eq!(
            value("spawn_join_all_over_one_words"),
            Some("hardly any different")
        );
        assert_eq!(value("rayon_version"), Some("1.11"));
        assert_eq!(value("memory_gain"), None, "that is the first run's");
        let mut names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn workers_have_a_number_each() {
        let mut run = report(&["step03", "step04"], |_, _, _| 1.0);
        let headline = |result: &&Measurement| result.workload == "scale_turns" && result.headline;
        let like = run.results.iter().find(headline).unwrap().clone();
        run.results
            .retain(|result| result.workload != "scale_turns");
        for (stage, at, value) in [
            ("step03", 1.0, 40e6),
            ("step03", 2.0, 8e6),
            ("step04", 1.0, 90e6),
            ("step04", 2.0, 180e6),
        ] {
            run.results.push(Measurement {
                stage: stage.to_owned(),
                at: Some(at),
                along: Some(crate::compare::results::Along {
                    title: "workers".to_owned(),
                    unit: "workers".to_owned(),
                }),
                value: Some(value),
                samples: vec![value, value],
                ..like.clone()
            });
        }
        let mut out = Numbers(String::new());
        add_workers(&run, Some("step03"), "step04", "", &mut out);
        let found = anchors(&out);
        let expected = [
            ("scale_turns-turns_per_second-1", "90 million turns/s"),
            ("scale_turns-turns_per_second-2", "180 million turns/s"),
            ("scale_turns_second_worker", "2"),
            ("scale_turns_second_worker_words", "2.0 times more"),
            ("scale_turns_change", "23 times more"),
            ("scale_turns_gain", "23"),
        ];
        assert_eq!(found, expected);
    }
}
