//! The same two tasks three times, side by side: as `async fn`, as a state machine written by hand, on stacks of their
//! own.
//!
//!     cargo run --release -p stackless --example ping_pong
//!
//! Measured are a round trip, in turns (A B C, A B C, …), so that whatever disturbs the machine disturbs all alike; the
//! size of a task's memory of itself, which the compiler knows; and what 100,000 tasks weigh that wait for their first
//! number, each sort in a process of its own. Every answer is checked. `--json` prints it all for a program to read.

use std::fs;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use stackless::{as_async, by_hand, channel, stackful, yield_now};
use step01::{Runtime, bounded};
use step02::{DEFAULT_SLOT, RoundRobin, SlotLayout};

const HELP: &str = "\
The same ping-pong as async fn, as a state machine written by hand, and on stacks

Usage: cargo run --release -p stackless --example ping_pong -- [OPTIONS]

Options:
  --reps N         rounds of measuring, each form once in every round [default: 15]
  --millis N       how long each form is timed in a round, in milliseconds [default: 100]
  --tasks N        how many parked tasks are weighed [default: 100000]
  --json           print the results as JSON
  --help           print this";

/// The size of the slots on which the weighed tasks have their stacks: small, since they are many and do little.
const SMALL_SLOT: usize = 64 << 10;

/// One of the three forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Async,
    ByHand,
    Stackful,
}

const FORMS: [Form; 3] = [Form::Async, Form::ByHand, Form::Stackful];

impl Form {
    /// Its name in the JSON output, and after `--weigh`.
    fn key(self) -> &'static str {
        match self {
            Form::Async => "async_fn",
            Form::ByHand => "by_hand",
            Form::Stackful => "stackful",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Form::Async => "async fn",
            Form::ByHand => "state machine by hand",
            Form::Stackful => "a stack for each task",
        }
    }
}

#[derive(Clone, Debug)]
struct Options {
    reps: usize,
    budget: Duration,
    tasks: usize,
    json: bool,
    /// Started by itself, to weigh this one form in a fresh process.
    weigh: Option<Form>,
}

