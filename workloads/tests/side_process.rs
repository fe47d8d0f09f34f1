//! Load clients and services as processes of their own; and the examples, which use them.
//!
//! The only test whose `main` is its own: the process that it starts is itself, and has to become what it is asked to.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Output, Stdio};

use step01::Threads;
use workloads::catalog::{self, Outcome, Params, Size};
use workloads::examples;
use workloads::side::{self, Side};
use workloads::testing::Watchdog;

/// Set to the name of an example: the process runs it, as the example's own `main` would.
const EXAMPLE: &str = "WORKLOADS_TEST_EXAMPLE";

fn main() -> ExitCode {
    side::become_if_asked();
    let rt = Threads::new();
    match std::env::var(EXAMPLE).as_deref() {
        Ok("web_server") => return examples::web_server(&rt),
        Ok("pipeline") => return examples::pipeline(&rt),
        Ok("concurrent_calls") => return examples::concurrent_calls(&rt),
        _ => {}
    }
    // A filter is not worth the trouble for so few; but what only wants the list must not wait for the tests.
    if std::env::args().any(|argument| argument == "--list") {
        println!("side_process: test");
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, fn()); 6] = [
        (
            "workloads_run_with_a_side_process",
            workloads_run_with_a_side_process,
        ),
        (
            "a_side_process_ends_when_its_parent_does",
            a_side_process_ends_when_its_parent_does,
        ),
        (
            "a_side_process_ends_when_it_is_told_to",
            a_side_process_ends_when_it_is_told_to,
        ),
        (
            "a_role_that_is_none_is_refused",
            a_role_that_is_none_is_refused,
        ),
        (
            "the_examples_say_what_happened",
            the_examples_say_what_happened,
        ),
        (
            "the_examples_name_a_wrong_option",
            the_examples_name_a_wrong_option,
        ),
    ];
    for (name, test) in tests {
        let _watchdog = Watchdog::new(name);
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn workloads_run_with_a_side_process() {
    let params = Params {
        size: Size::Test,
        workers: 2,
        side: Side::Process,
    };
    for name in ["web_server", "fan_out", "echo_64"] {
        match catalog::run(name, &Threads::new(), &params) {
            Ok(Outcome::Measured(samples)) => {
                assert!(samples[0].value > 0.0, "{name}: {samples:?}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// This program, asked to become `role`, up to where it says that it is ready.
fn side_process(role: &str) -> (Child, impl BufRead) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("WORKLOADS_SIDE_ROLE", role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"Ready\":{\"ports\":["), "{line}");
    (child, output)
}

/// One service that would stay for an hour.
const SERVICES: &str = r#"{"Services":{"services":[{"name":"a","delay":{"secs":0,"nanos":0}}],
    "limit":{"secs":3600,"nanos":0},"most_connections":1}}"#;

fn a_side_process_ends_when_its_parent_does() {
    let (mut child, mut output) = side_process(SERVICES);
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "\"Go\"").unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "\"Started\"");
    // What the kernel does when a parent dies, in whatever way: it closes the parent's end of the pipe.
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

fn a_side_process_ends_when_it_is_told_to() {
    let (mut child, output) = side_process(SERVICES);
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "\"Go\"\n\"Stop\"").unwrap();
    let lines: Vec<String> = output.lines().map(Result::unwrap).collect();
    assert_eq!(
        lines,
        ["\"Started\"", r#"{"Report":{"Services":{"answered":0}}}"#]
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn a_role_that_is_none_is_refused() {
    let output = Command::new(std::env::current_exe().unwrap())
        .env("WORKLOADS_SIDE_ROLE", "{\"Dance\":{}}")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("WORKLOADS_SIDE_ROLE is set, but not to a role"),
        "{text}"
    );
}

fn example(name: &str, arguments: &[&str]) -> (Output, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .env(EXAMPLE, name)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

fn the_examples_say_what_happened() {
    for (name, arguments, expected) in [
        (
            "web_server",
            ["--clients=16", "--seconds=1"].as_slice(),
            [
                "every one checked",
                "All were served after",
                "every task has ended",
            ],
        ),
        (
            "pipeline",
            &["--passes=1"],
            [
                "The most frequent: ",
                "plain loop:",
                "Both counted the same",
            ],
        ),
        (
            "concurrent_calls",
            &["--askers=3"],
            [
                "All at once, on step01:",
                "With a deadline of 80 ms",
                "30 calls, every answer checked",
            ],
        ),
    ] {
        let (output, text) = example(name, arguments);
        assert!(output.status.success(), "{name}: {output:?}");
        for phrase in expected {
            assert!(
                text.contains(phrase),
                "{name} does not say {phrase:?}:\n{text}"
            );
        }
    }
}

fn the_examples_name_a_wrong_option() {
    let (output, _) = example("pipeline", &["--pases=3"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("there is no option \"--pases\""), "{text}");
    let (output, text) = example("web_server", &["--help"]);
    assert!(output.status.success());
    assert!(text.contains("--serve PORT"), "{text}");
}
