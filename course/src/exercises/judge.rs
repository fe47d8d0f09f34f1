//! Judges what a learner says about a measurement, by that learner's own measurement.
//!
//! Absolute times differ from machine to machine and from minute to minute, so none is asked for. Asked are ratios of
//! two medians of one run, and which of several sentences describes the shape. A sentence says for which ratios it
//! holds; the repetitions between the lower and the upper quarter say how far the ratio could be off. If that range
//! lies within one sentence's, the sentence is right and the others are wrong. If it reaches into several, each of
//! them may be, and the verdict for those is *inconclusive*: nothing contradicts the answer, and nothing proves it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::measured::{Number, Ratio, digits, ratio};

/// One run of `cargo course compare` that an exercise asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measurement {
    /// What to type; it writes `file` into the exercise's folder `mine/`.
    pub(crate) command: String,
    /// The file of results. One recorded for the maintainers' check lies in the folder `recorded/`.
    pub(crate) file: String,
}

/// One question: a guess, a ratio, or a choice.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// Its key in the answer file.
    pub(crate) field: String,
    pub(crate) ask: String,
    kind: QuestionKind,
    /// The number that the question is about: `of` divided by `to`.
    of: Option<Number>,
    to: Option<Number>,
    /// How far a ratio may be off, as a part of it.
    #[serde(default = "tenth")]
    within: f64,
    /// Said with a right answer, and beside a guess.
    #[serde(default)]
    because: String,
    /// For a choice.
    #[serde(default, rename = "choice")]
    choices: Vec<Choice>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum QuestionKind {
    /// Made before measuring; shown beside the measurement, and not judged.
    Guess,
    /// The ratio of two medians of the learner's own run.
    Ratio,
    /// One of several sentences.
    Choice,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// What stands in the answer file, such as `a`.
    key: String,
    says: String,
    /// It is right whatever was measured.
    #[serde(default)]
    right: bool,
    /// It is right if the ratio is at least this …
    from: Option<f64>,
    /// … and below this.
    below: Option<f64>,
    /// Why it is right, or why it is not.
    why: String,
}

fn tenth() -> f64 {
    0.1
}

/// What is to be said about one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    NotFilledIn,
    /// Not judged: what was measured, for comparison.
    Guess(String),
    Right(String),
    Wrong(String),
    Inconclusive(String),
}

impl Verdict {
    /// True if it does not keep the exercise from being done.
    pub(crate) fn is_good(&self) -> bool {
        !matches!(self, Verdict::NotFilledIn | Verdict::Wrong(_))
    }
}

/// Judges all answers of an answer file's text by the results in `folder`.
pub(crate) fn judge(questions: &[Question], answers: &str, folder: &Path) -> Result<Vec<Verdict>> {
    let answers: toml::Table =
        toml::from_str(answers).context("the answer file is not valid TOML")?;
    for key in answers.keys() {
        ensure!(
            questions.iter().any(|question| question.field == *key),
            "the answer file has a field `{key}` that nobody asked for"
        );
    }
    questions
        .iter()
        .map(|question| {
            let answer = match answers.get(&question.field) {
                None => String::new(),
                Some(toml::Value::String(text)) => text.trim().to_owned(),
                Some(value) => value.to_string(),
            };
            if answer.is_empty() {
                return Ok(Verdict::NotFilledIn);
            }
            question
                .judge(&answer, folder)
                .with_context(|| format!("the question `{}`", question.field))
        })
        .collect()
}

impl Question {
    fn judge(&self, answer: &str, folder: &Path) -> Result<Verdict> {
        let ratio = match (&self.of, &self.to) {
            (Some(of), Some(to)) => Some(ratio(of, to, folder)?),
            _ => None,
        };
        let needed = || ratio.context("the manifest does not say which numbers it is about");
        Ok(match self.kind {
            QuestionKind::Guess => match number(answer) {
                None => Verdict::Wrong(format!("`{answer}` is not a number")),
                Some(guess) => {
                    let measured = needed()?;
                    let off = (guess / measured.middle).max(measured.middle / guess);
                    Verdict::Guess(format!(
                        "you guessed {}, you measured {measured}: off by a factor of {}. {}",
                        digits(guess),
                        digits(off),
                        self.because
                    ))
                }
            },
            QuestionKind::Ratio => match number(answer) {
                None => Verdict::Wrong(format!("`{answer}` is not a number")),
                Some(said) => self.judge_ratio(said, needed()?),
            },
            QuestionKind::Choice => self.judge_choice(answer, ratio)?,
        })
    }

