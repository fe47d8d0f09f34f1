//! Guess against measurement: right, close, wrong, or not to be told.
//!
//! The choices of a question follow each other on one scale, and together they cover it. What was measured is not a
//! point but an interval: from the smallest repetition to the largest, or for a ratio from the smallest over the
//! largest to the largest over the smallest. A verdict is given only if the interval supports it: if it lies across the
//! border between two choices, neither of them is wrong, and neither is proved.

use super::super::results::Measurement;

/// A measured value with its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The smallest that it may be.
    pub(crate) low: f64,
    /// The median.
    pub(crate) value: f64,
    /// The largest that it may be. Infinite if all that is known is that it is at least `low`.
    pub(crate) high: f64,
}

impl Interval {
    /// A value that has no spread.
    pub(crate) fn exactly(value: f64) -> Interval {
        Interval {
            low: value,
            value,
            high: value,
        }
    }

    /// What was measured, or why there is nothing.
    pub(crate) fn of(result: Option<&Measurement>) -> Result<Interval, String> {
        let result = result.ok_or("it was not measured")?;
        match result.summary() {
            Some(summary) => Ok(Interval {
                low: summary.min,
                value: summary.median,
                high: summary.max,
            }),
            None => Err(result
                .reason
                .clone()
                .unwrap_or_else(|| "it was not measured".to_owned())),
        }
    }

    /// How many times `other` this is.
    pub(crate) fn over(self, other: Interval) -> Interval {
        Interval {
            low: self.low / other.high,
            value: self.value / other.value,
            high: self.high / other.low,
        }
    }
}

/// One answer that can be chosen: it is right for values from `from` on, up to the next choice's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// The answer, as it is shown.
    pub(crate) label: &'static str,
    /// Where its part of the scale begins. Zero for the first.
    pub(crate) from: f64,
}

/// What is said about a guess.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// All of the interval lies in the guessed part of the scale.
    Right,
    /// All of it lies in the part beside the guessed one.
    Close,
    /// It lies elsewhere.
    Wrong,
    /// The measurement cannot tell; why.
    Inconclusive(String),
}

/// An interval that reaches over more choices than this says nothing at all.
const WIDEST: usize = 2;

/// Judges the guess of the choice with this number.
pub(crate) fn judge(choices: &[Choice], guess: usize, measured: Interval) -> Verdict {
    let (low, high) = (place(choices, measured.low), place(choices, measured.high));
    let (Some(low), Some(high)) = (low, high) else {
        return Verdict::Inconclusive("the measurement is not a number on this scale".to_owned());
    };
    if measured.high.is_infinite() && low < high {
        return match guess < low {
            true => Verdict::Wrong,
            false => Verdict::Inconclusive("all that is known is that it is no less".to_owned()),
        };
    }
    if high - low >= WIDEST {
        return Verdict::Inconclusive("the repetitions differ too widely".to_owned());
    }
    if (low..=high).contains(&guess) {
        return match low == high {
            true => Verdict::Right,
            false => {
                let (a, b) = (choices[low].label, choices[high].label);
                Verdict::Inconclusive(format!("it lies between “{a}” and “{b}”"))
            }
        };
    }
    match guess.abs_diff(low).min(guess.abs_diff(high)) {
        1 => Verdict::Close,
        _ => Verdict::Wrong,
    }
}

/// The choice to which a value belongs.
fn place(choices: &[Choice], value: f64) -> Option<usize> {
    choices.iter().rposition(|choice| value >= choice.from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn choice(label: &'static str, from: f64) -> Choice {
        Choice { label, from }
    }

    const SCALE: &[Choice] = &[
        choice("a", 0.0),
        choice("b", 3.0),
        choice("c", 30.0),
        choice("d", 300.0),
    ];

    fn interval(low: f64, value: f64, high: f64) -> Interval {
        Interval { low, value, high }
    }

    #[test]
    fn a_guess_is_judged_by_where_the_whole_interval_lies() {
        let around_ten = interval(8.0, 10.0, 12.0);
        assert_eq!(judge(SCALE, 1, around_ten), Verdict::Right);
        assert_eq!(judge(SCALE, 0, around_ten), Verdict::Close);
        assert_eq!(judge(SCALE, 2, around_ten), Verdict::Close);
        assert_eq!(judge(SCALE, 3, around_ten), Verdict::Wrong);
    }

    #[test]
    fn an_interval_across_a_border_proves_neither_side_and_refutes_the_rest() {
        let across = interval(25.0, 29.0, 40.0);
        let Verdict::Inconclusive(why) = judge(SCALE, 1, across) else {
            panic!("not inconclusive")
        };
        assert_eq!(why, "it lies between “b” and “c”");
        assert!(matches!(judge(SCALE, 2, across), Verdict::Inconclusive(_)));
        assert_eq!(judge(SCALE, 0, across), Verdict::Close);
        assert_eq!(judge(SCALE, 3, across), Verdict::Close);
    }

    #[test]
    fn what_is_too_wide_or_no_number_is_inconclusive() {
        for guess in 0..SCALE.len() {
            let wide = judge(SCALE, guess, interval(1.0, 10.0, 100.0));
            assert!(matches!(wide, Verdict::Inconclusive(_)), "{guess}");
            let odd = judge(SCALE, guess, Interval::exactly(f64::NAN));
            assert!(matches!(odd, Verdict::Inconclusive(_)), "{guess}");
        }
    }

    #[test]
    fn a_lower_bound_refutes_what_is_below_it() {
        let at_least_ten = interval(10.0, 10.0, f64::INFINITY);
        assert_eq!(judge(SCALE, 0, at_least_ten), Verdict::Wrong);
        for guess in 1..SCALE.len() {
            assert!(
                matches!(judge(SCALE, guess, at_least_ten), Verdict::Inconclusive(_)),
                "{guess}"
            );
        }
        // The last choice has no upper end.
        assert_eq!(
            judge(SCALE, 3, interval(1_000.0, 1_000.0, f64::INFINITY)),
            Verdict::Right
        );
    }

    proptest! {
        /// A ratio's interval holds every ratio of a pair of repetitions.
        #[test]
        fn ratios_keep_the_whole_spread(
            a in prop::collection::vec(1.0f64..1e6, 1..6),
            b in prop::collection::vec(1.0f64..1e6, 1..6),
        ) {
            let of = |values: &[f64]| {
                let summary = super::super::super::stats::Summary::of(values).unwrap();
                interval(summary.min, summary.median, summary.max)
            };
            let ratio = of(&a).over(of(&b));
            prop_assert!(ratio.low <= ratio.value && ratio.value <= ratio.high);
            for x in &a {
                for y in &b {
                    prop_assert!(ratio.low <= x / y && x / y <= ratio.high);
                }
            }
        }

        /// Exactly one guess is right about a value without spread.
        #[test]
        fn a_point_makes_one_guess_right(exponent in -2.0f64..6.0) {
            let value = Interval::exactly(10f64.powf(exponent));
            let right = (0..SCALE.len()).filter(|guess| judge(SCALE, *guess, value) == Verdict::Right);
            prop_assert_eq!(right.count(), 1);
        }
    }
}
