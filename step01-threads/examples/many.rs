//! Starts many tasks that do nothing, and weighs them: what is reserved, what is in use, what the kernel keeps.
//!
//!     cargo run --release -p step01 --example many -- --tasks 10000 --stack-kib 2048
//!
//! Each task parks at once. When all are parked, or the runtime refuses another one, the process looks at itself in
//! `/proc` and compares with what it found before the first. A refusal is printed and is no failure: to meet one is half
//! of the fun. `--json` prints the numbers for a program to read.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use step01::{JoinHandle, Runtime, Threads, WaitGroup, bounded};

/// What `/proc` says, in bytes.
#[derive(Clone, Copy)]
struct Weight {
    /// Addresses.
    reserved: u64,
    /// Pages that are there.
    resident: u64,
    /// Page tables.
    page_tables: u64,
    /// The kernel stacks of all threads of the machine; so other programs' comings and goings are in it too.
    kernel_stacks: u64,
}

impl Weight {
    fn now() -> Weight {
        Weight {
            reserved: field("/proc/self/status", "VmSize:"),
            resident: field("/proc/self/status", "VmRSS:"),
            page_tables: field("/proc/self/status", "VmPTE:"),
            kernel_stacks: field("/proc/meminfo", "KernelStack:"),
        }
    }
}

/// The number after `name` in a file of `/proc` that counts in kibibytes.
fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

struct Options {
    tasks: usize,
    stack: usize,
    json: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        tasks: 10_000,
        stack: Threads::new().stack_size(),
        json: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().ok_or(format!("{arg} is followed by nothing"))?;
            value
                .parse::<usize>()
                .map_err(|error| format!("{arg} {value}: {error}"))
        };
        match arg.as_str() {
            "--tasks" => options.tasks = number()?,
            "--stack-kib" => options.stack = number()?.saturating_mul(1024),
            "--json" => options.json = true,
            _ => {
                return Err(format!(
                    "there is no option {arg}; there are --tasks, --stack-kib and --json"
                ));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let builder = Threads::builder().stack_size(options.stack);
    let rt = builder.build().map_err(|error| error.to_string())?;
    // The handles are not part of what is weighed.
    let mut handles: Vec<JoinHandle<()>> = Vec::with_capacity(options.tasks);
    let arrived = Arc::new(WaitGroup::new());
    let (release, released) = bounded::<()>(0);

    let before = Weight::now();
    let mut refusal = None;
    while handles.len() < options.tasks {
        arrived.add(1);
        let (here, released) = (arrived.clone(), released.clone());
        let task = move || {
            here.done();
            // Parks until `release` is dropped.
            let _ = released.recv();
        };
        match rt.try_spawn(task) {
            Ok(handle) => handles.push(handle),
            Err(error) => {
                arrived.done();
                refusal = Some(error);
                break;
            }
        }
    }
    arrived.wait();
    let after = Weight::now();

    drop(release);
    let started = handles.len();
    for handle in handles {
        handle.join().map_err(|error| error.to_string())?;
    }
    if let Some(refusal) = &refusal {
        eprintln!("{started} tasks, then: {refusal}");
    }
    if started > 0 {
        report(options, started, before, after);
    }
    Ok(())
}

fn report(options: &Options, tasks: usize, before: Weight, after: Weight) {
    let each = |of: fn(&Weight) -> u64| of(&after).saturating_sub(of(&before)) / tasks as u64;
    let rows = [
        ("reserved", "addresses reserved", each(|w| w.reserved)),
        ("resident", "memory in use", each(|w| w.resident)),
        ("page_tables", "page tables", each(|w| w.page_tables)),
        ("kernel_stack", "kernel stack", each(|w| w.kernel_stacks)),
    ];
    if options.json {
        let fields: Vec<String> = rows
            .iter()
            .map(|(key, _, bytes)| format!("\"{key}\": {bytes}"))
            .collect();
        let stack = options.stack;
        println!(
            "{{\"tasks\": {tasks}, \"stack\": {stack}, {}}}",
            fields.join(", ")
        );
        return;
    }
    println!(
        "{tasks} parked tasks with stacks of {} KiB; for each of them, in bytes:",
        options.stack / 1024
    );
    for (_, title, bytes) in rows {
        println!("{bytes:>12}  {title}");
    }
}
