//! The stack pool against a model: a list of the stacks in the order in which they came back.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use step02::{Counts, HOT, KEPT, Region, SlotLayout, Stack, StackPool};

#[path = "../../step01-threads/tests/common/seed.rs"]
mod seed;

const SLOTS: usize = 48;

#[derive(Clone, Debug)]
enum Act {
    Take,
    /// Gives one of those that are out back to the pool.
    GiveBack(prop::sample::Index),
    /// Drops one, past the pool.
    Drop(prop::sample::Index),
    /// Gives all back that are out, in the order in which they were taken.
    GiveAllBack,
    /// Writes into each page of one, from the top down to so many bytes below.
    Write(prop::sample::Index, usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Take),
        1 => Just(Act::GiveAllBack),
        3 => any::<prop::sample::Index>().prop_map(Act::GiveBack),
        1 => any::<prop::sample::Index>().prop_map(Act::Drop),
        3 => (any::<prop::sample::Index>(), 1..150_000usize).prop_map(|(i, n)| Act::Write(i, n)),
    ]
}

// ANCHOR: model
/// What the model knows of the pool.
#[derive(Default)]
struct Model {
    /// In the order in which they came back: the last HOT of them are hot...
    hot: Vec<usize>,
    /// ...and those that were cooled, in that order.
    cold: Vec<usize>,
    dropped: Vec<usize>,
    /// The deepest write into each slot since it was new or trimmed.
    depth: HashMap<usize, usize>,
    opened: usize,
    counts: Counts,
}

impl Model {
    fn give_back(&mut self, base: usize, kept: usize) {
        self.hot.push(base);
        self.counts.returned += 1;
        if self.hot.len() > HOT {
            let base = self.hot.remove(0);
            self.cold.push(base);
            self.counts.trimmed += 1;
            if let Some(depth) = self.depth.get_mut(&base) {
                *depth = (*depth).min(kept);
            }
        }
    }
}
// ANCHOR_END: model

#[test]
fn the_pool_gives_out_what_the_model_says() {
    let layout = SlotLayout::default();
    let page = SlotLayout::smallest() / 4;
    let kept = KEPT.next_multiple_of(page);
    proptest!(seed::config(128), |(acts in proptest::collection::vec(act(), 0..200))| {
        let region = Region::map(layout, SLOTS).unwrap();
        let mut pool = StackPool::new(Arc::clone(&region));
        let mut model = Model::default();
        let mut out: Vec<Stack> = Vec::new();
        for act in acts {
            match act {
                Act::Take => {
                    let expected = model.hot.pop().or_else(|| model.cold.pop());
                    let taken = pool.take();
                    if let Some(base) = expected {
                        model.counts.reused += 1;
                        prop_assert_eq!(taken.as_ref().map(Stack::base).ok(), Some(base));
                    } else if let Some(base) = model.dropped.pop() {
                        model.counts.opened += 1;
                        prop_assert_eq!(taken.as_ref().map(Stack::base).ok(), Some(base));
                    } else if model.opened < SLOTS {
                        model.counts.opened += 1;
                        model.opened += 1;
                        prop_assert!(taken.is_ok());
                    } else {
                        let text = taken.as_ref().unwrap_err().to_string();
                        prop_assert!(text.contains("all 48 stacks"), "{}", text);
                    }
                    out.extend(taken);
                }
                Act::GiveBack(index) if !out.is_empty() => {
                    let stack = out.swap_remove(index.index(out.len()));
                    model.give_back(stack.base(), kept);
                    pool.give_back(stack);
                }
                Act::GiveAllBack => {
                    for stack in out.drain(..) {
                        model.give_back(stack.base(), kept);
                        pool.give_back(stack);
                    }
                }
                Act::Drop(index) if !out.is_empty() => {
                    let stack = out.swap_remove(index.index(out.len()));
                    model.dropped.push(stack.base());
                    model.depth.remove(&stack.base());
                }
                Act::Write(index, depth) if !out.is_empty() => {
                    let stack = &out[index.index(out.len())];
                    for depth in (1..depth).step_by(page).chain([depth]) {
                        // SAFETY: the slot is ours, and so deep it goes: 256 KiB less the guard.
                        unsafe { stack.top().sub(depth).write_volatile(1) };
                    }
                    let deepest = model.depth.entry(stack.base()).or_default();
                    *deepest = (*deepest).max(depth);
                }
                _ => {}
            }
            prop_assert_eq!(pool.counts(), model.counts);
            prop_assert_eq!(pool.idle(), model.hot.len() + model.cold.len());
        }
        // No two have the same slot, and none keeps pages that it should have given back.
        let mut bases: Vec<usize> = out.iter().map(Stack::base).collect();
        while pool.idle() > 0 {
            out.push(pool.take().unwrap());
        }
        bases.extend(out.iter().skip(bases.len()).map(Stack::base));
        bases.sort_unstable();
        let count = bases.len();
        bases.dedup();
        prop_assert_eq!(bases.len(), count);
        for stack in &out {
            prop_assert_eq!(stack.base() % layout.slot(), 0);
            let touched = model.depth.get(&stack.base()).copied().unwrap_or(0);
            if touched == 0 {
                prop_assert_eq!(stack.resident().unwrap(), 0);
            } else {
                prop_assert!(stack.resident().unwrap() <= (touched + 64).next_multiple_of(page));
            }
        }
    });
}
