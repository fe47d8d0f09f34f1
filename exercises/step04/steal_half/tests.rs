//! Judges a steal: against a model that is a `VecDeque`, in random scripts, and in every order of what races.

#![allow(clippy::duplicate_mod, reason = "one file in two worlds is the point")]

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;

#[path = "."]
mod plain {
    pub(crate) use std::sync;

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub)]
    pub(crate) mod exercise;
}

#[path = "."]
mod modelled {
    pub(crate) use loom::sync;

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub)]
    pub(crate) mod exercise;
}

#[path = "../../tests/with_loom.rs"]
mod with_loom;

use modelled::exercise::Ring;
use with_loom::in_every_order;

/// What happens in a script to two rings; `0` and `1` say whose.
#[derive(Clone, Copy, Debug)]
enum Act {
    Push(usize),
    Pop(usize),
    /// The owner of this ring, if it is empty, steals from the other one.
    Steal(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..2usize).prop_map(Act::Push),
        2 => (0..2usize).prop_map(Act::Pop),
        3 => (0..2usize).prop_map(Act::Steal),
    ]
}

/// What must happen: the older half, rounded up; the last of it is returned.
fn steal(from: &mut VecDeque<u32>, own: &mut VecDeque<u32>) -> Option<u32> {
    let half = from.len().div_ceil(2);
    let mut taken: Vec<u32> = from.drain(..half).collect();
    let last = taken.pop();
    own.extend(taken);
    last
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_after_the_other_it_is_as_the_model_says(
        start in prop_oneof![Just(0), Just(u32::MAX - 2), any::<u32>()],
        acts in prop::collection::vec(act(), 0..40),
    ) {
        const N: usize = 8;
        let rings = [0, 1].map(|_| plain::exercise::Ring::<N>::starting_at(start));
        let mut models: [VecDeque<u32>; 2] = Default::default();
        let mut number = 0;
        for act in acts {
            match act {
                Act::Push(me) => {
                    number += 1;
                    let room = models[me].len() < N;
                    prop_assert_eq!(rings[me].push(number), room);
                    if room {
                        models[me].push_back(number);
                    }
                }
                Act::Pop(me) => {
                    let right = models[me].pop_front();
                    prop_assert_eq!(rings[me].pop(), right, "a pop by the owner of ring {}", me);
                }
                Act::Steal(me) if models[me].is_empty() => {
                    let there = models[1 - me].clone();
                    let [first, second] = &mut models;
                    let right = match me {
                        0 => steal(second, first),
                        _ => steal(first, second),
                    };
                    let stolen = rings[1 - me].steal_into(&rings[me]);
                    prop_assert_eq!(stolen, right, "a steal from a ring with {:?}", there);
                }
                Act::Steal(_) => {}
            }
        }
        for (ring, model) in rings.iter().zip(&models) {
            let left: Vec<u32> = std::iter::from_fn(|| ring.pop()).collect();
            prop_assert!(left.iter().eq(model), "left in a ring: {:?}, and it should be {:?}", left, model);
        }
    }
}

/// A ring with the numbers from 1 to `count`.
fn filled<const N: usize>(count: u32) -> Arc<Ring<N>> {
    let ring = Arc::new(Ring::starting_at(u32::MAX - 1));
    for number in 1..=count {
        assert!(ring.push(number));
    }
    ring
}

/// All that a ring has left, for its owner.
fn rest<const N: usize>(ring: &Ring<N>) -> Vec<u32> {
    std::iter::from_fn(|| ring.pop()).collect()
}

/// A thief with a ring of its own: what it has got in the end.
fn thief<const N: usize>(victim: &Arc<Ring<N>>) -> loom::thread::JoinHandle<Vec<u32>> {
    let victim = victim.clone();
    loom::thread::spawn(move || {
        let own = Ring::starting_at(7);
        let mut got: Vec<u32> = victim.steal_into(&own).into_iter().collect();
        got.extend(rest(&own));
        got
    })
}

fn each_once(mut got: Vec<u32>, most: u32) {
    got.sort_unstable();
    let all: Vec<u32> = (1..=most).collect();
    assert_eq!(got, all, "each number must come out once");
}

const LOST_OR_DOUBLE: &str =
    "while others push, pop and steal, a number is lost, or comes out twice, or was never pushed";

#[test]
fn each_comes_out_once_while_the_owner_pops() {
    in_every_order(3, 8, LOST_OR_DOUBLE, || {
        let ring = filled::<4>(3);
        let thief = thief(&ring);
        let mut got: Vec<u32> = [ring.pop(), ring.pop()].into_iter().flatten().collect();
        got.extend(thief.join().unwrap());
        got.extend(rest(&ring));
        each_once(got, 3);
    });
}

/// The ring is full, so each push goes into a slot that a thief may be reading.
#[test]
fn each_comes_out_once_while_the_owner_writes_over_slots() {
    in_every_order(3, 30, LOST_OR_DOUBLE, || {
        let ring = filled::<2>(2);
        let thief = thief(&ring);
        let mut got = Vec::new();
        let mut next = 3;
        for _ in 0..2 {
            got.extend(ring.pop());
            if ring.push(next) {
                next += 1;
            }
        }
        got.extend(thief.join().unwrap());
        got.extend(rest(&ring));
        each_once(got, next - 1);
    });
}

/// A thief that sees a push sees what was pushed.
#[test]
fn what_was_pushed_is_seen_by_the_thief() {
    in_every_order(3, 5, LOST_OR_DOUBLE, || {
        let ring = filled::<4>(0);
        let thief = thief(&ring);
        assert!(ring.push(1) && ring.push(2));
        let mut got: Vec<u32> = ring.pop().into_iter().collect();
        got.extend(thief.join().unwrap());
        got.extend(rest(&ring));
        each_once(got, 2);
    });
}

#[test]
fn each_comes_out_once_with_two_thieves() {
    in_every_order(2, 50, LOST_OR_DOUBLE, || {
        let ring = filled::<4>(3);
        let thieves = [thief(&ring), thief(&ring)];
        let mut got: Vec<u32> = ring.pop().into_iter().collect();
        for thief in thieves {
            got.extend(thief.join().unwrap());
        }
        got.extend(rest(&ring));
        each_once(got, 3);
    });
}

/// From the ring of the thief a second one steals, at any moment.
#[test]
fn what_a_thief_publishes_is_all_there() {
    in_every_order(
        3,
        5,
        "a second thief finds in the ring of the first what was not put there",
        || {
            let ring = filled::<4>(4);
            let own = filled::<4>(0);
            let second = thief(&own);
            let mut got: Vec<u32> = ring.steal_into(&own).into_iter().collect();
            got.extend(second.join().unwrap());
            got.extend(rest(&own));
            got.extend(rest(&ring));
            each_once(got, 4);
        },
    );
}
