//! The sections of the page, from its head to its foot.

use maud::{Markup, PreEscaped, html};

use super::view;
use super::{Chart, DATA_BEGIN, DATA_END, charts, sentences, table};
use crate::compare::ratios::Ratio;
use crate::compare::repetition::Scale;
use crate::compare::results::{Change, Described, Judged, Kind, Report};
use crate::compare::{story, units};
use crate::stages;

/// What this is, of which machine, and how to make it again.
pub(super) fn head(report: &Report, title: &str) -> Markup {
    let machine = &report.machine;
    let cores = match machine.cores {
        1 => "1 core".to_owned(),
        n => format!("{n} cores"),
    };
    let memory = units::quantity(machine.memory as f64, "bytes");
    html! {
        header {
            h1 { (title) }
            p.lead {
                "What a task costs when it is an OS thread, and what is left of that step by step. Measured on "
                (cores) " of " (machine.cpu) " with " (memory) " of memory, " (machine.kernel) ", on "
                (date(&report.date)) "."
            }
            @if report.settings.size != Scale::Default && report.settings.size != Scale::Full {
                p.remark { "These are the small workloads of a quick run: rough numbers." }
            }
            (legend(report))
        }
    }
}

/// The day and the minute of a date such as `2026-01-31T12:00:00Z`.
fn date(text: &str) -> String {
    match text.split_once('T') {
        Some((day, time)) => format!("{day}, {} UTC", time.get(..5).unwrap_or(time)),
        None => text.to_owned(),
    }
}

/// Which colour is whose.
fn legend(report: &Report) -> Markup {
    html! {
        ul.legend {
            @for shown in view::columns(report) {
                li {
                    span class={ "swatch " (shown.tone.class()) } {}
                    strong { (shown.column.name) }
                    " " span.quiet {
                        (shown.column.title)
                        @if let Some(version) = &shown.column.version { ", " (version) }
                    }
                }
            }
        }
    }
}

/// What the numbers say, in a few sentences.
pub(super) fn findings(report: &Report) -> Markup {
    let sentences = story::sentences(report);
    html! {
        @if !sentences.is_empty() {
            section #findings {
                h2 { "What this says" }
                ul.findings { @for sentence in &sentences { li { (prose(sentence)) } } }
            }
        }
    }
}

/// A section for each group, with a card for each of its workloads.
pub(super) fn groups(report: &Report, rows: &[Described]) -> Markup {
    html! {
        @for (_, heading, says) in view::GROUPS {
            @let cards: Vec<Markup> = rows
                .iter()
                .filter(|row| view::heading(row) == *heading)
                .flat_map(|row| cards(report, row))
                .collect();
            @if !cards.is_empty() {
                section {
                    h2 { (heading) }
                    p.quiet { (says) }
                    div.cards { @for card in &cards { (card) } }
                }
            }
        }
    }
}

/// A card for each chart of a workload. The first has the guesses, the last has the numbers.
fn cards(report: &Report, row: &Described) -> Vec<Markup> {
    let charts = charts::of(report, row);
    if charts.is_empty() {
        return without_a_chart(report, row).into_iter().collect();
    }
    let (count, several) = (charts.len(), charts.len() > 1);
    let card = |(i, chart): (usize, &Chart)| {
        html! {
            article.card id=(chart.name) {
                h3 { (row.title) }
                p.quiet.what {
                    @if several || row.title != chart.title { (chart.title) ", " }
                    (chart.better)
                }
                figure { (chart.drawing) }
                ul.says { @for sentence in &chart.says { li { (sentence) } } }
                @if i == 0 { (mechanisms(report, row)) (guesses(report, row)) }
                @if i + 1 == count { (table::everything(report, row)) }
            }
        }
    };
    charts.iter().enumerate().map(card).collect()
}

/// A card for a workload of which nothing was measured, with the reasons; none for one that nobody tried.
fn without_a_chart(report: &Report, row: &Described) -> Option<Markup> {
    let says = sentences::of_bars(report, &row.name);
    (!says.is_empty()).then(|| {
        html! {
            article.absent {
                h3 { (row.title) }
                ul.says { @for sentence in &says { li { (sentence) } } }
            }
        }
    })
}

