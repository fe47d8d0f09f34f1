//! `cargo course mutants`, on a toy workspace that shows every verdict, and on the real list.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A package without dependencies, and patches for it.
struct Toy {
    dir: tempfile::TempDir,
}

const LIB: &str = "\
//! Counts.

/// One more.
pub fn next(n: u32) -> u32 {
    n + 1
}

/// Two more.
pub fn after_next(n: u32) -> u32 {
    next(next(n))
}
";

const TESTS: &str = "\
#[test]
fn counts() {
    assert_eq!(toy::next(1), 2, \"one more than one\");
}
";

impl Toy {
    fn new() -> Toy {
        let toy = Toy {
            dir: tempfile::tempdir().unwrap(),
        };
        toy.write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"step09-toy\"]\nresolver = \"3\"\n",
        );
        toy.write(
            "step09-toy/Cargo.toml",
            "[package]\nname = \"toy\"\nedition = \"2024\"\n[lib]\ntest = false\ndoctest = false\n",
        );
        toy.write("step09-toy/src/lib.rs", LIB);
        toy.write("step09-toy/tests/count.rs", TESTS);
        toy
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A mutant that exchanges one line of the library.
    fn mutant(&self, name: &str, from: &str, to: &str, test: &str, expect: &str) {
        let text = format!(
            "# name: {name}\n# bug: none, a toy\n# test: {test}\n# expect: {expect}\n# story: Told by {name}.\n\
             --- a/step09-toy/src/lib.rs\n+++ b/step09-toy/src/lib.rs\n@@ -5,1 +5,1 @@\n-{from}\n+{to}\n"
        );
        self.write(&format!("step09-toy/mutants/{name}.patch"), &text);
    }

    fn run(&self, args: &[&str]) -> Output {
        course(
            &[
                &["mutants", "--workspace", self.dir.path().to_str().unwrap()],
                args,
            ]
            .concat(),
        )
    }
}

fn course(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_course"))
        .args(args)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const TEST: &str = "cargo test -p toy --test count";

#[test]
fn each_way_to_fail_has_its_verdict() {
    let toy = Toy::new();
    toy.mutant(
        "a_caught",
        "    n + 1",
        "    n + 2",
        TEST,
        "one more than one",
    );
    toy.mutant(
        "b_survives",
        "    next(next(n))",
        "    next(n)",
        TEST,
        "one more than one",
    );
    toy.mutant("c_other_reason", "    n + 1", "    n + 2", TEST, "deadlock");
    toy.mutant(
        "d_stale",
        "    n + 7",
        "    n + 2",
        TEST,
        "one more than one",
    );
    toy.mutant(
        "e_refused",
        "    n + 1",
        "    n + \"1\"",
        TEST,
        "one more than one",
    );
    let nothing = "cargo test -p toy --test count no_such_test";
    toy.mutant(
        "f_dead_filter",
        "    n + 1",
        "    n + 2",
        nothing,
        "one more than one",
    );
    let results = toy.dir.path().join("results.json");
    let output = toy.run(&["--json", results.to_str().unwrap()]);
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.contains("1 of 6 mutants caught"), "{text}");

    let results: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(results).unwrap()).unwrap();
    let verdicts: Vec<&str> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["verdict"].as_str().unwrap())
        .collect();
    let expected = [
        "caught",
        "survived",
        "failed for another reason",
        "does not apply",
        "does not compile",
        "test fails without it",
    ];
    assert_eq!(verdicts, expected, "{text}");
    // The tree that was copied is as it was.
    assert_eq!(
        fs::read_to_string(toy.dir.path().join("step09-toy/src/lib.rs")).unwrap(),
        LIB
    );

    let output = toy.run(&["a_caught", "--step", "9"]);
    assert!(
        output.status.success(),
        "the copy was left mutated: {}",
        self::text(&output)
    );
}

#[test]
fn a_hang_counts_only_where_it_is_expected() {
    let toy = Toy::new();
    let hang = "    loop { std::thread::park() }";
    toy.mutant("expected", "    n + 1", hang, TEST, "hang");
    let output = toy.run(&["--timeout", "8"]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_mutant_is_listed_shown_and_refused_by_name() {
    let toy = Toy::new();
    toy.mutant(
        "off_by_one",
        "    n + 1",
        "    n + 2",
        TEST,
        "one more than one",
    );
    let listed = text(&toy.run(&["--list"]));
    assert!(
        listed.contains("off_by_one") && listed.contains("step09-toy/src/lib.rs"),
        "{listed}"
    );
    let shown = text(&toy.run(&["--show", "off_by_one"]));
    assert!(
        shown.contains("Told by off_by_one.") && shown.contains("+    n + 2"),
        "{shown}"
    );
    let output = toy.run(&["off_by_two"]);
    assert!(!output.status.success());
    assert!(
        text(&output).contains("there is no mutant `off_by_two`"),
        "{}",
        text(&output)
    );
    let output = toy.run(&["--step", "step01"]);
    assert!(
        !output.status.success(),
        "an empty choice must not pass for a proof"
    );

    toy.write(
        "step09-toy/mutants/headless.patch",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n",
    );
    let output = toy.run(&["--list"]);
    assert!(!output.status.success());
    assert!(
        text(&output).contains("headless.patch"),
        "{}",
        text(&output)
    );
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

#[test]
fn the_real_mutants_are_well_formed() {
    let output = course(&["mutants", "--list"]);
    assert!(output.status.success(), "{}", text(&output));
}

/// "One at least per protocol file": a file that names its primitives through `crate::sync` is one that loom compiles.
#[test]
fn every_protocol_file_has_a_mutant() {
    let mut lonely = Vec::new();
    for step in fs::read_dir(workspace())
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let name = step.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("step") {
            continue;
        }
        let mut patches = String::new();
        for patch in fs::read_dir(step.join("mutants")).into_iter().flatten() {
            patches += &fs::read_to_string(patch.unwrap().path()).unwrap();
        }
        for entry in walkdir::WalkDir::new(step.join("src")) {
            let entry = entry.unwrap();
            let file = entry
                .path()
                .strip_prefix(workspace())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if !file.ends_with(".rs") || file.ends_with("/sync.rs") {
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            if text.contains("use crate::sync::") && !patches.contains(&format!("--- a/{file}\n")) {
                lonely.push(file);
            }
        }
    }
    assert!(lonely.is_empty(), "no mutant for {lonely:#?}");
}