fn main() -> ExitCode {
    let done = options().and_then(|options| match options {
        None => {
            println!("{HELP}");
            Ok(())
        }
        Some(Options {
            weigh: Some(form),
            tasks,
            ..
        }) => weigh(form, tasks).map(|weight| println!("{} {}", weight.0, weight.1)),
        Some(options) => run(&options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        reps: 15,
        budget: Duration::from_millis(100),
        tasks: 100_000,
        json: false,
        weigh: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} is followed by nothing"));
        let number = |text: String| match text.parse::<usize>() {
            Ok(0) => Err(format!("{arg} 0: at least one is needed")),
            Ok(number) => Ok(number),
            Err(error) => Err(format!("{arg} {text}: {error}")),
        };
        match arg.as_str() {
            "--reps" => options.reps = number(value()?)?,
            "--millis" => options.budget = Duration::from_millis(number(value()?)? as u64),
            "--tasks" => options.tasks = number(value()?)?,
            "--json" => options.json = true,
            "--help" | "-h" => return Ok(None),
            "--weigh" => {
                let key = value()?;
                let form = FORMS.into_iter().find(|form| form.key() == key);
                options.weigh = Some(form.ok_or(format!("--weigh {key}: no such form"))?);
            }
            _ => return Err(format!("there is no option {arg}; see --help")),
        }
    }
    Ok(Some(options))
}

/// The middle of some measurements, and their ends.
#[derive(Clone, Copy, Debug)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(mut samples: Vec<f64>) -> Spread {
        samples.sort_by(f64::total_cmp);
        let last = samples.len() - 1;
        let (low, high) = (samples[last / 2], samples[last.div_ceil(2)]);
        Spread {
            median: (low + high) / 2.0,
            min: samples[0],
            max: samples[last],
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let rt = RoundRobin::new();
    // How many round trips fill the time; this warms up, too.
    let rounds = FORMS.map(|form| fill(&rt, form, options.budget));
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..options.reps {
        for (form, &rounds) in FORMS.iter().zip(&rounds) {
            let elapsed = play(&rt, *form, rounds)?;
            samples[*form as usize].push(elapsed.as_nanos() as f64 / rounds as f64);
        }
    }
    let pairs = |form: Form| {
        let pairs = samples[form as usize]
            .iter()
            .zip(&samples[Form::Stackful as usize]);
        Spread::of(pairs.map(|(one, other)| one / other).collect())
    };
    let ratios = [pairs(Form::Async), pairs(Form::ByHand)];
    let times = samples.clone().map(Spread::of);
    let mut weights = Vec::new();
    for form in FORMS {
        weights.push(weigh_in_a_process(form, options.tasks)?);
    }
    if options.json {
        print_json(options, times, ratios, &weights);
    } else {
        print_table(options, times, ratios, &weights);
    }
    Ok(())
}

/// So many round trips that they last for the budget.
fn fill(rt: &RoundRobin, form: Form, budget: Duration) -> u64 {
    let mut rounds = 100;
    while let Ok(elapsed) = play(rt, form, rounds) {
        if elapsed >= budget {
            break;
        }
        let wanted = 1.1 * budget.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
        rounds = (rounds as f64 * wanted.clamp(1.2, 10.0)).ceil() as u64;
    }
    rounds
}

/// What `ping` is driven by: it counts, looks at every answer, and takes the time from the first answer to the last.
fn counting(
    rounds: u64,
    report: mpsc::Sender<Result<Duration, String>>,
) -> impl FnMut(Option<u64>) -> Option<u64> {
    let (mut said, mut start) = (0, Instant::now());
    move |answer| {
        match answer {
            None => return Some(0),
            Some(answer) if answer != said + 1 => {
                let _ = report.send(Err(format!("{said} was answered by {answer}")));
                return None;
            }
            Some(_) if said == 0 => start = Instant::now(), // both are running now
            Some(_) => {}
        }
        if said == rounds {
            let _ = report.send(Ok(start.elapsed()));
            return None;
        }
        said += 1;
        Some(said)
    }
}

/// Plays so many round trips in one of the forms. Returns the time that they took.
fn play(rt: &RoundRobin, form: Form, rounds: u64) -> Result<Duration, String> {
    let (report, reports) = mpsc::channel();
    let (next, answer) = (counting(rounds, report), |n| Some(n + 1));
    match form {
        Form::Stackful => rt.run(|| {
            let (to, from) = bounded(0);
            let (back_to, back_from) = bounded(0);
            let pong = rt.spawn(move || stackful::pong(answer, from, back_to));
            let ping = rt.spawn(move || stackful::ping(next, to, back_from));
            ping.join().and(pong.join()).map_err(|e| e.to_string())
        }),
        Form::Async | Form::ByHand => stackless::run(async |spawner| {
            let (to, from) = channel();
            let (back_to, back_from) = channel();
            let (ping, pong) = if form == Form::Async {
                let pong = spawner.spawn(as_async::pong(answer, from, back_to));
                (spawner.spawn(as_async::ping(next, to, back_from)), pong)
            } else {
                let pong = spawner.spawn(by_hand::pong(answer, from, back_to));
                (spawner.spawn(by_hand::ping(next, to, back_from)), pong)
            };
            ping.await.and(pong.await).map_err(|e| e.to_string())
        })
        .map_err(|deadlock| deadlock.to_string())
        .and_then(|done| done),
    }?;
    reports
        .try_recv()
        .map_err(|_| "ping has not come to its end")?
}

/// What a parked task takes, in bytes: memory in use, and page tables.
type Weight = (f64, f64);

/// Memory in use and page tables of this process, in bytes.
fn footprint() -> Result<(u64, u64), String> {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let number = number.ok_or(format!("{file} has no line {name}"))?;
        Ok::<u64, String>(number * 1024)
    };
    Ok((
        field("/proc/self/smaps_rollup", "Rss:")?,
        field("/proc/self/status", "VmPTE:")?,
    ))
}

/// Starts so many tasks that wait for their first number, and weighs them. The channels are there before.
fn weigh(form: Form, tasks: usize) -> Result<Weight, String> {
    let each = |before: (u64, u64), after: (u64, u64)| {
        let per_task = |before: u64, after: u64| after.saturating_sub(before) as f64 / tasks as f64;
        (per_task(before.0, after.0), per_task(before.1, after.1))
    };
    let answer = |n| Some(n + 1);
    if form == Form::Stackful {
        let rt = RoundRobin::builder()
            .stack_size(SMALL_SLOT)
            .max_tasks(tasks + 1);
        let rt = rt.build().map_err(|error| error.to_string())?;
        return rt.run(|| {
            let ends: Vec<_> = (0..tasks).map(|_| (bounded(0), bounded(0))).collect();
            let mut kept = Vec::with_capacity(tasks);
            let before = footprint()?;
            for ((to, from), (back_to, back_from)) in ends {
                kept.push((to, back_from));
                rt.spawn(move || stackful::pong(answer, from, back_to));
            }
            rt.yield_now(); // each runs until it waits
            Ok(each(before, footprint()?))
        });
    }
    let weighed = stackless::run(async |spawner| {
        let ends: Vec<_> = (0..tasks).map(|_| (channel(), channel())).collect();
        let mut kept = Vec::with_capacity(tasks);
        let before = footprint()?;
        for ((to, from), (back_to, back_from)) in ends {
            kept.push((to, back_from));
            if form == Form::Async {
                spawner.spawn(as_async::pong(answer, from, back_to));
            } else {
                spawner.spawn(by_hand::pong(answer, from, back_to));
            }
        }
        yield_now().await; // each runs until it waits
        let weight = each(before, footprint()?);
        drop(black_box(kept));
        Ok(weight)
    });
    weighed.map_err(|deadlock| deadlock.to_string())?
}

