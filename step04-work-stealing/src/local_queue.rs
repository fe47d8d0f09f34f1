//! A processor's own run queue: a ring of 256 tasks with one producer and many consumers.
//!
//! # The protocol
//!
//! ```text
//!        head                     tail
//!         ▼                        ▼
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┬───┐
//!   │   │ a │ b │ c │ d │ e │ f │   │   │     indices only grow; a slot is an index modulo 256
//!   └───┴───┴───┴───┴───┴───┴───┴───┴───┘
//!     thieves take from here ──▶      ◀── the owner puts here
//!     the owner too
//! ```
//!
//! - Only the owner writes `tail`, and only the owner writes slots, from `tail` to `head + 256`. A store to `tail` (Release)
//!   publishes what is before it.
//! - `head` moves by compare-and-swap, by the owner for one task, by a thief for half of them. Whoever moves it from h to
//!   h + n owns the n tasks whose slots it has read *before*. What it read may have been overwritten meanwhile, but
//!   then `head` has moved, and the exchange fails; the indices do not come round to the same value before four thousand
//!   million pushes.
//! - A thief puts what it has taken into its own ring, slots first, and publishes it with one store.
//! - A full ring gives its older half to the injector, in one go, so that the next 128 pushes are cheap again.
//!
//! This is the queue of Go's processors (`runqput`, `runqget`, `runqgrab` in runtime/proc.go).
//!
//! Rejected: *a deque* from which the owner takes the newest (Chase and Lev). It is right for fork and join, where the
//! newest is the smallest; for tasks that wake each other it would let the oldest starve. *A lock*, which is what the
//! step before has.

use std::ptr;

use crate::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::atomic::{AtomicPtr, AtomicU32};

/// The ring. `T` is what a task points to; the queue never looks at it. `N` tasks fit: a power of two, so that indices may
/// wrap. The models of `tests/loom/` have rings that are small enough to be full.
#[derive(Debug)]
pub(crate) struct LocalQueue<T, const N: usize = 256> {
    head: Line<AtomicU32>,
    tail: Line<AtomicU32>,
    slots: Box<[AtomicPtr<T>; N]>,
}

/// On a cache line of its own: thieves write `head`, the owner writes `tail`.
#[derive(Debug)]
#[repr(align(128))]
struct Line<A>(A);

/// The ring was full: half of it, and the one that was to be pushed.
#[derive(Debug)]
pub(crate) struct Overflow<T> {
    pub(crate) tasks: Vec<*mut T>,
}

impl<T, const N: usize> LocalQueue<T, N> {
    /// So many tasks fit.
    pub(crate) const CAPACITY: u32 = N as u32;

    pub(crate) fn new() -> Self {
        LocalQueue::starting_at(0)
    }

