//! Two figures set against each other pair by pair.
//!
//! Repetition i of one stage was made right before repetition i of the next, so whatever the machine did at that moment
//! happened to both, and their ratio is steadier than either of them. The ratio of the medians would throw that away:
//! it may compare a repetition of a calm minute with one of a busy minute.

use super::results::{Direction, Measurement, Report, Status};
use super::screen::Screen;
use super::stats::Summary;
use super::units;

/// How many times one figure is another, over pairs of repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    /// The median of the pairs' ratios, the smallest and the largest.
    pub(crate) of: Summary,
    /// How many pairs there were.
    pub(crate) pairs: usize,
}

/// How far from 1 a ratio has to be to be worth a word: what is nearer may be the placement of a page.
const NOTABLE: f64 = 1.05;

impl Ratio {
    /// How many times `other` a figure is, repetition by repetition; none where one of them has no number above zero.
    pub(crate) fn of(figure: &Measurement, other: &Measurement) -> Option<Ratio> {
        if figure.status != Status::Ok || other.status != Status::Ok {
            return None;
        }
        let pairs = figure.samples.iter().zip(&other.samples);
        let ratios: Vec<f64> = pairs
            .filter(|(a, b)| **a > 0.0 && **b > 0.0)
            .map(|(a, b)| a / b)
            .collect();
        Some(Ratio {
            of: Summary::of(&ratios)?,
            pairs: ratios.len(),
        })
    }

    /// Whether every pair points the same way, and far enough: only then is there a difference to speak of. A single
    /// pair has to point twice as far, since nothing is known about its spread.
    pub(crate) fn is_clear(&self) -> bool {
        let limit = if self.pairs > 1 { NOTABLE } else { 2.0 };
        self.of.min > 1.0 && self.of.median > limit
            || self.of.max < 1.0 && self.of.median < 1.0 / limit
    }

    /// How much more or less it is: `3.1 times more`, `12 % less`.
    pub(crate) fn words(&self) -> String {
        let (factor, which) = match self.of.median {
            more if more >= 1.0 => (more, "more"),
            less => (1.0 / less, "less"),
        };
        match (factor, which) {
            (factor, which) if factor >= 1.95 => format!("{} times {which}", units::times(factor)),
            (factor, "more") => format!("{:.0} % more", (factor - 1.0) * 100.0),
            (factor, _) => format!("{:.0} % less", (1.0 - 1.0 / factor) * 100.0),
        }
    }

    /// The range over the pairs: `pair by pair 2.9–3.4`, of the larger to the smaller; none for a single pair.
    pub(crate) fn range(&self) -> Option<String> {
        if self.pairs < 2 {
            return None;
        }
        let (low, high) = match self.of.median {
            more if more >= 1.0 => (self.of.min, self.of.max),
            _ => (1.0 / self.of.max, 1.0 / self.of.min),
        };
        let (low, high) = (units::times(low), units::times(high));
        Some(match low == high {
            true => format!("pair by pair {low}"),
            false => format!("pair by pair {low}–{high}"),
        })
    }
}

/// How many times better a figure is than another, pair by pair: three means a third of the time, or three times the rate.
/// Below one it is worse. Everything that says what became better or worse takes it from here.
pub(crate) fn gain(after: &Measurement, before: &Measurement) -> Option<(f64, Ratio)> {
    let ratio = Ratio::of(after, before)?;
    let factor = match after.better {
        Direction::Lower => 1.0 / ratio.of.median,
        Direction::Higher => ratio.of.median,
    };
    Some((factor, ratio))
}

