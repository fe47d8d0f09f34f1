//! Finds measured numbers in the files that the measuring commands write, and says how far they can be trusted.

use std::fmt::{self, Display};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A measured number's place: a metric in a file of results, or the sum of some keys of any other file.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Number {
    Metric {
        file: String,
        stage: String,
        workload: String,
        metric: String,
    },
    Keys {
        file: String,
        keys: Vec<String>,
    },
}

/// The part of the results file that is needed here.
#[derive(Debug, Deserialize)]
struct Results {
    results: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    stage: String,
    workload: String,
    metric: String,
    value: Option<f64>,
    #[serde(default)]
    samples: Vec<f64>,
    reason: Option<String>,
}

/// A ratio, and how far off it could be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) low: f64,
    pub(super) middle: f64,
    pub(super) high: f64,
}

impl Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} to {})",
            digits(self.middle),
            digits(self.low),
            digits(self.high)
        )
    }
}

/// Three significant digits, which is more than such measurements have.
pub(super) fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let places = (2.0 - value.abs().log10().floor()).clamp(0.0, 9.0);
    format!("{value:.*}", places as usize)
}

/// `of` divided by `to`, as found in `folder`.
pub(super) fn ratio(of: &Number, to: &Number, folder: &Path) -> Result<Ratio> {
    let (of, to) = (of.read(folder)?, to.read(folder)?);
    Ok(Ratio {
        low: of.low / to.high,
        middle: of.middle / to.middle,
        high: of.high / to.low,
    })
}

impl Number {
    fn read(&self, folder: &Path) -> Result<Ratio> {
        let (Number::Metric { file, .. } | Number::Keys { file, .. }) = self;
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        self.find(&text).with_context(|| path.display().to_string())
    }

    fn find(&self, text: &str) -> Result<Ratio> {
        match self {
            Number::Metric {
                stage,
                workload,
                metric,
                ..
            } => {
                let results: Results =
                    serde_json::from_str(text).context("this is no file of results")?;
                let row = results.results.into_iter().find(|row| {
                    row.stage == *stage && row.workload == *workload && row.metric == *metric
                });
                let row = row.with_context(|| {
                    format!("there is no result for {metric} of {workload} on {stage}")
                })?;
                let value = row.value.with_context(|| {
                    let reason = row.reason.as_deref().unwrap_or("no reason is given");
                    format!("{workload} on {stage} was not measured: {reason}")
                })?;
                Ok(spread(value, row.samples))
            }
            Number::Keys { keys, .. } => {
                let values: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(text).context("this is no JSON object")?;
                let value = |key: &String| {
                    let value = values.get(key).and_then(serde_json::Value::as_f64);
                    value.with_context(|| format!("there is no number `{key}`"))
                };
                let sum = keys.iter().map(value).sum::<Result<f64>>()?;
                ensure!(sum > 0.0, "{} is zero: measure again", keys.join(" + "));
                Ok(spread(sum, Vec::new()))
            }
        }
    }
}

/// A median with the quarter and the three quarters of its samples. Not the smallest and the largest: of ten repetitions
/// on a machine that does other things too, one is always far off.
fn spread(median: f64, mut samples: Vec<f64>) -> Ratio {
    samples.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        let last = samples.len().saturating_sub(1) as f64;
        samples.get((last * part).round() as usize).copied()
    };
    Ratio {
        low: at(0.25).unwrap_or(median).min(median),
        middle: median,
        high: at(0.75).unwrap_or(median).max(median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_form_is_read_by_its_keys() {
        let number = |keys: &[&str]| Number::Keys {
            file: String::new(),
            keys: keys.iter().map(ToString::to_string).collect(),
        };
        let text = r#"{"tasks": 10, "resident": 9000, "page_tables": 1000, "kernel_stack": 0}"#;
        assert_eq!(
            number(&["resident", "page_tables"])
                .find(text)
                .unwrap()
                .middle,
            10_000.0
        );
        assert!(number(&["kernel_stack"]).find(text).is_err());
        assert!(
            number(&["stack"])
                .find(text)
                .unwrap_err()
                .to_string()
                .contains("`stack`")
        );
    }

    #[test]
    fn one_repetition_that_is_far_off_does_not_widen_the_range() {
        let spread = spread(4.0, vec![3.9, 4.0, 4.1, 4.2, 134.0, 4.0, 3.8, 4.3]);
        assert!(spread.low > 3.8 && spread.high < 5.0, "{spread}");
    }

    #[test]
    fn numbers_are_printed_with_three_digits() {
        for (value, text) in [
            (4.0, "4.00"),
            (0.0123, "0.0123"),
            (1234.5, "1234"),
            (45.67, "45.7"),
        ] {
            assert_eq!(digits(value), text);
        }
    }
}
