//! Chase and Lev's deque: its owner works at one end as on a stack, thieves take from the other.
//!
//! # The protocol
//!
//! ```text
//!        top                            bottom
//!         ▼                              ▼
//!   ┌───┬───┬───┬───┬───┬───┬───┬───┬───┬───┐
//!   │   │ a │ b │ c │ d │ e │ f │ g │ h │   │    indices only grow, but for `bottom` in a pop;
//!   └───┴───┴───┴───┴───┴───┴───┴───┴───┴───┘    a slot is an index modulo the size of the buffer
//!     thieves ──▶                ◀── the owner pops
//!     take the oldest            ──▶ and pushes the newest
//! ```
//!
//! - Only the owner writes `bottom`, the slots and the pointer to the buffer. A store to `bottom` (Release) publishes what
//!   was pushed before it.
//! - A thief reads the oldest item and then moves `top` by compare-and-swap. If that succeeds, the item is his; if not,
//!   somebody else was there, and what he has read means nothing.
//! - The owner takes from `bottom` without asking anybody, as long as there are two items or more: first it lowers
//!   `bottom`, then it reads `top`. A thief reads `top`, then `bottom`. Each writes one thing and reads the other's, so a
//!   fence, SeqCst and on both sides, has to make sure that one of them sees the other: else both could take the
//!   same item. It is the pattern of `idle.rs` once more, and the reason why a pop costs one locked instruction.
//! - For the *last* item owner and thieves meet at `top`: the owner moves it, too.
//! - A full buffer is replaced by one of twice the size. The old one keeps its contents and is never written again, so a
//!   thief who still reads in it reads what was right for the index that he wants to move. It is kept until the deque
//!   goes: all old ones together are smaller than the current one, and nobody has to know who still looks.
//!
//! # Where from
//!
//! D. Chase and Y. Lev, *Dynamic Circular Work-Stealing Deque* (SPAA 2005), with the orderings of N. M. Lê, A. Pop,
//! A. Cohen and F. Zappa Nardelli, *Correct and Efficient Work-Stealing for Weak Memory Models* (PPoPP 2013). Two things
//! differ from that paper. The grown buffer is published with Release: the paper stores its address relaxed, and a
//! thief may then find the new buffer before what was copied into it. And the stores to `bottom` are Release, where the
//! paper has a fence in `push` and relaxed stores behind it. That fence works for the store in the *next pop*, too: a
//! thief who reads the lowered `bottom` must see the items below it. Whoever exchanges the fence for a Release in
//! `push` alone, as seems natural, loses this.
//!
//! # Rejected
//!
//! - *The ring of the run queue* (`local_queue.rs`): it gives its owner the oldest item. In a computation that splits
//!   itself, the oldest is the largest piece, and the newest is the one whose data are in the cache. So the owner wants the
//!   newest, and the thief the oldest; for tasks that wake each other both should have the oldest, or it would starve.
//! - *A fixed size*, as the ring has: a scope may fork as often as it likes, and there is no place to overflow to.
//! - *Freeing old buffers* when nobody looks any more (epochs, hazard pointers): more code than all the rest, to save
//!   half of a memory that is small.
//! - *Two words for an item* (data and function, as in rayon): they cannot be read at once, so that a thief reads a torn
//!   pair and finds out later. Here an item is one pointer, which is read atomically.

use std::cell::UnsafeCell;
use std::fmt;
use std::ptr::{self, NonNull};

use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::atomic::{AtomicPtr, AtomicUsize, fence};

/// The deque. `T` is what an item points to; the deque never looks at it.
pub(crate) struct Deque<T> {
    /// The index of the oldest item.
    top: Line<AtomicUsize>,
    /// What the owner writes.
    own: Line<Own<T>>,
}

/// On a cache line of its own (two of them, which the hardware fetches together).
#[repr(align(128))]
struct Line<A>(A);

struct Own<T> {
    /// The index behind the newest item.
    bottom: AtomicUsize,
    buffer: AtomicPtr<Buffer<T>>,
    /// All buffers that there ever were, the current one last. Only the owner touches it.
    all: UnsafeCell<Vec<NonNull<Buffer<T>>>>,
}

/// Slots; a power of two.
struct Buffer<T> {
    slots: Box<[AtomicPtr<T>]>,
}

