//! `--peers`, with a stand-in for the program that measures them: the real one is tested in its own package, and
//! `.ci/run` runs both together.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::run::{Done, Run, finish, results};

/// A peer that answers each repetition with the same line, and keeps what it was asked in a file.
fn with_peer(run: &Run, answer: &str, args: &[&str]) -> Done {
    let (program, asked) = (run.file("peers"), run.file("asked"));
    let list = format!(
        r#"{{"schema":"course.peers/1","program":"{}","peers":[{{"name":"other","title":"a stand-in",
        "management":"nobody","version":"9.9","workloads":["raw_switch"]}}]}}"#,
        program.display()
    );
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = list ]; then echo '{}'; else echo \"$@\" >> '{}'; echo '{answer}'; fi\n",
        list.replace('\n', ""),
        asked.display()
    );
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("to run it");
    let mut command = run.command(args);
    command.env("COURSE_PEERS", &program);
    finish(&mut command, "")
}

#[test]
fn a_peer_takes_its_turns_and_has_a_column_of_its_own() {
    let run = Run::new();
    let answer = r#"{"Ended":{"measured":[{"metric":"ns_per_switch","unit":"ns","value":1.5,"note":"so said"}]}}"#;
    let args = [
        "--peers",
        "--quick",
        "--reps",
        "2",
        "--workload",
        "switch",
        "raw_switch",
        "--stage",
        "step01",
        "step02",
    ];
    with_peer(&run, answer, &args).ended_with(0).says(&[
        "2 workloads on 2 stages and 1 peer",
        "Context switch",
        "Beside others",
        "other 9.9",
        "a stand-in",
        "Raw resume or suspend",
        "1.50 ns",
        "skipped ¹",
    ]);
    let asked = fs::read_to_string(run.file("asked")).expect("it was asked");
    let once = |size: &str| {
        format!("repetition --peer other --workload raw_switch --size {size} --workers 1\n")
    };
    let expected = [once("test"), once("quick").repeat(2)].concat();
    assert_eq!(asked, expected, "a warm-up, and only what it can do");

    let report = run.json("last.json");
    let other = &report["stages"][2];
    assert_eq!(other["name"], "other");
    assert_eq!(
        (&other["kind"], &other["version"]),
        (&"peer".into(), &"9.9".into())
    );
    assert_eq!(report["stages"][1]["kind"], "stage");
    let of_peer = |workload: &str| -> Vec<Value> {
        let found = results(&report, workload).into_iter();
        found
            .filter(|result| result["stage"] == "other")
            .cloned()
            .collect()
    };
    assert_eq!(
        of_peer("switch"),
        [Value::Null; 0],
        "what it is not made for is no result"
    );
    let raw = of_peer("raw_switch");
    assert_eq!(
        (raw.len(), &raw[0]["n"], &raw[0]["value"]),
        (1, &2.into(), &1.5.into())
    );
}

#[test]
fn a_peer_that_fails_costs_its_cell() {
    let run = Run::new();
    let args = [
        "--peers",
        "--quick",
        "--reps",
        "1",
        "--workload",
        "raw_switch",
        "--stage",
        "step01",
        "step02",
    ];
    with_peer(&run, r#"{"Failed":"41 is not 42"}"#, &args)
        .ended_with(1)
        .says(&["failed ²", "² other, raw_switch: failed: 41 is not 42"]);
}

#[test]
fn peers_that_cannot_be_built_are_missed_in_one_sentence() {
    let run = Run::new();
    let mut command = run.command(&[
        "--peers",
        "--quick",
        "--reps",
        "1",
        "--workload",
        "raw_switch",
        "--stage",
        "step01",
        "step02",
    ]);
    command.env_remove("COURSE_PEERS");
    // In the place of cargo, something that fails at once.
    command.env("CARGO", "false");
    finish(&mut command, "").ended_with(0).says(&[
        "The stages are measured without peers: `false run --release --quiet --package peers -- list --json` failed",
        "Raw resume or suspend",
    ]);
    let columns = run.json("last.json")["stages"].clone();
    assert_eq!(columns.as_array().map(Vec::len), Some(2), "{columns}");
}
