//! Coroutines that follow random scripts, against a model that follows them too.
//!
//! A script is what a coroutine does, step by step; another says when its resumer resumes and when it drops. The model
//! knows what must come out of each resume, and how many values must be alive.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;
use step02::{Coroutine, Region, Resumed, SlotLayout, StackPool, Suspender};

#[path = "../../step01-threads/tests/common/seed.rs"]
mod seed;

// ANCHOR: script
/// What a coroutine does next.
#[derive(Clone, Debug)]
enum Step {
    /// Keeps a value alive until the end.
    Hold,
    /// Yields a number, and adds the answer to its sum.
    Yield(u64),
    /// Yields from so many frames further down, each with a value of its own.
    YieldDeep(u8, u64),
    /// Panics, and catches it itself.
    Catch,
    /// Panics.
    Panic(u64),
}

/// What the resumer does next, with the coroutine of this number.
#[derive(Clone, Debug)]
enum Act {
    Resume(usize, u64),
    Drop(usize),
}
// ANCHOR_END: script

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Hold),
        6 => any::<u64>().prop_map(Step::Yield),
        2 => (1..20u8, any::<u64>()).prop_map(|(depth, n)| Step::YieldDeep(depth, n)),
        1 => Just(Step::Catch),
        1 => any::<u64>().prop_map(Step::Panic),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        9 => (0..4usize, any::<u64>()).prop_map(|(which, n)| Act::Resume(which, n)),
        1 => (0..4usize).prop_map(Act::Drop),
    ]
}

struct Alive(Rc<Cell<i64>>);

impl Alive {
    fn new(count: &Rc<Cell<i64>>) -> Alive {
        count.set(count.get() + 1);
        Alive(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn yield_deep(
    suspender: &Suspender<u64, u64>,
    alive: &Rc<Cell<i64>>,
    depth: u8,
    number: u64,
) -> u64 {
    let _here = Alive::new(alive);
    if depth == 0 {
        suspender.suspend(number)
    } else {
        yield_deep(suspender, alive, depth - 1, number)
    }
}

/// Follows the script, for real.
fn follow(
    script: &[Step],
    alive: &Rc<Cell<i64>>,
    suspender: &Suspender<u64, u64>,
    first: u64,
) -> u64 {
    let mut held = Vec::new();
    let mut sum = first;
    for step in script {
        match *step {
            Step::Hold => held.push(Alive::new(alive)),
            Step::Yield(n) => sum = sum.wrapping_add(suspender.suspend(n)),
            Step::YieldDeep(depth, n) => {
                sum = sum.wrapping_add(yield_deep(suspender, alive, depth, n));
            }
            Step::Catch => {
                let _ = panic::catch_unwind(|| panic::resume_unwind(Box::new(())));
            }
            // Not `panic!`, whose hook would print thousands of lines.
            Step::Panic(n) => panic::resume_unwind(Box::new(n)),
        }
    }
    sum
}

/// What must come out of a resume.
#[derive(Debug, PartialEq)]
enum Expected {
    Yielded(u64),
    Returned(u64),
    Panicked(u64),
}

/// The same script, as a list of places to stop.
struct Model {
    script: Vec<Step>,
    at: usize,
    sum: u64,
    held: i64,
    /// Values in the frames that it is suspended in.
    deep: i64,
    done: bool,
}

impl Model {
    fn new(script: Vec<Step>) -> Self {
        Model {
            script,
            at: 0,
            sum: 0,
            held: 0,
            deep: 0,
            done: false,
        }
    }

    fn resume(&mut self, input: u64) -> Expected {
        self.sum = self.sum.wrapping_add(input);
        self.deep = 0;
        while let Some(step) = self.script.get(self.at) {
            self.at += 1;
            match *step {
                Step::Hold => self.held += 1,
                Step::Yield(n) => return Expected::Yielded(n),
                Step::YieldDeep(depth, n) => {
                    self.deep = i64::from(depth) + 1;
                    return Expected::Yielded(n);
                }
                Step::Catch => {}
                Step::Panic(n) => {
                    self.end();
                    return Expected::Panicked(n);
                }
            }
        }
        self.end();
        Expected::Returned(self.sum)
    }

    fn end(&mut self) {
        (self.held, self.deep, self.done) = (0, 0, true);
    }
}

#[test]
fn scripts_of_yields_panics_and_drops_come_out_as_the_model_says() {
    let region = Region::map(SlotLayout::new(64 << 10).unwrap(), 8).unwrap();
    let scripts = proptest::collection::vec(proptest::collection::vec(step(), 0..12), 4);
    let acts = proptest::collection::vec(act(), 0..40);
    proptest!(seed::config(512), |(scripts in scripts, acts in acts)| {
        let alive = Rc::new(Cell::new(0i64));
        let mut pool = StackPool::new(Arc::clone(&region));
        let mut pairs: Vec<_> = scripts
            .into_iter()
            .map(|script| {
                let (mine, count) = (script.clone(), Rc::clone(&alive));
                let coroutine = Coroutine::<u64, u64, u64>::new(pool.take().unwrap(), move |suspender, first| {
                    follow(&mine, &count, suspender, first)
                });
                Some((coroutine, Model::new(script)))
            })
            .collect();
        for act in acts {
            match act {
                Act::Resume(which, input) => {
                    let Some((coroutine, model)) = &mut pairs[which] else { continue };
                    prop_assert_eq!(coroutine.is_done(), model.done);
                    if model.done {
                        continue;
                    }
                    let expected = model.resume(input);
                    let result = panic::catch_unwind(AssertUnwindSafe(|| coroutine.resume(input)));
                    let found = match result {
                        Ok(Resumed::Yielded(n)) => Expected::Yielded(n),
                        Ok(Resumed::Returned(n)) => Expected::Returned(n),
                        Err(payload) => Expected::Panicked(*payload.downcast::<u64>().unwrap()),
                    };
                    prop_assert_eq!(found, expected);
                }
                Act::Drop(which) => {
                    if let Some((coroutine, _)) = pairs[which].take() {
                        pool.give_back(coroutine.into_stack());
                    }
                }
            }
            let expected: i64 = pairs.iter().flatten().map(|(_, model)| model.held + model.deep).sum();
            prop_assert_eq!(alive.get(), expected);
            prop_assert!(!std::thread::panicking());
        }
        drop(pairs);
        prop_assert_eq!(alive.get(), 0);
    });
}
