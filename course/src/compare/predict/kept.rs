//! The file of guesses: one for each question and stage, the latest.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::super::state;

const SCHEMA: &str = "course.predictions/1";
const FILE: &str = "predictions.json";

/// One guess, as it is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Guess {
    /// When it was made.
    pub(crate) date: String,
    /// The question's name.
    pub(crate) question: String,
    /// The stage that it is about.
    pub(crate) stage: String,
    /// The stage that it is compared with, if the question is about two.
    pub(crate) before: Option<String>,
    /// The number of the choice, from 0 on.
    pub(crate) choice: usize,
    /// The choice in words.
    pub(crate) guess: String,
    /// What was measured, in words; none until then.
    pub(crate) measured: Option<String>,
    /// `right`, `close`, `wrong` or `inconclusive`; none until then.
    pub(crate) verdict: Option<String>,
}

/// The file of guesses: one for each question and stage, the latest.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Kept {
    schema: String,
    /// The guesses.
    pub(crate) guesses: Vec<Guess>,
}

impl Kept {
    /// Reads the file; without one there are no guesses yet.
    pub(crate) fn load() -> anyhow::Result<Kept> {
        let Some(text) = state::load(FILE).context("cannot read the guesses of last time")? else {
            return Ok(Kept {
                schema: SCHEMA.to_owned(),
                guesses: Vec::new(),
            });
        };
        let file = state::folder().join(FILE);
        let kept: Kept = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; remove it to start afresh", file.display()))?;
        anyhow::ensure!(
            kept.schema == SCHEMA,
            "{} was written by another version ({}); remove it to start afresh",
            file.display(),
            kept.schema
        );
        Ok(kept)
    }

    /// Keeps a guess in the place of the earlier one about the same thing.
    pub(crate) fn keep(&mut self, guess: Guess) {
        let same = |old: &Guess| {
            (&old.question, &old.stage, &old.before)
                == (&guess.question, &guess.stage, &guess.before)
        };
        self.guesses.retain(|old| !same(old));
        self.guesses.push(guess);
    }

    /// Writes the file.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        match state::save(FILE, &text) {
            Ok(_) => Ok(()),
            Err((file, error)) => {
                Err(error).with_context(|| format!("cannot keep the guesses in {}", file.display()))
            }
        }
    }
}
