//! The deque against a model of it, and against real thieves. The file is the library's own, compiled a second time.

#![allow(dead_code)]

#[path = "../src/chase_lev.rs"]
mod chase_lev;

/// What the file is built on: std, as in the library.
mod sync {
    pub(crate) use std::sync::atomic;
}

use std::collections::VecDeque;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;

use chase_lev::{Deque, Steal};
use proptest::prelude::*;
use workloads::testing::Watchdog;

/// An item that is a number: the deque never looks at what it points to.
fn item(number: usize) -> NonNull<u8> {
    NonNull::new(ptr::without_provenance_mut(number)).expect("numbers begin at one")
}

fn push(deque: &Deque<u8>, number: usize) {
    // SAFETY: here and below, in each test one thread is the owner, and items are numbers.
    unsafe { deque.push(item(number)) };
}

fn pop(deque: &Deque<u8>) -> Option<usize> {
    // SAFETY: as above.
    unsafe { deque.pop() }.map(|item| item.addr().get())
}

fn pop_above(deque: &Deque<u8>, level: usize) -> Option<usize> {
    // SAFETY: as above.
    unsafe { deque.pop_above(level) }.map(|item| item.addr().get())
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push(u8),
    Pop(u8),
    PopAbove(u8),
    Steal(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..20u8).prop_map(Step::Push),
        (1..10u8).prop_map(Step::Pop),
        (0..10u8).prop_map(Step::PopAbove),
        (1..10u8).prop_map(Step::Steal),
    ];
    prop::collection::vec(step, 1..100)
}

proptest! {
    /// One thread: the owner's end is that of a stack, the thieves' that of a queue, at any index and any size.
    #[test]
    fn it_is_a_double_ended_queue(steps in steps(), before_the_wrap in 0..300usize, size in 0..4u32) {
        let deque = Deque::<u8>::starting_at(usize::MAX - before_the_wrap, 1 << size);
        let mut model = VecDeque::new();
        let mut next = 1;
        for step in steps {
            match step {
                Step::Push(count) => for _ in 0..count {
                    push(&deque, next);
                    model.push_back(next);
                    next += 1;
                },
                Step::Pop(count) => for _ in 0..count {
                    let popped = pop(&deque);
                    prop_assert_eq!(popped, model.pop_back());
                },
                Step::PopAbove(below) => {
                    let below = usize::from(below).min(model.len());
                    let level = deque.level().wrapping_sub(below);
                    for _ in 0..below {
                        let popped = pop_above(&deque, level);
                        prop_assert_eq!(popped, model.pop_back());
                    }
                    prop_assert_eq!(pop_above(&deque, level), None);
                }
                Step::Steal(count) => for _ in 0..count {
                    let stolen = match deque.steal() {
                        Steal::Taken(item) => Some(item.addr().get()),
                        Steal::Empty => None,
                        Steal::Lost => return Err(TestCaseError::fail("there is nobody to lose to")),
                    };
                    prop_assert_eq!(stolen, model.pop_front());
                },
            }
            prop_assert_eq!(deque.seems_empty(), model.is_empty());
        }
    }
}

/// Three thieves and an owner that pushes and pops in bursts, through several sizes of the buffer: each item comes out once.
#[test]
fn each_item_comes_out_once() {
    const ITEMS: usize = 300_000;
    let _watchdog = Watchdog::new("each_item_comes_out_once");
    let deque = Deque::<u8>::starting_at(usize::MAX - ITEMS / 2, 2);
    let over = AtomicBool::new(false);
    let mut seen = vec![0u8; ITEMS + 1];
    let mut note = |numbers: Vec<usize>| numbers.into_iter().for_each(|number| seen[number] += 1);
    thread::scope(|threads| {
        let thief = || {
            let mut got = Vec::new();
            loop {
                let last_look = over.load(Acquire);
                match deque.steal() {
                    Steal::Taken(item) => got.push(item.addr().get()),
                    Steal::Empty if last_look => return got,
                    Steal::Empty | Steal::Lost => std::hint::spin_loop(),
                }
            }
        };
        let thieves = [(); 3].map(|()| threads.spawn(thief));
        let mut got = Vec::new();
        let mut random = fastrand::Rng::with_seed(7);
        let mut next = 1;
        while next <= ITEMS {
            for _ in 0..random.usize(..60).min(ITEMS + 1 - next) {
                push(&deque, next);
                next += 1;
            }
            let pops = random.usize(..60);
            got.extend((0..pops).map_while(|_| pop(&deque)));
        }
        over.store(true, Release);
        note(got);
        thieves
            .into_iter()
            .for_each(|thief| note(thief.join().unwrap()));
    });
    let wrong: Vec<usize> = (1..=ITEMS).filter(|number| seen[*number] != 1).collect();
    assert!(
        wrong.is_empty(),
        "lost or taken twice: {:?}",
        &wrong[..wrong.len().min(20)]
    );
}
