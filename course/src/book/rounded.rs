//! Numbers as prose wants them: two significant digits and a unit, since nobody should believe the third digit.

/// A number with its unit, rounded to two significant digits where it is a measurement and not a count.
pub(super) fn quantity(value: f64, unit: &str) -> String {
    const TIME: &[(f64, &str)] = &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    const BYTES: &[(f64, &str)] = &[
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
        (1.0, "bytes"),
    ];
    let scaled = |scale: &[(f64, &'static str)], value: f64| {
        let in_units = |(from, symbol): &(f64, &'static str)| (two_digits(value / from), *symbol);
        let mut all = scale.iter().map(in_units);
        let (value, symbol) = all
            .find(|(value, _)| *value >= 1.0)
            .unwrap_or_else(|| in_units(&scale[scale.len() - 1]));
        format!("{} {symbol}", digits(value))
    };
    match unit {
        "ns" => scaled(TIME, value),
        "µs" => scaled(TIME, value * 1e3),
        "ms" => scaled(TIME, value * 1e6),
        "bytes" => scaled(BYTES, value),
        "times" => format!("{} times", digits(two_digits(value))),
        "tasks" => format!("{} tasks", count(value)),
        per_second if per_second.ends_with("/s") && value >= 1e6 => {
            format!("{} million {per_second}", digits(two_digits(value / 1e6)))
        }
        _ => format!("{} {unit}", digits(two_digits(value))),
    }
}

/// Rounds to two significant digits: nobody should believe the third.
pub(super) fn two_digits(value: f64) -> f64 {
    significant(value, 2)
}

/// Rounds to three significant digits, for what is counted in bytes and differs by a few of them from run to run.
pub(super) fn three_digits(value: f64) -> f64 {
    significant(value, 3)
}

fn significant(value: f64, digits: i32) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let step = 10f64.powi(value.log10().floor() as i32 + 1 - digits);
    (value / step).round() * step
}

/// At most two digits that say something, and none after the point from ten on.
fn digits(value: f64) -> String {
    match value {
        v if v < 0.95 && v > 0.0 => format!("{v:.2}"),
        v if v < 9.95 && (v - v.round()).abs() > 0.04 => format!("{v:.1}"),
        v => count(v),
    }
}

/// A whole number with its thousands marked.
pub(super) fn count(value: f64) -> String {
    let text = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in text.chars().enumerate() {
        if i > 0 && (text.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A ratio: `1.9`, `31`, `12,000`.
pub(super) fn times(ratio: f64) -> String {
    digits(two_digits(ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_have_their_unit() {
        let cases = [
            (1.62, "ns", "1.6 ns"),
            (999.7, "ns", "1 µs"),
            (89_700_000.0, "turns/s", "90 million turns/s"),
            (59_123.0, "ns", "59 µs"),
            (41_700.0, "ns", "42 µs"),
            (2.04, "ms", "2 ms"),
            (0.55, "ms", "550 µs"),
            (9_732.0, "bytes", "9.5 KiB"),
            (2_304_851.0, "bytes", "2.2 MiB"),
            (25_276_514_304.0, "bytes", "24 GiB"),
            (32_407.0, "tasks", "32,407 tasks"),
            (10.26, "times", "10 times"),
            (82.4, "k req/s", "82 k req/s"),
            (0.55, "MB/s", "0.55 MB/s"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(quantity(value, unit), text, "{value} {unit}");
        }
        assert_eq!(times(36_412.0), "36,000");
        assert_eq!(times(13.6), "14");
        assert_eq!(times(2.31), "2.3");
        assert_eq!(count(three_digits(4_237.4)), "4,240");
        assert_eq!(count(three_digits(128.6)), "129");
    }
}