    fn judge_ratio(&self, said: f64, measured: Ratio) -> Verdict {
        if (said / measured.middle - 1.0).abs() <= self.within {
            Verdict::Right(self.because.clone())
        } else if (said * measured.middle - 1.0).abs() <= self.within {
            Verdict::Wrong(format!(
                "{} is the ratio upside down: which of the two was asked for first?",
                digits(said)
            ))
        } else {
            Verdict::Wrong(format!(
                "your file's medians have another ratio than {}",
                digits(said)
            ))
        }
    }

    fn judge_choice(&self, answer: &str, ratio: Option<Ratio>) -> Result<Verdict> {
        let Some(chosen) = self.choices.iter().find(|choice| choice.key == answer) else {
            let keys: Vec<&str> = self
                .choices
                .iter()
                .map(|choice| choice.key.as_str())
                .collect();
            return Ok(Verdict::Wrong(format!(
                "`{answer}` is none of {}",
                keys.join(", ")
            )));
        };
        let Some(ratio) = ratio else {
            return Ok(if chosen.right {
                Verdict::Right(chosen.why.clone())
            } else {
                Verdict::Wrong(chosen.why.clone())
            });
        };
        let possible: Vec<&Choice> = self
            .choices
            .iter()
            .filter(|choice| choice.may_hold(ratio))
            .collect();
        ensure!(
            !possible.is_empty(),
            "no choice holds for a ratio of {ratio}"
        );
        Ok(if !possible.iter().any(|choice| choice.key == chosen.key) {
            Verdict::Wrong(format!("your measurement says {ratio}. {}", chosen.why))
        } else if possible.len() == 1 {
            Verdict::Right(format!("your measurement says {ratio}. {}", chosen.why))
        } else {
            let keys: Vec<&str> = possible.iter().map(|choice| choice.key.as_str()).collect();
            Verdict::Inconclusive(format!(
                "your measurement says {ratio}, which fits {}; measure again when nothing else runs, with more --reps",
                keys.join(" as well as ")
            ))
        })
    }

    /// The question with its choices, for the list of what is to be answered.
    pub(crate) fn in_full(&self) -> String {
        let choices = self
            .choices
            .iter()
            .map(|choice| format!("\n    {}: {}", choice.key, choice.says));
        format!("{}{}", self.ask, choices.collect::<String>())
    }
}

impl Choice {
    /// True if the ratio could be one for which this choice is right.
    fn may_hold(&self, ratio: Ratio) -> bool {
        let from = self.from.unwrap_or(f64::NEG_INFINITY);
        let below = self.below.unwrap_or(f64::INFINITY);
        ratio.high >= from && ratio.low < below
    }
}

