//! `--predict`, with the answers piped in.

use crate::run::Run;

/// Asks about one row, and measures it as briefly as can be.
const ONE_ROW: [&str; 9] = [
    "--predict",
    "--quick",
    "--reps",
    "1",
    "--stage",
    "step01",
    "step02",
    "--workload",
    "spawn_join",
];

#[test]
fn guesses_are_asked_for_kept_and_judged() {
    let run = Run::new();
    let args = [
        "--predict",
        "--quick",
        "--reps",
        "1",
        "--stage",
        "step01",
        "--workload",
        "spawn_join",
    ];
    run.answer(&args, "nonsense\na\n").ended_with(0).says(&[
        "How many function calls",
        "a) fewer than a hundred",
        "step01 [pass]:",
        "“nonsense” is none of the answers: a letter from a to e, please.",
        "Your guesses",
        "guessed fewer than a hundred · measured",
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
    // No thread is created in the time of a hundred function calls, however wide the spread.
    assert!(["wrong", "close"].contains(&verdict), "{verdict}");

    // An empty line keeps the guess of last time; another one replaces it, by its words as well as by its letter.
    run.answer(&args, "\n")
        .ended_with(0)
        .says(&["step01 [a]:", "guessed fewer than a hundred · measured"]);
    assert_eq!(kept(&run)[0]["choice"], 0);
    run.answer(&args, "Hundreds of\n")
        .ended_with(0)
        .says(&["guessed hundreds of thousands · measured"]);
    assert_eq!((kept(&run).len(), &kept(&run)[0]["choice"]), (1, &4.into()));
}

#[test]
fn a_second_stage_is_asked_about_by_itself_and_against_the_first() {
    let run = Run::new();
    // A thread, a coroutine, and the one against the other.
    run.answer(&ONE_ROW, "e\na\na\n").ended_with(0).says(&[
        "step01 [pass]:",
        "step02 [pass]:",
        "step02 against step01 [pass]:",
        "How many times cheaper",
        "Because a thread is a stack to map",
        "Because a spawned task is a closure in a queue",
        "Of 3:",
    ]);
    let guesses = run.json("predictions.json")["guesses"].clone();
    let asked = |i: usize| (guesses[i]["stage"].clone(), guesses[i]["before"].clone());
    assert_eq!(asked(1), ("step02".into(), serde_json::Value::Null));
    assert_eq!(asked(2), ("step02".into(), "step01".into()));
    // A coroutine is much cheaper than a thread on any machine, so the guess "hardly" cannot be right.
    let verdict = guesses[2]["verdict"].as_str().expect("a verdict");
    assert!(["wrong", "close"].contains(&verdict), "{verdict}");
}

#[test]
fn passing_is_allowed() {
    let run = Run::new();
    run.run(&ONE_ROW)
        .ended_with(0)
        .says(&["step01 [pass]:", "No guess was made."]);
}

#[test]
fn a_guess_about_a_row_that_failed_is_inconclusive() {
    let run = Run::with_fault("crash:spawn_join");
    let args = [
        "--predict",
        "--quick",
        "--stage",
        "step01",
        "--workload",
        "spawn_join",
    ];
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
