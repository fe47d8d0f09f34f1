//! `course compare` as its users meet it: the built program, its output, its files and its exit status.
//!
//! No test asserts how long anything takes. A run that hangs is ended after a minute by a watchdog and fails.

#[path = "compare/faults.rs"]
mod faults;
#[path = "compare/page.rs"]
mod page;
#[path = "compare/peers.rs"]
mod peers;
#[path = "compare/predict.rs"]
mod predict;
#[path = "compare/run.rs"]
mod run;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use run::{Run, finish, results};

#[test]
fn the_list_and_the_explanations_measure_nothing() {
    let run = Run::new();
    let listed = run.run(&["compare", "--list"]).ended_with(0);
    let listed = listed.says(&[
        "step01",
        "spawn_join",
        "Stages",
        "Workloads: the rows of the table",
        "Parts of a runtime: only with --full or --peers, or by name",
        "cargo run --release -p peers",
    ]);
    assert_eq!(listed.stderr, "");
    run.run(&["compare", "--explain", "spawn_join"])
        .ended_with(0)
        .says(&[
            "spawn_join:",
            "What it reports",
            "ns_per_task",
            "lower is better; in the table",
            "cargo course compare --workload spawn_join",
        ]);
    let kept = std::fs::read_dir(run.folder.path())
        .expect("the folder")
        .count();
    assert_eq!(kept, 0, "nothing was measured, so nothing is kept");
}

#[test]
fn the_options_may_follow_without_the_commands_name() {
    let run = Run::new();
    let long = run.run(&["compare", "--list"]).ended_with(0);
    assert_eq!(run.run(&["--list"]).ended_with(0).stdout, long.stdout);
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let run = Run::new();
    let wrong = |args: &[&str], parts: &[&str]| {
        run.run(args)
            .ended_with(2)
            .says(parts)
            .prints_nothing_to_stdout();
    };
    wrong(
        &["compare", "--workload", "spwn_join"],
        &[
            "invalid value 'spwn_join'",
            "possible values: spawn_join",
            "similar value exists: 'spawn_join'",
        ],
    );
    wrong(
        &["compare", "--stage", "step1"],
        &[
            "invalid value 'step1'",
            "possible values: step01",
            "similar value exists: 'step01'",
        ],
    );
    wrong(
        &["compare", "--explain", "nothing"],
        &["possible values: spawn_join"],
    );
    wrong(&["--qick"], &["unexpected argument '--qick'", "--quick"]);
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let run = Run::new();
    let refused = |args: &[&str], status: i32, parts: &[&str]| {
        run.run(args)
            .ended_with(status)
            .says(parts)
            .prints_nothing_to_stdout();
    };
    refused(
        &["--quick", "--full"],
        2,
        &["'--quick' cannot be used with '--full'"],
    );
    refused(&["--list", "--quick"], 2, &["'--list' cannot be used with"]);
    refused(
        &["--explain", "spawn_join", "--predict"],
        2,
        &["'--explain <WORKLOAD>' cannot be used with"],
    );
    refused(&["--workers", "0"], 2, &["0 is not in 1..=1024"]);
    refused(&["--reps", "0"], 2, &["0 is not in 1..=1000"]);
    refused(
        &["--predict", "--workload", "fan_in"],
        1,
        &["nothing to predict", "spawn_join"],
    );
    // Found out before anything is measured.
    refused(
        &["--json", "/no/such/folder/x.json"],
        1,
        &["cannot write the results to /no/such/folder/x.json"],
    );
}

#[test]
fn help_teaches() {
    let run = Run::new();
    run.run(&["compare", "--help"]).ended_with(0).says(&[
        "Examples:",
        "cargo course compare --predict",
        "Exit status:",
        "Every repetition runs in a process of its own",
        "target/course/last.json",
    ]);
}

