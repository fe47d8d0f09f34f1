//! Numbers as a reader wants them: three significant digits, and the unit that makes them short.
//!
//! Workloads report in one unit per metric (nanoseconds, bytes, requests per second), so that a file of results can be
//! read by a program. Only what is printed goes through here.

use super::stats::Summary;

/// One unit of a scale: it is used for values from `from` on.
struct Unit {
    from: f64,
    symbol: &'static str,
}

const TIME: &[Unit] = &[
    unit(1e9, "s"),
    unit(1e6, "ms"),
    unit(1e3, "µs"),
    unit(1.0, "ns"),
];
const BYTES: &[Unit] = &[
    unit(1024.0 * 1024.0 * 1024.0, "GiB"),
    unit(1024.0 * 1024.0, "MiB"),
    unit(1024.0, "KiB"),
    unit(1.0, "B"),
];
const RATE: &[Unit] = &[
    unit(1e9, "G"),
    unit(1e6, "M"),
    unit(1e3, "k"),
    unit(1.0, ""),
];

const fn unit(from: f64, symbol: &'static str) -> Unit {
    Unit { from, symbol }
}

/// What a unit's name says about how to print it: the scale, the value in the scale's smallest unit, and what follows.
fn scale(value: f64, name: &str) -> Option<(&'static [Unit], f64, String)> {
    Some(match name {
        "ns" => (TIME, value, String::new()),
        "us" | "µs" => (TIME, value * 1e3, String::new()),
        "ms" => (TIME, value * 1e6, String::new()),
        "s" => (TIME, value * 1e9, String::new()),
        "B" | "bytes" => (BYTES, value, String::new()),
        "KiB" => (BYTES, value * 1024.0, String::new()),
        "MiB" => (BYTES, value * 1024.0 * 1024.0, String::new()),
        "times" | "%" => return None,
        rate if rate.contains('/') => match rate.split_once(' ') {
            // A workload may count in thousands or millions already.
            Some(("k", rate)) => (RATE, value * 1e3, rate.to_owned()),
            Some(("M", rate)) => (RATE, value * 1e6, rate.to_owned()),
            _ => (RATE, value, rate.to_owned()),
        },
        _ => return None,
    })
}

/// Whether values of this unit are numbers of bytes.
pub(crate) fn in_bytes(name: &str) -> bool {
    matches!(name, "B" | "bytes")
}

/// Whether values of this unit are numbers of things: tasks, connections, workers.
pub(crate) fn is_counted(name: &str) -> bool {
    !matches!(name, "" | "%" | "times") && scale(1.0, name).is_none()
}

/// A measured value: `59.1 µs`, `9.60 KiB`, `108 k req/s`, `32,447 tasks`, `1.93×`.
pub(crate) fn quantity(value: f64, name: &str) -> String {
    match scale(value, name) {
        Some((units, value, tail)) => {
            let unit = pick(units, value);
            join(&digits(value / unit.from), unit.symbol, &tail)
        }
        None => plain(value, name),
    }
}

/// The range of a value, its unit said once where both ends have the same: `57.0–63.2 µs`.
pub(crate) fn range(low: f64, high: f64, name: &str) -> String {
    match (scale(low, name), scale(high, name)) {
        (Some((units, low, tail)), Some((_, high, _))) => {
            let (a, b) = (pick(units, low), pick(units, high));
            let upper = join(&digits(high / b.from), b.symbol, &tail);
            if a.symbol == b.symbol {
                format!("{}–{upper}", digits(low / a.from))
            } else {
                format!("{} – {upper}", join(&digits(low / a.from), a.symbol, ""))
            }
        }
        _ => format!("{} – {}", plain(low, name), plain(high, name)),
    }
}

/// The range of a summary, without a unit where it is the median's: what stands in brackets behind the median. None
/// where all values are printed alike.
pub(crate) fn spread(summary: &Summary, name: &str) -> Option<String> {
    let text = |value| quantity(value, name);
    let (low, high) = (text(summary.min), text(summary.max));
    if low == high {
        return None;
    }
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    let median = unit(&text(summary.median));
    if unit(&low) != median || unit(&high) != median {
        return Some(range(summary.min, summary.max, name));
    }
    let bare = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    Some(format!("{}–{}", bare(&low), bare(&high)))
}

/// The unit that leaves one to three digits before the point, after rounding: 999.7 ns are 1.00 µs.
fn pick(units: &'static [Unit], value: f64) -> &'static Unit {
    let fits = |unit: &&Unit| value.abs() >= unit.from * 0.9995;
    units.iter().find(fits).unwrap_or(&units[units.len() - 1])
}

fn join(digits: &str, symbol: &str, tail: &str) -> String {
    let mut text = digits.to_owned();
    for part in [symbol, tail] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(part);
        }
    }
    text
}

/// A count of something, a ratio, a percentage.
fn plain(value: f64, name: &str) -> String {
    match name {
        "times" => format!("{}×", digits(value)),
        "" => count(value),
        _ => format!("{} {name}", count(value)),
    }
}

