//! Skynet: a tree of tasks, ten below each, a million at the bottom.
//!
//! Timed: from the start of the root until its sum is there. Every leaf sends its number to its parent over a
//! rendezvous channel, every inner node adds up ten and sends the sum on.
//! Checked: the sum of all numbers.
//!
//! (The benchmark is Alexander Temerev's, <https://github.com/atemerev/skynet>, and exists for many languages.)

use std::time::{Duration, Instant};

use step01::{Runtime, Sender, bounded};

use super::refusal::Refusal;
use super::{ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};

const METRICS: &[MetricInfo] = &[
    headline(
        "ns_per_leaf",
        "the whole tree, per leaf",
        "ns",
        Better::Lower,
    ),
    detail("ms", "the whole tree", "ms", Better::Lower),
];

pub(crate) const INFO: Info = Info {
    name: "skynet",
    title: "Skynet: a tree of tasks",
    group: Group::Full,
    explain: "A task starts ten tasks, each of these ten more, and so on, until there is one task for each of a \
              million numbers (without --full, of a hundred thousand). Each leaf sends its number to its parent over a \
              rendezvous channel, each parent adds up ten and sends the sum on. The final sum is checked. This is \
              creation, channels and scheduling all at once, and from all sides. A runtime that cannot have so many \
              tasks is measured with a smaller tree, and says so.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 8.0,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let wanted = params.size.pick(100, 10_000, 100_000, 1_000_000);
    // The warm-up. If even this is refused, so is what follows, and that says why.
    let _ = rt.run(|| tree(rt, 100))?;
    let mut leaves = wanted;
    let mut why_fewer = String::new();
    loop {
        match rt.run(|| tree(rt, leaves))? {
            Ok(elapsed) => {
                let ns = elapsed.as_nanos() as f64 / leaves as f64;
                let note = format!("{} leaves{why_fewer}", thousands(leaves as usize));
                let mut samples = vec![Sample::noted(&METRICS[0], ns, note)];
                // The time of a smaller tree is not the time of this one.
                if leaves == wanted {
                    samples.push(Sample::new(&METRICS[1], ms(elapsed)));
                }
                return Ok(Outcome::Measured(samples));
            }
            Err(refused) if leaves > 10 => {
                if why_fewer.is_empty() {
                    why_fewer = format!("; {} were refused: {refused}", thousands(leaves as usize));
                }
                leaves = if leaves > 10_000 { 10_000 } else { leaves / 10 };
                // Every task of the last tree is at its end, but some may still be on their way out.
                rt.run(|| rt.sleep(Duration::from_millis(20)));
            }
            Err(reason) => return Ok(Outcome::Skipped { reason }),
        }
    }
}

/// One tree. The outer error is a wrong answer, the inner one a refusal.
fn tree<R: Runtime>(rt: &R, leaves: u64) -> Result<Result<Duration, String>, String> {
    let refusal = Refusal::none_yet();
    let start = Instant::now();
    let (tx, rx) = bounded(0);
    spawn(rt, &tx, 0, leaves, refusal);
    drop(tx);
    let sum = rx.recv();
    let elapsed = start.elapsed();
    if let Some(reason) = refusal.reason() {
        return Ok(Err(reason.to_owned()));
    }
    let expected = leaves * (leaves - 1) / 2;
    match sum {
        Ok(sum) if sum == expected => Ok(Ok(elapsed)),
        Ok(sum) => Err(format!("the sum of {leaves} numbers was {sum}")),
        // Nobody was refused at its start, and yet someone has ended without a word.
        Err(_) => Ok(Err("a task of the tree was ended by its runtime".to_owned())),
    }
}

fn spawn<R: Runtime>(rt: &R, parent: &Sender<u64>, first: u64, leaves: u64, refusal: Refusal) {
    if refusal.happened() {
        return;
    }
    let (rt2, parent) = (rt.clone(), parent.clone());
    let spawned = rt.try_spawn(move || node(&rt2, &parent, first, leaves, refusal));
    if let Err(error) = spawned {
        refusal.because(error);
    }
}

/// Sends the sum of the `leaves` numbers from `first` on to the parent; or ends without a word if a task below was
/// refused, so that the parent sees its channel closed, and ends as well.
fn node<R: Runtime>(rt: &R, parent: &Sender<u64>, first: u64, leaves: u64, refusal: Refusal) {
    let sum = if leaves == 1 {
        first
    } else {
        let (tx, rx) = bounded(0);
        let below = leaves / 10;
        for i in 0..10 {
            spawn(rt, &tx, first + i * below, below, refusal);
        }
        drop(tx);
        let mut sum = 0;
        for _ in 0..10 {
            match rx.recv() {
                Ok(part) => sum += part,
                Err(_) => return,
            }
        }
        sum
    };
    // The parent is gone only if one of our siblings was refused.
    let _ = parent.send(sum);
}
