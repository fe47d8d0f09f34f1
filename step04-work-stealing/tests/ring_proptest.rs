//! The ring against a model of it, and against real thieves. The file is the library's own, compiled a second time.
//!
//! The first part is one thread: whatever is done to two small rings, in whatever order, they hold what two lists of
//! numbers hold. It says nothing about races. The second part is three threads that take from each other; there is no
//! order to insist on, but each number comes out once.

#![allow(dead_code)]

#[path = "../src/local_queue.rs"]
mod local_queue;
#[path = "../../step01-threads/tests/common/seed.rs"]
mod seed;

/// What the file is built on: std, as in the library.
mod sync {
    pub(crate) use std::sync::atomic;
}

use std::collections::VecDeque;
use std::ptr;
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;

use local_queue::LocalQueue;
use proptest::prelude::*;
use workloads::testing::Watchdog;

/// An item is a number: the ring never looks at what it points to.
fn item(number: usize) -> *mut u8 {
    ptr::without_provenance_mut(number)
}

fn numbers(items: Vec<*mut u8>) -> Vec<usize> {
    items.into_iter().map(|item| item.addr()).collect()
}

/// What is done to one of two rings. The other one is the victim of its thefts.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many are pushed, one after the other.
    Push(usize),
    /// So many are popped, and perhaps it is empty before.
    Pop(usize),
    /// A first look at the other ring: what comes later is left alone by the next theft.
    Look,
    /// A theft from the other ring.
    Steal,
}

/// Steps, and to which of the two rings. A burst may be longer than a ring.
fn script() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        3 => (1..12usize).prop_map(Step::Push),
        2 => (1..12usize).prop_map(Step::Pop),
        2 => Just(Step::Look),
        3 => Just(Step::Steal),
    ];
    prop::collection::vec((0..2usize, step), 0..40)
}

/// Where the indices of a ring begin: half of the time so that they come round on the way.
fn start() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        (0..64u32).prop_map(|before| u32::MAX - before)
    ]
}

/// What a ring holds, and how many were ever pushed or put there.
struct Model {
    holds: VecDeque<usize>,
    ever: usize,
    /// What `ever` was in the other ring, at the last look.
    seen: usize,
}

impl Model {
    fn new() -> Self {
        Model {
            holds: VecDeque::new(),
            ever: 0,
            seen: 0,
        }
    }

    fn put(&mut self, number: usize) {
        self.holds.push_back(number);
        self.ever += 1;
    }
}

/// Plays the script with two rings of `N` and with the model, and compares what comes out, then what is left.
fn play<const N: usize>(starts: [u32; 2], script: &[(usize, Step)]) -> Result<(), TestCaseError> {
    let rings = starts.map(LocalQueue::<u8, N>::starting_at);
    let mut models = [Model::new(), Model::new()];
    // An end that a thief has seen before it has looked at all.
    let mut ends = [starts[1], starts[0]];
    let mut number = 0;
    for &(me, step) in script {
        let other = 1 - me;
        match step {
            Step::Push(count) => {
                for _ in 0..count {
                    number += 1;
                    let pushed = rings[me].push(item(number));
                    let out = pushed.err().map(|overflow| numbers(overflow.tasks));
                    let model = &mut models[me].holds;
                    if model.len() < N {
                        prop_assert_eq!(out, None);
                        models[me].put(number);
                    } else {
                        let half = model.drain(..N / 2).chain([number]).collect();
                        prop_assert_eq!(out, Some(half), "the older half, and the new one");
                    }
                }
            }
            Step::Pop(count) => {
                for _ in 0..count {
                    let popped = rings[me].pop().map(|item| item.addr());
                    prop_assert_eq!(popped, models[me].holds.pop_front());
                }
            }
            Step::Look => {
                ends[me] = rings[other].end();
                models[me].seen = models[other].ever;
            }
            Step::Steal => {
                let stolen = rings[other].steal_into(&rings[me], ends[me]);
                let stolen = stolen.map(|item| item.addr());
                let newer = models[other].ever - models[me].seen;
                let old = models[other].holds.len().saturating_sub(newer);
                let count = old.div_ceil(2).min(N - models[me].holds.len());
                let mut taken: Vec<usize> = models[other].holds.drain(..count).collect();
                prop_assert_eq!(stolen, taken.pop(), "the newest of those that it takes");
                taken.into_iter().for_each(|number| models[me].put(number));
            }
        }
        for (ring, model) in rings.iter().zip(&models) {
            prop_assert_eq!(ring.len() as usize, model.holds.len());
        }
    }
    for (ring, (model, start)) in rings.iter().zip(models.iter().zip(starts)) {
        prop_assert_eq!(ring.end(), start.wrapping_add(model.ever as u32));
        let left: Vec<usize> = std::iter::from_fn(|| ring.pop().map(|item| item.addr())).collect();
        prop_assert_eq!(&left, &Vec::from(model.holds.clone()), "what is left in it");
        prop_assert_eq!(ring.len(), 0);
    }
    Ok(())
}

