//! Waiting for any of several channel operations.
//!
//! # The protocol
//!
//! 1. *Poll.* Each arm is tried alone, in a random order; the first that can be done is done. The order is what makes
//!    the choice fair: with a fixed one, an arm that is always ready would starve all behind it.
//! 2. *Lock and look again.* All channels are locked, in the order of their addresses, so that two selects over the same
//!    channels cannot wait for each other, and all arms are tried once more. Only if none can be done, one waiter for
//!    each is linked. Since all the locks are held, nothing can become ready between the look and the linking.
//! 3. *Park*, until some partner has claimed the one ticket that all the waiters share, or the time has come.
//! 4. *Clean up.* The waiters that were not chosen are removed, each under the lock of its channel.
//!
//! Whoever claims a ticket moves the value at once: the arm is *done* when the task wakes, not merely possible. A
//! select that is parked can be claimed; one that polls cannot be, because it has no waiter anywhere. So a task never has
//! to hold its own claim and its partner's together, which is where two selects that face each other would get stuck.
//!
//! A deadline, or an arm that is a clock, takes the ticket back by claiming it for itself. If that fails, a partner was
//! faster, and its arm counts.
//!
//! This is Go's `selectgo` (runtime/select.go): `pollorder`, `lockorder`, three passes, `selectDone`.
//!
//! Rejected: crossbeam's way, which links the waiters one channel at a time, looks again, and starts over if something
//! has become ready. It never holds two locks, but a chosen sender has not sent yet: the partner waits, spinning, until
//! the select's owner has put the value where it can be found, and on a scheduler that owner may not be running.

use std::cell::Cell;
use std::time::Instant;

use crate::channel::core::{Attempt, Channel, Side, Slot};
use crate::channel::error::{RecvError, SendError};
use crate::channel::timed::Clock;
use crate::channel::{Receiver, Sender, Source};
use crate::lock::RawLock;
use crate::park::{self, Wait};
use crate::sync::random;
use crate::wait_queue::{Outcome, Ticket, Waiter};

/// One operation that a select may do.
///
/// # Safety
///
/// `lock` must always return the same lock, and the waiter that `enqueue` links must be one that `dequeue` removes.
pub(crate) unsafe trait Arm {
    /// The lock of the channel; none if there is no channel to lock.
    fn lock(&self) -> Option<&RawLock>;

    /// Tries the operation.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, if there is one.
    unsafe fn attempt(&self) -> Attempt;

    /// Links a waiter for this arm.
    ///
    /// # Safety
    ///
    /// The caller holds the lock. `ticket` and the arm stay where they are until `dequeue`, or until the ticket was
    /// decided for this arm.
    unsafe fn enqueue(&self, ticket: &Ticket, index: usize);

    /// Removes the waiter if it is still linked.
    ///
    /// # Safety
    ///
    /// The caller holds the lock.
    unsafe fn dequeue(&self);

    /// When it is worth looking again although nobody has called; for clocks.
    fn due(&self) -> Option<Instant>;

    /// Drops a received value that nobody has asked for.
    fn forget(&self);
}

/// How long to wait if no arm is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Not at all.
    Poll,
    /// Until then; none: for ever.
    Until(Option<Instant>),
}

// ANCHOR: run
/// Does one of the `arms` and says which, and how it ended. None if the limit was met first.
///
/// `order` and `locks` are two arrays to work in, each as long as `arms`, so that nothing is allocated here.
pub(crate) fn run(
    arms: &[&dyn Arm],
    order: &mut [usize],
    locks: &mut [usize],
    limit: Limit,
) -> Option<(usize, Outcome)> {
    let mut expired = false;
    loop {
        shuffle(order);
        for &index in &*order {
            let arm = arms[index];
            let locked = Locked::one(arm);
            // SAFETY: the lock is held.
            let attempt = unsafe { arm.attempt() };
            drop(locked);
            if let Some(end) = attempt.settle() {
                return Some((index, end));
            }
        }
        let deadline = match limit {
            Limit::Poll => return None,
            Limit::Until(deadline) => deadline,
        };
        if expired {
            return None;
        }
        match wait(arms, order, locks, deadline) {
            Waited::Decided(index, outcome) => return Some((index, outcome)),
            Waited::LookAgain => {
                expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            }
        }
    }
}

enum Waited {
    Decided(usize, Outcome),
    /// The time has come, for the whole select or for an arm that is a clock.
    LookAgain,
}

