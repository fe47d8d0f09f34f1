//! `exercises/exercises.toml`: every exercise, in the order in which they are recommended.
//!
//! One file names them all, so that there is one place to look, and a test proves that it and the folders agree. What it
//! does not hold is what can be computed: the start is cut from the solution, the task is the folder's README.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::judge::{Measurement, Question};
use crate::workshop::patch::PlantedBug;

/// The manifest's place in the workspace.
pub(crate) const FILE: &str = "exercises/exercises.toml";

/// The manifest as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    #[serde(rename = "exercise")]
    pub(crate) exercises: Vec<Exercise>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Measure, and answer questions about the measurement.
    Compare,
    /// Write what is missing.
    Build,
    /// Find what is wrong, show it, and mend it.
    FindTheBug,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Compare => "compare",
            Kind::Build => "build",
            Kind::FindTheBug => "find the bug",
        })
    }
}

/// One exercise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exercise {
    /// What it is called on the command line, and its folder.
    pub(crate) name: String,
    /// The step whose chapter asks for it.
    pub(crate) step: u32,
    pub(crate) kind: Kind,
    pub(crate) title: String,
    /// How long a learner who has read the chapter needs.
    pub(crate) minutes: u32,
    /// What one can do afterwards, in one sentence.
    pub(crate) teaches: String,
    /// The file that the learner edits, in the exercise's folder.
    pub(crate) edit: String,
    /// The model answer, in the exercise's folder.
    pub(crate) solution: String,
    /// All other files of the folder.
    pub(crate) files: Vec<String>,
    /// The test target that judges it; none for `compare`.
    pub(crate) test: Option<String>,
    /// What the output says when the start is checked.
    pub(crate) start_fails_with: String,
    /// Help, a little more at each level.
    pub(crate) hints: Vec<String>,
    /// What is to be measured, for `compare`.
    #[serde(default, rename = "measure")]
    pub(crate) measurements: Vec<Measurement>,
    /// What is asked about it, for `compare`.
    #[serde(default, rename = "question")]
    pub(crate) questions: Vec<Question>,
}

/// Where learners' own things go in an exercise's folder: measurements, and backups of a `reset`. git ignores it.
pub(crate) const MINE: &str = "mine";

impl Exercise {
    /// Its folder, from the workspace's root.
    pub(crate) fn dir(&self) -> PathBuf {
        PathBuf::from(format!("exercises/step{:02}/{}", self.step, self.name))
    }

    /// The file that the learner edits, from the workspace's root.
    pub(crate) fn edited(&self) -> PathBuf {
        self.dir().join(&self.edit)
    }

    /// The start: what the learner's file was in the beginning.
    pub(crate) fn start(&self, root: &Path) -> Result<String> {
        super::cut::start(&self.read(root, &self.solution)?)
            .with_context(|| format!("the solution of `{}`", self.name))
    }

