//! What a guard costs, made in each of the three ways: `cargo run --release -p step02 --example guards`.
//!
//! Each round maps a region and reserves 16,384 guarded slots of it, once for each way, in turns, so that what happens to
//! the machine meanwhile happens to all. The first round only warms up. (Guards that are mappings end near 32,700.)

use std::time::Instant;

use step02::{GuardKind, Region, SlotLayout};

const STACKS: usize = 16_384;
const ROUNDS: usize = 9;

const WAYS: [(GuardKind, &str); 3] = [
    (
        GuardKind::MarkedInBatches,
        "marks, process_madvise, many in a call",
    ),
    (GuardKind::Marked, "marks, madvise, one by one"),
    (GuardKind::Protected, "mappings, mprotect, one by one"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layout = SlotLayout::new(64 << 10)?;
    let mut times = [const { Vec::new() }; WAYS.len()];
    for round in 0..=ROUNDS {
        for ((kind, way), times) in WAYS.iter().zip(&mut times) {
            let region = Region::map_guarded_by(layout, STACKS, *kind)?;
            let start = Instant::now();
            region.reserve(STACKS)?;
            let each = start.elapsed().as_nanos() as f64 / STACKS as f64;
            if region.guard_kind() != *kind {
                return Err(format!("this kernel cannot do it: {way}").into());
            }
            if round > 0 {
                times.push(each);
            }
        }
    }
    println!("one guard, median of {ROUNDS} rounds of {STACKS} (smallest to largest):");
    let mut first = None;
    for ((_, way), times) in WAYS.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let median = times[ROUNDS / 2];
        let ratio = median / *first.get_or_insert(median);
        let (least, most) = (times[0], times[ROUNDS - 1]);
        println!(
            "  {way:<40} {median:5.0} ns ({least:.0} to {most:.0})  {ratio:.2} times the first"
        );
    }
    Ok(())
}
