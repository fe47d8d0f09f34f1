//! The ring: whatever its owner and thieves do at the same time, each task comes out once.

use std::ptr;

use loom::sync::Arc;
use loom::thread;

use crate::local_queue::LocalQueue;
use crate::model::{Bound, explore};

/// Four places, and indices that pass the largest number after two pushes.
type Ring = LocalQueue<u8, 4>;

fn ring() -> Arc<Ring> {
    Arc::new(Ring::starting_at(u32::MAX - 1))
}

/// A pointer that is a number: the ring never looks at what it points to.
fn task(number: usize) -> *mut u8 {
    ptr::without_provenance_mut(number)
}

fn push(ring: &Ring, number: usize) -> Vec<usize> {
    match ring.push(task(number)) {
        Ok(()) => Vec::new(),
        Err(overflow) => overflow.tasks.into_iter().map(|task| task.addr()).collect(),
    }
}

fn drain(ring: &Ring) -> Vec<usize> {
    std::iter::from_fn(|| ring.pop())
        .map(|task| task.addr())
        .collect()
}

/// Steals until nothing is left that was there at the first look. All of it, what it runs and what is in its own ring.
fn steal(victim: &Ring, own: &Ring) -> Vec<usize> {
    let seen = victim.end();
    let first = victim.steal_into(own, seen);
    let mut got = drain(own);
    got.extend(first.map(|task| task.addr()));
    got
}

#[track_caller]
fn each_once(mut all: Vec<usize>, last: usize) {
    all.sort_unstable();
    let expected: Vec<usize> = (1..=last).collect();
    assert_eq!(all, expected, "each task once");
}

/// The owner pops while a thief takes half.
#[test]
fn pop_against_steal() {
    explore("pop against steal", Bound::Complete, 5, || {
        let victim = ring();
        (1..=3).for_each(|number| assert!(push(&victim, number).is_empty()));
        let thief = {
            let victim = victim.clone();
            thread::spawn(move || steal(&victim, &ring()))
        };
        let mut all: Vec<usize> = victim.pop().into_iter().map(|task| task.addr()).collect();
        all.extend(thief.join().unwrap());
        all.extend(drain(&victim));
        each_once(all, 3);
    });
}