/// Passes 2 to 4.
fn wait(
    arms: &[&dyn Arm],
    order: &[usize],
    locks: &mut [usize],
    deadline: Option<Instant>,
) -> Waited {
    let ticket = Ticket::shared();
    let locked = Locked::all(arms, locks);
    for &index in order {
        // SAFETY: all locks are held.
        let attempt = unsafe { arms[index].attempt() };
        if !matches!(attempt, Attempt::WouldBlock) {
            drop(locked);
            return match attempt.settle() {
                Some(end) => Waited::Decided(index, end),
                None => Waited::LookAgain,
            };
        }
    }
    for (index, arm) in arms.iter().enumerate() {
        // SAFETY: all locks are held. `cleanup` dequeues before this function is left, however it is left, and so
        // before ticket and arms can go away.
        unsafe { arm.enqueue(&ticket, index) };
    }
    drop(locked);
    let cleanup = Cleanup { arms };
    let waited = loop {
        if let Some((index, outcome)) = ticket.decided() {
            break Waited::Decided(index, outcome);
        }
        let dues = arms.iter().filter_map(|arm| arm.due());
        let look_at = dues.chain(deadline).min();
        if look_at.is_some_and(|at| Instant::now() >= at) && ticket.claim() {
            break Waited::LookAgain;
        }
        park::park_as(Wait::Select, look_at);
    };
    drop(cleanup);
    waited
}
// ANCHOR_END: run

/// Fisher and Yates: every order is equally likely.
fn shuffle(order: &mut [usize]) {
    for last in (1..order.len()).rev() {
        order.swap(last, random(last + 1));
    }
}

/// Locks that are held until this is dropped.
enum Locked<'a> {
    One(Option<&'a RawLock>),
    /// Arms in the order of their locks' addresses; the same channel may stand there more than once.
    All(&'a [&'a dyn Arm], &'a [usize]),
}

impl<'a> Locked<'a> {
    fn one(arm: &'a dyn Arm) -> Self {
        let lock = arm.lock();
        if let Some(lock) = lock {
            lock.lock();
        }
        Locked::One(lock)
    }

    fn all(arms: &'a [&'a dyn Arm], locks: &'a mut [usize]) -> Self {
        locks.sort_unstable_by_key(|&index| address(arms[index]));
        let locked = Locked::All(arms, locks);
        locked.each(|lock| lock.lock());
        locked
    }

    /// Every lock once.
    fn each(&self, mut f: impl FnMut(&RawLock)) {
        match self {
            Locked::One(lock) => lock.iter().for_each(|lock| f(lock)),
            Locked::All(arms, locks) => {
                let mut last = 0;
                for &index in *locks {
                    let here = address(arms[index]);
                    if let Some(lock) = arms[index].lock()
                        && here != last
                    {
                        last = here;
                        f(lock);
                    }
                }
            }
        }
    }
}

fn address(arm: &dyn Arm) -> usize {
    arm.lock().map_or(0, |lock| lock as *const RawLock as usize)
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: both constructors have locked each of them once, and they are unlocked here only.
        self.each(|lock| unsafe { lock.unlock() });
    }
}

/// Removes all waiters, also if the park was left by unwinding.
struct Cleanup<'a> {
    arms: &'a [&'a dyn Arm],
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        for arm in self.arms {
            let _locked = Locked::one(*arm);
            // SAFETY: the lock is held.
            unsafe { arm.dequeue() };
        }
    }
}

/// The part of an arm that both directions share: a channel, a place for the value, a place in the queue.
pub(crate) struct ChannelArm<'a, T> {
    channel: &'a Channel<T>,
    side: Side,
    slot: Slot<T>,
    waiter: Waiter,
}

impl<'a, T> ChannelArm<'a, T> {
    fn new(channel: &'a Channel<T>, side: Side, value: Option<T>) -> Self {
        ChannelArm {
            channel,
            side,
            slot: Slot::new(value),
            waiter: Waiter::new(std::ptr::null(), 1),
        }
    }

    fn take(&self) -> Option<T> {
        // SAFETY: the select is over, so no partner can reach the slot, and arms stay on one thread.
        self.slot.with_mut(|slot| unsafe { (*slot).take() })
    }
}

