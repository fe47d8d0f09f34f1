//! Judges prefix sums: what comes out, and how many additions stand one after the other, by a `join` that counts them.

#![allow(clippy::duplicate_mod, reason = "one file in two worlds is the point")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use step01::Runtime;

#[path = "."]
mod real {
    pub(crate) mod fork {
        pub(crate) use step04::join;
    }

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub)]
    pub(crate) mod exercise;
}

#[path = "."]
mod counted {
    pub(crate) mod fork {
        pub(crate) use super::super::counting_join as join;
    }

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub)]
    pub(crate) mod exercise;
}

thread_local! {
    /// Additions so far, and forks.
    static WORK: Cell<usize> = const { Cell::new(0) };
    static FORKS: Cell<usize> = const { Cell::new(0) };
    /// Additions that had to be done one after the other, had there been a worker for each fork: Cilk's *span*.
    static SPAN: Cell<usize> = const { Cell::new(0) };
}

/// Does one after the other, and counts as if both had been done at the same time.
pub(crate) fn counting_join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    FORKS.set(FORKS.get() + 1);
    let before = SPAN.get();
    let a = a();
    let after_a = SPAN.replace(before);
    let b = b();
    SPAN.set(SPAN.get().max(after_a));
    (a, b)
}

/// x ↦ factor · x + offset, one after the other. Associative, and not commutative.
type Line = (u64, u64);

fn then(first: Line, second: Line) -> Line {
    let factor = first.0.wrapping_mul(second.0);
    (
        factor,
        second.0.wrapping_mul(first.1).wrapping_add(second.1),
    )
}

fn counting_then(first: Line, second: Line) -> Line {
    WORK.set(WORK.get() + 1);
    SPAN.set(SPAN.get() + 1);
    then(first, second)
}

fn one_after_the_other(values: &[Line]) -> Vec<Line> {
    let mut sum: Option<Line> = None;
    let sums = values.iter().map(|value| {
        let next = sum.map_or(*value, |sum| then(sum, *value));
        sum = Some(next);
        next
    });
    sums.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sums_are_those_of_a_plain_loop(
        values in prop::collection::vec((1..9u64, 0..9u64), 0..70),
        grain in 1..20usize,
    ) {
        let mut sums = values.clone();
        counted::exercise::prefix_sums(&mut sums, grain, &then);
        prop_assert_eq!(
            sums,
            one_after_the_other(&values),
            "other sums than a plain loop's: the grain was {}, and `add` is not commutative",
            grain
        );
    }
}

fn lines(count: u64) -> Vec<Line> {
    (0..count).map(|n| (n % 7 + 1, n)).collect()
}

/// Work, span and forks for so many elements.
fn counts(elements: usize, grain: usize) -> (usize, usize, usize) {
    let mut values = lines(elements as u64);
    for counter in [&WORK, &SPAN, &FORKS] {
        counter.set(0);
    }
    counted::exercise::prefix_sums(&mut values, grain, &counting_then);
    (WORK.get(), SPAN.get(), FORKS.get())
}

const ELEMENTS: usize = 1 << 14;
const GRAIN: usize = 64;
const PIECES: usize = ELEMENTS / GRAIN;

#[test]
fn what_stands_one_after_the_other_is_a_few_pieces_and_not_all() {
    let (_, span, _) = counts(ELEMENTS, GRAIN);
    // A piece on each way, and an addition or two for each time that the whole is halved.
    let most = 3 * GRAIN + 8 * PIECES.ilog2() as usize;
    assert!(
        span <= most,
        "with a worker for each fork {span} additions still stand one after the other, of {ELEMENTS} elements; {most} are \
         enough"
    );
}

#[test]
fn there_are_no_more_than_two_additions_for_each_element() {
    let (work, ..) = counts(ELEMENTS, GRAIN);
    let most = 2 * ELEMENTS + 4 * PIECES;
    assert!(
        work <= most,
        "{work} additions for {ELEMENTS} elements: on one worker that is {} times a plain loop",
        work / ELEMENTS
    );
}

#[test]
fn a_piece_of_the_grain_is_not_divided() {
    for (elements, grain) in [(ELEMENTS, GRAIN), (1_000, 1_000), (1_000, 3)] {
        let (_, _, forks) = counts(elements, grain);
        // Halving makes pieces of more than half of the grain, and there are two ways.
        let most = 4 * (elements / grain);
        assert!(
            forks <= most,
            "{forks} forks for {elements} elements with a grain of {grain}: a piece of so many is done in a plain loop"
        );
    }
    let (_, _, forks) = counts(GRAIN, GRAIN);
    assert_eq!(forks, 0, "the whole is one piece");
}

#[test]
fn it_works_with_two_workers_and_survives_a_panic() {
    let rt = step04::build(&step03::Builder::default().workers(2).max_tasks(4_096)).unwrap();
    let values = lines(20_000);
    let expected = one_after_the_other(&values);
    for grain in [1, 10, 1_000, 100_000] {
        let mut sums = values.clone();
        rt.run(|| real::exercise::prefix_sums(&mut sums, grain, &then));
        assert!(
            sums == expected,
            "other sums than a plain loop's with two workers and a grain of {grain}"
        );
    }
    let mut sums: Vec<u64> = (0..5_000).collect();
    let add = |a: u64, b: u64| {
        a.checked_add(b)
            .filter(|sum| *sum < 4_000_000)
            .expect("too large")
    };
    let run = AssertUnwindSafe(|| rt.run(|| real::exercise::prefix_sums(&mut sums, 50, &add)));
    assert!(catch_unwind(run).is_err(), "a panic of `add` was lost");
}