    /// One of its files.
    pub(crate) fn read(&self, root: &Path, file: &str) -> Result<String> {
        let path = root.join(self.dir()).join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Its test target.
    pub(crate) fn test(&self) -> Result<&str> {
        self.test
            .as_deref()
            .with_context(|| format!("`{}` has no test target", self.name))
    }

    /// Makes the folder for the learner's own things, which a measurement's command may redirect its output to.
    pub(crate) fn make_room(&self, root: &Path) -> Result<()> {
        let mine = root.join(self.dir()).join(MINE);
        fs::create_dir_all(&mine).with_context(|| format!("cannot make {}", mine.display()))
    }

    /// The wrong answers that its tests must refuse.
    pub(crate) fn wrong_answers(&self, root: &Path) -> Result<Vec<PlantedBug>> {
        let wrong = self.files.iter().filter(|file| file.ends_with(".patch"));
        wrong
            .map(|file| PlantedBug::read(&root.join(self.dir()).join(file)))
            .collect()
    }
}

impl Manifest {
    /// Reads it.
    pub(crate) fn read(root: &Path) -> Result<Manifest> {
        let path = root.join(FILE);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The exercise of that name.
    pub(crate) fn find(&self, name: &str) -> Result<&Exercise> {
        let Some(exercise) = self.exercises.iter().find(|exercise| exercise.name == name) else {
            let names: Vec<&str> = self
                .exercises
                .iter()
                .map(|exercise| exercise.name.as_str())
                .collect();
            bail!(
                "there is no exercise `{name}`; there are: {}",
                names.join(", ")
            );
        };
        Ok(exercise)
    }

    /// Says where manifest and folders disagree, in either direction.
    pub(crate) fn agrees_with_folders(&self, root: &Path) -> Result<()> {
        let mut named = BTreeSet::new();
        for exercise in &self.exercises {
            let name = &exercise.name;
            ensure!(named.insert(exercise.dir()), "`{name}` is named twice");
            ensure!(
                exercise.minutes > 0 && exercise.hints.len() >= 2,
                "`{name}` needs minutes and two hints at least"
            );
            let compares = exercise.kind == Kind::Compare;
            ensure!(
                compares != exercise.test.is_some() && compares != exercise.questions.is_empty(),
                "`{name}`: a `compare` has questions, all others have a test target"
            );
            let mut files: BTreeSet<String> = exercise.files.iter().cloned().collect();
            files.extend([exercise.edit.clone(), exercise.solution.clone()]);
            ensure!(
                files.contains("README.md"),
                "`{name}` does not name its README.md"
            );
            let there = files_below(&root.join(exercise.dir()))?;
            ensure!(
                files == there,
                "`{name}`: the manifest names {:?}, which are not there; there are {:?}, which it does not name",
                files.difference(&there).collect::<Vec<_>>(),
                there.difference(&files).collect::<Vec<_>>()
            );
            exercise.wrong_answers(root)?;
        }
        for step in fs::read_dir(root.join("exercises"))? {
            let step = step?.path();
            if !step
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("step"))
            {
                continue;
            }
            for dir in fs::read_dir(&step)? {
                let dir = dir?.path();
                ensure!(
                    named.contains(dir.strip_prefix(root)?),
                    "{} is an exercise's folder that the manifest does not name",
                    dir.display()
                );
            }
        }
        Ok(())
    }
}

fn files_below(dir: &Path) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let walk = walkdir::WalkDir::new(dir).into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != MINE) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.insert(
                entry
                    .path()
                    .strip_prefix(dir)?
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workshop;

    #[test]
    fn manifest_and_folders_agree() {
        let root = workshop::root();
        Manifest::read(&root)
            .unwrap()
            .agrees_with_folders(&root)
            .unwrap();
    }

    /// Cargo must be told of each test target, and has none besides the manifest's and the package's own.
    #[test]
    fn each_exercise_is_a_test_target() {
        let root = workshop::root();
        let manifest = Manifest::read(&root).unwrap();
        let text = fs::read_to_string(root.join("exercises/Cargo.toml")).unwrap();
        let cargo: toml::Table = toml::from_str(&text).unwrap();
        let mut targets: BTreeSet<(String, String)> = BTreeSet::new();
        for target in cargo["test"].as_array().unwrap() {
            let text = |key: &str| target[key].as_str().unwrap().to_owned();
            targets.insert((text("name"), text("path")));
        }
        targets.remove(&("turns".into(), "tests/turns.rs".into()));
        let expected: BTreeSet<(String, String)> = manifest
            .exercises
            .iter()
            .filter_map(|exercise| {
                let path = exercise
                    .dir()
                    .strip_prefix("exercises")
                    .unwrap()
                    .join("tests.rs");
                Some((exercise.test.clone()?, path.to_str().unwrap().to_owned()))
            })
            .collect();
        assert_eq!(targets, expected);
    }

    /// "Solutions use only what has been taught so far", and so do their tests.
    #[test]
    fn no_exercise_needs_a_later_step() {
        let root = workshop::root();
        for exercise in Manifest::read(&root).unwrap().exercises {
            for file in files_below(&root.join(exercise.dir())).unwrap() {
                let text = exercise.read(&root, &file).unwrap();
                for later in exercise.step + 1..=9 {
                    let package = format!("step{later:02}");
                    assert!(
                        !text.contains(&package),
                        "{}: {file} names {package}",
                        exercise.name
                    );
                }
            }
        }
    }
}