/// Weighs in a fresh process: an allocator keeps what it once had.
fn weigh_in_a_process(form: Form, tasks: usize) -> Result<Weight, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(this);
    command.args(["--weigh", form.key(), "--tasks", &tasks.to_string()]);
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
    match numbers[..] {
        [resident, page_tables] if output.status.success() => Ok((resident, page_tables)),
        _ => Err(format!(
            "{} was not weighed: {}",
            form.key(),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// The bytes of the two futures, and of the least memory that a stack takes.
struct Sizes {
    ping_async: usize,
    ping_by_hand: usize,
    pong_async: usize,
    pong_by_hand: usize,
    page: usize,
}

impl Sizes {
    fn new() -> Sizes {
        let next = |answer: Option<u64>| answer;
        let answer = |n: u64| Some(n);
        let ends = || {
            let ((to, from), (back_to, back_from)) = (channel(), channel());
            (to, back_from, from, back_to)
        };
        let (to, from, pong_from, pong_to) = ends();
        let ping_async = size_of_val(&as_async::ping(next, to, from));
        let pong_async = size_of_val(&as_async::pong(answer, pong_from, pong_to));
        let (to, from, pong_from, pong_to) = ends();
        Sizes {
            ping_async,
            ping_by_hand: size_of_val(&by_hand::ping(next, to, from)),
            pong_async,
            pong_by_hand: size_of_val(&by_hand::pong(answer, pong_from, pong_to)),
            page: SlotLayout::smallest() / 4,
        }
    }
}

fn print_table(options: &Options, times: [Spread; 3], ratios: [Spread; 2], weights: &[Weight]) {
    println!("A round trip, in nanoseconds ({} rounds):", options.reps);
    for form in FORMS {
        let Spread { median, min, max } = times[form as usize];
        println!(
            "  {:<24}{median:>8.1}   ({min:.1} to {max:.1})",
            form.title()
        );
    }
    println!("Divided by that of tasks with stacks, round by round:");
    for form in [Form::Async, Form::ByHand] {
        let Spread { median, min, max } = ratios[form as usize];
        println!(
            "  {:<24}{median:>8.2}   ({min:.2} to {max:.2})",
            form.title()
        );
    }
    let sizes = Sizes::new();
    println!("What a task remembers while it waits, in bytes:");
    println!("  {:<24}{:>8}", "ping, async fn", sizes.ping_async);
    println!("  {:<24}{:>8}", "ping, by hand", sizes.ping_by_hand);
    println!("  {:<24}{:>8}", "pong, async fn", sizes.pong_async);
    println!("  {:<24}{:>8}", "pong, by hand", sizes.pong_by_hand);
    println!(
        "  {:<24}{:>8}   (one page, the least that a stack takes)",
        "either, on a stack", sizes.page
    );
    println!(
        "{} tasks that wait for their first number, bytes each:",
        options.tasks
    );
    for form in FORMS {
        let (resident, page_tables) = weights[form as usize];
        println!(
            "  {:<24}{resident:>8.0}   and {page_tables:.0} of page tables",
            form.title()
        );
    }
}

fn print_json(options: &Options, times: [Spread; 3], ratios: [Spread; 2], weights: &[Weight]) {
    let sizes = Sizes::new();
    let spread =
        |Spread { median, min, max }: Spread| json!({"median": median, "min": min, "max": max});
    let form = |form: Form| {
        let (resident, page_tables) = weights[form as usize];
        json!({
            "ns_per_round_trip": spread(times[form as usize]),
            "resident_per_task": resident,
            "page_tables_per_task": page_tables,
        })
    };
    let all = json!({
        "schema": "stackless/1",
        "reps": options.reps,
        "tasks": options.tasks,
        "async_fn": form(Form::Async),
        "by_hand": form(Form::ByHand),
        "stackful": form(Form::Stackful),
        "over_stackful": {"async_fn": spread(ratios[0]), "by_hand": spread(ratios[1])},
        "bytes": {
            "ping_async_fn": sizes.ping_async,
            "ping_by_hand": sizes.ping_by_hand,
            "pong_async_fn": sizes.pong_async,
            "pong_by_hand": sizes.pong_by_hand,
            "page": sizes.page,
            "slot": SMALL_SLOT,
            "default_slot": DEFAULT_SLOT,
        },
    });
    println!("{all:#}");
}
