//! Children that crash, hang or answer wrongly: one row of the table is lost, and the reason is told.

use serde_json::Value;

use crate::run::{Run, results};

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
    let args = [
        "--quick",
        "--timeout",
        "1",
        "--stage",
        "step01",
        "--workload",
        "switch",
    ];
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