fn number(answer: &str) -> Option<f64> {
    answer
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTIONS: &str = r#"
        [[question]]
        field = "guess"
        ask = "How many times as long?"
        kind = "guess"
        of = { file = "run.json", stage = "step01", workload = "slow", metric = "ns" }
        to = { file = "run.json", stage = "step01", workload = "fast", metric = "ns" }
        [[question]]
        field = "ratio"
        ask = "How many times as long was it?"
        kind = "ratio"
        of = { file = "run.json", stage = "step01", workload = "slow", metric = "ns" }
        to = { file = "run.json", stage = "step01", workload = "fast", metric = "ns" }
        because = "That is what one pays."
        [[question]]
        field = "shape"
        ask = "What does it say?"
        kind = "choice"
        of = { file = "run.json", stage = "step01", workload = "slow", metric = "ns" }
        to = { file = "run.json", stage = "step01", workload = "fast", metric = "ns" }
        choice = [
            { key = "a", says = "the same", below = 1.5, why = "It is not." },
            { key = "b", says = "some times as long", from = 1.5, below = 10.0, why = "Two system calls." },
            { key = "c", says = "much longer", from = 10.0, why = "Count them." },
        ]
        [[question]]
        field = "mechanism"
        ask = "Why?"
        kind = "choice"
        choice = [
            { key = "a", says = "the kernel", right = true, why = "Yes: it switches." },
            { key = "b", says = "the weather", why = "No: it is indoors." },
        ]
    "#;

    #[derive(Deserialize)]
    struct Questions {
        question: Vec<Question>,
    }

    /// The verdicts on `answers` if the slow one took `slow` = (smallest, median, largest) and the fast one 10.
    fn verdicts(answers: &str, slow: (f64, f64, f64)) -> Vec<Verdict> {
        let folder = tempfile::tempdir().unwrap();
        let row = |workload: &str, (min, value, max): (f64, f64, f64)| {
            format!(
                r#"{{"stage":"step01","workload":"{workload}","metric":"ns","value":{value},"status":"ok",
                    "samples":[{value},{max},{min},{max},{min}],"something_new":1}}"#
            )
        };
        let text = format!(
            r#"{{"results":[{},{}]}}"#,
            row("slow", slow),
            row("fast", (9.0, 10.0, 11.0))
        );
        std::fs::write(folder.path().join("run.json"), text).unwrap();
        let questions: Questions = toml::from_str(QUESTIONS).unwrap();
        judge(&questions.question, answers, folder.path()).unwrap()
    }

    const CLEAR: (f64, f64, f64) = (38.0, 40.0, 42.0);

    #[test]
    fn right_answers_are_right_and_explained() {
        let verdicts = verdicts(
            "guess = 8\nratio = 4.1\nshape = \"b\"\nmechanism = \"a\"",
            CLEAR,
        );
        assert!(
            matches!(&verdicts[0], Verdict::Guess(text) if text.contains("off by a factor of 2.00"))
        );
        assert_eq!(verdicts[1], Verdict::Right("That is what one pays.".into()));
        assert!(
            matches!(&verdicts[2], Verdict::Right(text) if text.contains("4.00 (3.45 to 4.67)"))
        );
        assert_eq!(verdicts[3], Verdict::Right("Yes: it switches.".into()));
        assert!(verdicts.iter().all(Verdict::is_good));
    }

    #[test]
    fn wrong_answers_are_told_why() {
        let wrong = verdicts(
            "guess = \"some\"\nratio = 0.25\nshape = \"c\"\nmechanism = \"b\"",
            CLEAR,
        );
        let contains = |index: usize, part: &str| {
            assert!(
                matches!(&wrong[index], Verdict::Wrong(text) if text.contains(part)),
                "{:?}",
                wrong[index]
            );
        };
        contains(0, "not a number");
        contains(1, "upside down");
        contains(2, "Count them.");
        contains(3, "indoors");
        assert!(
            matches!(&verdicts("shape = \"z\"", CLEAR)[2], Verdict::Wrong(text) if text.contains("none of a, b, c"))
        );
        assert!(!verdicts("ratio = 5.0", CLEAR)[1].is_good());
        assert!(
            verdicts("", CLEAR)
                .iter()
                .all(|verdict| *verdict == Verdict::NotFilledIn)
        );
    }

    #[test]
    fn a_measurement_that_cannot_tell_is_inconclusive() {
        let noisy = (13.0, 40.0, 130.0);
        let shape = |answer: &str| verdicts(&format!("shape = \"{answer}\""), noisy)[2].clone();
        for answer in ["a", "b", "c"] {
            assert!(
                matches!(shape(answer), Verdict::Inconclusive(_)),
                "{answer}"
            );
        }
        // Not everything is possible even so.
        let somewhat_noisy = (18.0, 40.0, 130.0);
        assert!(matches!(
            verdicts("shape = \"a\"", somewhat_noisy)[2],
            Verdict::Wrong(_)
        ));
        assert!(matches!(
            verdicts("shape = \"b\"", somewhat_noisy)[2],
            Verdict::Inconclusive(_)
        ));
    }
}
