//! The middle and the spread of a few repetitions.
//!
//! A handful of repetitions has a median, a smallest and a largest value, and nothing more should be said about it:
//! a standard deviation of three numbers is a guess, and times are not spread evenly around their mean anyway.

/// What is left of the repetitions of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    /// The value in the middle; between the two middle ones if their number is even.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

/// From this width on (see [`Summary::width`]) a spread is called wide.
pub(crate) const WIDE: f64 = 0.5;
/// Fewer repetitions than this have no spread to speak of.
pub(crate) const ENOUGH: usize = 3;

impl Summary {
    /// The summary of some values; none for no values, or if one of them is not a number.
    pub(crate) fn of(values: &[f64]) -> Option<Summary> {
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        Some(Summary {
            median: lower + (upper - lower) / 2.0,
            min,
            max,
        })
    }

    /// How far apart the smallest and the largest are, as a part of the median.
    pub(crate) fn width(&self) -> f64 {
        if self.max == self.min {
            return 0.0;
        }
        (self.max - self.min) / self.median.abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let median = |values: &[f64]| Summary::of(values).map(|summary| summary.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn the_width_is_relative() {
        let width = |values: &[f64]| Summary::of(values).unwrap().width();
        assert_eq!(width(&[5.0, 5.0]), 0.0);
        assert_eq!(width(&[0.0, 0.0]), 0.0);
        assert_eq!(width(&[8.0, 10.0, 12.0]), 0.4);
        assert_eq!(width(&[0.0, 0.0, 1.0]), f64::INFINITY);
    }

    proptest! {
        /// Half of the values are on each side, and the order in which they came does not matter.
        #[test]
        fn half_on_each_side(mut values in prop::collection::vec(-1e9f64..1e9, 1..20)) {
            let summary = Summary::of(&values).unwrap();
            let below = values.iter().filter(|value| **value < summary.median).count();
            let above = values.iter().filter(|value| **value > summary.median).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2);
            prop_assert!(summary.min <= summary.median && summary.median <= summary.max);
            values.reverse();
            prop_assert_eq!(Summary::of(&values).unwrap(), summary);
        }
    }
}