/// One thread: a queue from which the oldest come first, at any index. What a ring holds can only be seen by emptying it;
/// so each beginning of the script is played, and emptied, and the contents are right after each step.
#[test]
fn it_is_a_queue_that_gives_half_away() {
    let any = ([start(), start()], script());
    proptest!(seed::config(256), |((starts, script) in any)| {
        for steps in 0..=script.len() {
            play::<2>(starts, &script[..steps])?;
            play::<4>(starts, &script[..steps])?;
            play::<8>(starts, &script[..steps])?;
        }
    });
}

const ITEMS: usize = 100_000;

/// So small that it is often full, and each slot is used again and again.
type Ring = LocalQueue<u8, 8>;

/// Steals from the owner, and from the other thief, until the owner has ended and left nothing.
fn thief(own: &Ring, [owner, other]: [&Ring; 2], over: &AtomicBool, seed: u64) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut got = Vec::new();
    loop {
        // Acquire: pairs with the Release of the owner, so that its last pushes are seen, too.
        let last_look = over.load(Acquire);
        // At the end the own ring is empty when it steals, so that there is room for sure.
        let pops = if last_look {
            usize::MAX
        } else {
            random.usize(..8)
        };
        got.extend((0..pops).map_while(|_| own.pop()));
        let victim = if last_look || random.u8(..4) > 0 {
            owner
        } else {
            other
        };
        let seen = victim.end();
        (0..random.u32(..20)).for_each(|_| std::hint::spin_loop());
        match victim.steal_into(own, seen) {
            Some(item) => got.push(item),
            // What is in the other thief's ring is taken by that one, before it returns.
            None if last_look => return numbers(got),
            None => {}
        }
    }
}

/// Two thieves that rob each other, too, and an owner that pushes and pops in bursts: each item comes out once.
#[test]
fn each_item_comes_out_once() {
    let _watchdog = Watchdog::new("each_item_comes_out_once");
    let seed = match std::env::var("SEED") {
        Ok(text) => text.parse().expect("SEED must be a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("replay with SEED={seed}");
    // The owner's indices come round half-way, the thieves' soon.
    let owner = Ring::starting_at(u32::MAX - ITEMS as u32 / 2);
    let [one, two] = [(); 2].map(|()| Ring::starting_at(u32::MAX - 1_000));
    let over = AtomicBool::new(false);
    let all_are_there = Barrier::new(3);
    let mut seen = vec![0u8; ITEMS + 1];
    thread::scope(|threads| {
        let start = |own, other, seed| {
            let (owner, over, all_are_there) = (&owner, &over, &all_are_there);
            threads.spawn(move || {
                all_are_there.wait();
                thief(own, [owner, other], over, seed)
            })
        };
        let thieves = [
            start(&one, &two, seed.wrapping_add(1)),
            start(&two, &one, seed.wrapping_add(2)),
        ];
        all_are_there.wait();
        let mut got = Vec::new();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut next = 1;
        while next <= ITEMS {
            for _ in 0..random.usize(..20).min(ITEMS + 1 - next) {
                if let Err(overflow) = owner.push(item(next)) {
                    got.extend(overflow.tasks);
                }
                next += 1;
            }
            let pops = random.usize(..12);
            got.extend((0..pops).map_while(|_| owner.pop()));
        }
        // Release: pairs with the thieves' Acquire.
        over.store(true, Release);
        let stolen = thieves.map(|thief| thief.join().unwrap());
        let got = [numbers(got)].into_iter().chain(stolen);
        got.flatten().for_each(|number| seen[number] += 1);
    });
    let wrong: Vec<usize> = (1..=ITEMS).filter(|number| seen[*number] != 1).collect();
    assert!(
        wrong.is_empty(),
        "lost or taken twice: {:?}",
        &wrong[..wrong.len().min(20)]
    );
}
