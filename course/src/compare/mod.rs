//! `course compare`: measures the stages on this machine and prints them side by side.
//!
//! The order of things: what was asked for ([`args`], [`plan`]), the machine ([`machine`], [`yardsticks`]), the
//! measuring ([`who`] takes part, [`peers`] among them, [`measure`] decides what runs next, [`child`] runs it in a
//! process of its own, [`repetition`] is that process, [`cell`] keeps what came out), and what is shown: [`table`],
//! [`story`], the stages against one of them pair by pair ([`ratios`]), this run against an earlier one ([`since`]), with
//! `--predict` the guesses ([`predict`]), and the page with the charts ([`crate::report`]). All of them work on the types
//! of [`results`], which is also what the JSON file holds.

mod appendix;
pub(crate) mod args;
mod beside;
mod cell;
mod child;
pub(crate) mod extras;
mod listing;
pub(crate) mod machine;
mod measure;
mod noise;
mod peers;
mod plan;
mod predict;
mod progress;
pub(crate) mod ratios;
pub(crate) mod repetition;
pub(crate) mod results;
pub(crate) mod screen;
pub(crate) mod since;
pub(crate) mod state;
pub(crate) mod stats;
pub(crate) mod story;
mod table;
pub(crate) mod units;
mod who;
pub(crate) mod yardsticks;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use workloads::catalog::{self, Group, Info};

pub(crate) use args::{Args, LONG_ABOUT};
use machine::{CpuTime, Machine};
use plan::Plan;
use progress::Progress;
use repetition::Scale;
use results::{Described, Report, Settings};
use screen::Screen;
use who::Who;
pub(crate) use yardsticks::Crossing;

use crate::report::{self, command};
use crate::stages::{self, Stage};

/// After so much measuring no further repetition is begun. With what runs then, and with looking at the machine, the
/// main job stays below two minutes.
const BUDGET: Duration = Duration::from_secs(100);
/// The same for `--quick`.
const QUICK_BUDGET: Duration = Duration::from_secs(25);

