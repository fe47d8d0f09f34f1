//! One or two sentences below each chart: what changed from one step to the next, and by how much.
//!
//! They are computed. So none is there for what was not measured, none says more than the repetitions support, and a
//! recording that is made anew changes them with the numbers.

use super::view::{self, Shown};
use crate::compare::ratios::Ratio;
use crate::compare::results::{Direction, Kind, Measurement, Report, Status};
use crate::compare::units;

/// What a bar chart says: from each stage to the next, from the first to the last, and beside the peers.
pub(crate) fn of_bars(report: &Report, workload: &str) -> Vec<String> {
    let columns = view::columns(report);
    let figure = |shown: &Shown<'_>| report.headline(&shown.column.name, workload);
    let of_kind = |kind: Kind| -> Vec<&Measurement> {
        let columns = columns.iter().filter(|shown| shown.column.kind == kind);
        columns.filter_map(figure).collect()
    };
    let (stages, peers) = (of_kind(Kind::Stage), of_kind(Kind::Peer));
    let mut says: Vec<String> = columns
        .iter()
        .filter_map(figure)
        .filter_map(not_measured)
        .collect();
    let measured: Vec<&Measurement> = stages
        .into_iter()
        .filter(|figure| figure.value.is_some())
        .collect();
    if let [only] = measured[..] {
        says.extend(alone(report, only));
    }
    says.extend(
        measured
            .windows(2)
            .filter_map(|pair| from_to(pair[0], pair[1])),
    );
    if let ([first, .., last], true) = (&measured[..], measured.len() > 2) {
        says.extend(from_to(first, last));
    }
    says.extend(measured.iter().filter_map(|figure| stopped(figure)));
    if let Some(last) = measured.last() {
        says.extend(peers.iter().filter_map(|peer| beside(peer, last)));
    }
    says
}

fn not_measured(figure: &Measurement) -> Option<String> {
    let what = match figure.status {
        Status::Ok => return None,
        Status::Skipped => "was skipped",
        Status::Failed => "failed",
    };
    let reason = figure.reason.as_deref().unwrap_or("no reason was given");
    Some(format!("{} {what}: {reason}.", figure.stage))
}

/// A single stage has nothing to be compared with but the machine itself.
fn alone(report: &Report, figure: &Measurement) -> Option<String> {
    let value = figure.value?;
    let says = units::quantity(value, &figure.unit);
    let machine = &report.machine;
    let yardsticks = machine.function_call_ns > 0.0 && machine.system_call_ns > 0.0;
    let compared = match (&*figure.unit, figure.better) {
        ("ns", Direction::Lower) if yardsticks && value > 2.0 * machine.system_call_ns => format!(
            ", as long as {} function calls or {} of the cheapest system calls here",
            units::times(value / machine.function_call_ns),
            units::times(value / machine.system_call_ns),
        ),
        ("ns", Direction::Lower) if yardsticks => format!(
            ", where a function call takes {} and the cheapest system call {}",
            units::quantity(machine.function_call_ns, "ns"),
            units::quantity(machine.system_call_ns, "ns"),
        ),
        _ => String::new(),
    };
    Some(format!("{}: {says}{compared}.", figure.stage))
}

/// Why a count ended where it did.
fn stopped(figure: &Measurement) -> Option<String> {
    let note = figure.note.as_deref()?;
    let stopped = units::is_counted(&figure.unit) && note.starts_with("stopped");
    stopped.then(|| format!("{} {note}.", figure.stage))
}

/// From one stage to the next.
fn from_to(before: &Measurement, after: &Measurement) -> Option<String> {
    let (old, new) = (before.value?, after.value?);
    let quantity = |value| units::quantity(value, &before.unit);
    if old == new {
        return Some(format!(
            "{} with {} as with {}.",
            quantity(new),
            after.stage,
            before.stage
        ));
    }
    let mut says = format!(
        "From {} to {}: {} became {}",
        before.stage,
        after.stage,
        quantity(old),
        quantity(new)
    );
    match Ratio::of(after, before) {
        Some(ratio) if ratio.is_clear() => {
            says.push_str(&format!(", {}", ratio.words()));
            if let Some(range) = ratio.range() {
                says.push_str(&format!(" ({range})"));
            }
            let more = ratio.of.median > 1.0;
            if more == (after.better == Direction::Lower) {
                says.push_str(", which is worse");
            }
        }
        Some(ratio) if ratio.pairs > 1 => says.push_str("; the repetitions do not tell them apart"),
        Some(_) => says.push_str("; with one repetition each that is no difference to speak of"),
        None => {}
    }
    Some(says + ".")
}

