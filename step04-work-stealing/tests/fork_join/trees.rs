//! Random trees of forks, with all that a task may do in their nodes, against what they must come to.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use proptest::prelude::*;
use step01::{Runtime, bounded};
use step04::{Stealing, join, scope};
use workloads::testing::Watchdog;

use crate::runtime;

#[derive(Clone, Debug)]
enum Tree {
    Leaf(u32),
    /// A leaf that lets others run.
    Yield,
    /// A leaf that sleeps so many microseconds.
    Sleep(u8),
    /// A leaf that gets its number through a channel, from a task of its own.
    Channel(u32),
    /// A leaf that panics.
    Panic,
    Join(Box<[Tree; 2]>),
    Scope(Vec<Tree>),
    /// A panic in it is caught here, and counts as this number.
    Catch(Box<Tree>, u32),
}

impl Tree {
    /// What it comes to, without forks; none if it panics.
    fn expected(&self) -> Option<u64> {
        Some(match self {
            Tree::Leaf(n) | Tree::Channel(n) => u64::from(*n),
            Tree::Yield | Tree::Sleep(_) => 1,
            Tree::Panic => return None,
            Tree::Join(both) => both[0].expected()? + both[1].expected()?,
            Tree::Scope(jobs) => {
                let all: Option<Vec<u64>> = jobs.iter().map(Tree::expected).collect();
                all?.iter().sum()
            }
            Tree::Catch(tree, n) => tree.expected().unwrap_or(u64::from(*n)),
        })
    }

    fn run(&self, rt: &Stealing) -> u64 {
        match self {
            Tree::Leaf(n) => u64::from(*n),
            Tree::Yield => {
                rt.yield_now();
                1
            }
            Tree::Sleep(us) => {
                rt.sleep(Duration::from_micros(u64::from(*us)));
                1
            }
            Tree::Channel(n) => {
                let (tx, rx) = bounded(0);
                let n = *n;
                rt.spawn(move || tx.send(u64::from(n)).unwrap());
                rx.recv().unwrap()
            }
            // No message and no hook: there are many.
            Tree::Panic => panic::resume_unwind(Box::new(Planned)),
            Tree::Join(both) => {
                let (a, b) = join(|| both[0].run(rt), || both[1].run(rt));
                a + b
            }
            Tree::Scope(jobs) => {
                let sum = AtomicU64::new(0);
                scope(|s| {
                    for job in jobs {
                        s.spawn(|| {
                            sum.fetch_add(job.run(rt), Relaxed);
                        });
                    }
                });
                sum.into_inner()
            }
            Tree::Catch(tree, n) => caught(tree, rt).unwrap_or(u64::from(*n)),
        }
    }
}

/// The payload of the panics that were planned.
struct Planned;

fn caught(tree: &Tree, rt: &Stealing) -> Option<u64> {
    match panic::catch_unwind(AssertUnwindSafe(|| tree.run(rt))) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Planned>() => None,
        Err(payload) => panic::resume_unwind(payload),
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        10 => (0..1_000u32).prop_map(Tree::Leaf),
        3 => Just(Tree::Yield),
        1 => (0..100u8).prop_map(Tree::Sleep),
        2 => (0..1_000u32).prop_map(Tree::Channel),
        1 => Just(Tree::Panic),
    ];
    leaf.prop_recursive(8, 200, 6, |inner| {
        prop_oneof![
            5 => [inner.clone(), inner.clone()].prop_map(|both| Tree::Join(Box::new(both))),
            2 => prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::Scope),
            1 => (inner, 0..1_000u32).prop_map(|(tree, n)| Tree::Catch(Box::new(tree), n)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Several trees at a time, each run by a task of its own, on one to four workers.
    #[test]
    fn trees_come_to_what_they_must(trees in prop::collection::vec(trees(), 1..6), workers in 1..5usize) {
        let _watchdog = Watchdog::new("trees_come_to_what_they_must");
        let rt = runtime(workers);
        let results: Vec<Option<u64>> = rt.run(|| {
            step01::scope(&rt, |s| {
                let tasks: Vec<_> = trees.iter().map(|tree| s.spawn(|| caught(tree, &rt))).collect();
                tasks.into_iter().map(|task| task.join().unwrap()).collect()
            })
        });
        let expected: Vec<Option<u64>> = trees.iter().map(Tree::expected).collect();
        prop_assert_eq!(results, expected);
        let snapshot = rt.snapshot();
        prop_assert_eq!(snapshot.spawned, snapshot.finished);
    }
}
