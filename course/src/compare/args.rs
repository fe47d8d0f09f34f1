//! The options of `compare`, and the help that explains them.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use workloads::catalog;

use super::yardsticks;
use crate::stages;

/// What `compare` does, for its `--help`.
pub(crate) const LONG_ABOUT: &str = "\
Measure the stages on this machine and print them side by side.

Each row is a workload, each column a stage. Every repetition runs in a process of its own, so that memory is counted \
cleanly and a crash costs one row. Stages take turns (A B C, A B C), so that whatever else happens on the machine \
happens to all of them. A cell shows the median of the repetitions and, below it, the smallest and the largest.

The main job measures for two minutes at most. Rows are never left out for time; repetitions are, down to one, and the \
table says how many there were. Every answer that a workload computes is checked: a wrong one is a failed row.";

const MEASURE: &str = "What to measure";
const REPORT: &str = "What to do with it";
const TELL: &str = "Instead of measuring";

const AFTER_HELP: &str = "\
Examples:
  cargo run --release                               the main job: every row of the table
  cargo course compare --quick                      the same in half a minute, with rougher numbers
  cargo course compare --predict                    guess first, then measure, then see why
  cargo course compare --list                       the stages and the workloads
  cargo course compare --explain spawn_join         what one workload times and checks
  cargo course compare --workload switch --reps 20  one row, measured with patience
  cargo course compare --full --json all.json       every workload at full size, results to a file
  cargo course compare --peers                      the stages beside what others have made
  cargo course compare --baseline all.json          and what got slower since that run
  cargo course report all.json --html all.html      the page of that run again, without measuring

One repetition in this process, for a profiler or a debugger:
  perf record target/release/course repetition --stage step01 --workload spawn_join

Files: the results of the last run are kept in target/course/last.json, its page in target/course/report.html, the \
guesses in target/course/predictions.json. The environment variable COURSE_DIR names another folder for all of them; \
COURSE_PEERS names a program that measures the peers, where it is not to be built.

Exit status: 0 if every row was measured or skipped for a stated reason, 1 if a row failed, 2 if the command line was \
not understood.";

/// What to measure, and how.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Measure these stages only
    #[arg(long, value_name = "NAME", num_args(1..), value_parser = stage_names(), help_heading = MEASURE)]
    pub(crate) stage: Vec<String>,

    /// Measure these workloads only (any of them, also those that otherwise need --full)
    #[arg(
        long,
        value_name = "NAME",
        num_args(1..),
        value_parser = workload_names(),
        hide_possible_values = true,
        help_heading = MEASURE
    )]
    pub(crate) workload: Vec<String>,

    /// Measure less of everything: half a minute, rougher numbers
    #[arg(long, conflicts_with = "full", help_heading = MEASURE)]
    pub(crate) quick: bool,

    /// Measure every workload at full size, however long it takes
    #[arg(long, help_heading = MEASURE)]
    pub(crate) full: bool,

    /// Take every repetition, however long it takes (otherwise none is begun after 100 seconds of measuring)
    #[arg(long, conflicts_with_all = ["reps", "full"], help_heading = MEASURE)]
    pub(crate) patient: bool,

    /// Measure peers beside the stages: the same workloads in what others have made
    ///
    /// They are a package of their own, which is built for this. So the first time takes longer, and needs the package
    /// registry. Where it cannot be built the stages are measured without them.
    #[arg(long, help_heading = MEASURE)]
    pub(crate) peers: bool,

    /// Give the runtimes this many workers instead of one per core
    ///
    /// Workloads that are about a single worker keep one. A stage without workers, where the kernel schedules, uses
    /// all cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = MEASURE)]
    pub(crate) workers: Option<u16>,

    /// Repeat each workload this often, whatever time it takes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = MEASURE)]
    pub(crate) reps: Option<u32>,

    /// Give up on a repetition after so many seconds (otherwise: 30, or twenty times what it usually takes)
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=86_400),
        help_heading = MEASURE
    )]
    pub(crate) timeout: Option<u32>,

    /// Write the results to this file as well, as JSON
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub(crate) json: Option<PathBuf>,

    /// Write the page with the charts to this file instead of target/course/report.html
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub(crate) html: Option<PathBuf>,

    /// Write no page
    #[arg(long, conflicts_with = "html", help_heading = REPORT)]
    pub(crate) no_html: bool,

    /// Compare every stage with this one, repetition by repetition
    #[arg(long, value_name = "NAME", help_heading = REPORT)]
    pub(crate) against: Option<String>,

    /// Say what got slower since this earlier run: its JSON file, or its page
    #[arg(long, value_name = "FILE", help_heading = REPORT)]
    pub(crate) baseline: Option<PathBuf>,

    /// Ask for your guesses first, and set them beside the measurements
    ///
    /// Guesses are about shapes and ratios, since absolute times differ from machine to machine. Each is judged right,
    /// close, wrong, or inconclusive if the measurement cannot tell.
    #[arg(long, help_heading = REPORT)]
    pub(crate) predict: bool,

    /// List the stages and the workloads, and measure nothing
    #[arg(long, exclusive = true, help_heading = TELL)]
    pub(crate) list: bool,

    /// Say what a workload times, what it checks and why it matters, and measure nothing
    #[arg(
        long,
        value_name = "WORKLOAD",
        exclusive = true,
        value_parser = workload_names(),
        hide_possible_values = true,
        help_heading = TELL
    )]
    pub(crate) explain: Option<String>,
}

/// The names of the stages. Clap's own message for a wrong one lists them all and suggests the nearest.
pub(crate) fn stage_names() -> PossibleValuesParser {
    let name = |stage: &stages::Stage| PossibleValue::new(stage.name).help(stage.title);
    PossibleValuesParser::new(stages::all().iter().map(name))
}

/// The names of the workloads.
pub(crate) fn workload_names() -> PossibleValuesParser {
    let name = |info: &catalog::Info| PossibleValue::new(info.name).help(info.title);
    PossibleValuesParser::new(catalog::all().iter().map(name))
}

/// How many cores this process may use: the number of workers, unless the user says otherwise.
pub(crate) fn cores() -> usize {
    yardsticks::allowed_cores().map_or(1, |cores| cores.len().max(1))
}
