//! The deque of Chase and Lev: whatever its owner and thieves do at the same time, each item comes out once.
//!
//! Thieves are started before anything is pushed, so that what they see of a push they have by its orderings alone. Indices
//! pass the largest number after two pushes, and there is room for two items before the deque grows. What loom cannot
//! see: it takes the SeqCst exchanges of `top` for AcqRel ones, so it knows less order than there is, and finds
//! nothing wrong with less; and of the memory behind the pointer to the buffer it sees the slots, which are atomics.

use std::ptr::{self, NonNull};

use loom::sync::Arc;
use loom::thread;

use crate::chase_lev::{Deque, Steal};
use crate::model::{Bound, explore};

type Items = Deque<u8>;

fn deque() -> Arc<Items> {
    Arc::new(Deque::starting_at(usize::MAX - 1, 2))
}

/// An item that is a number: the deque never looks at what it points to.
fn item(number: usize) -> NonNull<u8> {
    NonNull::new(ptr::without_provenance_mut(number)).expect("numbers begin at one")
}

fn push(deque: &Items, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        // SAFETY: the main thread of a model is the owner, and items are numbers.
        unsafe { deque.push(item(number)) };
    }
}

fn pop(deque: &Items) -> Option<usize> {
    // SAFETY: as above.
    unsafe { deque.pop() }.map(|item| item.addr().get())
}

/// Steals one item, if there is one.
fn steal(deque: &Items) -> Option<usize> {
    loop {
        match deque.steal() {
            Steal::Taken(item) => return Some(item.addr().get()),
            Steal::Empty => return None,
            Steal::Lost => {} // `top` has moved
        }
    }
}

fn thief(deque: &Arc<Items>, tries: usize) -> thread::JoinHandle<Vec<usize>> {
    let deque = deque.clone();
    thread::spawn(move || (0..tries).filter_map(|_| steal(&deque)).collect())
}

#[track_caller]
fn each_once(mut all: Vec<usize>, last: usize) {
    all.sort_unstable();
    let expected: Vec<usize> = (1..=last).collect();
    assert_eq!(all, expected, "each item once");
}

/// The last item, which both sides want.
#[test]
fn the_last_item() {
    explore("the last item", Bound::Complete, 10, || {
        let deque = deque();
        let thief = thief(&deque, 1);
        push(&deque, [1]);
        let mut all = Vec::from_iter(pop(&deque));
        all.extend(thief.join().unwrap());
        assert_eq!(pop(&deque), None);
        each_once(all, 1);
    });
}

/// Two items, and both ends on their way to the middle.
#[test]
fn pop_against_steal() {
    explore("pop against steal", Bound::Complete, 200, || {
        let deque = deque();
        let thief = thief(&deque, 2);
        push(&deque, [1, 2]);
        let mut all: Vec<usize> = (0..2).filter_map(|_| pop(&deque)).collect();
        all.extend(thief.join().unwrap());
        assert_eq!(pop(&deque), None, "both together have looked often enough");
        each_once(all, 2);
    });
}

/// The owner pops one, and the thief reads the end that it has lowered for that. What lies below was pushed before.
#[test]
fn the_lowered_end() {
    explore("the lowered end", Bound::Complete, 50, || {
        let deque = deque();
        let thief = thief(&deque, 1);
        push(&deque, [1, 2]);
        let mut all = Vec::from_iter(pop(&deque));
        all.extend(thief.join().unwrap());
        all.extend(std::iter::from_fn(|| pop(&deque)));
        each_once(all, 2);
    });
}

/// The deque grows while a thief looks at it: he reads in the old buffer or in the new one, and both are right.
#[test]
fn grow_against_steal() {
    explore("grow against steal", Bound::Complete, 100, || {
        let deque = deque();
        let thief = thief(&deque, 1);
        push(&deque, [1, 2, 3]);
        let mut all = thief.join().unwrap();
        all.extend(std::iter::from_fn(|| pop(&deque)));
        each_once(all, 3);
    });
}

/// The deque grows, is emptied and filled again while a thief looks at it: what he wants now was never in the old buffer.
#[test]
fn an_old_buffer_is_not_used_again() {
    explore(
        "an old buffer is not used again",
        Bound::Preemptions(3),
        1_000,
        || {
            let deque = deque();
            let thief = thief(&deque, 1);
            push(&deque, [1, 2, 3]);
            let mut all: Vec<usize> = (0..3).filter_map(|_| pop(&deque)).collect();
            push(&deque, [4]);
            all.extend(thief.join().unwrap());
            all.extend(std::iter::from_fn(|| pop(&deque)));
            each_once(all, 4);
        },
    );
}

/// Two thieves, who want the same item, and the owner.
#[test]
fn two_thieves() {
    explore("two thieves", Bound::Preemptions(3), 2_000, || {
        let deque = deque();
        let thieves = [thief(&deque, 1), thief(&deque, 1)];
        push(&deque, [1, 2]);
        let mut all = Vec::from_iter(pop(&deque));
        for thief in thieves {
            all.extend(thief.join().unwrap());
        }
        all.extend(std::iter::from_fn(|| pop(&deque)));
        each_once(all, 2);
    });
}
