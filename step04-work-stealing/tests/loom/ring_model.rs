//! The ring: whatever its owner and thieves do at the same time, each task comes out once.
//!
//! The rings here have four places, and indices that pass the largest number after two pushes.

use std::ptr;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::local_queue::LocalQueue;
use crate::model::{Bound, explore};

type Ring<T = u8> = LocalQueue<T, 4>;

fn ring<T>() -> Arc<Ring<T>> {
    Arc::new(Ring::starting_at(u32::MAX - 1))
}

/// A pointer that is a number: the ring never looks at what it points to.
fn task(number: usize) -> *mut u8 {
    ptr::without_provenance_mut(number)
}

/// Pushes a task; returns those that did not fit.
fn push(ring: &Ring, number: usize) -> Vec<usize> {
    match ring.push(task(number)) {
        Ok(()) => Vec::new(),
        Err(overflow) => overflow.tasks.into_iter().map(|task| task.addr()).collect(),
    }
}

fn fill(ring: &Ring, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        assert_eq!(push(ring, number), [], "there was room");
    }
}

fn pop(ring: &Ring) -> Vec<usize> {
    ring.pop().into_iter().map(|task| task.addr()).collect()
}

fn drain(ring: &Ring) -> Vec<usize> {
    std::iter::from_fn(|| ring.pop())
        .map(|task| task.addr())
        .collect()
}

/// One theft: the task to run, and what is in the thief's ring now.
fn steal(victim: &Ring, own: &Ring) -> Vec<usize> {
    let seen = victim.end();
    let first = victim.steal_into(own, seen).map(|task| task.addr());
    first.into_iter().chain(drain(own)).collect()
}

#[track_caller]
fn each_once(mut all: Vec<usize>, last: usize) {
    all.sort_unstable();
    let expected: Vec<usize> = (1..=last).collect();
    assert_eq!(all, expected, "each task comes out once");
}

/// The owner takes and puts while a thief takes half.
#[test]
fn push_and_pop_against_steal() {
    explore("push and pop against steal", Bound::Complete, 100, || {
        let victim = ring();
        fill(&victim, 1..=3);
        let thief = {
            let victim = victim.clone();
            thread::spawn(move || steal(&victim, &ring()))
        };
        let mut all = pop(&victim);
        all.extend(push(&victim, 4));
        all.extend(pop(&victim));
        all.extend(thief.join().unwrap());
        all.extend(drain(&victim));
        each_once(all, 4);
    });
}

/// A full ring overflows, or has room at the last moment, since a thief was there.
#[test]
fn overflow_against_steal() {
    explore("overflow against steal", Bound::Complete, 100, || {
        let victim = ring();
        fill(&victim, 1..=4);
        let thief = {
            let victim = victim.clone();
            thread::spawn(move || steal(&victim, &ring()))
        };
        let mut all = push(&victim, 5);
        all.extend(push(&victim, 6));
        all.extend(thief.join().unwrap());
        all.extend(drain(&victim));
        each_once(all, 6);
    });
}

/// A thief that sees a task sees what its owner wrote before: in the slot, and in the task.
#[test]
fn what_is_stolen_was_written() {
    explore("what is stolen was written", Bound::Complete, 10, || {
        let tasks = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let victim = ring::<UnsafeCell<u8>>();
        let thief = {
            let (victim, _tasks) = (victim.clone(), tasks.clone());
            thread::spawn(move || {
                let own = ring();
                let seen = victim.end();
                let first = victim.steal_into(&own, seen);
                for task in first.into_iter().chain(std::iter::from_fn(|| own.pop())) {
                    assert!(!task.is_null(), "a slot that was not written");
                    // SAFETY: `_tasks` keeps it alive, and loom checks that nobody writes it now.
                    unsafe { (*task).with(|value| assert_eq!(*value, 7)) };
                }
            })
        };
        for task in tasks.iter() {
            // SAFETY: loom checks that nobody else uses it now.
            task.with_mut(|value| unsafe { *value = 7 });
            victim.push(ptr::from_ref(task).cast_mut()).unwrap();
        }
        thief.join().unwrap();
    });
}

