//! What a switch costs, beside corosensei's: `cargo run --release -p step02 --example switch_cost`.
//!
//! Both are measured in turns, in the same process, on one core, and the best of many short runs counts: what disturbs a
//! run only ever makes it longer.

use std::hint::black_box;
use std::time::Instant;

use step02::{Coroutine, Region, Resumed, SlotLayout};

const ROUNDS: u32 = 200;
const SWITCHES: u32 = 100_000;

fn main() {
    let region = Region::map(SlotLayout::default(), 2).expect("two stacks fit everywhere");
    let mut ours = Coroutine::new(
        region.open().expect("a stack"),
        |suspender, mut n: usize| {
            loop {
                n = suspender.suspend(n);
            }
            #[allow(unreachable_code)]
            ()
        },
    );
    let mut theirs = corosensei::Coroutine::<usize, usize, ()>::new(|yielder, mut n| {
        loop {
            n = yielder.suspend(n);
        }
    });
    let (mut our_best, mut their_best) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        our_best = our_best.min(time(|n| match ours.resume(n) {
            Resumed::Yielded(n) => n,
            Resumed::Returned(()) => unreachable!("it suspends for ever"),
        }));
        their_best = their_best.min(time(|n| match theirs.resume(n) {
            corosensei::CoroutineResult::Yield(n) => n,
            corosensei::CoroutineResult::Return(()) => unreachable!("it suspends for ever"),
        }));
    }
    println!("one switch (half of a resume and a suspend), best of {ROUNDS} runs:");
    println!("  step02      {our_best:.2} ns");
    println!("  corosensei  {their_best:.2} ns");
    println!("  ratio       {:.2}", our_best / their_best);
}

/// Nanoseconds for one switch.
fn time(mut resume: impl FnMut(usize) -> usize) -> f64 {
    let started = Instant::now();
    for n in 0..SWITCHES {
        black_box(resume(black_box(n as usize)));
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(2 * SWITCHES)
}