/// Does what the options ask for.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let screen = Screen::of_stdout();
    let result = if args.list {
        listing::list(&mut out, &screen).map(|()| ExitCode::SUCCESS)
    } else if let Some(name) = &args.explain {
        listing::explain(&mut out, &screen, name).map(|()| ExitCode::SUCCESS)
    } else {
        compare(args, &mut out, &screen)
    };
    match result {
        // Whoever read our output has read enough: `compare --list | head -3`.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What was asked for, from the options.
fn planned(args: &Args) -> Plan {
    let scale = match (args.quick, args.full) {
        (true, _) => Scale::Quick,
        (_, true) => Scale::Full,
        _ => Scale::Default,
    };
    let budget = match scale {
        _ if args.reps.is_some() || args.patient => None,
        Scale::Quick => Some(QUICK_BUDGET),
        Scale::Full => None,
        _ => Some(BUDGET),
    };
    // In the order of the book, and each once, however they were named.
    let stage_wanted =
        |stage: &&Stage| args.stage.is_empty() || args.stage.iter().any(|name| name == stage.name);
    let workload_wanted = |info: &&Info| match args.workload.is_empty() {
        true => match info.group {
            Group::Seed | Group::Program | Group::Scaling => true,
            Group::Full => args.full,
            Group::Part => args.full || args.peers,
        },
        false => args.workload.iter().any(|name| name == info.name),
    };
    Plan {
        stages: stages::all().iter().filter(stage_wanted).collect(),
        peers: Vec::new(),
        workloads: catalog::all().iter().filter(workload_wanted).collect(),
        scale,
        workers: args.workers.map_or_else(args::cores, usize::from),
        reps: args.reps,
        count: workloads::costs::uncounted().is_none(),
        budget,
        timeout: args
            .timeout
            .map(|seconds| Duration::from_secs(seconds.into())),
    }
}

fn compare(args: &Args, out: &mut impl Write, screen: &Screen) -> anyhow::Result<ExitCode> {
    let mut plan = planned(args);
    if let Some(file) = &args.json {
        // Before measuring for minutes, not after.
        can_be_written(file)?;
    }
    if let Some(file) = &args.html {
        can_be_written(file)?;
    }
    // A peer can be compared with too; which there are is known when they have been built.
    if let (Some(name), false) = (&args.against, args.peers) {
        since::check_against(name, plan.columns().map(Who::name))?;
    }
    let earlier = args.baseline.as_deref().map(since::read).transpose()?;
    let mut guesses = match args.predict {
        true => Some(predict::ask(&plan, &mut io::stdin().lock(), out, screen)?),
        false => None,
    };

    // Before the machine is looked at, since compiling makes it busy.
    let no_peers = match args.peers {
        true => {
            write!(out, "{}", story::building_peers(screen))?;
            out.flush()?;
            invite(&mut plan)
        }
        false => None,
    };
    if let Some(name) = &args.against {
        since::check_against(name, plan.columns().map(Who::name))?;
    }
    let machine = Machine::look();
    write!(out, "{}", story::machine(&machine, screen))?;
    if let Some(reason) = &no_peers {
        write!(out, "{}", story::no_peers(reason, screen))?;
    }
    write!(out, "{}", story::plan(&plan, screen))?;
    out.flush()?;

    let mut report = measured(&plan, machine);
    report.against = args.against.clone();
    report.guesses = match &guesses {
        Some(guesses) => guesses.judged(&report),
        None => predict::remembered(&plan).map_or(Vec::new(), |guesses| guesses.judged(&report)),
    };
    report.baseline = earlier.map(|earlier| since::compare(&earlier, &report));
    let json = serde_json::to_string_pretty(&report)? + "\n";
    let saved = state::save("last.json", &json);
    if let Some(file) = &args.json {
        fs::write(file, &json).with_context(|| format!("cannot write {}", file.display()))?;
    }

    writeln!(out)?;
    write!(out, "{}", table::render(&report, &plan.workloads, screen))?;
    write!(out, "{}", story::caption(&report, screen))?;
    write!(out, "{}", story::findings(&report, screen))?;
    if plan
        .workloads
        .iter()
        .all(|info| info.group == Group::Scaling)
    {
        write!(out, "{}", report::growth(&report, screen))?;
    }
    write!(out, "{}", ratios::against(&report, screen))?;
    write!(out, "{}", since::tell(&report, screen))?;
    if let Some(guesses) = &mut guesses {
        write!(out, "{}", guesses.compare(&report, screen)?)?;
    }
    write!(
        out,
        "{}",
        story::files(args.json.as_deref(), &saved, screen)
    )?;
    if !args.no_html {
        let written = command::leave(&report, args.html.as_deref())?;
        write!(out, "{}", command::where_it_is(&written, screen))?;
    }
    out.flush()?;
    Ok(if report.has_failures() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Adds the peers to a plan. Returns why there are none, if there are none.
fn invite(plan: &mut Plan) -> Option<String> {
    match peers::find() {
        Ok(peers) => {
            plan.peers = peers.iter().collect();
            None
        }
        Err(reason) => Some(reason),
    }
}

/// Opens the file for writing without changing what is in it, and creates it if it is not there.
fn can_be_written(file: &Path) -> anyhow::Result<()> {
    let opened = File::options().append(true).create(true).open(file);
    opened.with_context(|| format!("cannot write the results to {}", file.display()))?;
    Ok(())
}

fn measured(plan: &Plan, machine: Machine) -> Report {
    let date = results::now();
    let before = CpuTime::now();
    let begin = Instant::now();
    let mut progress = Progress::new(plan.estimate());
    let results = measure::measure(plan, &mut progress);
    let took = begin.elapsed();
    let share = machine::share_since(before);
    let noise = noise::judge(&machine, share, &results);
    Report {
        schema: results::SCHEMA.to_owned(),
        date,
        command: std::env::args().collect(),
        settings: Settings {
            size: plan.scale,
            workers: plan.workers,
            budget_seconds: plan.budget.map(|budget| budget.as_secs_f64()),
            took_seconds: took.as_secs_f64(),
        },
        stages: plan.columns().map(Who::column).collect(),
        workloads: plan
            .workloads
            .iter()
            .map(|info| Described::of(info))
            .collect(),
        machine,
        noise,
        results,
        guesses: Vec::new(),
        against: None,
        baseline: None,
    }
}
