//! What speaks against the numbers: others who used the processors, cores that moved, repetitions that differ.

use super::machine::{Machine, Share};
use super::results::{Measurement, Noise};
use super::units;
use super::yardsticks::{self, Crossing};

/// More of the processors' time than this in other hands is worth a remark.
const BUSY: f64 = 0.10;
/// The same for what the hypervisor took.
const STOLEN: f64 = 0.02;
/// A crossing that changed by more than this factor means that the virtual cores moved.
const MOVED: f64 = 1.6;

/// Measures the crossing once more and says what was noticed.
pub(crate) fn judge(machine: &Machine, during: Option<Share>, results: &[Measurement]) -> Noise {
    let cores = yardsticks::allowed_cores().unwrap_or_default();
    let after = yardsticks::crossings(&cores).unwrap_or_default();
    let wide = wide(results);
    let mut remarks = Vec::new();
    let during_it = during.unwrap_or_default();
    if machine.profile != "release" {
        remarks.push(
            "this is a debug build, whose numbers mean little: build with --release".to_owned(),
        );
    }
    if machine.busy_before > BUSY || during_it.others > BUSY {
        remarks.push(format!(
            "other programs used {} of the processors before the run and {} during it",
            percent(machine.busy_before),
            percent(during_it.others)
        ));
    }
    if during_it.stolen > STOLEN {
        let stolen = percent(during_it.stolen);
        remarks.push(format!(
            "the host took {stolen} of the processors away for other machines"
        ));
    }
    if let Some((before, after)) = moved(&machine.crossings, &after) {
        remarks.push(format!(
            "a cache line took {} between cores {} and {} before the run and {} after it: the host has moved the \
             virtual cores, and rows with several workers may come from both worlds",
            units::quantity(before.ns, "ns"),
            before.from,
            before.to,
            units::quantity(after.ns, "ns"),
        ));
    }
    if !wide.is_empty() {
        let rows = wide.join(", ");
        remarks.push(format!(
            "noisy (marked ~), since repetitions differ by more than half of their median: {rows}"
        ));
    }
    Noise {
        during,
        crossings_after: after,
        wide,
        remarks,
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn wide(results: &[Measurement]) -> Vec<String> {
    let is_wide = |result: &&Measurement| result.headline && result.is_noisy();
    let name = |result: &Measurement| format!("{}/{}", result.stage, result.workload);
    let mut wide: Vec<String> = results.iter().filter(is_wide).map(name).collect();
    // A workload that is measured with several numbers of workers is named once.
    wide.dedup();
    wide
}

/// The pair of cores whose distance changed most, if it changed much.
fn moved<'a>(
    before: &'a [Crossing],
    after: &'a [Crossing],
) -> Option<(&'a Crossing, &'a Crossing)> {
    let factor = |(a, b): &(&Crossing, &Crossing)| (a.ns / b.ns).max(b.ns / a.ns);
    let pairs = before
        .iter()
        .zip(after)
        .filter(|(a, b)| (a.from, a.to) == (b.from, b.to));
    pairs
        .max_by(|a, b| factor(a).total_cmp(&factor(b)))
        .filter(|pair| factor(pair) > MOVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_moved_is_noticed() {
        let at = |ns| {
            [
                Crossing {
                    from: 0,
                    to: 1,
                    ns: 80.0,
                },
                Crossing { from: 0, to: 2, ns },
            ]
        };
        assert!(moved(&at(90.0), &at(110.0)).is_none());
        let (before, after) = (at(70.0), at(310.0));
        let (a, b) = moved(&before, &after).unwrap();
        assert_eq!((a.to, a.ns, b.ns), (2, 70.0, 310.0));
        assert!(moved(&after, &before).is_some());
        assert!(moved(&[], &after).is_none());
    }
}
