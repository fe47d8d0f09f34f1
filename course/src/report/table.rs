//! The tables of the page: the seed's, with measured numbers in it; all numbers of a workload; the machine.
//!
//! On a phone a table of several columns is no table any more. There each row becomes a block, and each cell says the
//! head of its column itself, from its `data-label`.

use maud::{Markup, html};

use super::view::{self, Shown};
use crate::compare::extras::{self, Extra};
use crate::compare::results::{Described, Kind, Measurement, Report, Status};
use crate::compare::units;

/// The heads of the article's two columns.
const GOROUTINES: &str = "Article: goroutines";
const THREADS: &str = "Article: OS threads";

/// A cell that can say the head of its column itself. What is in it is one box, also where the cell is a grid.
pub(super) fn labelled(label: &str, inside: &Markup) -> Markup {
    html! { td data-label=(label) { div { (inside) } } }
}

/// A cell with the article's words; on a phone one without words is left out.
fn article(says: &str, label: &str) -> Markup {
    html! { td.article.empty[says.is_empty()] data-label=(label) { div { (says) } } }
}

/// The seed article's table: its words beside what was measured.
pub(super) fn seed(report: &Report, rows: &[Described]) -> Markup {
    let rows: Vec<&Described> = rows.iter().filter(|row| row.group == "seed").collect();
    // A peer that can do none of these would be a column of nothing.
    let takes_part = |shown: &Shown<'_>| {
        let name = &shown.column.name;
        shown.column.kind == Kind::Stage
            || rows
                .iter()
                .any(|row| report.headline(name, &row.name).is_some())
    };
    let columns: Vec<Shown<'_>> = view::columns(report)
        .into_iter()
        .filter(takes_part)
        .collect();
    html! {
        @if !rows.is_empty() {
            section #seed {
                h2 { "The article’s table, measured" }
                div.scroll {
                    table.stacked.seed {
                        thead {
                            tr {
                                th { "" }
                                th.article { (GOROUTINES) }
                                th.article { (THREADS) }
                                @for shown in &columns { th { (head(shown)) } }
                            }
                        }
                        tbody {
                            tr {
                                th scope="row" { "Management" }
                                (article("Go runtime, in the program", GOROUTINES))
                                (article("operating system, kernel", THREADS))
                                @for shown in &columns {
                                    (labelled(&shown.column.name, &html! { (shown.column.management) }))
                                }
                            }
                            @for row in &rows { (seed_row(report, row, &columns)) }
                        }
                    }
                }
                p.quiet.small {
                    "Medians, in brackets the smallest and the largest repetition. The article: programmercave.com, \
                     “Golang - Concurrency - Goroutines vs Threads”, 2025."
                }
            }
        }
    }
}

fn head(shown: &Shown<'_>) -> Markup {
    html! {
        span class={ "swatch " (shown.tone.class()) } {}
        (shown.column.name)
        @if shown.column.kind == Kind::Peer { " " span.quiet { "(peer)" } }
    }
}

