//! How whoever makes a condition true finds the tasks that wait for it.
//!
//! # The protocol
//!
//! A blocked operation puts a [`Waiter`] on its own stack, links it into the [`WaitQueue`] of the channel or lock it
//! waits on, and parks. The queue is a doubly linked list through the waiters themselves, so blocking allocates nothing,
//! and leaving early, on a deadline, takes constant time and leaves nothing behind.
//!
//! What was decided about a waiter is written into its [`Ticket`]:
//!
//! ```text
//!             claim                    finish
//!   WAITING ─────────▶ CLAIMED ───────────────────▶ decided(arm, Done | Closed)
//!      │
//!      └─── withdraw (deadline, or another arm) ──▶ CLAIMED by its own task
//! ```
//!
//! Four rules make it sound that the waiter lives on a stack which vanishes as soon as the operation returns:
//!
//! 1. A waiter is linked, unlinked and read only under the lock of the queue it is in.
//! 2. Whoever takes a waiter out of the queue moves the value and calls [`Taken::finish`] before it releases that lock.
//! 3. `finish` copies the [`Unparker`] out *first*; storing the decision is the last time it touches the waiter. From
//!    that store on, the waiting task may return and its stack may be gone.
//! 4. The unpark itself comes after the lock is released, and goes to type-stable memory.
//!
//! A `select` waits in several queues with one ticket. Two counterparts, each holding another lock, may want it at the
//! same moment, so it is *claimed* by compare-and-swap, and the loser looks for another waiter. A ticket that is in one
//! queue alone needs no claim: the lock of that queue has decided already.
//!
//! The short functions are `#[inline]`: a channel is generic and is compiled in its user's crate, from where they would be
//! calls. Without the attribute a rendezvous round trip on step 2 took a seventh longer.
//!
//! Rejected: a queue of unparkers in a `VecDeque`, as std's channels had it. It allocates on a blocking path, and an
//! operation that times out has to search for itself.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::ptr;
use std::time::Instant;

use crate::lock::{Lock, LockGuard};
use crate::park::{self, Wait};
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::unparker::Unparker;

const WAITING: usize = 0;
const CLAIMED: usize = 1;
/// A decided ticket holds `DECIDED + 2 * arm + (1 if closed)`.
const DECIDED: usize = 2;

/// How a wait was ended by someone else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was waited for was done: the value moved, the lock handed over, the counter reached.
    Done,
    /// It can never be done any more: the other side is gone.
    Closed,
}

// ANCHOR: ticket
/// What was decided about one blocked operation, and how to tell its task.
#[derive(Debug)]
pub(crate) struct Ticket {
    state: AtomicUsize,
    /// Read by whoever decides, before the decision is stored; in a cell, so that loom sees a read that comes later.
    unparker: UnsafeCell<Unparker>,
    /// In several queues at once, and so to be claimed before it is used.
    shared: bool,
}

impl Ticket {
    /// For an operation that waits in one queue.
    #[inline]
    pub(crate) fn single() -> Self {
        Self::new(false)
    }

    /// For a `select`, which waits in several.
    #[inline]
    pub(crate) fn shared() -> Self {
        Self::new(true)
    }

    #[inline]
    fn new(shared: bool) -> Self {
        Ticket {
            state: AtomicUsize::new(WAITING),
            unparker: UnsafeCell::new(park::current()),
            shared,
        }
    }

    /// Makes the caller the only one that may decide. For a shared ticket; true if it was not claimed before.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        // Relaxed is enough: the claim only picks a winner. What the winner then writes is published by `finish`, and
        // what it reads of the waiter was published by the queue's lock.
        self.state
            .compare_exchange(WAITING, CLAIMED, Relaxed, Relaxed)
            .is_ok()
    }

    /// The decision, if it has been made.
    #[inline]
    pub(crate) fn decided(&self) -> Option<(usize, Outcome)> {
        // Acquire: pairs with the Release in `finish`, so that the value which was moved is seen.
        let state = self.state.load(Acquire);
        let code = state.checked_sub(DECIDED)?;
        let outcome = if code & 1 == 0 {
            Outcome::Done
        } else {
            Outcome::Closed
        };
        Some((code >> 1, outcome))
    }
}
// ANCHOR_END: ticket

impl Drop for Ticket {
    /// Nothing to the machine. To loom it is a write, so that whoever still reads breaks rule 3 where it can be seen.
    fn drop(&mut self) {
        self.unparker.with_mut(|_| ());
    }
}

/// Where a waiter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// In no queue: not yet, or left by its own task.
    Out,
    /// In its queue.
    In,
    /// Taken out by someone who decided about it.
    Taken,
}