/// Three significant digits, none after the point from 100 on.
pub(crate) fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v == 0.0 || v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    group(&format!("{value:.places$}"))
}

/// A count: whole numbers in full up to a million, rounded ones above; anything else to three digits.
pub(crate) fn count(value: f64) -> String {
    match value {
        v if v.abs() >= 999_500.0 => format!("{} M", digits(v / 1e6)),
        v if v.fract() == 0.0 => group(&format!("{v:.0}")),
        v => digits(v),
    }
}

/// Puts a comma between groups of three digits before the point.
fn group(text: &str) -> String {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A time to wait, for people: `0.8 s`, `40 s`, `1 min 40 s`.
pub(crate) fn wait(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match (whole / 60, whole % 60) {
        (0, 0..10) => format!("{seconds:.1} s"),
        (0, s) => format!("{s} s"),
        (m, 0) => format!("{m} min"),
        (m, s) => format!("{m} min {s} s"),
    }
}

/// How many times one value is another, to two digits: `4.7`, `31`, `12,000`.
pub(crate) fn times(ratio: f64) -> String {
    if !ratio.is_finite() || ratio <= 0.0 {
        return "?".to_owned();
    }
    if ratio < 9.95 {
        return format!("{ratio:.1}");
    }
    // Two significant digits of a larger number: 59,123 is "59,000", since nobody should believe the rest.
    let step = 10f64.powi(ratio.log10().floor() as i32 - 1);
    group(&format!("{:.0}", (ratio / step).round() * step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_short_and_have_their_unit() {
        let cases = [
            (0.47, "ns", "0.470 ns"),
            (4.7, "ns", "4.70 ns"),
            (999.4, "ns", "999 ns"),
            (999.7, "ns", "1.00 µs"),
            (59_123.0, "ns", "59.1 µs"),
            (1.3, "ms", "1.30 ms"),
            (0.0, "ms", "0 ns"),
            (2_345.0, "ms", "2.35 s"),
            (9_830.0, "bytes", "9.60 KiB"),
            (128.0, "bytes", "128 B"),
            (2_097_152.0, "bytes", "2.00 MiB"),
            (108_123.0, "req/s", "108 k req/s"),
            (104e6, "msg/s", "104 M msg/s"),
            (32_447.0, "tasks", "32,447 tasks"),
            (1_000_000.0, "tasks", "1.00 M tasks"),
            (1.931, "times", "1.93×"),
            (41.3, "k req/s", "41.3 k req/s"),
            (1_041.3, "k req/s", "1.04 M req/s"),
            (35.4, "MB/s", "35.4 MB/s"),
            (12.0, "%", "12 %"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(quantity(value, unit), text, "{value} {unit}");
        }
    }

    #[test]
    fn ranges_say_a_common_unit_once() {
        assert_eq!(range(57_000.0, 63_210.0, "ns"), "57.0–63.2 µs");
        assert_eq!(range(900.0, 1_100.0, "ns"), "900 ns – 1.10 µs");
        assert_eq!(
            range(32_000.0, 32_447.0, "tasks"),
            "32,000 tasks – 32,447 tasks"
        );
        assert_eq!(range(90e3, 108e3, "req/s"), "90.0–108 k req/s");
    }

    #[test]
    fn spreads_leave_out_the_unit_of_the_median() {
        let spread = |values: &[f64], unit| spread(&Summary::of(values).unwrap(), unit);
        assert_eq!(
            spread(&[57e3, 59e3, 63.2e3], "ns").as_deref(),
            Some("57.0–63.2")
        );
        assert_eq!(
            spread(&[900.0, 950.0, 1_200.0], "ns").as_deref(),
            Some("900 ns – 1.20 µs")
        );
        assert_eq!(spread(&[59.0, 59.0], "ns"), None);
        assert_eq!(spread(&[1.9, 2.0], "times").as_deref(), Some("1.90×–2.00×"));
    }

    #[test]
    fn waits_and_ratios_read_like_speech() {
        assert_eq!(wait(0.21), "0.2 s");
        assert_eq!(wait(59.6), "1 min");
        assert_eq!(wait(100.0), "1 min 40 s");
        assert_eq!(times(1.93), "1.9");
        assert_eq!(times(31.4), "31");
        assert_eq!(times(59_123.0), "59,000");
        assert_eq!(times(f64::INFINITY), "?");
    }

    proptest! {
        /// Whatever the value, the text is short, and reading it back gives the value to three digits.
        #[test]
        fn times_survive_being_printed(exponent in -1.0f64..13.0) {
            let value = 10f64.powf(exponent);
            let text = quantity(value, "ns");
            prop_assert!(text.chars().count() <= 11, "{text}");
            let (number, symbol) = text.rsplit_once(' ').unwrap();
            let number: f64 = number.replace(',', "").parse().unwrap();
            let back = number * TIME.iter().find(|unit| unit.symbol == symbol).unwrap().from;
            prop_assert!((back / value - 1.0).abs() < 0.006, "{value} printed as {text}");
        }
    }
}
