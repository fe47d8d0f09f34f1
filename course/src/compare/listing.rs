//! `--list` and `--explain`: what there is, without measuring anything.

use std::io::Write;

use workloads::catalog::{self, Better, Group, Info, StackWanted, WorkersWanted};

use super::screen::Screen;
use crate::stages;

/// Lists the stages and the workloads.
pub(crate) fn list(out: &mut impl Write, screen: &Screen) -> anyhow::Result<()> {
    writeln!(out, "{}", screen.bold("Stages"))?;
    for stage in stages::all() {
        write!(
            out,
            "{}",
            entry(
                screen,
                stage.name,
                &format!("{}. {}", stage.title, stage.summary)
            )
        )?;
    }
    for (group, heading) in [
        (Group::Seed, "Workloads: the rows of the table"),
        (Group::Program, "Workloads: the three programs"),
        (Group::Scaling, "Workloads: how it grows, on the page"),
        (Group::Full, "Workloads: only with --full, or by name"),
        (
            Group::Part,
            "Parts of a runtime: only with --full or --peers, or by name",
        ),
    ] {
        let mut infos = catalog::all()
            .iter()
            .filter(|info| info.group == group)
            .peekable();
        if infos.peek().is_some() {
            writeln!(out, "\n{}", screen.bold(heading))?;
        }
        for info in infos {
            write!(out, "{}", entry(screen, info.name, info.title))?;
        }
    }
    writeln!(out)?;
    let hint = "`--explain NAME` says what a workload times and checks. `--peers` sets what others have made beside the \
                stages; `cargo run --release -p peers` lists it.";
    write!(out, "{}", screen.wrap("", hint))?;
    Ok(())
}

fn entry(screen: &Screen, name: &str, text: &str) -> String {
    let widest = catalog::all()
        .iter()
        .map(|info| info.name.len())
        .max()
        .unwrap_or(0);
    screen.wrap(&format!("  {name:widest$}  "), text)
}

/// Says what a workload times, checks and is good for.
pub(crate) fn explain(out: &mut impl Write, screen: &Screen, name: &str) -> anyhow::Result<()> {
    // Clap has checked the name.
    let Some(info) = catalog::find(name) else {
        anyhow::bail!("there is no workload {name}");
    };
    writeln!(
        out,
        "{}\n",
        screen.bold(&format!("{}: {}", info.name, info.title))
    )?;
    write!(out, "{}", screen.wrap("  ", info.explain))?;
    writeln!(out, "\n{}", screen.bold("What it reports"))?;
    let widest = info
        .metrics
        .iter()
        .map(|metric| metric.name.len())
        .max()
        .unwrap_or(0);
    for metric in info.metrics {
        let better = match metric.better {
            Better::Lower => "lower is better",
            Better::Higher => "higher is better",
        };
        let place = if metric.headline {
            "; in the table"
        } else {
            ""
        };
        let text = format!("{}, in {}; {better}{place}", metric.title, metric.unit);
        write!(
            out,
            "{}",
            screen.wrap(&format!("  {:widest$}  ", metric.name), &text)
        )?;
    }
    writeln!(out, "\n{}", screen.bold("How it is run"))?;
    write!(out, "{}", screen.wrap("  ", &settings(info)))?;
    writeln!(out, "\n{}", screen.bold("Try"))?;
    writeln!(out, "  cargo course compare --workload {}", info.name)?;
    let stage = stages::all().last().map_or("step01", |stage| stage.name);
    let one = format!("course repetition --stage {stage} --workload {}", info.name);
    writeln!(out, "  perf record target/release/{one}")?;
    Ok(())
}

fn settings(info: &Info) -> String {
    let workers = match info.workers {
        WorkersWanted::One => "With one worker, held on one core.",
        WorkersWanted::All => "With one worker for each core; `--workers` changes it.",
        WorkersWanted::Each => {
            "With one worker, with two, with four and so on, up to one for each core."
        }
    };
    let stack = match info.stack {
        StackWanted::Default => "Stacks of the stage's usual size.",
        StackWanted::Small => "Small stacks, since its tasks are many and do little.",
    };
    let part = match info.group {
        Group::Seed | Group::Program | Group::Scaling => "Part of the main job.",
        Group::Full => "Runs with `--full`, or when it is named.",
        Group::Part => "Runs with `--full` or `--peers`, or when it is named.",
    };
    let seconds = match info.cost {
        cost if cost < 1.0 => "less than a second".to_owned(),
        cost => format!("about {cost:.0} s"),
    };
    format!(
        "{workers} {stack} {part} One repetition takes {seconds} on one thread per task, and it is repeated {} times \
         if there is time.",
        info.default_reps
    )
}
