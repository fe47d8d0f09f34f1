//! The example that measures: it runs in its shortest form, says what its help promises, and refuses what it does not know.

use std::process::{Command, Output};

use serde_json::Value;

/// Runs the example with these options. Cargo builds it first if need be.
fn ping_pong(options: &[&str]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "run",
        "--quiet",
        "-p",
        "stackless",
        "--example",
        "ping_pong",
        "--",
    ]);
    cargo.args(options).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const SHORT: [&str; 6] = ["--reps", "2", "--millis", "1", "--tasks", "2000"];

#[test]
fn it_measures_every_form_and_prints_it_as_json() {
    let mut options = SHORT.to_vec();
    options.push("--json");
    let output = ping_pong(&options);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["schema"], "stackless/1");
    let number = |path: &str| {
        all.pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("{path}"))
    };
    for form in ["async_fn", "by_hand", "stackful"] {
        let [min, median, max] = ["min", "median", "max"]
            .map(|which| number(&format!("/{form}/ns_per_round_trip/{which}")));
        assert!(
            0.0 < min && min <= median && median <= max,
            "{form}: {min} {median} {max}"
        );
    }
    for form in ["async_fn", "by_hand"] {
        assert!(number(&format!("/over_stackful/{form}/median")) > 0.0);
        // A future of some dozen bytes against a page: whatever the allocator does, that is a multiple.
        let [future, stack] =
            [form, "stackful"].map(|form| number(&format!("/{form}/resident_per_task")));
        assert!(
            future * 4.0 < stack,
            "{form}: {future} bytes against {stack}"
        );
        assert!(number(&format!("/bytes/ping_{form}")) < number("/bytes/page"));
    }
}

#[test]
fn it_prints_a_table_for_people() {
    let output = ping_pong(&SHORT);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for part in [
        "async fn",
        "state machine by hand",
        "a stack for each task",
        "2000 tasks",
        "page tables",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
}

#[test]
fn it_helps_and_refuses() {
    let help = text(&ping_pong(&["--help"]).stdout);
    for option in ["--reps", "--millis", "--tasks", "--json", "--help"] {
        assert!(help.contains(option), "{option}: {help}");
    }
    for (options, said) in [
        (["--reps", "0"], "--reps 0: at least one is needed"),
        (["--tasks", "many"], "--tasks many: invalid digit"),
        (
            ["--json", "--nonsense"],
            "there is no option --nonsense; see --help",
        ),
        (["--json", "--reps"], "--reps is followed by nothing"),
    ] {
        let output = ping_pong(&options);
        let errors = text(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(said),
            "{options:?}: {errors}"
        );
    }
}
