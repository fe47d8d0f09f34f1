//! `cargo course exercises`, on a copy of the exercises' folder. What needs a compiler is proved by `check --all`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A workspace that consists of the exercises alone.
struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn new() -> Copy {
        let copy = Copy {
            dir: tempfile::tempdir().unwrap(),
        };
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let walk = walkdir::WalkDir::new(workspace.join("exercises")).into_iter();
        // Not what the person who runs this test has done with them.
        let others = |name: &std::ffi::OsStr| name != "mine" && name != ".progress.json";
        for entry in walk.filter_entry(|entry| others(entry.file_name())) {
            let entry = entry.unwrap();
            let to = copy
                .dir
                .path()
                .join(entry.path().strip_prefix(workspace).unwrap());
            if entry.file_type().is_dir() {
                fs::create_dir_all(to).unwrap();
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
        // Whatever that person has edited is a start again.
        for name in copy.names() {
            copy.ok(&["reset", &name]);
        }
        for mine in walkdir::WalkDir::new(copy.path("exercises")) {
            let mine = mine.unwrap().into_path();
            if mine.ends_with("mine") {
                fs::remove_dir_all(mine).unwrap();
            }
        }
        let _ = fs::remove_file(copy.path("exercises/.progress.json"));
        copy
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn manifest(&self) -> toml::Table {
        toml::from_str(&fs::read_to_string(self.path("exercises/exercises.toml")).unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let manifest = self.manifest();
        let exercises = manifest["exercise"].as_array().unwrap();
        exercises
            .iter()
            .map(|exercise| exercise["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_course"))
            .args(["exercises", "--workspace"])
            .arg(self.dir.path())
            .args(args)
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        text(&output)
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?}: {}", text(&output));
        text(&output)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_list_names_every_exercise_and_the_next_one() {
    let copy = Copy::new();
    let list = copy.ok(&[]);
    for name in copy.names() {
        assert!(list.contains(&name), "{name} is missing:\n{list}");
    }
    let first = &copy.names()[0];
    assert!(list.contains(&format!("Next: {first}.")), "{list}");
    assert!(
        list.matches("started").count() == list.matches("not started").count(),
        "{list}"
    );
}

#[test]
fn hints_come_one_at_a_time_and_then_all_together() {
    let copy = Copy::new();
    let first = copy.ok(&["hint", "parker"]);
    let second = copy.ok(&["hint", "parker"]);
    assert!(
        first.contains("Hint 1 of 3") && second.contains("Hint 2 of 3"),
        "{first}{second}"
    );
    assert!(!second.contains("no memory"), "one at a time:\n{second}");
    copy.ok(&["hint", "parker"]);
    let all = copy.ok(&["hint", "parker"]);
    assert!(
        all.contains("no memory") && all.contains("wait_timeout") && all.contains("solution.rs"),
        "{all}"
    );
}

#[test]
fn a_reset_keeps_what_was_there() {
    let copy = Copy::new();
    let file = copy.path("exercises/step01/parker/exercise.rs");
    let start = fs::read_to_string(&file).unwrap();
    fs::write(&file, "// my own attempt\n").unwrap();
    assert!(
        copy.ok(&[]).contains("┆ started"),
        "an edited file is a start"
    );
    copy.ok(&["reset", "parker"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), start);
    let kept: Vec<PathBuf> = fs::read_dir(file.parent().unwrap().join("mine"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), "// my own attempt\n");
    assert!(
        copy.ok(&["reset", "parker"])
            .contains("as it was in the beginning."),
        "there is nothing to keep"
    );
}

#[test]
fn no_start_contains_its_answer() {
    let copy = Copy::new();
    let manifest = copy.manifest();
    for exercise in manifest["exercise"].as_array().unwrap() {
        let text = |key: &str| {
            let dir = format!(
                "exercises/step{:02}/{}",
                exercise["step"].as_integer().unwrap(),
                exercise["name"].as_str().unwrap()
            );
            fs::read_to_string(copy.path(&dir).join(exercise[key].as_str().unwrap())).unwrap()
        };
        let (start, solution) = (text("edit"), text("solution"));
        let mut cut = false;
        let (mut answer, mut left) = (Vec::new(), Vec::new());
        for line in solution.lines().map(str::trim) {
            if line.contains("ANCHOR: cut_") {
                cut = true;
            } else if line.contains("ANCHOR_END: cut_") {
                cut = false;
            } else if line.len() > 12 && !line.starts_with(['#', '/']) {
                if cut { &mut answer } else { &mut left }.push(line);
            }
        }
        // A repair that leaves a line as it was is no answer given away, and neither is a line that the reader has
        // before him elsewhere.
        if exercise["kind"].as_str() == Some("build") {
            for line in answer.iter().filter(|line| !left.contains(line)) {
                assert!(
                    !start.lines().any(|other| other.trim() == *line),
                    "the start of {} has a line of its answer: {line}",
                    exercise["name"]
                );
            }
        }
        assert!(!start.contains("ANCHOR"), "{}", exercise["name"]);
        assert_ne!(start, solution);
    }
}

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    let copy = Copy::new();
    let message = copy.fails(&["check", "packer"]);
    assert!(
        message.contains("no exercise `packer`") && message.contains("parker"),
        "{message}"
    );
    assert!(copy.fails(&["check"]).contains("which one?"));
    assert!(copy.fails(&["hint", "packer"]).contains("no exercise"));
}

#[test]
fn a_folder_that_the_manifest_does_not_name_is_noticed() {
    let copy = Copy::new();
    fs::create_dir_all(copy.path("exercises/step01/forgotten")).unwrap();
    let message = copy.fails(&["check", "--all"]);
    assert!(
        message.contains("forgotten") && message.contains("does not name"),
        "{message}"
    );
    fs::remove_dir(copy.path("exercises/step01/forgotten")).unwrap();
    fs::remove_file(copy.path("exercises/step01/parker/README.md")).unwrap();
    let message = copy.fails(&["check", "--all"]);
    assert!(message.contains("README.md"), "{message}");
}
