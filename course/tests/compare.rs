//! `course compare` as its users meet it: the built program, its output, its files and its exit status.
//!
//! No test asserts how long anything takes. A run that hangs is ended after a minute by a watchdog and fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A run of the program with a folder of its own for what it keeps.
struct Run {
    folder: tempfile::TempDir,
    fault: Option<&'static str>,
}

impl Run {
    fn new() -> Run {
        Run {
            folder: tempfile::tempdir().expect("a temporary folder"),
            fault: None,
        }
    }

    fn with_fault(fault: &'static str) -> Run {
        Run {
            fault: Some(fault),
            ..Run::new()
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn json(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.file(name));
        let text = text.unwrap_or_else(|error| panic!("{name} was not written: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_course"));
        command.args(args);
        command.env("COURSE_DIR", self.folder.path());
        command.env_remove("COURSE_FAULT");
        command.env_remove("RUST_BACKTRACE");
        if let Some(fault) = self.fault {
            command.env("COURSE_FAULT", fault);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        self.answer(args, "")
    }

    /// Runs it with something on stdin.
    fn answer(&self, args: &[&str], input: &str) -> Done {
        finish(&mut self.command(args), input)
    }
}

/// Waits for a program, for a minute at most.
fn finish(command: &mut Command, input: &str) -> Done {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let id = child.id().to_string();
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that does not want its input closes the pipe.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || tx.send(child.wait_with_output()));
    match rx.recv_timeout(Duration::from_secs(60)) {
        Ok(output) => Done::new(output.expect("its output")),
        Err(_) => {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
            panic!("{command:?} hangs");
        }
    }
}

/// What became of a run.
#[derive(Debug)]
struct Done {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Done {
    fn new(output: Output) -> Done {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Done {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    fn ended_with(self, status: i32) -> Done {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    #[track_caller]
    fn says(self, parts: &[&str]) -> Done {
        // Lines may break anywhere.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (stdout, stderr) = (flat(&self.stdout), flat(&self.stderr));
        for part in parts {
            let said = stdout.contains(part) || stderr.contains(part);
            assert!(
                said,
                "{part:?} is not said:\n{}\n{}",
                self.stdout, self.stderr
            );
        }
        self
    }

    #[track_caller]
    fn prints_nothing_to_stdout(self) -> Done {
        assert_eq!(self.stdout, "", "{}", self.stderr);
        self
    }
}

/// The results of a file for one workload.
fn results<'a>(report: &'a Value, workload: &str) -> Vec<&'a Value> {
    let all = report["results"].as_array().expect("a list of results");
    let found: Vec<&Value> = all
        .iter()
        .filter(|result| result["workload"] == workload)
        .collect();
    assert!(!found.is_empty(), "no results for {workload}");
    found
}

#[test]
fn the_list_and_the_explanations_measure_nothing() {
    let run = Run::new();
    let listed = run.run(&["compare", "--list"]).ended_with(0);
    let listed = listed.says(&[
        "step01",
        "spawn_join",
        "Stages",
        "Workloads: the rows of the table",
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
        "--json",
        path(&json),
    ];
    let done = run.run(&args).ended_with(0).says(&[
        "a function call",
        "1 workload on 1 stage",
        "Creation",
        "one OS thread per task",
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

    let found = results(&report, "spawn_join");
    for result in &found {
        assert_eq!(result["stage"], "step01");
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

/// One row fails and the other does not.
fn fails(fault: &'static str, reason: &str) {
    let run = Run::with_fault(fault);
    let args = [
        "--quick",
        "--reps",
        "1",
        "--workload",
        "spawn_join",
        "switch",
    ];
    run.run(&args)
        .ended_with(1)
        .says(&["failed ¹", "¹ step01, switch: failed:", reason]);
    let report = run.json("last.json");
    for result in results(&report, "switch") {
        assert_eq!(result["status"], "failed");
        assert!(
            result["reason"]
                .as_str()
                .expect("a reason")
                .contains(reason),
            "{result}"
        );
        assert_eq!((&result["value"], &result["n"]), (&Value::Null, &0.into()));
    }
    for result in results(&report, "spawn_join") {
        assert_eq!(result["status"], "ok", "{result}");
    }
}

#[test]
fn a_crash_costs_one_row() {
    fails("crash:switch", "signal 11 (SIGSEGV");
    fails("crash:switch", "it wrote: about to crash");
}

#[test]
fn a_panic_costs_one_row() {
    fails("panic:switch", "COURSE_FAULT asks for a panic");
}

#[test]
fn a_wrong_answer_costs_one_row() {
    fails("fail:switch", "41 is not 42");
}

#[test]
fn a_child_without_a_result_costs_one_row() {
    fails("quit:switch", "ended with status 7");
    fails("garble:switch", "without a readable result");
}

#[test]
fn a_child_that_hangs_is_ended_and_costs_one_row() {
    let run = Run::with_fault("hang:switch");
    let args = ["--quick", "--timeout", "1", "--workload", "switch"];
    run.run(&args)
        .ended_with(1)
        .says(&["failed ¹", "no result after 1 s"]);
    assert_eq!(
        results(&run.json("last.json"), "switch")[0]["status"],
        "failed"
    );
}

#[test]
fn what_is_skipped_has_a_reason_and_is_no_failure() {
    let run = Run::with_fault("skip:switch");
    let args = ["--quick", "--workload", "switch"];
    run.run(&args).ended_with(0).says(&[
        "skipped ¹",
        "¹ step01, switch: skipped: COURSE_FAULT asks for it",
    ]);
    let report = run.json("last.json");
    assert_eq!(results(&report, "switch")[0]["status"], "skipped");
}

#[test]
fn guesses_are_asked_for_kept_and_judged() {
    let run = Run::new();
    let args = [
        "--predict",
        "--quick",
        "--reps",
        "1",
        "--workload",
        "spawn_join",
    ];
    run.answer(&args, "nonsense\na\n").ended_with(0).says(&[
        "How many function calls",
        "a) about 10",
        "step01 [pass]:",
        "“nonsense” is none of the answers: a letter from a to e, please.",
        "Your guesses",
        "guessed about 10 · measured",
        "Because a thread",
        "Of 1:",
    ]);
    let kept = |run: &Run| {
        run.json("predictions.json")["guesses"]
            .as_array()
            .expect("guesses")
            .clone()
    };
    let guesses = kept(&run);
    assert_eq!(guesses.len(), 1);
    assert_eq!(
        (&guesses[0]["question"], &guesses[0]["choice"]),
        (&"creation".into(), &0.into())
    );
    let verdict = guesses[0]["verdict"].as_str().expect("a verdict");
    // No thread is created in thirty function calls, however wide the spread.
    assert!(["wrong", "close"].contains(&verdict), "{verdict}");

    // An empty line keeps the guess of last time; another one replaces it, by its words as well as by its letter.
    run.answer(&args, "\n")
        .ended_with(0)
        .says(&["step01 [a]:", "guessed about 10 · measured"]);
    assert_eq!(kept(&run)[0]["choice"], 0);
    run.answer(&args, "About 100,\n")
        .ended_with(0)
        .says(&["guessed about 100,000 or more · measured"]);
    assert_eq!((kept(&run).len(), &kept(&run)[0]["choice"]), (1, &4.into()));
}

#[test]
fn passing_is_allowed() {
    let run = Run::new();
    let args = [
        "--predict",
        "--quick",
        "--reps",
        "1",
        "--workload",
        "spawn_join",
    ];
    run.run(&args)
        .ended_with(0)
        .says(&["step01 [pass]:", "No guess was made."]);
}

#[test]
fn a_guess_about_a_row_that_failed_is_inconclusive() {
    let run = Run::with_fault("crash:spawn_join");
    let args = ["--predict", "--quick", "--workload", "spawn_join"];
    run.answer(&args, "b\n")
        .ended_with(1)
        .says(&["inconclusive: the process was ended by signal 11"]);
    assert_eq!(
        run.json("predictions.json")["guesses"][0]["verdict"],
        "inconclusive"
    );
}

#[test]
fn damaged_guesses_are_not_overwritten() {
    let run = Run::new();
    std::fs::write(run.file("predictions.json"), "{").expect("a file");
    let args = ["--predict", "--workload", "spawn_join"];
    run.run(&args)
        .ended_with(1)
        .says(&["predictions.json is damaged; remove it to start afresh"]);
    assert_eq!(
        std::fs::read_to_string(run.file("predictions.json")).expect("a file"),
        "{"
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

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}
