//! Judges a generator: when its function runs, how it ends, and what becomes of the stack and of what is on it.

// A generator that is not written yet has nothing to drop.
#![allow(clippy::drop_non_drop)]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use step02::{Region, SlotLayout};

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub)]
mod exercise;

use exercise::{Generator, Giver};

/// Room for one stack, so that a second one shows whether the first was given back.
fn one_stack() -> Arc<Region> {
    Region::map(SlotLayout::default(), 1).unwrap()
}

fn generator<T: 'static>(f: impl FnOnce(&Giver<'_, T>) + 'static) -> Generator<T> {
    Generator::new(one_stack().open().unwrap(), f)
}

#[test]
fn the_values_come_in_order_and_then_none() {
    let squares = generator(|giver| (1..=5).for_each(|n| giver.give(n * n)));
    assert_eq!(squares.collect::<Vec<u64>>(), [1, 4, 9, 16, 25]);
}

#[test]
fn values_come_from_as_deep_as_one_likes() {
    /// In order, from a tree that is a range cut in halves: a function that calls itself gives from every depth.
    fn walk(from: u32, to: u32, giver: &Giver<'_, u32>) {
        if from < to {
            let middle = from + (to - from) / 2;
            walk(from, middle, giver);
            giver.give(middle);
            walk(middle + 1, to, giver);
        }
    }
    let walked = generator(|giver| walk(0, 100, giver));
    assert!(walked.eq(0..100));
}

#[test]
fn the_function_stands_still_between_two_calls() {
    let given = Rc::new(Cell::new(0));
    let count = given.clone();
    let mut numbers = generator(move |giver| {
        for n in 1..=1_000 {
            count.set(n);
            giver.give(n);
        }
    });
    let ran = |after: &str, expected: i32| {
        let given = given.get();
        assert_eq!(
            given, expected,
            "{after} the function has come to its value number {given}"
        );
    };
    ran("before the first `next`", 0);
    assert_eq!(numbers.next(), Some(1));
    ran("after one `next`", 1);
    assert_eq!(numbers.nth(8), Some(10));
    ran("after ten", 10);
}

#[test]
fn after_the_end_there_is_nothing_for_ever() {
    let mut empty = generator(|_: &Giver<'_, u8>| ());
    for _ in 0..3 {
        let next = catch_unwind(AssertUnwindSafe(|| empty.next()));
        match next {
            Ok(next) => assert_eq!(next, None),
            Err(_) => {
                panic!("`next` panicked after the end; an iterator that is done says None again")
            }
        }
    }
}

#[test]
fn a_panic_comes_out_of_next_and_then_there_is_nothing() {
    let mut panics = generator(|giver| {
        giver.give(1);
        panic!("boom");
    });
    assert_eq!(panics.next(), Some(1));
    let payload = catch_unwind(AssertUnwindSafe(|| panics.next()))
        .expect_err("the function panicked, and `next` returned");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    match catch_unwind(AssertUnwindSafe(|| panics.next())) {
        Ok(next) => assert_eq!(next, None),
        Err(_) => panic!("`next` panicked after the end; an iterator that is done says None again"),
    }
}

#[test]
fn the_stack_is_free_as_soon_as_the_function_has_returned() {
    let region = one_stack();
    let mut first = Generator::new(region.open().unwrap(), |giver| giver.give(1));
    assert_eq!(first.next(), Some(1));
    assert!(region.open().is_err(), "its stack is in use");
    assert_eq!(first.next(), None);
    let second = region.open();
    assert!(
        second.is_ok(),
        "the function has returned, and its generator still keeps the stack"
    );
    drop(first);
}

/// Says so when it is dropped.
struct Tells(Rc<RefCell<Vec<&'static str>>>, &'static str);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn a_drop_in_the_middle_drops_what_the_function_holds() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let region = one_stack();
    let inside = log.clone();
    let mut generator = Generator::new(region.open().unwrap(), move |giver| {
        let _outer = Tells(inside.clone(), "outer");
        let _inner = Tells(inside.clone(), "inner");
        loop {
            giver.give(());
        }
    });
    generator.next();
    assert!(log.borrow().is_empty());
    drop(generator);
    assert_eq!(
        *log.borrow(),
        ["inner", "outer"],
        "the generator was dropped in the middle, and what its function held was not"
    );
    assert!(region.open().is_ok(), "and its stack is not free");
}

#[test]
fn a_drop_before_the_first_value_drops_the_function() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let held = Tells(log.clone(), "the closure");
    drop(generator(move |giver| {
        let _held = &held;
        giver.give(1);
    }));
    assert_eq!(
        *log.borrow(),
        ["the closure"],
        "the generator was dropped before it began, and what its function held was not"
    );
}