/// What the terminal says about a chosen stage to compare with: a line for each headline that both have.
pub(crate) fn against(report: &Report, screen: &Screen) -> String {
    let Some(base) = &report.against else {
        return String::new();
    };
    let mut out = format!(
        "\n{}\n",
        screen.bold(&format!("Pair by pair against {base}"))
    );
    for column in report.stages.iter().filter(|column| column.name != *base) {
        let figures = report
            .results
            .iter()
            .filter(|result| result.headline && result.at.is_none() && result.stage == column.name);
        for figure in figures {
            let other = report.headline(base, &figure.workload);
            let Some(ratio) = other.and_then(|other| Ratio::of(figure, other)) else {
                continue;
            };
            let range = ratio
                .range()
                .map_or(String::new(), |range| format!(" ({range})"));
            let verdict = match ratio.is_clear() {
                true => format!("{}{range}", ratio.words()),
                false => format!("not to be told apart{range}"),
            };
            let line = format!("{}, {}: {verdict}", figure.stage, figure.workload);
            out.push_str(&screen.wrap("  ", &line));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::results::tests::report;
    use super::*;

    fn figure(samples: &[f64]) -> Measurement {
        let mut figure = report(&["step01"], |_, _, _| 1.0).results[0].clone();
        figure.samples = samples.to_vec();
        figure
    }

    #[test]
    fn drift_that_hits_both_does_not_widen_the_ratio() {
        // The machine becomes three times slower half way; the ratio does not notice.
        let ratio = Ratio::of(&figure(&[20.0, 60.0]), &figure(&[10.0, 30.0])).unwrap();
        assert_eq!(
            (ratio.of.min, ratio.of.median, ratio.of.max),
            (2.0, 2.0, 2.0)
        );
        assert!(ratio.is_clear());
        assert_eq!(ratio.words(), "2.0 times more");
        assert_eq!(ratio.range().as_deref(), Some("pair by pair 2.0"));
    }

    #[test]
    fn pairs_that_point_both_ways_are_no_difference() {
        let ratio = Ratio::of(&figure(&[9.0, 11.0, 30.0]), &figure(&[10.0, 10.0, 10.0])).unwrap();
        assert!(!ratio.is_clear());
        let near = Ratio::of(&figure(&[10.2, 10.3]), &figure(&[10.0, 10.0])).unwrap();
        assert!(!near.is_clear());
        assert!(
            !Ratio::of(&figure(&[15.0]), &figure(&[10.0]))
                .unwrap()
                .is_clear()
        );
    }

    #[test]
    fn less_is_said_as_less() {
        let ratio = Ratio::of(&figure(&[8.0, 8.8]), &figure(&[10.0, 10.0])).unwrap();
        assert_eq!(ratio.words(), "16 % less");
        assert_eq!(ratio.range().as_deref(), Some("pair by pair 1.1–1.2"));
        let ratio = Ratio::of(&figure(&[1.0, 1.0]), &figure(&[1e3, 2e3])).unwrap();
        assert_eq!(ratio.words(), "1,300 times less");
    }

    #[test]
    fn a_gain_is_above_one_for_what_became_better() {
        let factor = |after: &Measurement, before: &Measurement| gain(after, before).unwrap().0;
        let (slow, fast) = (figure(&[8.0, 80.0]), figure(&[2.0, 20.0]));
        assert_eq!((factor(&fast, &slow), factor(&slow, &fast)), (4.0, 0.25));
        let rate = |samples: &[f64]| Measurement {
            better: Direction::Higher,
            ..figure(samples)
        };
        assert_eq!(factor(&rate(&[8.0]), &rate(&[2.0])), 4.0);
    }

    #[test]
    fn what_failed_or_is_zero_has_no_ratio() {
        let mut failed = figure(&[1.0]);
        failed.status = Status::Failed;
        assert_eq!(Ratio::of(&failed, &figure(&[1.0])), None);
        assert_eq!(Ratio::of(&figure(&[1.0]), &figure(&[0.0])), None);
        assert_eq!(Ratio::of(&figure(&[]), &figure(&[1.0])), None);
    }

    #[test]
    fn the_terminal_names_every_figure_of_the_others() {
        let mut report = report(&["step01", "step02"], |stage, _, _| {
            if stage == "step01" { 8.0 } else { 2.0 }
        });
        let screen = Screen {
            width: 100,
            colour: false,
        };
        assert_eq!(against(&report, &screen), "");
        report.against = Some("step01".to_owned());
        let text = against(&report, &screen);
        assert!(
            text.contains("step02, spawn_join: 4.0 times less (pair by pair 4.0)"),
            "{text}"
        );
        assert!(!text.contains("step01, "), "{text}");
    }

    proptest! {
        /// The ratio the other way round is the reciprocal.
        #[test]
        fn ratios_can_be_turned_round(pairs in prop::collection::vec((1.0f64..1e6, 1.0f64..1e6), 1..9)) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let there = Ratio::of(&figure(&a), &figure(&b)).unwrap();
            let back = Ratio::of(&figure(&b), &figure(&a)).unwrap();
            prop_assert!((there.of.min * back.of.max - 1.0).abs() < 1e-9);
            prop_assert_eq!(there.is_clear(), back.is_clear());
        }
    }
}
