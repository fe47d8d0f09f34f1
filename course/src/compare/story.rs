//! The sentences around the table: the machine before it, what was found after it.
//!
//! Each finding is a function from the results to a sentence, or to nothing if the results do not support one. So no
//! sentence is printed for a row that was skipped, and none says what was not measured.

use std::io;
use std::path::{Path, PathBuf};

use super::machine::Machine;
use super::plan::Plan;
use super::ratios::{self, Ratio};
use super::results::{Column, Kind, Measurement, Report};
use super::screen::Screen;
use super::units;
use crate::stages;

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
    let pages = machine.page_size / 1024;
    let line = format!(
        "{} · {cores} · {memory} of memory · {} · pages of {pages} KiB, huge ones: {}",
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
        match plan.peers.len() {
            0 => number(plan.stages.len(), "stage"),
            n => format!(
                "{} and {}",
                number(plan.stages.len(), "stage"),
                number(n, "peer")
            ),
        },
        units::wait(plan.estimate().as_secs_f64()),
    );
    screen.wrap("  ", &line)
}

/// What is done before anything else where peers are wanted: it may take a while, and nothing moves meanwhile.
pub(crate) fn building_peers(screen: &Screen) -> String {
    let text = "Building the peers; the first time their dependencies are compiled, which takes a minute or so.";
    screen.wrap("", text) + "\n"
}

/// Why there are no peers, though they were asked for.
pub(crate) fn no_peers(reason: &str, screen: &Screen) -> String {
    screen.wrap(
        "  ! ",
        &format!("The stages are measured without peers: {reason}"),
    )
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
    if report.stages.iter().any(|stage| stage.name == THREADS) {
        out.push_str(&screen.wrap("  ", ARTICLE));
    }
    for remark in &report.noise.remarks {
        out.push_str(&screen.wrap("  ! ", &capital(remark)));
    }
    out
}

/// What the numbers say, in a few sentences.
pub(crate) fn sentences(report: &Report) -> Vec<String> {
    FINDINGS
        .iter()
        .filter_map(|finding| finding(report))
        .collect()
}