/// What came of a try to steal.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steal<T> {
    /// This item is the thief's now.
    Taken(NonNull<T>),
    /// There was nothing.
    Empty,
    /// Somebody else took what the thief wanted to take. There may be more.
    Lost,
}

// SAFETY: items are pointers, handed from one thread to another: whoever pushes them must be allowed to do that, see
// `push`. `all` is for the owner alone, which is one thread at a time.
unsafe impl<T> Send for Deque<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Deque<T> {}

impl<T> Buffer<T> {
    fn allocate(size: usize) -> NonNull<Self> {
        let slot = |_| AtomicPtr::new(ptr::null_mut());
        let slots = (0..size).map(slot).collect();
        NonNull::from(Box::leak(Box::new(Buffer { slots })))
    }

    #[inline]
    fn slot(&self, index: usize) -> &AtomicPtr<T> {
        let slot = index & (self.slots.len() - 1);
        // SAFETY: the length is a power of two and not zero, so the masked index is below it.
        unsafe { self.slots.get_unchecked(slot) }
    }
}

impl<T> Deque<T> {
    /// An empty deque with room for `size` items, a power of two, before it has to grow. Its first index is `start`:
    /// zero, but for tests of what happens when indices wrap.
    pub(crate) fn starting_at(start: usize, size: usize) -> Self {
        assert!(size.is_power_of_two(), "a slot is found by a mask");
        let buffer = Buffer::allocate(size);
        Deque {
            top: Line(AtomicUsize::new(start)),
            own: Line(Own {
                bottom: AtomicUsize::new(start),
                buffer: AtomicPtr::new(buffer.as_ptr()),
                all: UnsafeCell::new(vec![buffer]),
            }),
        }
    }

    /// The owner: where its end is. [`Deque::pop_above`] goes down to such a place.
    #[inline]
    pub(crate) fn level(&self) -> usize {
        // Relaxed: for the owner, who wrote it.
        self.own.0.bottom.load(Relaxed)
    }

    // ANCHOR: deque_push
    /// The owner: puts an item at its end.
    ///
    /// # Safety
    ///
    /// Only one thread at a time is the owner, and each has seen what the one before did. Whoever takes the item out, on
    /// whatever thread, must be allowed to have it.
    #[inline]
    pub(crate) unsafe fn push(&self, item: NonNull<T>) {
        // Relaxed: only we write it.
        let bottom = self.own.0.bottom.load(Relaxed);
        // Acquire: pairs with the exchange of the thief who moved it. He has read the slot that we may write now.
        let top = self.top.0.load(Acquire);
        // Relaxed: only we write it.
        let mut buffer = self.own.0.buffer.load(Relaxed);
        // SAFETY: buffers live as long as the deque.
        if bottom.wrapping_sub(top) >= unsafe { &*buffer }.slots.len() {
            buffer = self.grow(top, bottom);
        }
        // Relaxed: the store of `bottom` publishes it.
        // SAFETY: as above.
        unsafe { &*buffer }
            .slot(bottom)
            .store(item.as_ptr(), Relaxed);
        // Release: pairs with the Acquire in `steal`; what was written before the push is seen by the thief.
        self.own.0.bottom.store(bottom.wrapping_add(1), Release);
    }
    // ANCHOR_END: deque_push

    // ANCHOR: deque_grow
    /// The owner, of a full buffer: makes one of twice the size the current one.
    #[cold]
    #[inline(never)]
    fn grow(&self, top: usize, bottom: usize) -> *mut Buffer<T> {
        // SAFETY: we are the owner, see `push`.
        let all = unsafe { &mut *self.own.0.all.get() };
        // SAFETY: buffers live as long as the deque.
        let old = unsafe { &*self.own.0.buffer.load(Relaxed) };
        let new = Buffer::allocate(2 * old.slots.len());
        for n in 0..bottom.wrapping_sub(top) {
            let index = top.wrapping_add(n);
            // Relaxed, both: our own stores; and the store of the pointer publishes the copies.
            let item = old.slot(index).load(Relaxed);
            // SAFETY: as above.
            unsafe { new.as_ref() }.slot(index).store(item, Relaxed);
        }
        all.push(new);
        // Release: pairs with the Acquire in `steal`. Who finds the new buffer finds the copies in it.
        self.own.0.buffer.store(new.as_ptr(), Release);
        new.as_ptr()
    }
    // ANCHOR_END: deque_grow