/// One blocked operation's place in one queue. It lives on the stack of the task that waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    next: Cell<*const Waiter>,
    prev: Cell<*const Waiter>,
    link: Cell<Link>,
    ticket: Cell<*const Ticket>,
    arm: Cell<usize>,
    /// Where the value to be sent is, or where the received one goes; what it points at is the queue owner's affair.
    slot: Cell<*const ()>,
    /// How much is asked for, where that has a meaning (permits), and marks of the queue's owner.
    amount: Cell<usize>,
    _pinned: PhantomPinned,
}

impl Waiter {
    /// A waiter that is in no queue. `slot` and `amount` mean what the owner of the queue wants them to.
    pub(crate) fn new(slot: *const (), amount: usize) -> Self {
        Waiter {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            link: Cell::new(Link::Out),
            ticket: Cell::new(ptr::null()),
            arm: Cell::new(0),
            slot: Cell::new(slot),
            amount: Cell::new(amount),
            _pinned: PhantomPinned,
        }
    }

    #[inline]
    pub(crate) fn slot(&self) -> *const () {
        self.slot.get()
    }

    #[inline]
    pub(crate) fn amount(&self) -> usize {
        self.amount.get()
    }

    /// True if someone has decided about it. For an operation that is left by unwinding out of its park: it must then
    /// pass on what it was given. Only for the waiting task, after [`block`].
    pub(crate) fn taken(&self) -> bool {
        self.link.get() == Link::Taken
    }

    /// Says which ticket, and which arm of it, this waiter stands for, and where its value is.
    #[inline]
    pub(crate) fn prepare(&self, ticket: &Ticket, arm: usize, slot: *const ()) {
        self.ticket.set(ticket);
        self.arm.set(arm);
        self.slot.set(slot);
    }
}

impl Drop for Waiter {
    /// A waiter that goes while it is linked would leave a dangling pointer in its queue. None ever does; a debug build
    /// looks, so that a mistake is a message and not a crash somewhere else.
    fn drop(&mut self) {
        debug_assert!(
            self.link.get() != Link::In,
            "a waiter goes while it is linked into its queue"
        );
    }
}

/// A waiter that has been taken out of its queue and belongs to the taker, who must [`finish`](Taken::finish) it
/// before releasing the lock of that queue.
#[must_use = "a waiter that was taken and not finished sleeps for ever"]
#[derive(Debug)]
pub(crate) struct Taken(*const Waiter);

impl Taken {
    pub(crate) fn slot(&self) -> *const () {
        // SAFETY: rule 2: until `finish`, the waiting task stays where it is, and the waiter with it.
        unsafe { &*self.0 }.slot()
    }

    pub(crate) fn amount(&self) -> usize {
        // SAFETY: as in `slot`.
        unsafe { &*self.0 }.amount()
    }

    // ANCHOR: finish
    /// Writes the decision down. Returns what to unpark once the lock is released.
    #[inline]
    pub(crate) fn finish(self, outcome: Outcome) -> Unparker {
        // SAFETY: rule 2: the waiting task returns only after the store below, so waiter and ticket are still there.
        let (waiter, ticket) = unsafe { (&*self.0, &*(*self.0).ticket.get()) };
        // SAFETY: rule 3: it is not written before the ticket goes, and that is after the store below.
        let unparker = ticket.unparker.with(|unparker| unsafe { *unparker });
        let code = 2 * waiter.arm.get() + usize::from(outcome == Outcome::Closed);
        // Release: pairs with the Acquire in `decided`. The last touch (rule 3).
        ticket.state.store(DECIDED + code, Release);
        unparker
    }
    // ANCHOR_END: finish
}

/// The tasks that wait for one thing, first come first served.
///
/// It must be kept behind a lock, and everything it does must be done under that lock (rule 1).
#[derive(Debug)]
pub(crate) struct WaitQueue {
    head: *const Waiter,
    tail: *const Waiter,
}

// SAFETY: the pointers are to waiters whose tasks stay where they are while they are linked, and are followed only
// under the lock that guards the queue; which thread holds that lock does not matter.
unsafe impl Send for WaitQueue {}