#[test]
fn a_small_run_prints_a_row_and_writes_what_it_found() {
    let run = Run::new();
    let json = run.file("out.json");
    let args = [
        "--quick",
        "--reps",
        "2",
        "--workload",
        "spawn_join",
        "--stage",
        "step01",
        "step02",
        "--json",
        path(&json),
    ];
    let done = run.run(&args).ended_with(0).says(&[
        "a function call",
        "1 workload on 2 stages",
        "Creation",
        "one OS thread per task",
        "many tasks on one thread",
        "last.json",
    ]);
    assert_eq!(
        done.stderr, "",
        "no progress bar where there is no terminal"
    );
    assert!(
        !done.stdout.contains('\x1b'),
        "no colours where there is no terminal"
    );

    let report = run.json("out.json");
    assert_eq!(report, run.json("last.json"));
    assert_eq!(report["schema"], "course.compare/1");
    let date = report["date"].as_str().expect("a date");
    assert_eq!(
        (date.len(), &date[10..11], &date[19..]),
        (20, "T", "Z"),
        "{date}"
    );
    assert!(
        report["command"]
            .as_array()
            .expect("a command line")
            .iter()
            .any(|word| word == "--quick")
    );
    assert_eq!(report["settings"]["size"], "quick");
    let machine = &report["machine"];
    for fact in [
        "cores",
        "memory",
        "page_size",
        "function_call_ns",
        "system_call_ns",
    ] {
        assert!(machine[fact].as_f64().expect(fact) > 0.0, "{fact}");
    }
    for fact in [
        "cpu",
        "kernel",
        "rustc",
        "huge_pages",
        "architecture",
        "profile",
    ] {
        assert!(!machine[fact].as_str().expect(fact).is_empty(), "{fact}");
    }

    let stages: Vec<(&Value, &Value)> = report["stages"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|stage| (&stage["name"], &stage["kind"]))
        .collect();
    let stage = "stage".into();
    assert_eq!(
        stages,
        [(&"step01".into(), &stage), (&"step02".into(), &stage)]
    );
    let found = results(&report, "spawn_join");
    assert!(found.iter().any(|result| result["stage"] == "step01"));
    assert!(found.iter().any(|result| result["stage"] == "step02"));
    for result in &found {
        assert_eq!(result["status"], "ok");
        assert_eq!(result["reason"], Value::Null);
        assert_eq!(result["n"], 2);
        assert!(result["workers"].as_u64().expect("workers") >= 1);
        let number = |name: &str| {
            result[name]
                .as_f64()
                .unwrap_or_else(|| panic!("no {name} in {result}"))
        };
        assert!(
            number("min") <= number("value") && number("value") <= number("max"),
            "{result}"
        );
        assert_eq!(result["samples"].as_array().expect("samples").len(), 2);
    }
    let headline = found
        .iter()
        .find(|result| result["headline"] == true)
        .expect("a headline");
    assert_eq!(
        (&headline["metric"], &headline["unit"]),
        (&"ns_per_task".into(), &"ns".into())
    );
    assert!(headline["value"].as_f64().expect("a value") > 0.0);
}

#[test]
fn a_part_that_a_stage_does_not_have_is_skipped_and_says_so() {
    let run = Run::new();
    run.run(&["--quick", "--reps", "1", "--workload", "raw_switch"])
        .ended_with(0)
        .says(&[
            "skipped ¹",
            "¹ step01, raw_switch: skipped: step01 has no coroutine",
        ]);
    let report = run.json("last.json");
    let status = |stage: &str| {
        let found = results(&report, "raw_switch");
        let of_stage = found.into_iter().find(|result| result["stage"] == stage);
        of_stage.expect("an entry for each stage")["status"].clone()
    };
    assert_eq!(
        (status("step01"), status("step02")),
        ("skipped".into(), "ok".into())
    );
}

#[test]
fn the_number_of_workers_reaches_the_workload_unless_it_is_about_one() {
    let run = Run::new();
    let args = [
        "--quick",
        "--reps",
        "1",
        "--workers",
        "3",
        "--workload",
        "switch",
        "spawn_join",
    ];
    run.run(&args).ended_with(0);
    let report = run.json("last.json");
    assert_eq!(report["settings"]["workers"], 3);
    assert_eq!(results(&report, "spawn_join")[0]["workers"], 3);
    assert_eq!(results(&report, "switch")[0]["workers"], 1);
    // In the order of the table, however they were named.
    assert_eq!(report["results"][0]["workload"], "spawn_join");
}

#[test]
fn results_that_cannot_be_kept_are_still_shown() {
    let run = Run::new();
    let mut command = run.command(&["--quick", "--reps", "1", "--workload", "spawn_join"]);
    command.env("COURSE_DIR", "/dev/null/course");
    finish(&mut command, "").ended_with(0).says(&[
        "Creation",
        "could not be kept in /dev/null/course/last.json",
        "could not be kept in /dev/null/course/report.html",
    ]);
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let run = Run::new();
    let program = env!("CARGO_BIN_EXE_course");
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!(
        "{{ '{program}' --list; echo ended with $? >&2; }} | head -n 1"
    ));
    shell.env("COURSE_DIR", run.folder.path());
    let done = finish(&mut shell, "").says(&["Stages", "ended with 0"]);
    assert!(
        !done.stderr.contains("panicked") && !done.stderr.contains("error"),
        "{}",
        done.stderr
    );
}

#[test]
fn one_repetition_can_be_run_alone() {
    let run = Run::new();
    let args = [
        "repetition",
        "--stage",
        "step01",
        "--workload",
        "spawn_join",
        "--size",
        "test",
    ];
    let done = run.run(&args).ended_with(0);
    let last: Value = serde_json::from_str(done.stdout.trim_end()).expect("one line of JSON");
    assert_eq!(last["Ended"]["measured"][0]["metric"], "ns_per_task");
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}