    /// With other indices than zero, for tests of their wrapping.
    pub(crate) fn starting_at(index: u32) -> Self {
        const { assert!(N.is_power_of_two()) };
        LocalQueue {
            head: Line(AtomicU32::new(index)),
            tail: Line(AtomicU32::new(index)),
            slots: Box::new(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))),
        }
    }

    #[inline]
    fn slot(&self, index: u32) -> &AtomicPtr<T> {
        &self.slots[(index % Self::CAPACITY) as usize]
    }

    // ANCHOR: push
    /// The owner: puts a task behind the others. If there is no room, half of the ring comes out, for the injector.
    #[inline]
    pub(crate) fn push(&self, task: *mut T) -> Result<(), Overflow<T>> {
        // Relaxed: only we write it.
        let tail = self.tail.0.load(Relaxed);
        loop {
            // Acquire: pairs with the Release of whoever moved it. They have read the slots that we may write now.
            let head = self.head.0.load(Acquire);
            if tail.wrapping_sub(head) < Self::CAPACITY {
                // Relaxed: the store of `tail` publishes it.
                self.slot(tail).store(task, Relaxed);
                // Release: pairs with the Acquire of a thief's load.
                self.tail.0.store(tail.wrapping_add(1), Release);
                return Ok(());
            }
            if let Some(mut tasks) = self.take_half(head) {
                tasks.push(task);
                return Err(Overflow { tasks });
            }
            // Somebody has stolen, so there is room.
        }
    }
    // ANCHOR_END: push

    // ANCHOR: take_half
    /// The owner, of a full ring: takes its older half out.
    #[cold]
    fn take_half(&self, head: u32) -> Option<Vec<*mut T>> {
        let half = Self::CAPACITY / 2;
        // Relaxed: they are our own stores.
        let tasks = (0..half).map(|n| self.slot(head.wrapping_add(n)).load(Relaxed));
        let tasks = tasks.collect();
        // Release: our reads of the slots come before anybody's writing them; that is us, too. Relaxed: a failure only
        // says that somebody was there.
        self.head
            .0
            .compare_exchange(head, head.wrapping_add(half), Release, Relaxed)
            .ok()
            .map(|_| tasks)
    }
    // ANCHOR_END: take_half

    // ANCHOR: pop
    /// The owner: takes the task that has waited longest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<*mut T> {
        // Acquire: as in `push`.
        let mut head = self.head.0.load(Acquire);
        loop {
            // Relaxed: only we write it.
            if head == self.tail.0.load(Relaxed) {
                return None;
            }
            // Relaxed: it is our own store.
            let task = self.slot(head).load(Relaxed);
            // Release: as in `take_half`. Acquire: as in `push`.
            match self
                .head
                .0
                .compare_exchange_weak(head, head.wrapping_add(1), AcqRel, Acquire)
            {
                Ok(_) => return Some(task),
                Err(now) => head = now,
            }
        }
    }
    // ANCHOR_END: pop

    // ANCHOR: steal
    /// A thief: takes up to half of the tasks, but not more than were already there at its last look, which it says the
    /// end of. Returns one to run; the others are in its own ring, as many as there is room for.
    pub(crate) fn steal_into(&self, thief: &Self, seen: u32) -> Option<*mut T> {
        // Relaxed: only the thief writes it.
        let own_tail = thief.tail.0.load(Relaxed);
        // Acquire: as in `push`. There may be more room by now, not less.
        let room = Self::CAPACITY - own_tail.wrapping_sub(thief.head.0.load(Acquire));
        loop {
            // Acquire, both: pairs with the Release of the owner's pushes, so that the slots are seen; and `head` before
            // `tail`, so that their difference is never negative.
            let head = self.head.0.load(Acquire);
            let tail = self.tail.0.load(Acquire);
            let (there, old) = (tail.wrapping_sub(head), seen.wrapping_sub(head));
            if there > Self::CAPACITY {
                continue; // `head` has moved since we looked
            }
            if old > Self::CAPACITY {
                return None; // all that we have seen is gone
            }
            let count = there.min(old).div_ceil(2).min(room);
            if count == 0 {
                return None;
            }
            for n in 0..count {
                let task = self.slot(head.wrapping_add(n)).load(Relaxed);
                thief.slot(own_tail.wrapping_add(n)).store(task, Relaxed);
            }
            // AcqRel: as in `pop`.
            let taken =
                self.head
                    .0
                    .compare_exchange(head, head.wrapping_add(count), AcqRel, Relaxed);
            if taken.is_err() {
                continue;
            }
            let last = own_tail.wrapping_add(count - 1);
            let first = thief.slot(last).load(Relaxed);
            // Release: publishes the others to those who steal from the thief.
            thief.tail.0.store(last, Release);
            return Some(first);
        }
    }
    // ANCHOR_END: steal

    /// Anybody: the end of the queue at this moment, for a later [`LocalQueue::steal_into`].
    pub(crate) fn end(&self) -> u32 {
        self.tail.0.load(Relaxed)
    }

    /// Anybody: how many there are, roughly.
    pub(crate) fn len(&self) -> u32 {
        let head = self.head.0.load(Acquire);
        let tail = self.tail.0.load(Acquire);
        tail.wrapping_sub(head).min(Self::CAPACITY)
    }
}