fn seed_row(report: &Report, row: &Described, columns: &[Shown<'_>]) -> Markup {
    let extra = extras::of(&row.name);
    html! {
        tr {
            th scope="row" { a href={ "#" (row.name) } { (row.title) } }
            (article(extra.goroutines, GOROUTINES))
            (article(extra.article, THREADS))
            @for shown in columns {
                (labelled(&shown.column.name, &match report.headline(&shown.column.name, &row.name) {
                    Some(figure) => cell(report, figure, extra),
                    None => html! { span.quiet { "not measured" } },
                }))
            }
        }
    }
}

/// A headline in the table: the value, its spread, and what belongs beside it.
fn cell(report: &Report, figure: &Measurement, extra: &Extra) -> Markup {
    let beside = |metric: &str| {
        let result = report.metric(&figure.stage, &figure.workload, metric)?;
        // A difference of two readings of the whole machine can come out below zero: then it says nothing.
        let value = result.value.filter(|value| *value > 0.0)?;
        Some(units::quantity(value, &result.unit))
    };
    html! {
        (value(figure, extra.suffix))
        @for metric in extra.beside {
            @if let Some(says) = beside(metric.metric) {
                br; span.quiet { (metric.words.replace("{}", &says)) }
            }
        }
        @if extra.note && figure.status == Status::Ok {
            @if let Some(note) = &figure.note { br; span.quiet.small { (note) } }
        }
    }
}

/// A value with its spread, or why there is none.
fn value(figure: &Measurement, suffix: &str) -> Markup {
    let reason = figure.reason.as_deref().unwrap_or("no reason was given");
    html! {
        @match (figure.summary(), figure.status) {
            (Some(summary), Status::Ok) => {
                strong { (units::quantity(summary.median, &figure.unit)) } (suffix)
                @if let Some(spread) = units::spread(&summary, &figure.unit) { " " span.quiet.whole { "(" (spread) ")" } }
                @if figure.is_noisy() { " " span.noisy { "noisy" } }
            }
            (_, Status::Failed) => { strong.bad { "failed" } ": " (reason) }
            _ => { span.quiet { "skipped: " (reason) } }
        }
    }
}

/// Every number of a workload, folded: what it reports, and what it costs the machine.
pub(super) fn everything(report: &Report, row: &Described) -> Markup {
    let columns = view::columns(report);
    let mut metrics: Vec<&Measurement> = Vec::new();
    for result in report
        .results
        .iter()
        .filter(|result| result.workload == row.name)
    {
        let known = |known: &&Measurement| known.metric == result.metric && known.at == result.at;
        if !metrics.iter().any(known) {
            metrics.push(result);
        }
    }
    let of = |stage: &str, like: &Measurement| {
        report.results.iter().find(|result| {
            result.stage == stage
                && result.workload == like.workload
                && result.metric == like.metric
                && result.at == like.at
        })
    };
    html! {
        details {
            summary { "All numbers" }
            @if !row.explain.is_empty() { p.quiet { (row.explain) } }
            div.scroll {
                table.stacked {
                    thead { tr { th { "" } @for shown in &columns { th { (head(shown)) } } } }
                    tbody {
                        @for metric in &metrics {
                            tr {
                                th scope="row" { (name(metric)) }
                                @for shown in &columns {
                                    @if let Some(figure) = of(&shown.column.name, metric) {
                                        (labelled(&shown.column.name, &html! {
                                            (value(figure, "")) " " span.quiet { "n " (figure.n) }
                                        }))
                                    } @else { td.empty {} }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn name(metric: &Measurement) -> String {
    match (metric.at, &metric.along) {
        (Some(at), Some(along)) => {
            format!("{}, at {} {}", metric.title, units::count(at), along.unit)
        }
        _ => metric.title.clone(),
    }
}

/// What it was measured on, and what the machine was doing.
pub(super) fn machine(report: &Report) -> Markup {
    let machine = &report.machine;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let crossings = |crossings: &[crate::compare::Crossing]| {
        let one = |c: &crate::compare::Crossing| {
            format!("{}–{} {}", c.from, c.to, units::quantity(c.ns, "ns"))
        };
        let all: Vec<String> = crossings.iter().map(one).collect();
        match all.is_empty() {
            true => "no second core".to_owned(),
            false => all.join(", "),
        }
    };
    let load: Vec<String> = machine
        .load_average
        .iter()
        .map(|load| format!("{load:.2}"))
        .collect();
    let mut facts = vec![
        (
            "Processor",
            format!(
                "{}, {} cores, {}",
                machine.cpu, machine.cores, machine.architecture
            ),
        ),
        (
            "Memory",
            format!(
                "{}, of which {} available; pages of {} KiB, huge ones: {}",
                units::quantity(machine.memory as f64, "bytes"),
                units::quantity(machine.memory_available as f64, "bytes"),
                machine.page_size / 1024,
                machine.huge_pages
            ),
        ),
        ("Kernel", machine.kernel.clone()),
        (
            "Compiler",
            format!("{}, {} build", machine.rustc, machine.profile),
        ),
        (
            "A cache line from core to core, before",
            crossings(&machine.crossings),
        ),
        ("The same, after", crossings(&report.noise.crossings_after)),
        (
            "A function call",
            units::quantity(machine.function_call_ns, "ns"),
        ),
        (
            "The cheapest system call",
            units::quantity(machine.system_call_ns, "ns"),
        ),
        ("Load average before", load.join(", ")),
        (
            "Others used of the processors before",
            percent(machine.busy_before),
        ),
    ];
    if let Some(commit) = &machine.commit {
        facts.insert(4, ("Commit", commit.clone()));
    }
    if let Some(why) = &machine.uncounted {
        facts.push(("Instructions and cycles", format!("not counted: {why}")));
    }
    if let Some(during) = &report.noise.during {
        facts.push(("Others used of them meanwhile", percent(during.others)));
        facts.push(("The host took away", percent(during.stolen)));
    }
    html! {
        dl.machine { @for (name, says) in &facts { div { dt { (name) } dd { (says) } } } }
    }
}
