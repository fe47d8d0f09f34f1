//! The sentences around the table: the machine before it, what was found after it.
//!
//! Each finding is a function from the results to a sentence, or to nothing if the results do not support one. So no
//! sentence is printed for a row that was skipped, and none says what was not measured.

use std::io;
use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::measure::Plan;
use super::results::Report;
use super::screen::Screen;
use super::units;

/// What the numbers are measured on.
pub(crate) fn machine(machine: &Machine, screen: &Screen) -> String {
    let mut out = format!(
        "{}\n\n",
        screen.bold("From Threads to Goroutines: what a task costs on this machine")
    );
    let cores = match machine.cores {
        1 => "1 core".to_owned(),
        n => format!("{n} cores"),
    };
    let memory = units::quantity(machine.memory as f64, "bytes");
    let pages = units::quantity(machine.page_size as f64, "bytes");
    let line = format!(
        "{} · {cores} · {memory} of memory · {} · {pages} pages, huge ones: {}",
        machine.cpu, machine.kernel, machine.huge_pages,
    );
    out.push_str(&screen.wrap("  ", &line));
    let crossings = match &machine.crossings[..] {
        [] => "no second core to exchange cache lines with".to_owned(),
        [one] => format!(
            "a cache line crosses from core {} to {} in {}",
            one.from,
            one.to,
            units::quantity(one.ns, "ns")
        ),
        several => {
            let one = |crossing: &super::yardsticks::Crossing| {
                format!(
                    "{}–{} {}",
                    crossing.from,
                    crossing.to,
                    units::quantity(crossing.ns, "ns")
                )
            };
            let all: Vec<String> = several.iter().map(one).collect();
            format!("a cache line crosses between cores in: {}", all.join(", "))
        }
    };
    let line = format!(
        "{crossings} · a function call {} · a system call {}",
        units::quantity(machine.function_call_ns, "ns"),
        units::quantity(machine.system_call_ns, "ns"),
    );
    out.push_str(&screen.wrap("  ", &line));
    let commit = machine
        .commit
        .as_deref()
        .map_or(String::new(), |commit| format!(" · commit {commit}"));
    let line = format!(
        "load average {:.2} · others use {:.0} % of the processors now · {}{commit}",
        machine.load_average[0],
        machine.busy_before * 100.0,
        machine.rustc,
    );
    out.push_str(&screen.wrap("  ", &line));
    out.push('\n');
    out
}

/// What is about to be done.
pub(crate) fn plan(plan: &Plan, screen: &Screen) -> String {
    let number = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let line = format!(
        "{} on {}, each repetition in a process of its own: about {}.",
        number(plan.workloads.len(), "workload"),
        number(plan.stages.len(), "stage"),
        units::wait(plan.estimate().as_secs_f64()),
    );
    screen.wrap("  ", &line)
}

/// What the table's numbers are, and what speaks against them.
pub(crate) fn caption(report: &Report, screen: &Screen) -> String {
    let took = units::wait(report.settings.took_seconds);
    let size = match report.settings.size {
        super::repetition::Scale::Quick => {
            " These are the small workloads of --quick: rough numbers."
        }
        _ => "",
    };
    let text = format!(
        "Medians of n repetitions (smallest–largest), {} workers where all are used, measured in {took}.{size}",
        report.settings.workers,
    );
    let mut out = screen.wrap("  ", &text);
    for remark in &report.noise.remarks {
        out.push_str(&screen.wrap("  ! ", &capital(remark)));
    }
    out
}

/// What the numbers say, in a few sentences.
pub(crate) fn findings(report: &Report, screen: &Screen) -> String {
    let sentences: Vec<String> = FINDINGS
        .iter()
        .filter_map(|finding| finding(report))
        .collect();
    if sentences.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", screen.bold("What this says"));
    for sentence in sentences {
        out.push_str(&screen.wrap("  • ", &sentence));
    }
    out
}

/// Where the files are.
pub(crate) fn files(
    json: Option<&Path>,
    saved: &Result<PathBuf, (PathBuf, io::Error)>,
    screen: &Screen,
) -> String {
    let mut out = String::from("\n");
    if let Some(json) = json {
        out.push_str(&format!("Results: {}\n", json.display()));
    }
    match saved {
        Ok(file) => out.push_str(&format!("Results of the last run: {}\n", file.display())),
        Err((file, error)) => {
            let text = format!(
                "The results could not be kept in {}: {error}",
                file.display()
            );
            out.push_str(&screen.wrap("", &text));
        }
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

type Finding = fn(&Report) -> Option<String>;

const FINDINGS: &[Finding] = &[creation];

/// What starting a task costs, in function calls and system calls.
fn creation(report: &Report) -> Option<String> {
    let (stage, first) = report
        .stages
        .iter()
        .find_map(|stage| Some((stage, report.headline(&stage.name, "spawn_join")?.value?)))?;
    Some(format!(
        "{}: to start a task and wait for its end takes {}, as long as {} function calls or {} system calls.",
        stage.name,
        units::quantity(first, "ns"),
        units::times(first / report.machine.function_call_ns),
        units::times(first / report.machine.system_call_ns),
    ))
}
