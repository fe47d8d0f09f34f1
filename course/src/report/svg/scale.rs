//! From values to places: a linear or a logarithmic scale, and the marks that a reader finds on it.
//!
//! Marks are where people count: at 1, 2 and 5 times a power of ten. Bytes are counted in units of 1,024, so there the
//! powers are those of the unit: 1, 10 and 100 KiB, then 1 MiB.

use super::ORDERS;
use crate::compare::units;

/// A scale for values of one unit.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Where the low end and the high end lie.
    ends: (f64, f64),
    unit: String,
}

impl Scale {
    /// A scale on which all values find a place: logarithmic if orders of magnitude lie between them, and otherwise
    /// linear from zero on.
    pub(super) fn of(values: &[f64], unit: &str, ends: (f64, f64)) -> Scale {
        let high = values.iter().copied().fold(0.0, f64::max);
        let low = values.iter().copied().fold(high, f64::min);
        if low > 0.0 && high / low >= ORDERS {
            return Scale::logarithmic(low, high, unit, ends);
        }
        let high = if high > 0.0 { high } else { 1.0 };
        Scale {
            low: 0.0,
            high,
            logarithmic: false,
            ends,
            unit: unit.to_owned(),
        }
    }

    /// A logarithmic scale that begins at a mark below `low`, a bit below, so that what stands for `low` can be seen.
    fn logarithmic(low: f64, high: f64, unit: &str, ends: (f64, f64)) -> Scale {
        let span = (high / low).log10();
        let marks = decades(low / 1e3, high, unit);
        let below = |mark: &&f64| (low / **mark).log10() >= 0.07 * span;
        let begin = marks.iter().rev().find(below).copied();
        Scale {
            low: begin.unwrap_or(low / 10.0),
            high,
            logarithmic: true,
            ends,
            unit: unit.to_owned(),
        }
    }

    /// The same scale with exactly these ends, for an axis along which something was varied.
    pub(super) fn between(low: f64, high: f64, unit: &str, ends: (f64, f64)) -> Scale {
        let logarithmic = low > 0.0 && high / low >= ORDERS;
        Scale {
            low,
            high: if high > low { high } else { low + 1.0 },
            logarithmic,
            ends,
            unit: unit.to_owned(),
        }
    }

    /// Whether equal steps are equal factors.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Where a value lies; what is off the scale lies at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let part = if self.logarithmic {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.ends.0 + (self.ends.1 - self.ends.0) * part.clamp(0.0, 1.0)
    }

    /// The marks and what stands at them, about `wanted` of them.
    pub(super) fn marks(&self, wanted: usize) -> Vec<(f64, String)> {
        let values = if self.logarithmic {
            self.marks_by_factors(wanted)
        } else {
            steps(self.low, self.high, wanted, &self.unit)
        };
        let named = |value: f64| (value, mark(value, &self.unit));
        values.into_iter().map(named).collect()
    }

    fn marks_by_factors(&self, wanted: usize) -> Vec<f64> {
        let inside = |value: &f64| *value >= self.low * 0.999 && *value <= self.high * 1.001;
        let all = decades(self.low, self.high, &self.unit);
        let decades: Vec<f64> = all.into_iter().filter(inside).collect();
        if decades.len() >= 3 || decades.is_empty() {
            let every = decades.len().div_ceil(wanted.max(1)).max(1);
            return decades.into_iter().step_by(every).collect();
        }
        let between = decades
            .iter()
            .flat_map(|decade| [0.1, 0.2, 0.5, 1.0, 2.0, 5.0].map(|by| decade * by));
        let mut marks: Vec<f64> = between.filter(inside).collect();
        marks.sort_by(f64::total_cmp);
        marks.dedup_by(|a, b| (*a / *b - 1.0).abs() < 1e-9);
        marks
    }
}

/// The powers of ten from below `low` to above `high`; for bytes, those of the unit.
fn decades(low: f64, high: f64, unit: &str) -> Vec<f64> {
    let (low, high) = (low.max(1e-12), high.max(1e-12));
    if units::in_bytes(unit) {
        let powers = (0..5).flat_map(|power| [1.0, 10.0, 100.0].map(|by| by * 1024f64.powi(power)));
        let fits = |value: &f64| *value >= low / 10.0 && *value <= high * 10.0;
        return powers.filter(fits).collect();
    }
    let (from, to) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    (from..=to).map(|power| 10f64.powi(power)).collect()
}