/// The same for a terminal.
pub(crate) fn findings(report: &Report, screen: &Screen) -> String {
    let sentences = sentences(report);
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

/// A remark as a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

const ARTICLE: &str = "The article is the one this book starts from: programmercave.com, “Golang - Concurrency - \
                       Goroutines vs Threads”, 2025.";

type Finding = fn(&Report) -> Option<String>;

const FINDINGS: &[Finding] = &[
    creation, memory, alive, waiting, blocked, contention, progress,
];

/// What starting a thread costs, in function calls and system calls.
fn creation(report: &Report) -> Option<String> {
    let ns = threads(report, "spawn_join", "ns_per_task")?;
    Some(format!(
        "The article calls threads slow to create. Here it takes {} to start one and to wait for its end: as long as {} \
         function calls, or {} system calls.",
        units::quantity(ns, "ns"),
        units::times(ns / report.machine.function_call_ns),
        units::times(ns / report.machine.system_call_ns),
    ))
}

/// Reserved is not spent.
fn memory(report: &Report) -> Option<String> {
    let metric = |name| threads(report, "memory", name);
    let (resident, tables, reserved) = (
        metric("resident_per_task")?,
        metric("page_tables_per_task")?,
        metric("reserved_per_task")?,
    );
    // Read off the whole machine, so it can come out as anything.
    let kernel = metric("kernel_per_task").filter(|kernel| *kernel > 0.0);
    let bytes = |value| units::quantity(value, "bytes");
    let in_kernel = kernel.map_or(String::new(), |kernel| {
        format!(", and about {} in the kernel", bytes(kernel))
    });
    let part = match reserved / (resident + tables + kernel.unwrap_or(0.0)) {
        part if part >= 2.0 => format!("one part in {}", units::times(part)),
        _ => "much of it".to_owned(),
    };
    Some(format!(
        "The article gives a thread 1 to 2 MB. That is what it reserves: {} of addresses. What it really takes while it \
         is parked is {} of memory, {} of page tables{in_kernel}: {part}.",
        bytes(reserved),
        bytes(resident),
        bytes(tables),
    ))
}

/// Where the count ended.
fn alive(report: &Report) -> Option<String> {
    let result = report.metric(THREADS, "alive", "tasks")?;
    let tasks = result.value?;
    let end = match ended_by_system(result) {
        true => "then the system refused another one",
        false => "and the count was ended by us, not by the system",
    };
    Some(format!(
        "The article says that you can run a few thousand threads. Here {} were alive at once, {end} (the footnote says \
         why).",
        units::count(tasks),
    ))
}

/// What a switch costs, and what it costs on top to wait for each other.
fn waiting(report: &Report) -> Option<String> {
    let switch = threads(report, "switch", "ns_per_switch")?;
    let trip = |workload| {
        report
            .metric(THREADS, workload, "ns_per_round_trip")?
            .summary()
    };
    let (one, all) = (trip("ping_pong")?, trip("ping_pong_2")?);
    let ns = |value| units::quantity(value, "ns");
    let ratio = all.median / one.median;
    // What the repetitions support at the least and at the most.
    let (least, most) = (all.min / one.max, all.max / one.min);
    let comparison = match ratio {
        ratio if least > 1.0 => {
            let times = units::times(ratio);
            format!(
                "{times} times as much: to wake a core that sleeps is dearer than to switch on one that is awake"
            )
        }
        ratio if most < 1.0 => format!("{:.0} % of it", ratio * 100.0),
        0.8..1.25 => "about the same".to_owned(),
        _ => "but the repetitions differ too widely to call that a difference".to_owned(),
    };
    Some(format!(
        "A switch between two threads takes {}. A round trip over a channel, where each really waits for the other, takes \
         {} on one core; on all cores it takes {}, {comparison}.",
        ns(switch),
        ns(one.median),
        ns(all.median),
    ))
}

/// Whether blocking calls disturb the others.
fn blocked(report: &Report) -> Option<String> {
    let late = threads(report, "blocked", "heartbeat_p99_ms")?;
    let verdict = match late {
        late if late < 3.0 => "The others hardly notice: it is the kernel that runs them meanwhile",
        late if late < 20.0 => "The others do notice",
        _ => "The others wait",
    };
    let mut text = format!(
        "{verdict}. While 200 threads sit in system calls of 10 ms, a task that wants to run every millisecond is at most \
         {} late in 99 of 100 cases.",
        units::quantity(late, "ms"),
    );
    for stage in own(report).filter(|stage| stage.name != THREADS) {
        let late = report.metric(&stage.name, "blocked", "heartbeat_p99_ms");
        let Some(late) = late.and_then(|late| late.value) else {
            continue;
        };
        let why = stages::find(&stage.name).and_then(|stage| stage.why("blocked"));
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        let late = units::quantity(late, "ms");
        text.push_str(&format!(" On {} it is {late} late{why}.", stage.name));
    }
    Some(text)
}

/// The stages of the book among the columns.
fn own(report: &Report) -> impl Iterator<Item = &Column> {
    report
        .stages
        .iter()
        .filter(|column| column.kind == Kind::Stage)
}

/// From each stage to the next: what became better, what became worse, and by how much.
fn progress(report: &Report) -> Option<String> {
    let stages: Vec<&Column> = own(report).collect();
    let steps = stages.windows(2);
    let sentences: Vec<String> = steps
        .filter_map(|step| change(report, step[0], step[1]))
        .collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn change(report: &Report, before: &Column, after: &Column) -> Option<String> {
    let (mut better, mut worse) = (Vec::new(), Vec::new());
    for (workload, what) in COMPARED {
        // What the repetitions do not tell apart, or what is not a number, counts as no change.
        let Some((gain, ratio)) = gain(report, &before.name, &after.name, workload) else {
            continue;
        };
        if !ratio.is_clear() {
            continue;
        }
        if gain >= CHANGED {
            better.push(format!("{what} {} times", units::times(gain)));
        } else if gain <= 1.0 / CHANGED {
            worse.push(format!("{what} {} times", units::times(1.0 / gain)));
        }
    }
    let list =
        |word, all: Vec<String>| (!all.is_empty()).then(|| format!("{word}: {}", all.join(", ")));
    let parts: Vec<String> = [
        list("better by a factor", better),
        list("worse by a factor", worse),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        return None;
    }
    Some(format!(
        "From {} to {}, {}.",
        before.name,
        after.name,
        parts.join("; ")
    ))
}

/// How many times better a stage is than another by a workload: its headline, pair by pair. For memory it is all that a task
/// takes, its page tables and the kernel's part with it.
pub(crate) fn gain(
    report: &Report,
    before: &str,
    after: &str,
    workload: &str,
) -> Option<(f64, Ratio)> {
    ratios::gain(
        &compared(report, after, workload)?,
        &compared(report, before, workload)?,
    )
}

fn compared(report: &Report, stage: &str, workload: &str) -> Option<Measurement> {
    let mut whole = report.headline(stage, workload)?.clone();
    let beside: &[&str] = match workload {
        "memory" => &["page_tables_per_task", "kernel_per_task"],
        _ => &[],
    };
    for metric in beside {
        // The kernel's is read off the whole machine, so it can come out below zero: then it says nothing.
        let part = report.metric(stage, workload, metric);
        if let Some(part) = part.filter(|part| part.value > Some(0.0)) {
            let pairs = whole.samples.iter_mut().zip(&part.samples);
            pairs.for_each(|(all, part)| *all += part);
        }
    }
    Some(whole)
}

/// Whether the workers are in each other's way: what the turns of all of them say, with one worker and with all.
fn contention(report: &Report) -> Option<String> {
    let mut found = Vec::new();
    for column in own(report) {
        let (Some((one, all)), Some(ratio)) = (
            first_and_last(report, &column.name, TURNS),
            second_worker(report, &column.name, TURNS),
        ) else {
            continue;
        };
        let turns =
            |figure: &Measurement| units::quantity(figure.value.unwrap_or_default(), &figure.unit);
        let verdict = match ratio.is_clear() {
            true => ratio.words(),
            false => "hardly any different".to_owned(),
        };
        found.push((
            column,
            ratio,
            format!(
                "{} {} became {} ({verdict})",
                column.name,
                turns(one),
                turns(all)
            ),
        ));
    }
    let workers = report.settings.workers;
    if found.is_empty() || workers < 2 {
        return None;
    }
    let says: Vec<&str> = found.iter().map(|(_, _, says)| &**says).collect();
    let mut text = format!(
        "What a further worker brings, where tasks do nothing but take turns: from one worker to {workers}, {}.",
        says.join(", "),
    );
    let fewer =
        |(_, ratio, _): &&(&Column, Ratio, String)| ratio.is_clear() && ratio.of.median < 1.0;
    for (column, ..) in found.iter().filter(fewer) {
        if let Some(why) = stages::find(&column.name).and_then(|stage| stage.why(TURNS)) {
            text.push_str(&format!(
                " More workers take fewer turns on {}: {why}.",
                column.name
            ));
        }
    }
    Some(text)
}

/// The workload that shows workers in each other's way.
const TURNS: &str = "scale_turns";

/// The headline of a workload along an axis, at its first and at its last place, if these are two.
pub(crate) fn first_and_last<'a>(
    report: &'a Report,
    stage: &str,
    workload: &str,
) -> Option<(&'a Measurement, &'a Measurement)> {
    let along = |result: &&Measurement| {
        result.stage == stage
            && result.workload == workload
            && result.headline
            && result.at.is_some()
            && result.value.is_some()
    };
    let mut points: Vec<&Measurement> = report.results.iter().filter(along).collect();
    points.sort_by(|a, b| {
        a.at.unwrap_or_default()
            .total_cmp(&b.at.unwrap_or_default())
    });
    match points[..] {
        [first, .., last] => Some((first, last)),
        _ => None,
    }
}

/// What a workload's headline at the last place is to that at the first, pair by pair: what all workers bring.
pub(crate) fn second_worker(report: &Report, stage: &str, workload: &str) -> Option<Ratio> {
    let (one, all) = first_and_last(report, stage, workload)?;
    Ratio::of(all, one)
}

/// What is compared from stage to stage: a workload, and what its headline is in a sentence.
const COMPARED: &[(&str, &str)] = &[
    ("spawn_join", "creation"),
    ("switch", "a switch"),
    ("ping_pong", "a channel round trip on one worker"),
    ("ping_pong_2", "one on all workers"),
    ("memory", "all that a parked task takes"),
    ("alive", "tasks alive at once"),
    ("blocked", "the delay by blocking calls"),
];

/// A change by less than this factor is not called one.
const CHANGED: f64 = 1.2;

/// The stage that the article's sentences about threads are about.
const THREADS: &str = "step01";

fn threads(report: &Report, workload: &str, metric: &str) -> Option<f64> {
    report.metric(THREADS, workload, metric)?.value
}

/// Whether a count was ended by a limit of the system, and not by the one who counted.
pub(crate) fn ended_by_system(count: &Measurement) -> bool {
    let note = count.note.as_deref();
    note.is_some_and(|note| note.starts_with("stopped by the system"))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::report;
    use super::*;

    const SCREEN: Screen = Screen {
        width: 100,
        colour: false,
    };

    /// Puts points along the workers in the place of the one number that a made-up report has.
    fn with_turns(report: &mut Report, turns: &[(&str, f64, f64)]) {
        let headline = |result: &&Measurement| result.workload == TURNS && result.headline;
        let like = report.results.iter().find(headline).unwrap().clone();
        report.results.retain(|result| result.workload != TURNS);
        for (stage, one, all) in turns {
            for (at, value) in [(1.0, *one), (2.0, *all)] {
                report.results.push(Measurement {
                    stage: (*stage).to_owned(),
                    at: Some(at),
                    value: Some(value),
                    samples: vec![value, value * 1.02],
                    ..like.clone()
                });
            }
        }
    }

    #[test]
    fn workers_in_each_others_way_are_told_with_their_reason() {
        let mut run = report(&["step02", "step03", "step04"], |_, _, _| 2.0);
        assert_eq!(
            contention(&run),
            None,
            "there is one number of workers only"
        );
        with_turns(
            &mut run,
            &[
                ("step02", 80e6, 80e6),
                ("step03", 40e6, 8e6),
                ("step04", 90e6, 180e6),
            ],
        );
        let text = contention(&run).unwrap();
        for part in [
            "from one worker to 2, step02 80.0 M turns/s became 80.0 M turns/s (hardly any different)",
            "step03 40.0 M turns/s became 8.00 M turns/s (5.0 times less)",
            "step04 90.0 M turns/s became 180 M turns/s (2.0 times more)",
            "More workers take fewer turns on step03: all turns of all workers go through one lock",
        ] {
            // The median of the two samples is a hundredth above the first: the values here are those of the medians.
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("turns on step04: "), "{text}");
    }

    #[test]
    fn the_page_says_one_number_for_one_step() {
        // Medians of 10 and 1 lie further apart than the pairs do.
        let mut run = report(&["step01", "step02"], |_, _, _| 1.0);
        for result in run
            .results
            .iter_mut()
            .filter(|result| result.workload == "switch")
        {
            let step01 = result.stage == "step01";
            result.samples = if step01 {
                vec![30.0, 10.0, 9.0]
            } else {
                vec![10.0, 1.0, 1.0]
            };
            result.value = Some(if step01 { 10.0 } else { 1.0 });
        }
        let text = progress(&run).unwrap();
        assert!(text.contains("a switch 9.0 times"), "{text}");
    }

    #[test]
    fn every_finding_has_its_metrics() {
        let value = |stage: &str, _: &str, _: &str| if stage == "step01" { 4.0 } else { 2.0 };
        let mut report = report(&["step01", "step02"], value);
        with_turns(&mut report, &[("step01", 1e6, 2e6)]);
        for (i, finding) in FINDINGS.iter().enumerate() {
            assert!(
                finding(&report).is_some(),
                "finding {i} does not find its metrics"
            );
        }
    }

    #[test]
    fn findings_follow_the_numbers() {
        let late = |ms| blocked(&report(&["step01"], |_, _, _| ms)).unwrap();
        assert!(
            late(1.0).starts_with("The others hardly notice"),
            "{}",
            late(1.0)
        );
        assert!(
            late(500.0).starts_with("The others wait"),
            "{}",
            late(500.0)
        );
        let both = blocked(&report(&["step01", "step02"], |_, _, _| 2.0)).unwrap();
        assert!(
            both.contains("On step02 it is 2.00 ms late: all tasks share one thread"),
            "{both}"
        );

        let trip = |all| {
            let value = |_: &str, workload: &str, _: &str| {
                if workload == "ping_pong_2" {
                    all
                } else {
                    100.0
                }
            };
            waiting(&report(&["step01"], value)).unwrap()
        };
        assert!(trip(300.0).contains("3.0 times as much"), "{}", trip(300.0));
        assert!(trip(50.0).contains("50 % of it"), "{}", trip(50.0));
        assert!(trip(105.0).contains("about the same"), "{}", trip(105.0));
        assert!(trip(127.0).contains("differ too widely"), "{}", trip(127.0));

        let mut gains = report(&["step01", "step05", "other"], |stage, workload, _| match (
            stage, workload,
        ) {
            ("step05", "ping_pong") => 390.0,
            ("step05", "blocked") => 4_000.0,
            ("step05", _) => 4.0,
            _ => 400.0,
        });
        gains.stages[2].kind = Kind::Peer;
        let text = progress(&gains).unwrap();
        let (better, worse) = text.split_once("; worse by a factor: ").unwrap();
        assert!(
            better.starts_with("From step01 to step05, better by a factor: creation 100 times"),
            "{text}"
        );
        assert!(!text.contains("on one worker"), "hardly any change: {text}");
        let expected = "tasks alive at once 100 times, the delay by blocking calls 10 times.";
        assert_eq!(worse, expected, "peers are no next step");
    }

    #[test]
    fn nothing_is_said_about_what_was_not_measured() {
        let mut report = report(&["step01", "step02"], |_, _, _| 2.0);
        for result in &mut report.results {
            (result.value, result.min, result.max) = (None, None, None);
        }
        assert_eq!(findings(&report, &SCREEN), "");
        report.stages.clear();
        report.results.clear();
        assert_eq!(findings(&report, &SCREEN), "");
    }
}
