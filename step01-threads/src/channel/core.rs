//! What a channel is inside: a lock, a buffer, and two queues of waiting tasks.
//!
//! # The protocol
//!
//! All three kinds are one: a channel has a *capacity*, which is a number (bounded), zero (rendezvous) or none
//! (unbounded). Under its lock hold at all times:
//!
//! - a receiver waits only while the buffer is empty and no sender waits;
//! - a sender waits only while the buffer is full (at capacity zero: always, until a receiver comes);
//! - so whoever comes looks for a waiting partner first, and hands the value over directly: from stack to stack,
//!   without the buffer, and the partner wakes with its operation done. It does not have to try again, and nobody can
//!   overtake it.
//!
//! A value is in exactly one place: the sender's slot, the buffer, or the receiver's slot. It moves under the lock, in
//! the same critical section in which the waiter is taken. That is the whole argument why nothing is delivered twice.
//!
//! When the last sender goes, the channel is *closed for receiving* once the buffer is empty; when the last receiver
//! goes, it is closed for sending and the buffered values are dropped. Either way everyone who waits is woken, one at a
//! time, so that the lock is never held for a number of steps that depends on how many wait.
//!
//! This is Go's `hchan` (runtime/chan.go): one lock, a ring, `sendq` and `recvq` of `sudog`s, and `send`/`recv` that
//! copy from stack to stack.
//!
//! Rejected: lock-free arrays and lists, one for each kind, as crossbeam-channel has. They scale further when many
//! cores hammer one channel, and each kind then needs its own subtle protocol, its own way to block, and a
//! two-step select in which the partner spins until the value is there. On the schedulers of the later steps a channel
//! is mostly used by tasks on one core, where an uncontended lock costs two cheap instructions.

use std::collections::VecDeque;
use std::time::Instant;

use crate::lock::Lock;
use crate::park::Wait;
use crate::sync::UnsafeCell;
use crate::sync::atomic::AtomicUsize;
use crate::sync::atomic::Ordering::{AcqRel, Relaxed};
use crate::unparker::Unparker;
use crate::wait_queue::{Outcome, Place, WaitQueue, Waiter, Woken, block};

/// Where one operation keeps its value: full before a send, empty before a receive.
pub(crate) type Slot<T> = UnsafeCell<Option<T>>;

// ANCHOR: core
/// The part of a channel that is behind its lock.
#[derive(Debug)]
pub(crate) struct State<T> {
    buffer: VecDeque<T>,
    /// Room in the buffer; none means no limit.
    capacity: Option<usize>,
    senders: WaitQueue,
    receivers: WaitQueue,
    no_senders: bool,
    no_receivers: bool,
}

/// A channel: what its senders and receivers share.
#[derive(Debug)]
pub(crate) struct Channel<T> {
    state: Lock<State<T>>,
    sender_count: AtomicUsize,
    receiver_count: AtomicUsize,
}
// ANCHOR_END: core

/// What came of trying an operation without waiting.
#[must_use]
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is done, and this partner, if any, is to be unparked once the lock is released.
    Done(Option<Unparker>),
    /// It can never be done: the other side is gone.
    Closed,
    /// Not now.
    WouldBlock,
}

impl Attempt {
    /// Ends an attempt once the lock is released: tells the partner. None if there was nothing to end.
    #[inline]
    pub(crate) fn settle(self) -> Option<Outcome> {
        match self {
            Attempt::Done(partner) => {
                if let Some(partner) = partner {
                    partner.unpark();
                }
                Some(Outcome::Done)
            }
            Attempt::Closed => Some(Outcome::Closed),
            Attempt::WouldBlock => None,
        }
    }
}

/// How an operation that may wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The value moved.
    Done,
    /// The other side is gone.
    Closed,
    /// The deadline came first.
    TimedOut,
}

// ANCHOR: attempts
impl<T> State<T> {
    // Not `extend`, which does the same and is a call with a loop in it: it took a sixth of the time of a channel whose
    // tasks never wait.
    #[inline]
    fn keep(&mut self, value: Option<T>) {
        if let Some(value) = value {
            self.buffer.push_back(value);
        }
    }

