//! Channels: what tasks use to hand values, and the fact that something has happened, to each other.
//!
//! Two handles to one [`Channel`], counted on each side, and the vocabulary of crossbeam-channel, which Rust programmers
//! know. The protocol is in `core.rs`, the clocks in `timed.rs`, the errors in `error.rs`.
//!
//! A blocking operation parks the calling *task*, through [`park`], and so runs on every stage; a plain OS thread is as
//! good as a task. Blocking operations allocate nothing.

pub(crate) mod core;
pub(crate) mod error;
pub(crate) mod timed;

use std::fmt;
use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use self::core::{Channel, End, Side, Slot};
use self::error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use self::timed::Clock;
use crate::park::{self, Wait};
use crate::sync::Arc;
use crate::wait_queue::Outcome;

/// A channel that holds up to `capacity` values; a send waits while it is full.
///
/// `bounded(0)` holds none: it is a *rendezvous*, where a send returns when a receiver has taken the value from its
/// hands, and both know then where the other is. This is Go's `make(chan T)`.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Some(capacity))
}

/// A channel that holds any number of values; a send never waits.
///
/// Nothing slows a producer down but the end of memory, so prefer a bound where there is a sensible one.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    pair(None)
}

fn pair<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    let sender = Sender {
        channel: channel.clone(),
    };
    let source = Source::Channel(channel);
    (sender, Receiver { source })
}

/// A channel on which one message arrives after `delay`: the time at which it was due.
///
/// The message is for one receiver, whichever clone is first; after it the channel stays silent. Made for `select!`,
/// where it is a timeout. Go's `time.After`.
pub fn after(delay: Duration) -> Receiver<Instant> {
    clock(Clock::once(delay))
}

/// A channel on which a message arrives in every `period`: the time at which it was due.
///
/// Ticks that nobody took in time are not made up for. Go's `time.Tick`.
///
/// # Panics
///
/// If `period` is zero: there would be no end of messages at any moment.
pub fn tick(period: Duration) -> Receiver<Instant> {
    assert!(
        !period.is_zero(),
        "tick(period): the period must not be zero"
    );
    clock(Clock::every(period))
}

fn clock(clock: Clock) -> Receiver<Instant> {
    let source = Source::Clock {
        clock: Arc::new(clock),
        message: |due| due,
    };
    Receiver { source }
}

/// A channel on which nothing ever arrives and which is never closed: an arm of `select!` that is switched off.
///
/// Go has it as the nil channel.
pub fn never<T>() -> Receiver<T> {
    Receiver {
        source: Source::Never,
    }
}

/// The end of a channel that values are put into.
///
/// Clones send on the same channel. When the last one is dropped, receivers get what is left in the channel and then
/// [`RecvError`].
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// Sends `value`; parks the task while there is no room.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, if there is no receiver any more.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.operate(value, None)
            .map_err(|(_, value)| SendError(value))
    }

    /// Sends `value` if there is room, or a receiver waiting, now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value, if there is not, or no receiver any more.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let slot = Slot::new(Some(value));
        // SAFETY: the slot is ours and holds a value.
        match unsafe { self.channel.attempt(Side::Send, &slot) } {
            Some(Outcome::Done) => Ok(()),
            Some(Outcome::Closed) => Err(TrySendError::Disconnected(taken(slot))),
            None => Err(TrySendError::Full(taken(slot))),
        }
    }

    /// Sends `value`; parks the task while there is no room, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`] with the value, if the time has passed, or if there is no receiver any more.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        // A timeout past the end of time is none.
        self.send_by(value, Instant::now().checked_add(timeout))
    }

    /// Sends `value`; parks the task while there is no room, no longer than until `deadline`.
    ///
    /// A deadline that has passed still sends if there is room.
    ///
    /// # Errors
    ///
    /// As [`Sender::send_timeout`].
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_by(value, Some(deadline))
    }

    fn send_by(&self, value: T, deadline: Option<Instant>) -> Result<(), SendTimeoutError<T>> {
        self.operate(value, deadline)
            .map_err(|(end, value)| match end {
                End::TimedOut => SendTimeoutError::Timeout(value),
                _ => SendTimeoutError::Disconnected(value),
            })
    }

    /// On failure, why, and the value.
    fn operate(&self, value: T, deadline: Option<Instant>) -> Result<(), (End, T)> {
        let slot = Slot::new(Some(value));
        // SAFETY: the slot is ours and holds a value.
        match unsafe { self.channel.operate(Side::Send, &slot, deadline) } {
            End::Done => Ok(()),
            end => Err((end, taken(slot))),
        }
    }

    /// Values that are in the channel now.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// True if no value is in the channel; always so for `bounded(0)`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if there is no room in the channel; always so for `bounded(0)`.
    pub fn is_full(&self) -> bool {
        self.channel.is_full()
    }

    /// How many values the channel can hold; none if there is no limit.
    pub fn capacity(&self) -> Option<usize> {
        self.channel.capacity()
    }

    /// True if both send on the same channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    pub(crate) fn channel(&self) -> &Arc<Channel<T>> {
        &self.channel
    }
}