// SAFETY: the lock is the channel's, and `dequeue` removes what `enqueue` linked.
unsafe impl<T> Arm for ChannelArm<'_, T> {
    fn lock(&self) -> Option<&RawLock> {
        Some(self.channel.lock().raw())
    }

    unsafe fn attempt(&self) -> Attempt {
        let (side, slot) = (self.side, &self.slot);
        // SAFETY: the caller holds the lock, and the slot is this arm's: full if it sends, empty if it receives.
        unsafe {
            self.channel
                .lock()
                .with_locked(|state| state.attempt(side, slot))
        }
    }

    unsafe fn enqueue(&self, ticket: &Ticket, index: usize) {
        let slot = (&raw const self.slot).cast();
        self.waiter.prepare(ticket, index, slot);
        // SAFETY: the caller holds the lock and keeps arm and ticket where they are.
        unsafe {
            let lock = self.channel.lock();
            lock.with_locked(|state| state.queue(self.side).push_back(&self.waiter));
        }
    }

    unsafe fn dequeue(&self) {
        // SAFETY: the caller holds the lock; this is the queue that `enqueue` used.
        unsafe {
            let lock = self.channel.lock();
            lock.with_locked(|state| state.queue(self.side).remove(&self.waiter));
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn forget(&self) {
        drop(self.take());
    }
}

/// A clock, and what makes its message a `T` (which is an `Instant`; see [`Source`]).
type TypedClock<'a, T> = (&'a Clock, fn(Instant) -> T);

/// An arm that is a clock, or never ready: no lock, no waiter, only a time.
pub(crate) struct ClockArm<'a, T> {
    clock: Option<TypedClock<'a, T>>,
    message: Cell<Option<Instant>>,
}

// SAFETY: there is no lock and no waiter.
unsafe impl<T> Arm for ClockArm<'_, T> {
    fn lock(&self) -> Option<&RawLock> {
        None
    }

    unsafe fn attempt(&self) -> Attempt {
        let message = self.clock.and_then(|(clock, _)| clock.take(Instant::now()));
        if message.is_none() {
            return Attempt::WouldBlock;
        }
        self.message.set(message);
        Attempt::Done(None)
    }

    unsafe fn enqueue(&self, _ticket: &Ticket, _index: usize) {}

    unsafe fn dequeue(&self) {}

    fn due(&self) -> Option<Instant> {
        self.clock.and_then(|(clock, _)| clock.due())
    }

    fn forget(&self) {
        self.message.set(None);
    }
}

/// An arm that receives.
#[doc(hidden)]
pub struct RecvArm<'a, T>(RecvKind<'a, T>);

enum RecvKind<'a, T> {
    Channel(ChannelArm<'a, T>),
    Clock(ClockArm<'a, T>),
}

impl<'a, T> RecvArm<'a, T> {
    pub(crate) fn new(receiver: &'a Receiver<T>) -> Self {
        let clock = match receiver.source() {
            Source::Channel(channel) => {
                return RecvArm(RecvKind::Channel(ChannelArm::new(
                    channel,
                    Side::Recv,
                    None,
                )));
            }
            Source::Clock { clock, message } => Some((&**clock, *message)),
            Source::Never => None,
        };
        let message = Cell::new(None);
        RecvArm(RecvKind::Clock(ClockArm { clock, message }))
    }

    pub(crate) fn arm(&self) -> &dyn Arm {
        match &self.0 {
            RecvKind::Channel(arm) => arm,
            RecvKind::Clock(arm) => arm,
        }
    }

    pub(crate) fn result(&self, outcome: Outcome) -> Result<T, RecvError> {
        let value = match &self.0 {
            RecvKind::Channel(arm) => arm.take(),
            RecvKind::Clock(arm) => {
                let message = arm.message.take();
                arm.clock.and_then(|(_, make)| message.map(make))
            }
        };
        match outcome {
            Outcome::Done => value.ok_or(RecvError),
            Outcome::Closed => Err(RecvError),
        }
    }
}

/// An arm that sends.
#[doc(hidden)]
pub struct SendArm<'a, T>(ChannelArm<'a, T>);

impl<'a, T> SendArm<'a, T> {
    pub(crate) fn new(sender: &'a Sender<T>, value: T) -> Self {
        SendArm(ChannelArm::new(sender.channel(), Side::Send, Some(value)))
    }

    pub(crate) fn arm(&self) -> &dyn Arm {
        &self.0
    }

    pub(crate) fn result(&self, _outcome: Outcome) -> Result<(), SendError<T>> {
        // The value is gone if it was sent, and still there if not.
        self.0.take().map_or(Ok(()), |value| Err(SendError(value)))
    }
}