    /// Sends the slot's value if that needs no waiting.
    ///
    /// # Safety
    ///
    /// `slot` holds a value, and nobody else uses it now.
    unsafe fn try_send(&mut self, slot: &Slot<T>) -> Attempt {
        if self.no_receivers {
            return Attempt::Closed;
        }
        // SAFETY: the caller owns the slot.
        let value = || slot.with_mut(|slot| unsafe { (*slot).take() });
        if let Some(receiver) = self.receivers.take() {
            // SAFETY: a waiting receiver's slot is a `Slot<T>` of this channel, and since the waiter has been taken
            // it is ours until `finish`.
            let theirs = unsafe { &*receiver.slot().cast::<Slot<T>>() };
            // SAFETY: as above.
            theirs.with_mut(|slot| unsafe { *slot = value() });
            return Attempt::Done(Some(receiver.finish(Outcome::Done)));
        }
        if self.capacity.is_none_or(|room| self.buffer.len() < room) {
            self.keep(value());
            return Attempt::Done(None);
        }
        Attempt::WouldBlock
    }

    /// Receives a value into the slot if that needs no waiting.
    ///
    /// # Safety
    ///
    /// `slot` is empty, and nobody else uses it now.
    unsafe fn try_recv(&mut self, slot: &Slot<T>) -> Attempt {
        let buffered = self.buffer.pop_front();
        let was_buffered = buffered.is_some();
        // SAFETY: the caller owns the slot.
        let put = |value| slot.with_mut(|slot| unsafe { *slot = value });
        if was_buffered {
            put(buffered);
        }
        if let Some(sender) = self.senders.take() {
            // SAFETY: a waiting sender's slot is a `Slot<T>` of this channel, and since the waiter has been taken it
            // is ours until `finish`.
            let theirs = unsafe { &*sender.slot().cast::<Slot<T>>() };
            // SAFETY: as above.
            let value = theirs.with_mut(|slot| unsafe { (*slot).take() });
            if was_buffered {
                // The buffer was full and has room for one now: the sender that waited longest gets it.
                self.keep(value);
            } else {
                put(value);
            }
            return Attempt::Done(Some(sender.finish(Outcome::Done)));
        }
        if was_buffered {
            Attempt::Done(None)
        } else if self.no_senders {
            Attempt::Closed
        } else {
            Attempt::WouldBlock
        }
    }
}
// ANCHOR_END: attempts

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => End::Done,
            Outcome::Closed => End::Closed,
        }
    }
}

/// Which end of the channel an operation is on; picks the queue it waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Send,
    Recv,
}