/// A peer beside the last stage.
fn beside(peer: &Measurement, last: &Measurement) -> Option<String> {
    let says = units::quantity(peer.value?, &peer.unit);
    let ratio = Ratio::of(peer, last)?;
    Some(match ratio.is_clear() {
        true => format!(
            "Beside it, {}: {says}, {} than {}.",
            peer.stage,
            ratio.words(),
            last.stage
        ),
        false => format!(
            "Beside it, {}: {says}, not to be told apart from {}.",
            peer.stage, last.stage
        ),
    })
}

/// What a chart of lines says: how each stage goes, and how the stages compare where they have the same size last.
pub(crate) fn of_curve(report: &Report, like: &Measurement) -> Vec<String> {
    let unit = like.along.as_ref().map_or("", |along| along.unit.as_str());
    let columns = view::columns(report);
    let mut says = Vec::new();
    let mut before: Option<(&str, Vec<&Measurement>)> = None;
    for shown in &columns {
        let name = shown.column.name.as_str();
        let points = view::points(report, name, like);
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            continue;
        };
        let value =
            |point: &Measurement| units::quantity(point.value.unwrap_or_default(), &like.unit);
        let place = |point: &Measurement| size(point.at.unwrap_or_default(), unit);
        let stop = view::stopped(report, name, &like.workload);
        let stop = stop.map_or(String::new(), |why| format!("; {why}"));
        let mut sentence = match points.len() {
            1 => format!("{name}: {} at {}", value(first), place(first)),
            _ => format!(
                "{name}: {} at {}, {} at {}",
                value(first),
                place(first),
                value(last),
                place(last)
            ),
        };
        // Along the workers a line says something by itself: what the further ones bring.
        if unit == "workers"
            && points.len() > 1
            && let Some(ratio) = Ratio::of(last, first)
        {
            sentence.push_str(&match ratio.is_clear() {
                true => format!(", {}", ratio.words()),
                false => ", hardly any different".to_owned(),
            });
        }
        if let Some((earlier, theirs)) = &before
            && let Some((a, b)) = last_in_common(theirs, &points)
            && let Some(ratio) = Ratio::of(b, a)
        {
            let verdict = match ratio.is_clear() {
                true => format!("{} than", ratio.words()),
                false => "not to be told apart from".to_owned(),
            };
            sentence.push_str(&format!("; at {} {verdict} {earlier}", place(b)));
        }
        says.push(format!("{sentence}{stop}."));
        if shown.column.kind == Kind::Stage {
            before = Some((name, points));
        }
    }
    says
}

/// A size along an axis, in full: `10,000 tasks`, `1 worker`.
fn size(value: f64, unit: &str) -> String {
    let count = units::count(value);
    match (unit, count.as_str()) {
        ("", _) => count,
        (unit, "1") => format!("1 {}", unit.strip_suffix('s').unwrap_or(unit)),
        (unit, _) => format!("{count} {unit}"),
    }
}