/// What a thief did not see at its first look it leaves alone, whatever comes between its looks.
#[test]
fn what_came_later_is_left_alone() {
    explore(
        "what came later is left alone",
        Bound::Complete,
        100,
        || {
            let victim = ring();
            fill(&victim, [1]);
            let seen = victim.end();
            let thief = {
                let victim = victim.clone();
                thread::spawn(move || {
                    let own = ring();
                    let first = victim.steal_into(&own, seen);
                    assert_eq!(drain(&own), [], "there was one, and that is to be run");
                    first.map(|task| task.addr())
                })
            };
            let mut all = push(&victim, 2);
            all.extend(pop(&victim));
            all.extend(push(&victim, 3));
            let stolen = thief.join().unwrap();
            assert!(matches!(stolen, None | Some(1)), "stolen: {stolen:?}");
            all.extend(stolen);
            all.extend(drain(&victim));
            each_once(all, 3);
        },
    );
}

/// While a thief stands between its reading and its exchange, the owner goes round the ring twice. The slots that it has
/// read hold other tasks now, and its exchange must fail. The thief is the thread that is there first, so that one
/// preemption is enough: from its theft to the owner, who runs to the end.
#[test]
fn a_thief_that_was_away() {
    explore("a thief that was away", Bound::Preemptions(2), 40, || {
        let victim = ring();
        fill(&victim, 1..=2);
        let owner = {
            let victim = victim.clone();
            thread::spawn(move || {
                let round = |number| [push(&victim, number), pop(&victim)].concat();
                (3..=10).flat_map(round).collect::<Vec<_>>()
            })
        };
        let mut all = steal(&victim, &ring());
        all.extend(owner.join().unwrap());
        all.extend(drain(&victim));
        each_once(all, 10);
    });
}

/// Two thieves and the owner.
#[test]
fn two_thieves() {
    explore("two thieves", Bound::Preemptions(3), 1_000, || {
        let victim = ring();
        fill(&victim, 1..=4);
        let thieves = [(); 2].map(|()| {
            let victim = victim.clone();
            thread::spawn(move || steal(&victim, &ring()))
        });
        let mut all = pop(&victim);
        all.extend(push(&victim, 5));
        for thief in thieves {
            all.extend(thief.join().unwrap());
        }
        all.extend(drain(&victim));
        each_once(all, 5);
    });
}

/// Stolen tasks are stolen again, from a thief's ring that had three of its own and so has room for one.
#[test]
fn steal_into_a_ring_that_is_nearly_full() {
    explore(
        "steal into a ring that is nearly full",
        Bound::Preemptions(3),
        300,
        || {
            let (victim, middle) = (ring(), ring());
            fill(&victim, 1..=4);
            fill(&middle, 5..=7);
            let first = {
                let (victim, middle) = (victim.clone(), middle.clone());
                thread::spawn(move || {
                    let first = victim.steal_into(&middle, victim.end());
                    first.map(|task| task.addr())
                })
            };
            let second = {
                let middle = middle.clone();
                thread::spawn(move || steal(&middle, &ring()))
            };
            let mut all = pop(&victim);
            all.extend(first.join().unwrap());
            all.extend(second.join().unwrap());
            all.extend(drain(&victim));
            all.extend(drain(&middle));
            each_once(all, 7);
        },
    );
}

/// What a thief puts into its own ring is seen by one who steals it there.
#[test]
fn stolen_and_stolen_again() {
    explore("stolen and stolen again", Bound::Complete, 2, || {
        let (victim, middle) = (ring(), ring());
        fill(&victim, 1..=4);
        let second = {
            let middle = middle.clone();
            thread::spawn(move || steal(&middle, &ring()))
        };
        let first = victim.steal_into(&middle, victim.end());
        let mut all = second.join().unwrap();
        all.extend(first.map(|task| task.addr()));
        all.extend(drain(&victim));
        all.extend(drain(&middle));
        each_once(all, 4);
    });
}