/// What is left in a slot of ours: the value that a failed send still has, or that a receive has got.
fn taken<T>(slot: Slot<T>) -> T {
    // SAFETY: the slot is owned, and the operation that borrowed it is over.
    let value = slot.with_mut(|slot| unsafe { (*slot).take() });
    match value {
        Some(value) => value,
        None => unreachable!("a failed send keeps its value, and a receive that is done has one"),
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.add(Side::Send);
        Sender {
            channel: self.channel.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.release(Side::Send);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender { .. }")
    }
}

/// The end of a channel that values are taken out of.
///
/// Clones take from the same channel, and each value goes to one of them. When the last one is dropped, the values that
/// are left are dropped with it, and senders get [`SendError`].
pub struct Receiver<T> {
    source: Source<T>,
}

/// Where messages come from.
pub(crate) enum Source<T> {
    Channel(Arc<Channel<T>>),
    /// `message` is the identity; it is what tells the compiler that here T is `Instant`.
    Clock {
        clock: Arc<Clock>,
        message: fn(Instant) -> T,
    },
    Never,
}

impl<T> Receiver<T> {
    /// Receives a value; parks the task until there is one.
    ///
    /// # Errors
    ///
    /// [`RecvError`], if the channel is empty and there is no sender any more.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_by(None).map_err(|_| RecvError)
    }

    /// Receives a value if there is one, or a sender waiting, now.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`], if there is not, or no sender any more either.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match &self.source {
            Source::Channel(channel) => {
                let slot = Slot::new(None);
                // SAFETY: the slot is ours and empty.
                match unsafe { channel.attempt(Side::Recv, &slot) } {
                    Some(Outcome::Done) => Ok(taken(slot)),
                    Some(Outcome::Closed) => Err(TryRecvError::Disconnected),
                    None => Err(TryRecvError::Empty),
                }
            }
            Source::Clock { clock, message } => clock
                .take(Instant::now())
                .map(message)
                .ok_or(TryRecvError::Empty),
            Source::Never => Err(TryRecvError::Empty),
        }
    }

    /// Receives a value; parks the task until there is one, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`], if the time has passed, or if the channel is empty and there is no sender any more.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        // A timeout past the end of time is none.
        self.recv_by(Instant::now().checked_add(timeout))
    }

    /// Receives a value; parks the task until there is one, no longer than until `deadline`.
    ///
    /// A deadline that has passed still receives what is there.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_timeout`].
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_by(Some(deadline))
    }

    fn recv_by(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match &self.source {
            Source::Channel(channel) => {
                let slot = Slot::new(None);
                // SAFETY: the slot is ours and empty.
                match unsafe { channel.operate(Side::Recv, &slot, deadline) } {
                    End::Done => Ok(taken(slot)),
                    End::Closed => Err(RecvTimeoutError::Disconnected),
                    End::TimedOut => Err(RecvTimeoutError::Timeout),
                }
            }
            Source::Clock { clock, message } => wait_for_clock(clock, deadline).map(message),
            Source::Never => wait_for_clock(&Clock::once(Duration::MAX), deadline)
                .map(|_| unreachable!("the end of time does not come")),
        }
    }

    /// Receives until the channel is empty and closed; each step parks as [`Receiver::recv`] does.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// Receives what is there, and does not wait.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// Values that are in the channel now.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Channel(channel) => channel.len(),
            Source::Clock { clock, .. } => {
                usize::from(clock.due().is_some_and(|due| due <= Instant::now()))
            }
            Source::Never => 0,
        }
    }

    /// True if no value is in the channel; always so for `bounded(0)`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if there is no room in the channel; always so for `bounded(0)`.
    pub fn is_full(&self) -> bool {
        match &self.source {
            Source::Channel(channel) => channel.is_full(),
            Source::Clock { .. } => !self.is_empty(),
            Source::Never => true,
        }
    }

    /// How many values the channel can hold; none if there is no limit.
    pub fn capacity(&self) -> Option<usize> {
        match &self.source {
            Source::Channel(channel) => channel.capacity(),
            Source::Clock { .. } => Some(1),
            Source::Never => Some(0),
        }
    }

    /// True if both receive from the same channel.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        match (&self.source, &other.source) {
            (Source::Channel(a), Source::Channel(b)) => Arc::ptr_eq(a, b),
            (Source::Clock { clock: a, .. }, Source::Clock { clock: b, .. }) => Arc::ptr_eq(a, b),
            (Source::Never, Source::Never) => true,
            _ => false,
        }
    }

    pub(crate) fn source(&self) -> &Source<T> {
        &self.source
    }
}

/// Parks until `clock` has a message or the deadline has passed.
fn wait_for_clock(clock: &Clock, deadline: Option<Instant>) -> Result<Instant, RecvTimeoutError> {
    loop {
        let now = Instant::now();
        if let Some(due) = clock.take(now) {
            return Ok(due);
        }
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Err(RecvTimeoutError::Timeout);
        }
        // Nobody unparks this: either time comes, or the token of some other wait makes it look once more.
        park::park_as(Wait::Recv, clock.due().into_iter().chain(deadline).min());
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let source = match &self.source {
            Source::Channel(channel) => {
                channel.add(Side::Recv);
                Source::Channel(channel.clone())
            }
            Source::Clock { clock, message } => Source::Clock {
                clock: clock.clone(),
                message: *message,
            },
            Source::Never => Source::Never,
        };
        Receiver { source }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let Source::Channel(channel) = &self.source {
            channel.release(Side::Recv);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver { .. }")
    }
}

/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// Receives until the channel is empty and closed, and owns its end of it.
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> FusedIterator for IntoIter<T> {}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