impl WaitQueue {
    pub(crate) const fn new() -> Self {
        WaitQueue {
            head: ptr::null(),
            tail: ptr::null(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Links `waiter` behind all others.
    ///
    /// # Safety
    ///
    /// The waiter must be prepared, in no queue, and must not move or go away before it is taken or removed.
    #[inline]
    pub(crate) unsafe fn push_back(&mut self, waiter: &Waiter) {
        waiter.prev.set(self.tail);
        waiter.next.set(ptr::null());
        waiter.link.set(Link::In);
        if self.tail.is_null() {
            self.head = waiter;
        } else {
            // SAFETY: linked waiters are alive: whoever linked them promised it.
            unsafe { &*self.tail }.next.set(waiter);
        }
        self.tail = waiter;
    }

    /// Links `waiter` before all others, for one that has waited once and lost.
    ///
    /// # Safety
    ///
    /// As for [`WaitQueue::push_back`].
    pub(crate) unsafe fn push_front(&mut self, waiter: &Waiter) {
        waiter.prev.set(ptr::null());
        waiter.next.set(self.head);
        waiter.link.set(Link::In);
        if self.head.is_null() {
            self.tail = waiter;
        } else {
            // SAFETY: as in `push_back`.
            unsafe { &*self.head }.prev.set(waiter);
        }
        self.head = waiter;
    }

    /// The first waiter, without taking it; for an owner that decides by its amount.
    pub(crate) fn front_amount(&self) -> Option<usize> {
        // SAFETY: as in `push_back`.
        unsafe { self.head.as_ref() }.map(Waiter::amount)
    }

    // ANCHOR: take
    /// Takes the first waiter that nobody else has claimed.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Taken> {
        loop {
            // SAFETY: linked waiters are alive, and so are their tickets, which outlive them.
            let waiter = unsafe { self.head.as_ref()? };
            self.unlink(waiter);
            // SAFETY: as above.
            let ticket = unsafe { &*waiter.ticket.get() };
            // A claim that fails belongs to a select which has been decided elsewhere, and is on its way to every one
            // of its queues to remove itself. Here that is already done.
            if !ticket.shared || ticket.claim() {
                waiter.link.set(Link::Taken);
                return Some(Taken(waiter));
            }
        }
    }
    // ANCHOR_END: take

    /// Removes `waiter` if it is still linked. False if someone has taken it.
    ///
    /// # Safety
    ///
    /// The waiter must never have been in another queue than this one.
    pub(crate) unsafe fn remove(&mut self, waiter: &Waiter) -> bool {
        let linked = waiter.link.get() == Link::In;
        if linked {
            self.unlink(waiter);
        }
        linked
    }

    #[inline]
    fn unlink(&mut self, waiter: &Waiter) {
        let (prev, next) = (waiter.prev.get(), waiter.next.get());
        // SAFETY: the neighbours of a linked waiter are linked, and so alive.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => self.head = next,
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            None => self.tail = prev,
        }
        waiter.link.set(Link::Out);
    }
}

/// How a blocked operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Someone else ended it.
    By(Outcome),
    /// The deadline passed first; the waiter is out of the queue again.
    TimedOut,
}

/// Where in its queue a waiter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind all others.
    Back,
    /// Before all others.
    Front,
}

// ANCHOR: block
/// Waits in the queue that `queue` finds in the locked `state`: links a waiter, releases the lock, parks until someone
/// has taken it or the deadline has passed.
pub(crate) fn block<S>(
    lock: &Lock<S>,
    state: LockGuard<'_, S>,
    queue: fn(&mut S) -> &mut WaitQueue,
    waiter: &Waiter,
    place: Place,
    wait: Wait,
    deadline: Option<Instant>,
) -> Woken {
    block_after(lock, state, queue, waiter, place, wait, deadline, || ())
}

/// [`block`], with something to be done once the waiter can be found and before its task parks.
#[expect(clippy::too_many_arguments, reason = "those of `block`, and one more")]
pub(crate) fn block_after<S>(
    lock: &Lock<S>,
    mut state: LockGuard<'_, S>,
    queue: fn(&mut S) -> &mut WaitQueue,
    waiter: &Waiter,
    place: Place,
    wait: Wait,
    deadline: Option<Instant>,
    linked: impl FnOnce(),
) -> Woken {
    let ticket = Ticket::single();
    waiter.prepare(&ticket, 0, waiter.slot());
    // SAFETY: the waiter is prepared, and `Unlink` takes it out of the queue before this function is left, be it by
    // unwinding.
    unsafe {
        match place {
            Place::Back => queue(&mut state).push_back(waiter),
            Place::Front => queue(&mut state).push_front(waiter),
        }
    }
    drop(state);
    let unlink = Unlink {
        lock,
        queue,
        waiter,
    };
    linked();
    loop {
        if let Some((_, outcome)) = ticket.decided() {
            std::mem::forget(unlink);
            return Woken::By(outcome);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            if unlink.remove() {
                std::mem::forget(unlink);
                return Woken::TimedOut;
            }
            // Someone took the waiter, and decided under the lock that we have just held: the decision is there.
            continue;
        }
        park::park_as(wait, deadline);
    }
}

/// Takes a waiter out of its queue even if a park is left by unwinding, as a stage does that drops a parked task.
struct Unlink<'a, S> {
    lock: &'a Lock<S>,
    queue: fn(&mut S) -> &mut WaitQueue,
    waiter: &'a Waiter,
}

impl<S> Unlink<'_, S> {
    fn remove(&self) -> bool {
        let mut state = self.lock.lock();
        // SAFETY: `block` links the waiter into this queue and no other.
        unsafe { (self.queue)(&mut state).remove(self.waiter) }
    }
}

impl<S> Drop for Unlink<'_, S> {
    fn drop(&mut self) {
        self.remove();
    }
}
// ANCHOR_END: block