impl<T> Channel<T> {
    /// A channel with one sender and one receiver.
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        Channel {
            state: Lock::new(State {
                // Grows as it is filled: a capacity is a limit, and need not be paid for in advance.
                buffer: VecDeque::new(),
                capacity,
                senders: WaitQueue::new(),
                receivers: WaitQueue::new(),
                no_senders: false,
                no_receivers: false,
            }),
            sender_count: AtomicUsize::new(1),
            receiver_count: AtomicUsize::new(1),
        }
    }

    /// Tries, and does not wait. None if it would have had to.
    ///
    /// # Safety
    ///
    /// The slot is the caller's, and holds a value if and only if `side` is to send.
    pub(crate) unsafe fn attempt(&self, side: Side, slot: &Slot<T>) -> Option<Outcome> {
        let mut state = self.state.lock();
        // SAFETY: the caller's promise.
        let attempt = unsafe { state.attempt(side, slot) };
        drop(state);
        attempt.settle()
    }

    // ANCHOR: operate
    /// Does the operation; waits if it must, no longer than until `deadline`.
    ///
    /// # Safety
    ///
    /// As for [`Channel::attempt`].
    // Inlined, and `State::attempt` with it: where it is called, `side` is a constant, and mostly there is no deadline.
    #[inline(always)]
    pub(crate) unsafe fn operate(
        &self,
        side: Side,
        slot: &Slot<T>,
        deadline: Option<Instant>,
    ) -> End {
        let mut state = self.state.lock();
        // SAFETY: the caller's promise.
        let attempt = unsafe { state.attempt(side, slot) };
        if !matches!(attempt, Attempt::WouldBlock) {
            drop(state);
            return match attempt.settle() {
                Some(outcome) => End::from(outcome),
                None => unreachable!("it would not block"),
            };
        }
        let (queue, wait): (fn(&mut State<T>) -> &mut WaitQueue, _) = match side {
            Side::Send => (|state| &mut state.senders, Wait::Send),
            Side::Recv => (|state| &mut state.receivers, Wait::Recv),
        };
        let waiter = Waiter::new((slot as *const Slot<T>).cast(), 1);
        let place = Place::Back;
        match block(&self.state, state, queue, &waiter, place, wait, deadline) {
            Woken::By(outcome) => End::from(outcome),
            Woken::TimedOut => End::TimedOut,
        }
    }
    // ANCHOR_END: operate

    /// Values in the buffer.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().buffer.len()
    }

    /// True if a send would find no room in the buffer; always so in a rendezvous channel.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state.lock();
        state
            .capacity
            .is_some_and(|room| state.buffer.len() >= room)
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        self.state.lock().capacity
    }

    /// The lock, with the state behind it, for `select`.
    pub(crate) fn lock(&self) -> &Lock<State<T>> {
        &self.state
    }

    /// One more end on this side.
    pub(crate) fn add(&self, side: Side) {
        // Relaxed: whoever clones an end has one already, so the count cannot reach zero meanwhile.
        self.count(side).fetch_add(1, Relaxed);
    }

    /// One end less; the last one closes the channel for the other side.
    pub(crate) fn release(&self, side: Side) {
        // AcqRel: all that was done with the other ends of this side is done before the last one closes the channel.
        if self.count(side).fetch_sub(1, AcqRel) == 1 {
            self.close(side);
        }
    }

    fn count(&self, side: Side) -> &AtomicUsize {
        match side {
            Side::Send => &self.sender_count,
            Side::Recv => &self.receiver_count,
        }
    }

    // ANCHOR: close
    /// The last end of `side` is gone: nobody on the other side may wait for it any more.
    fn close(&self, side: Side) {
        let mut state = self.state.lock();
        let unwanted = match side {
            Side::Send => {
                state.no_senders = true;
                VecDeque::new()
            }
            Side::Recv => {
                state.no_receivers = true;
                std::mem::take(&mut state.buffer)
            }
        };
        drop(state);
        // The flag is set, so nobody links a waiter any more, and this ends.
        while let Some(unparker) = self.close_one(side) {
            unparker.unpark();
        }
        drop(unwanted); // runs destructors, and so comes after the lock and after the wake-ups
    }

    fn close_one(&self, side: Side) -> Option<Unparker> {
        let mut state = self.state.lock();
        let waiter = match side {
            Side::Send => state.receivers.take(),
            Side::Recv => state.senders.take(),
        };
        waiter.map(|waiter| waiter.finish(Outcome::Closed))
    }
    // ANCHOR_END: close
}

impl<T> State<T> {
    /// The queue in which operations of `side` wait.
    pub(crate) fn queue(&mut self, side: Side) -> &mut WaitQueue {
        match side {
            Side::Send => &mut self.senders,
            Side::Recv => &mut self.receivers,
        }
    }

    /// # Safety
    ///
    /// As for [`Channel::attempt`].
    #[inline(always)]
    pub(crate) unsafe fn attempt(&mut self, side: Side, slot: &Slot<T>) -> Attempt {
        match side {
            // SAFETY: the caller's promise.
            Side::Send => unsafe { self.try_send(slot) },
            // SAFETY: the caller's promise.
            Side::Recv => unsafe { self.try_recv(slot) },
        }
    }
}