    // ANCHOR: deque_pop
    /// The owner: takes the newest item.
    ///
    /// # Safety
    ///
    /// As for [`Deque::push`].
    #[inline]
    pub(crate) unsafe fn pop(&self) -> Option<NonNull<T>> {
        // Relaxed, both: only we write them.
        let bottom = self.own.0.bottom.load(Relaxed).wrapping_sub(1);
        let buffer = self.own.0.buffer.load(Relaxed);
        // Release: a thief who reads this, and not what a push has stored, must see the items below it all the same.
        self.own.0.bottom.store(bottom, Release);
        // Pairs with the fence in `steal`: either the thief sees that we want this one, or we see that he has moved `top`.
        fence(SeqCst);
        // Relaxed: ordered by the fence.
        let top = self.top.0.load(Relaxed);
        let behind = bottom.wrapping_sub(top).cast_signed();
        if behind < 0 {
            // There was nothing. Relaxed, here and below: this publishes no item.
            self.own.0.bottom.store(bottom.wrapping_add(1), Relaxed);
            return None;
        }
        // Relaxed: it is our own store.
        // SAFETY: buffers live as long as the deque.
        let item = unsafe { &*buffer }.slot(bottom).load(Relaxed);
        if behind == 0 && !self.take_last(top) {
            return None;
        }
        NonNull::new(item)
    }

    /// The owner, for the last item: thieves may want it, too. Afterwards there is none.
    #[inline]
    fn take_last(&self, top: usize) -> bool {
        // SeqCst: one order for all who move `top`, together with the fences. Relaxed: then a thief has it.
        let next = top.wrapping_add(1);
        let taken = self.top.0.compare_exchange(top, next, SeqCst, Relaxed);
        self.own.0.bottom.store(next, Relaxed);
        taken.is_ok()
    }
    // ANCHOR_END: deque_pop

    /// The owner: takes the newest item, if it was pushed when its end was at `level` or above.
    ///
    /// # Safety
    ///
    /// As for [`Deque::push`].
    pub(crate) unsafe fn pop_above(&self, level: usize) -> Option<NonNull<T>> {
        if self.level().wrapping_sub(level).cast_signed() <= 0 {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe { self.pop() }
    }

    // ANCHOR: deque_steal
    /// Anybody: takes the oldest item.
    pub(crate) fn steal(&self) -> Steal<T> {
        // Acquire: pairs with the exchange of whoever moved it, so that we do not see an older `bottom` than he did.
        let top = self.top.0.load(Acquire);
        // Pairs with the fence in `pop`.
        fence(SeqCst);
        // Acquire: pairs with the Release in `push`: the slot is seen, and what was written before the push.
        let bottom = self.own.0.bottom.load(Acquire);
        if bottom.wrapping_sub(top).cast_signed() <= 0 {
            return Steal::Empty;
        }
        // Acquire: pairs with the Release in `grow`. After `bottom`: the buffer is at least as new as the item.
        let buffer = self.own.0.buffer.load(Acquire);
        // Relaxed: seen by the Acquire of `bottom`. It may be overwritten by now, but then `top` has moved.
        // SAFETY: buffers live as long as the deque.
        let item = unsafe { &*buffer }.slot(top).load(Relaxed);
        // SeqCst: as in `pop`. From here on the item is ours, or we forget it.
        let next = top.wrapping_add(1);
        match self.top.0.compare_exchange(top, next, SeqCst, Relaxed) {
            Ok(_) => NonNull::new(item).map_or(Steal::Empty, Steal::Taken),
            Err(_) => Steal::Lost,
        }
    }
    // ANCHOR_END: deque_steal

    /// Anybody: whether there seems to be nothing. A look without a fence, to spare empty deques a try to steal.
    #[inline]
    pub(crate) fn seems_empty(&self) -> bool {
        // Relaxed, both: `steal` looks properly.
        let bottom = self.own.0.bottom.load(Relaxed);
        let top = self.top.0.load(Relaxed);
        bottom.wrapping_sub(top).cast_signed() <= 0
    }
}

impl<T> Drop for Deque<T> {
    fn drop(&mut self) {
        for buffer in self.own.0.all.get_mut() {
            // SAFETY: it came from a box, is listed once, and nobody looks any more.
            drop(unsafe { Box::from_raw(buffer.as_ptr()) });
        }
    }
}

impl<T> fmt::Debug for Deque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deque").finish_non_exhaustive()
    }
}
