//! The page that a run leaves, and `course report`, which makes it again.

use serde_json::json;

use crate::path;
use crate::run::Run;

const ONE_ROW: [&str; 5] = ["--quick", "--reps", "2", "--workload", "spawn_join"];

fn page(run: &Run, name: &str) -> String {
    let text = std::fs::read_to_string(run.file(name));
    text.unwrap_or_else(|error| panic!("{name} was not written: {error}"))
}

#[test]
fn a_run_leaves_a_page_and_says_where() {
    let run = Run::new();
    run.run(&ONE_ROW)
        .ended_with(0)
        .says(&["The page with the charts:", "report.html"]);
    let page = page(&run, "report.html");
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert!(page.contains("id=\"spawn_join\"") && page.contains("class=\"bar s0\""));
    assert!(
        page.contains("processor time of the process"),
        "what it cost the machine is there"
    );
}

#[test]
fn the_page_goes_where_it_is_told_or_nowhere() {
    let run = Run::new();
    let file = run.file("elsewhere.html");
    run.run(&[&ONE_ROW[..], &["--html", path(&file)]].concat())
        .ended_with(0)
        .says(&["elsewhere.html"]);
    assert!(file.is_file() && !run.file("report.html").exists());
    let run = Run::new();
    let done = run
        .run(&[&ONE_ROW[..], &["--no-html"]].concat())
        .ended_with(0);
    assert!(!done.stdout.contains("The page with"), "{}", done.stdout);
    assert!(!run.file("report.html").exists());
    // Found out before anything is measured.
    let refused = ["--html", "/no/such/folder/x.html"];
    run.run(&refused)
        .ended_with(1)
        .says(&["cannot write", "/no/such/folder/x.html"]);
}

#[test]
fn a_saved_run_becomes_the_same_page_and_a_page_is_a_saved_run() {
    let run = Run::new();
    run.run(&ONE_ROW).ended_with(0);
    let first = page(&run, "report.html");
    run.run(&["report"])
        .ended_with(0)
        .says(&["The page with the charts:"]);
    assert!(
        page(&run, "report.html") == first,
        "of the last run, if none is named"
    );
    let (html, again) = (run.file("report.html"), run.file("again.html"));
    let args = ["report", path(&html), "--html", path(&again)];
    run.run(&args).ended_with(0);
    assert!(page(&run, "again.html") == first, "from the page itself");
    let text = run.file("text.json");
    std::fs::write(&text, "{}").expect("a file");
    run.run(&["report", path(&text)])
        .ended_with(1)
        .says(&["text.json is neither what `compare --json` writes nor a page of it"]);
}

#[test]
fn a_run_is_compared_with_a_stage_and_with_an_earlier_run() {
    let run = Run::new();
    run.run(&ONE_ROW).ended_with(0);
    // A thousand times faster then, so whatever the machine does now, it got slower since.
    let mut earlier = run.json("last.json");
    for result in earlier["results"].as_array_mut().expect("results") {
        for field in ["value", "min", "max"] {
            let value = result[field].as_f64().expect("a number");
            result[field] = json!(value / 1_000.0);
        }
    }
    let file = run.file("earlier.json");
    std::fs::write(&file, earlier.to_string()).expect("a file");
    let args = [
        &ONE_ROW[..],
        &["--baseline", path(&file), "--against", "step01"],
    ]
    .concat();
    run.run(&args).ended_with(0).says(&[
        "Since the run of",
        "✗ step01, spawn_join,",
        "Pair by pair against step01",
    ]);
    assert!(page(&run, "report.html").contains("<h3>Got worse</h3>"));
    run.run(&["--against", "step77"])
        .ended_with(1)
        .says(&["--against step77: this run has step01"]);
    run.run(&["--baseline", "/no/such/file"])
        .ended_with(1)
        .says(&["cannot read /no/such/file"]);
}

#[test]
fn a_guess_stands_beside_what_it_was_about_now_and_in_later_runs() {
    let run = Run::new();
    let args = [&ONE_ROW[..], &["--predict", "--stage", "step01"]].concat();
    run.answer(&args, "a\n").ended_with(0);
    let asked = page(&run, "report.html");
    assert!(asked.contains("Your guess, step01") && asked.contains("fewer than a hundred"));
    // It is kept, and judged again by what is measured next.
    run.run(&ONE_ROW).ended_with(0);
    assert!(page(&run, "report.html").contains("fewer than a hundred"));
    // A file that cannot be read is no reason not to measure.
    std::fs::write(run.file("predictions.json"), "{").expect("a file");
    run.run(&ONE_ROW).ended_with(0);
    assert!(!page(&run, "report.html").contains("Your guess"));
}

/// A stage and a workload that no list of this program has.
#[test]
fn a_stage_and_a_workload_that_nobody_knows_get_their_chart() {
    let run = Run::new();
    run.run(&ONE_ROW).ended_with(0);
    let mut report = run.json("last.json");
    let stage =
        json!({"name": "step99", "title": "made up", "management": "nobody", "kind": "stage"});
    let stages = report["stages"].as_array_mut().expect("stages");
    // The colours go by the place among the stages.
    let bar = format!("class=\"bar s{}\"", stages.len());
    stages.push(stage);
    let like = report["results"][0].clone();
    let results = report["results"].as_array_mut().expect("results");
    let (mut theirs, mut unknown) = (like.clone(), like);
    theirs["stage"] = json!("step99");
    unknown["stage"] = json!("step99");
    unknown["workload"] = json!("levitate");
    unknown["title"] = json!("height reached");
    results.extend([theirs, unknown]);
    let file = run.file("unknown.json");
    std::fs::write(&file, report.to_string()).expect("a file");
    let html = run.file("unknown.html");
    let args = ["report", path(&file), "--html", path(&html)];
    run.run(&args).ended_with(0);
    let page = page(&run, "unknown.html");
    assert!(page.contains("id=\"levitate\"") && page.contains("height reached"));
    assert_eq!(page.matches(&bar).count(), 2, "one in each chart");
}

#[test]
fn growth_is_told_in_the_terminal_when_it_is_asked_for() {
    let run = Run::new();
    let args = [
        "--quick",
        "--reps",
        "1",
        "--workers",
        "2",
        "--workload",
        "scale_workers",
    ];
    run.run(&args).ended_with(0).says(&[
        "More and more workers",
        "step01:",
        "at 1 worker,",
        "at 2 workers",
    ]);
    let page = page(&run, "report.html");
    assert_eq!(
        page.matches("class=\"point s0\"").count(),
        2,
        "a point for each number of workers"
    );
}
