//! The thief's half of a ring: a run queue with one owner and any number of thieves.
//!
//! `head` and `tail` only grow (and wrap round at 2³²); the slot of an index is the index modulo `N`. What is in the ring
//! lies from `head`, the oldest, to `tail`. The owner's side is here already, as in the chapter.
//!
//! A steal goes like this:
//!
//! 1. Look at `head`, then at `tail`: so much is there. Half of it, rounded up, is what a thief takes, the oldest first.
//! 2. Copy those slots into one's own ring, behind its tail, without telling anybody.
//! 3. Move the victim's `head` over them, if it is still where it was. If it is not, somebody was quicker, and the copies
//!    are worth nothing: begin anew.
//! 4. Keep the last of them to run at once, and publish the others, all in one step.

// In one test these are std's, in another loom's.
use super::sync::atomic::AtomicU32;
use super::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A ring of up to `N` numbers, a power of two. In a scheduler they would be tasks.
#[derive(Debug)]
pub struct Ring<const N: usize> {
    head: AtomicU32,
    tail: AtomicU32,
    slots: Vec<AtomicU32>,
}

impl<const N: usize> Ring<N> {
    /// An empty ring whose indices begin here: they are to wrap in a test, and not after months.
    pub fn starting_at(index: u32) -> Self {
        Ring {
            head: AtomicU32::new(index),
            tail: AtomicU32::new(index),
            slots: (0..N).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn slot(&self, index: u32) -> &AtomicU32 {
        &self.slots[index as usize % N]
    }

    /// The owner: puts a number behind the others. False if there is no room.
    pub fn push(&self, number: u32) -> bool {
        // Relaxed: only the owner writes it.
        let tail = self.tail.load(Relaxed);
        // Acquire: pairs with the Release of whoever moved it. They have read the slots that we may write now.
        let head = self.head.load(Acquire);
        if tail.wrapping_sub(head) as usize == N {
            return false;
        }
        self.slot(tail).store(number, Relaxed);
        // Release: publishes the slot.
        self.tail.store(tail.wrapping_add(1), Release);
        true
    }

    /// The owner: takes the number that has waited longest.
    pub fn pop(&self) -> Option<u32> {
        let mut head = self.head.load(Acquire);
        loop {
            if head == self.tail.load(Relaxed) {
                return None;
            }
            let number = self.slot(head).load(Relaxed);
            match self
                .head
                .compare_exchange(head, head.wrapping_add(1), AcqRel, Acquire)
            {
                Ok(_) => return Some(number),
                Err(now) => head = now,
            }
        }
    }

    // ANCHOR: steal
    /// A thief, whose own ring is empty: takes the older half of what is here, rounded up. The last of those is returned,
    /// the others are in `own` then, in order.
    pub fn steal_into(&self, own: &Ring<N>) -> Option<u32> {
        // ANCHOR: cut_steal | let _ = own;
        // ANCHOR: cut_steal | todo!("take half, or nothing")
        // Relaxed: only we write it.
        let own_tail = own.tail.load(Relaxed);
        loop {
            // `head` first. The other way round the owner could pop in between, and `head` would be beyond our `tail`: a
            // number of tasks below zero, which is four thousand million.
            let head = self.head.load(Acquire);
            // Acquire: pairs with the Release of the push, or we would see that something is there and not what.
            let tail = self.tail.load(Acquire);
            let there = tail.wrapping_sub(head);
            if there as usize > N {
                // Much has happened between the two looks, so `head` has moved, and the exchange would fail.
                continue;
            }
            // Rounded up, or a single task could never be stolen.
            let count = there.div_ceil(2);
            if count == 0 {
                return None;
            }
            // Copied first. Once `head` has moved, the owner may write over these slots. And what we copy may be overwritten
            // while we do, if others take it and the owner pushes: then `head` has moved, and the copies are thrown away.
            // Relaxed: `tail` has brought us what is in them, and nobody sees our own slots yet.
            for n in 0..count {
                let number = self.slot(head.wrapping_add(n)).load(Relaxed);
                own.slot(own_tail.wrapping_add(n)).store(number, Relaxed);
            }
            // Release: our reads are done before the owner, who acquires `head`, writes there again. (No model of loom's can
            // show this one: for that a load would have to see a later write.)
            if self
                .head
                .compare_exchange(head, head.wrapping_add(count), AcqRel, Relaxed)
                .is_err()
            {
                continue;
            }
            let last = own_tail.wrapping_add(count - 1);
            let number = own.slot(last).load(Relaxed);
            // Release: with this store the others are there for whoever steals from us.
            own.tail.store(last, Release);
            return Some(number);
        }
        // ANCHOR_END: cut_steal
    }
    // ANCHOR_END: steal
}