/// Marks at equal steps of 1, 2 or 5 times a power of ten.
fn steps(low: f64, high: f64, wanted: usize, unit: &str) -> Vec<f64> {
    let base = match units::in_bytes(unit) {
        true => 1024f64.powi((high.max(1.0).log2() / 10.0).floor() as i32),
        false => 1.0,
    };
    let rough = (high - low) / base / wanted.max(1) as f64;
    let power = 10f64.powi(rough.log10().floor() as i32);
    let nice = [1.0, 2.0, 5.0, 10.0].map(|by| by * power);
    let step = nice.into_iter().find(|step| *step >= rough * 0.999);
    let mut step = step.unwrap_or(power * 10.0) * base;
    if units::is_counted(unit) {
        step = step.max(1.0);
    }
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// What stands at a mark: the value without digits that are always zero.
pub(super) fn mark(value: f64, unit: &str) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = units::quantity(value, unit);
    let (number, rest) = match text.split_once(' ') {
        Some((number, rest)) => (number, format!(" {rest}")),
        None => match text.strip_suffix('×') {
            Some(number) => (number, "×".to_owned()),
            None => (text.as_str(), String::new()),
        },
    };
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    };
    // What is counted stands in the name of the axis.
    let rest = match units::is_counted(unit) {
        true => rest.replace(&format!(" {unit}"), ""),
        false => rest,
    };
    format!("{number}{rest}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(scale: &Scale, wanted: usize) -> Vec<String> {
        scale
            .marks(wanted)
            .into_iter()
            .map(|(_, name)| name)
            .collect()
    }

    #[test]
    fn near_values_have_a_linear_scale_from_zero() {
        let scale = Scale::of(&[30.0, 47.0], "ns", (0.0, 100.0));
        assert!(!scale.is_logarithmic());
        assert_eq!(names(&scale, 5), ["0", "10 ns", "20 ns", "30 ns", "40 ns"]);
        assert_eq!((scale.place(0.0), scale.place(47.0)), (0.0, 100.0));
    }

    #[test]
    fn orders_of_magnitude_have_a_logarithmic_one() {
        let scale = Scale::of(&[81.0, 101_000.0], "ns", (0.0, 100.0));
        assert!(scale.is_logarithmic());
        assert_eq!(
            names(&scale, 6),
            ["10 ns", "100 ns", "1 µs", "10 µs", "100 µs"]
        );
        // The smallest can be seen, and equal factors are equal steps.
        assert!(scale.place(81.0) > 5.0);
        let step = scale.place(1_000.0) - scale.place(100.0);
        assert!((scale.place(10_000.0) - scale.place(1_000.0) - step).abs() < 1e-9);
    }

    #[test]
    fn bytes_are_marked_in_their_own_units() {
        let scale = Scale::of(&[4_400.0, 35_000.0], "bytes", (0.0, 100.0));
        assert_eq!(names(&scale, 4), ["0", "10 KiB", "20 KiB", "30 KiB"]);
        let scale = Scale::of(&[2_000.0, 3e9], "bytes", (0.0, 100.0));
        let marks = names(&scale, 9);
        assert!(marks.contains(&"100 KiB".to_owned()), "{marks:?}");
        assert!(marks.contains(&"1 MiB".to_owned()), "{marks:?}");
    }

    #[test]
    fn an_axis_of_counts_has_whole_marks() {
        let scale = Scale::between(1.0, 2.0, "workers", (0.0, 100.0));
        assert_eq!(names(&scale, 5), ["1", "2"]);
        let scale = Scale::between(100.0, 100_000.0, "tasks", (0.0, 100.0));
        assert_eq!(names(&scale, 5), ["100", "1,000", "10,000", "100,000"]);
    }

    proptest! {
        /// Every value lies between the ends, in its order, and so does every mark; and there are neither too few marks
        /// nor too many.
        #[test]
        fn marks_and_values_lie_on_the_scale(
            mut values in prop::collection::vec(1e-3f64..1e10, 1..8),
            unit in prop::sample::select(vec!["ns", "bytes", "tasks", "k req/s", "times"]),
        ) {
            let scale = Scale::of(&values, unit, (10.0, 300.0));
            values.sort_by(f64::total_cmp);
            let places: Vec<f64> = values.iter().map(|value| scale.place(*value)).collect();
            prop_assert!(places.is_sorted(), "{places:?}");
            let marks = scale.marks(5);
            prop_assert!(marks.len() <= 12, "{marks:?}");
            for (value, name) in &marks {
                prop_assert!((9.9..=300.1).contains(&scale.place(*value)));
                prop_assert!(!name.is_empty() && !name.contains(".0 "), "{name}");
            }
        }
    }
}
