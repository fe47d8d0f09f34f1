//! The page as a whole: what is on it for which report.

use super::*;
use crate::compare::results::tests::report;
use crate::compare::results::{Along, Column, Judged, Kind, Measurement, Status};

/// Two stages and a peer.
fn run() -> Report {
    let mut run = report(&["step01", "step02", "go"], |stage, _, _| match stage {
        "step01" => 90_000.0,
        "step02" => 80.0,
        _ => 178.0,
    });
    run.stages[2].kind = Kind::Peer;
    run.stages[2].version = Some("1.27".to_owned());
    run
}

fn count(page: &str, what: &str) -> usize {
    page.matches(what).count()
}

#[test]
fn every_workload_has_its_chart_and_every_stage_its_bar() {
    let run = run();
    let page = page(&run);
    let cards = count(&page, "<article class=\"card\"");
    assert_eq!(cards, run.workloads.len());
    assert_eq!(count(&page, "class=\"bar s0\""), cards);
    assert_eq!(count(&page, "class=\"bar s1\""), cards);
    assert_eq!(count(&page, "class=\"bar p0\""), cards);
    for row in &run.workloads {
        assert!(
            page.contains(&format!("id=\"{}\"", row.name)),
            "{}",
            row.name
        );
    }
    assert!(page.contains("1,100 times less"), "the step is told");
    assert!(
        page.contains("Beside it, go: 178 ns, 2.2 times more than step02."),
        "the peer is told"
    );
}

#[test]
fn a_peer_has_a_column_in_the_table_if_it_has_a_row_there() {
    let seed = |run: &Report| {
        let page = page(run);
        let section = page
            .split("id=\"seed\"")
            .nth(1)
            .expect("the table")
            .to_owned();
        section
            .split("</section>")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mut run = run();
    assert!(seed(&run).contains("(peer)"));
    run.results
        .retain(|result| result.stage != "go" || result.workload == "raw_switch");
    assert!(!seed(&run).contains("(peer)"));
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let page = page(&run());
    assert_eq!(count(&page, "<script"), 1, "the JSON alone");
    assert!(page.contains(DATA_BEGIN));
    for fetches in ["src=", "@import", "url(", "<iframe"] {
        assert!(!page.contains(fetches), "{fetches}");
    }
    let links: Vec<&str> = page.split("href=\"").skip(1).collect();
    for link in links {
        assert!(
            link.starts_with('#') || link.starts_with("data:"),
            "{}",
            &link[..40.min(link.len())]
        );
    }
}

#[test]
fn a_page_holds_its_report() {
    let mut run = run();
    // What would end the script, or the page, if it were not escaped.
    run.command.push("</script><b>&".to_owned());
    let page = page(&run);
    let back: Report = serde_json::from_str(results_in(&page)).expect("the JSON inside");
    assert_eq!(back, run);
    assert!(!page.contains("<b>&"), "it is escaped where it is shown");
    assert_eq!(results_in("{}"), "{}");
}

/// The promise that a new stage and a new workload appear without a change here: names that no list of this program
/// has, one workload with a number and one along an axis that nobody has heard of.
#[test]
fn what_nobody_has_described_is_shown_all_the_same() {
    let mut run = report(&["step01"], |_, _, _| 10.0);
    run.workloads.clear();
    let like = run.results[0].clone();
    run.stages.push(Column {
        name: "step99".to_owned(),
        title: "quantum threads".to_owned(),
        management: "nobody knows".to_owned(),
        ..run.stages[0].clone()
    });
    let made_up = |workload: &str, stage: &str, value: f64| Measurement {
        workload: workload.to_owned(),
        stage: stage.to_owned(),
        unit: "qubits".to_owned(),
        title: "entangled".to_owned(),
        value: Some(value),
        samples: vec![value],
        ..like.clone()
    };
    run.results.push(made_up("entangle", "step01", 7.0));
    run.results.push(made_up("entangle", "step99", 7_000.0));
    for (at, value) in [(1.0, 3.0), (2.0, 4.0), (64.0, 5.0)] {
        run.results.push(Measurement {
            headline: false,
            metric: "depth".to_owned(),
            at: Some(at),
            along: Some(Along {
                title: "universes".to_owned(),
                unit: "universes".to_owned(),
            }),
            ..made_up("branch", "step99", value)
        });
    }
    let json = serde_json::to_string(&run).expect("JSON");
    let page = page(&serde_json::from_str(&json).expect("a report"));
    assert!(page.contains("quantum threads") && page.contains("nobody knows"));
    assert!(page.contains("id=\"entangle\"") && page.contains("id=\"branch-depth\""));
    assert!(page.contains("7,000 qubits"), "the number is there");
    assert_eq!(
        count(&page, "class=\"bar s1\""),
        1,
        "one bar of the new stage"
    );
    assert_eq!(count(&page, "class=\"point s1\""), 3, "and three points");
    assert!(page.contains("From step01 to step99"), "the step is told");
}

#[test]
fn what_was_not_measured_says_why() {
    let mut run = run();
    for result in run
        .results
        .iter_mut()
        .filter(|result| result.workload == "switch")
    {
        (result.value, result.status) = (None, Status::Skipped);
        result.reason = Some("no <clock> at all".to_owned());
    }
    let page = page(&run);
    assert!(!page.contains("id=\"switch\""), "no chart of nothing");
    assert!(page.contains("skipped: no &lt;clock&gt; at all"));
}

#[test]
fn guesses_stand_beside_what_was_measured() {
    let mut run = run();
    run.guesses.push(Judged {
        date: run.date.clone(),
        workload: "spawn_join".to_owned(),
        stage: "step01".to_owned(),
        before: None,
        question: "How many calls?".to_owned(),
        guess: "hundreds".to_owned(),
        measured: Some("90,000 function calls".to_owned()),
        verdict: "wrong".to_owned(),
        because: "a thread is more than a call".to_owned(),
    });
    let page = page(&run);
    let card = page.split("id=\"spawn_join\"").nth(1).expect("its card");
    let card = card.split("</article>").next().expect("its end");
    for part in [
        "class=\"guess wrong\"",
        "How many calls?",
        "hundreds",
        "90,000 function calls",
    ] {
        assert!(card.contains(part), "{part} is not in {card}");
    }
}

#[test]
fn noise_is_marked_where_it_is() {
    let mut run = run();
    let result = run
        .results
        .iter_mut()
        .find(|result| result.headline)
        .expect("a headline");
    (result.min, result.max) = (Some(1.0), Some(1e6));
    run.noise.remarks = vec!["the host was elsewhere".to_owned()];
    let page = page(&run);
    assert!(page.contains("class=\"noisy\">noisy"), "in the table");
    assert!(page.contains("The host was elsewhere."), "and at the foot");
}
