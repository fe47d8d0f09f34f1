//! What this learner has done: `exercises/.progress.json`, which git ignores.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::manifest::Exercise;

const FILE: &str = "exercises/.progress.json";

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    exercises: BTreeMap<String, Record>,
}

/// One exercise's part.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// How often it was checked.
    pub(crate) checks: u32,
    /// How many hints were given.
    pub(crate) hints: usize,
    /// The answer that passed last.
    passed: Option<String>,
}

/// How far the learner is with an exercise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    NotStarted,
    Started,
    Done,
    /// It passed, and the answer has been changed since.
    ChangedSince,
}

impl State {
    pub(crate) fn words(self) -> &'static str {
        match self {
            State::NotStarted => "not started",
            State::Started => "started",
            State::Done => "done",
            State::ChangedSince => "done, changed since",
        }
    }
}

impl Progress {
    /// Reads it; a learner who has done nothing yet has none.
    pub(crate) fn read(root: &Path) -> Result<Progress> {
        let path = root.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged; delete it to start over", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Progress::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let path = root.join(FILE);
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The record of one exercise, to be changed.
    pub(crate) fn of(&mut self, exercise: &Exercise) -> &mut Record {
        self.exercises.entry(exercise.name.clone()).or_default()
    }

    /// How far the learner is.
    pub(crate) fn state(&self, root: &Path, exercise: &Exercise) -> Result<State> {
        let answer = fs::read_to_string(root.join(exercise.edited())).unwrap_or_default();
        if answer == exercise.start(root)? {
            return Ok(State::NotStarted);
        }
        let passed = self
            .exercises
            .get(&exercise.name)
            .and_then(|record| record.passed.as_ref());
        Ok(match passed {
            None => State::Started,
            Some(passed) if *passed == fingerprint(&answer) => State::Done,
            Some(_) => State::ChangedSince,
        })
    }
}

impl Record {
    /// Notes that this answer passed.
    pub(crate) fn pass(&mut self, answer: &str) {
        self.passed = Some(fingerprint(answer));
    }

    /// Forgets that an answer passed, for a `reset`.
    pub(crate) fn forget(&mut self) {
        self.passed = None;
    }
}

/// Tells answers apart (FNV-1a, 64 bits); it need not keep secrets.
fn fingerprint(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
