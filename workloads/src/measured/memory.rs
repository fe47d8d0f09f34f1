//! What a parked task occupies.
//!
//! Measured: the process before and after a crowd of tasks has been started and has parked: pages in memory
//! (`smaps_rollup`), page tables that map them (`VmPTE`), reserved addresses (`VmSize`), each divided by the number of
//! tasks; and the kernel's own memory (`/proc/meminfo`), which can be read for the whole machine only.
//! Timed: from the first spawn until all are parked.
//! Checked: every task has run and is parked when the process is weighed, and every task ends afterwards.

use std::time::{Duration, Instant};

use step01::Runtime;

use super::crowd::Crowd;
use super::thousands;
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, Size, StackWanted, WorkersWanted,
    detail, headline,
};
use crate::machine::{self, Footprint};

const METRICS: &[MetricInfo] = &[
    headline(
        "resident_per_task",
        "memory in use per parked task",
        "bytes",
        Better::Lower,
    ),
    detail(
        "page_tables_per_task",
        "page tables per parked task",
        "bytes",
        Better::Lower,
    ),
    detail(
        "reserved_per_task",
        "addresses reserved per task",
        "bytes",
        Better::Lower,
    ),
    detail(
        "kernel_per_task",
        "kernel memory per parked task, beside page tables",
        "bytes",
        Better::Lower,
    ),
    detail(
        "ns_per_parked_task",
        "spawn a task, until it is parked",
        "ns",
        Better::Lower,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "memory",
    title: "Memory of a parked task",
    group: Group::Seed,
    explain: "Many tasks are started, and each parks at once. Then the process is weighed and compared with what it \
              was before: memory that is really in use, the page tables that map it, and the addresses that are only \
              reserved. The famous \"one or two megabytes per thread\" are reserved addresses, which cost next to \
              nothing. What the kernel keeps for a thread beside that (its kernel stack, its task structure) is read \
              from /proc/meminfo, for the whole machine, and so is disturbed by whatever else runs. The number of \
              tasks is what the runtime can start in a fixed time, up to a limit; --full asks for a million.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 0.8,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let most = params.size.pick(100, 10_000, 100_000, 1_000_000);
    // Where tasks are dear, a few thousand of them say what one weighs as well as a million would.
    let enough = Duration::from_millis(params.size.pick(60_000, 100, 300, 60_000));
    rt.run(|| {
        // Whatever is set up at the first spawn is not the price of a task.
        let mut few = Crowd::with_room(rt, 16);
        few.grow()?;
        few.disperse()?;

        let mut crowd = Crowd::with_room(rt, most);
        let kernel_before = machine::kernel_memory()?;
        let before = Footprint::now()?;
        let start = Instant::now();
        let mut note = String::new();
        while crowd.size() < most && start.elapsed() < enough {
            if let Some(refused) = crowd.grow()? {
                note = format!("; then no more: {}", refused.0);
                break;
            }
        }
        let elapsed = start.elapsed();
        if params.size != Size::Test {
            // Arrived is not yet parked: the last ones have a few instructions to go.
            rt.sleep(Duration::from_millis(20));
        }
        let after = Footprint::now()?;
        let kernel_after = machine::kernel_memory()?;
        let tasks = crowd.size();
        crowd.disperse()?;
        if tasks == 0 {
            return Err(format!("not one task could be started{note}"));
        }

        let per_task = |before: u64, after: u64| (after as f64 - before as f64) / tasks as f64;
        let note = format!("{} tasks{note}", thousands(tasks));
        Ok(Outcome::Measured(vec![
            Sample::noted(&METRICS[0], per_task(before.resident, after.resident), note),
            Sample::new(&METRICS[1], per_task(before.page_tables, after.page_tables)),
            Sample::new(&METRICS[2], per_task(before.reserved, after.reserved)),
            Sample::noted(
                &METRICS[3],
                per_task(kernel_before, kernel_after),
                "KernelStack + Slab of the whole machine, so whatever else runs is in it",
            ),
            Sample::new(&METRICS[4], elapsed.as_nanos() as f64 / tasks as f64),
        ]))
    })
}