/// The points at the largest size that both lines have.
fn last_in_common<'a>(
    a: &[&'a Measurement],
    b: &[&'a Measurement],
) -> Option<(&'a Measurement, &'a Measurement)> {
    let with = |x: &&'a Measurement| b.iter().find(|y| y.at == x.at).map(|y| (*x, *y));
    a.iter().rev().find_map(with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::Along;
    use crate::compare::results::tests::report;

    #[test]
    fn a_step_says_what_changed_and_by_how_much() {
        let run = report(&["step01", "step02"], |stage, _, _| {
            if stage == "step01" { 100_000.0 } else { 80.0 }
        });
        let says = of_bars(&run, "spawn_join");
        assert_eq!(
            says,
            [
                "From step01 to step02: 100 µs became 80.0 ns, 1,300 times less (pair by pair 1,300)."
            ]
        );
        // More is better for a rate.
        let says = of_bars(&run, "web_server").join(" ");
        assert!(says.ends_with("which is worse."), "{says}");
    }

    #[test]
    fn what_the_repetitions_do_not_tell_apart_is_not_called_a_difference() {
        let mut run = report(&["step01", "step02"], |_, _, _| 10.0);
        for result in &mut run.results {
            if result.stage == "step02" {
                result.samples = vec![9.0, 12.0, 10.5];
                result.value = Some(10.5);
            }
        }
        let says = of_bars(&run, "switch").join(" ");
        assert!(says.ends_with("do not tell them apart."), "{says}");
    }

    #[test]
    fn a_stage_that_could_not_says_why_and_is_not_compared() {
        let mut run = report(&["step01", "step02"], |_, _, _| 10.0);
        for result in run
            .results
            .iter_mut()
            .filter(|result| result.stage == "step02")
        {
            (result.value, result.status) = (None, Status::Skipped);
            result.reason = Some("no such limit".to_owned());
        }
        let says = of_bars(&run, "switch");
        assert_eq!(says[0], "step02 was skipped: no such limit.");
        assert!(
            says[1].starts_with("step01: 10.0 ns, where a function call takes 1.00 ns"),
            "{says:?}"
        );
    }

    #[test]
    fn lines_are_compared_at_the_largest_size_they_share() {
        let mut run = report(&["step01", "step02"], |_, _, _| 10.0);
        let like = run.results[0].clone();
        let point = |stage: &str, at: f64, value: f64| Measurement {
            stage: stage.to_owned(),
            workload: "made_up".to_owned(),
            headline: false,
            unit: "bytes".to_owned(),
            value: Some(value),
            samples: vec![value, value],
            at: Some(at),
            along: Some(Along {
                title: "tasks alive".to_owned(),
                unit: "tasks".to_owned(),
            }),
            ..like.clone()
        };
        run.results.extend([
            point("step01", 100.0, 1024.0),
            point("step01", 1_000.0, 10_240.0),
            point("step02", 100.0, 1024.0),
            point("step02", 1_000.0, 2_048.0),
            point("step02", 10_000.0, 20_480.0),
        ]);
        let like = view::curves(&run, "made_up")[0].clone();
        let says = of_curve(&run, &like);
        assert_eq!(
            says,
            [
                "step01: 1.00 KiB at 100 tasks, 10.0 KiB at 1,000 tasks.",
                "step02: 1.00 KiB at 100 tasks, 20.0 KiB at 10,000 tasks; at 1,000 tasks 5.0 times less than step01.",
            ]
        );
    }

    #[test]
    fn a_line_along_the_workers_says_what_they_bring() {
        let mut run = report(&["step03", "step04"], |_, _, _| 10.0);
        let like = run.results[0].clone();
        let point = |stage: &str, at: f64, value: f64| Measurement {
            stage: stage.to_owned(),
            workload: "made_up".to_owned(),
            headline: false,
            unit: "turns/s".to_owned(),
            value: Some(value),
            samples: vec![value, value],
            at: Some(at),
            along: Some(Along {
                title: "workers".to_owned(),
                unit: "workers".to_owned(),
            }),
            ..like.clone()
        };
        run.results.extend([
            point("step03", 1.0, 40e6),
            point("step03", 2.0, 8e6),
            point("step04", 1.0, 90e6),
            point("step04", 2.0, 180e6),
        ]);
        let like = view::curves(&run, "made_up")[0].clone();
        let expected = [
            "step03: 40.0 M turns/s at 1 worker, 8.00 M turns/s at 2 workers, 5.0 times less.",
            "step04: 90.0 M turns/s at 1 worker, 180 M turns/s at 2 workers, 2.0 times more; at 2 workers 23 times more \
             than step03.",
        ];
        assert_eq!(of_curve(&run, &like), expected);
    }
}