/// A sentence in which names from the code stand between backticks.
fn prose(text: &str) -> Markup {
    html! {
        @for (i, part) in text.split('`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The stages' own explanations.
fn mechanisms(report: &Report, row: &Described) -> Markup {
    let why = |name: &str| stages::find(name)?.why(&row.name);
    html! {
        @for column in &report.stages {
            @if let Some(why) = why(&column.name) {
                p.why { strong { (column.name) } ": " (prose(why)) "." }
            }
        }
    }
}

/// What was guessed, beside what was measured.
fn guesses(report: &Report, row: &Described) -> Markup {
    let of_row: Vec<&Judged> = report
        .guesses
        .iter()
        .filter(|guess| guess.workload == row.name)
        .collect();
    html! {
        @for guess in of_row {
            div class={ "guess " (guess.verdict) } {
                p {
                    strong { "Your guess, " (guess.stage) }
                    @if let Some(before) = &guess.before { strong { " against " (before) } }
                    ". " (guess.question)
                }
                p {
                    "Guessed: " strong { (guess.guess) } ". Measured: "
                    strong { (guess.measured.as_deref().unwrap_or("nothing")) } ". "
                    span.verdict { (guess.verdict) } "."
                }
                p.quiet { "Because " (prose(&guess.because)) "." }
            }
        }
    }
}

/// Every headline against the stage that was chosen, or against the first one, pair by pair.
pub(super) fn pairs(report: &Report, rows: &[Described]) -> Markup {
    let columns = view::columns(report);
    let chosen = report.against.as_deref();
    let base = chosen.or(columns.first().map(|shown| shown.column.name.as_str()));
    let Some(base) = base.filter(|_| columns.len() > 1) else {
        return html! {};
    };
    let others: Vec<&str> = columns
        .iter()
        .map(|shown| shown.column.name.as_str())
        .filter(|name| *name != base)
        .collect();
    let ratio = |stage: &str, row: &Described| {
        Ratio::of(
            report.headline(stage, &row.name)?,
            report.headline(base, &row.name)?,
        )
    };
    let bar_rows: Vec<&Described> = rows
        .iter()
        .filter(|row| view::curves(report, &row.name).is_empty())
        .filter(|row| others.iter().any(|stage| ratio(stage, row).is_some()))
        .collect();
    html! {
        @if !bar_rows.is_empty() {
            section #pairs {
                h2 { "Pair by pair against " (base) }
                p.quiet {
                    "Repetition by repetition, so that what happened to the machine meanwhile happened to both. In \
                     brackets the smallest and the largest ratio."
                }
                div.scroll {
                    table.stacked {
                        thead { tr { th { "" } @for name in &others { th { (name) } } } }
                        tbody {
                            @for row in &bar_rows {
                                tr {
                                    th scope="row" { (row.title) }
                                    @for name in &others {
                                        (table::labelled(name, &of_pair(ratio(name, row))))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_pair(ratio: Option<Ratio>) -> Markup {
    let Some(ratio) = ratio else {
        return html! { span.quiet { "not measured" } };
    };
    html! {
        @if ratio.is_clear() { (ratio.words()) } @else { "no clear difference" }
        @if let Some(range) = ratio.range() {
            " " span.quiet.whole { "(" (range.trim_start_matches("pair by pair ")) ")" }
        }
    }
}

/// What has changed since an earlier run.
pub(super) fn since(report: &Report) -> Markup {
    let Some(baseline) = &report.baseline else {
        return html! {};
    };
    let changes = |changes: &[Change]| {
        html! {
            ul.says {
                @for change in changes {
                    li { (change.words()) }
                }
            }
        }
    };
    html! {
        section #since {
            h2 { "Since the run of " (date(&baseline.date)) }
            @for remark in &baseline.remarks { p.remark { (remark) } }
            p {
                (baseline.compared) " figures are in both runs. A change counts only if no repetition of the one run \
                 reaches into the other's range."
            }
            @if baseline.worse.is_empty() { p { "Nothing got slower or larger that the repetitions could tell." } }
            @else { h3 { "Got worse" } (changes(&baseline.worse)) }
            @if !baseline.better.is_empty() { h3 { "Got better" } (changes(&baseline.better)) }
        }
    }
}

/// What speaks against the numbers, the machine, the method, and the numbers themselves.
pub(super) fn foot(report: &Report, json: &str) -> Markup {
    let peers = report.stages.iter().any(|column| column.kind == Kind::Peer);
    html! {
        footer {
            @if !report.noise.remarks.is_empty() {
                section {
                    h2 { "What speaks against these numbers" }
                    ul.says { @for remark in &report.noise.remarks { li.remark { (story::capital(remark)) } } }
                }
            }
            section {
                h2 { "How it was measured" }
                p {
                    "After a warm-up, every repetition ran in a process of its own, and the "
                    @if peers { "stages and peers" } @else { "stages" }
                    " took turns, so that drift hits all alike. A figure is the median of its repetitions; a figure \
                     whose repetitions differ by more than half of their median is called noisy. Every answer that a \
                     workload computes is checked: a wrong one is a failed row. It took "
                    (units::wait(report.settings.took_seconds)) ", with " (report.settings.workers)
                    " workers where all are used."
                }
                (table::machine(report))
                p.command { "Made with: " code { (report.command.join(" ")) } }
                p {
                    a download="compare.json" href={ "data:application/json;charset=utf-8," (percent(json)) } {
                        "The results as JSON"
                    }
                    ". They are inside this page too: " code { "cargo course compare --baseline THIS_PAGE" }
                    " says what got slower since."
                }
            }
        }
        // Nothing in it can end the script: a `<` is written as JSON may write any character.
        (PreEscaped(DATA_BEGIN)) (PreEscaped(json.replace('<', "\\u003c"))) (PreEscaped(DATA_END))
    }
}

/// A text as a part of an address.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3 / 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b','
            | b':'
            | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
