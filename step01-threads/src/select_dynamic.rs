//! `select` over a number of arms that is known only at run time.
//!
//! [`select!`](crate::select!) keeps its arms on the stack; here they are in a vector that the user fills. What happens
//! then is the same [`run`]. The shape of the API is crossbeam-channel's, with one difference: there a send's value is
//! handed over *after* the select has chosen, while here it is given when the arm is added. An operation is therefore
//! over when `select` returns, and no partner has to wait for the user to come back and complete it.

use std::fmt;
use std::ptr;
use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, SelectTimeoutError, SendError, TrySelectError};
use crate::channel::{Receiver, Sender};
use crate::select::{Arm, Limit, RecvArm, SendArm, run};
use crate::wait_queue::Outcome;

/// An arm without its type, and what is needed to give it the type back.
trait AnyArm {
    fn arm(&self) -> &dyn Arm;
    /// Which end of which channel it belongs to: its address. Two ends of different types cannot have the same one.
    fn end(&self) -> *const ();
    fn sends(&self) -> bool;
}

struct RecvEntry<'a, T> {
    arm: RecvArm<'a, T>,
    receiver: &'a Receiver<T>,
}

struct SendEntry<'a, T> {
    arm: SendArm<'a, T>,
    sender: &'a Sender<T>,
}

impl<T> AnyArm for RecvEntry<'_, T> {
    fn arm(&self) -> &dyn Arm {
        self.arm.arm()
    }

    fn end(&self) -> *const () {
        ptr::from_ref(self.receiver).cast()
    }

    fn sends(&self) -> bool {
        false
    }
}

impl<T> AnyArm for SendEntry<'_, T> {
    fn arm(&self) -> &dyn Arm {
        self.arm.arm()
    }

    fn end(&self) -> *const () {
        ptr::from_ref(self.sender).cast()
    }

    fn sends(&self) -> bool {
        true
    }
}

/// A list of channel operations, one of which is to be done.
///
/// A receiving arm stays in the list and can be done again by the next `select`; a sending arm is used up when its value
/// has been sent. Numbers of arms are given out in order and never twice.
///
/// ```
/// use step01::{Select, unbounded};
///
/// let channels: Vec<_> = (0..10).map(|_| unbounded()).collect();
/// for (n, (tx, _)) in channels.iter().enumerate() {
///     tx.send(n).unwrap();
/// }
/// let mut select = Select::new();
/// for (_, rx) in &channels {
///     select.recv(rx);
/// }
/// let mut sum = 0;
/// for _ in 0..10 {
///     let fired = select.select();
///     let (_, rx) = &channels[fired.index()];
///     sum += fired.recv(rx).unwrap();
/// }
/// assert_eq!(sum, 45);
/// ```
#[derive(Default)]
pub struct Select<'a> {
    arms: Vec<Option<Box<dyn AnyArm + 'a>>>,
}

impl<'a> Select<'a> {
    /// An empty list.
    pub fn new() -> Self {
        Select::default()
    }

    /// Adds an arm that receives; returns its number.
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        let arm = RecvArm::new(receiver);
        self.add(Box::new(RecvEntry { arm, receiver }))
    }

    /// Adds an arm that sends `value`; returns its number.
    pub fn send<T>(&mut self, sender: &'a Sender<T>, value: T) -> usize
    where
        T: 'a,
    {
        let arm = SendArm::new(sender, value);
        self.add(Box::new(SendEntry { arm, sender }))
    }

    fn add(&mut self, arm: Box<dyn AnyArm + 'a>) -> usize {
        self.arms.push(Some(arm));
        self.arms.len() - 1
    }

    /// Takes an arm out of the list; a value it was to send is dropped.
    ///
    /// # Panics
    ///
    /// If there is no such arm.
    pub fn remove(&mut self, index: usize) {
        let removed = self.arms.get_mut(index).and_then(Option::take);
        assert!(removed.is_some(), "Select::remove: there is no arm {index}");
    }

    /// Waits for an arm and does it. Parks the task while none is ready.
    ///
    /// # Panics
    ///
    /// If the list is empty: it would wait for ever.
    pub fn select(&mut self) -> FiredArm<'_, 'a> {
        assert!(
            self.arms.iter().any(Option::is_some),
            "Select::select: no operations have been added"
        );
        match self.run(Limit::Until(None)) {
            Some(fired) => fired,
            None => unreachable!("a select without a deadline ends with an arm"),
        }
    }

    /// Does an arm that is ready now.
    ///
    /// # Errors
    ///
    /// [`TrySelectError`], if none is.
    pub fn try_select(&mut self) -> Result<FiredArm<'_, 'a>, TrySelectError> {
        self.run(Limit::Poll).ok_or(TrySelectError)
    }

    /// Waits for an arm for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`SelectTimeoutError`], if none became ready.
    pub fn select_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<FiredArm<'_, 'a>, SelectTimeoutError> {
        // A timeout past the end of time is none.
        let deadline = Instant::now().checked_add(timeout);
        self.run(Limit::Until(deadline)).ok_or(SelectTimeoutError)
    }

    /// Waits for an arm no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// [`SelectTimeoutError`], if none became ready.
    pub fn select_deadline(
        &mut self,
        deadline: Instant,
    ) -> Result<FiredArm<'_, 'a>, SelectTimeoutError> {
        self.run(Limit::Until(Some(deadline)))
            .ok_or(SelectTimeoutError)
    }

    fn run(&mut self, limit: Limit) -> Option<FiredArm<'_, 'a>> {
        let present = || self.arms.iter().enumerate();
        let (numbers, arms): (Vec<usize>, Vec<&dyn Arm>) = present()
            .filter_map(|(number, arm)| Some((number, arm.as_ref()?.arm())))
            .unzip();
        let mut order: Vec<usize> = (0..arms.len()).collect();
        let mut locks = order.clone();
        let (position, outcome) = run(&arms, &mut order, &mut locks, limit)?;
        let index = numbers[position];
        Some(FiredArm {
            select: self,
            index,
            outcome: Some(outcome),
        })
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arms = self.arms.iter().flatten().count();
        f.debug_struct("Select").field("arms", &arms).finish()
    }
}

/// An operation that a [`Select`] has done: which one, and its result.
#[must_use = "the value that was received is in here"]
pub struct FiredArm<'s, 'a> {
    select: &'s mut Select<'a>,
    index: usize,
    /// None once the result has been taken.
    outcome: Option<Outcome>,
}

impl FiredArm<'_, '_> {
    /// The number of the arm.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The result of a receiving arm.
    ///
    /// # Errors
    ///
    /// [`RecvError`], if the channel is empty and there is no sender any more.
    ///
    /// # Panics
    ///
    /// If `receiver` is not the one that was given to [`Select::recv`] for this arm.
    pub fn recv<T>(mut self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        let (entry, outcome) = self.claim(ptr::from_ref(receiver).cast(), false);
        // SAFETY: `claim` has checked that this arm was made by `Select::recv` from this very receiver, whose type is
        // `Receiver<T>`, and the select still borrows it, so no other value can have its address.
        let entry = unsafe { &*ptr::from_ref(entry).cast::<RecvEntry<'_, T>>() };
        entry.arm.result(outcome)
    }

    /// The result of a sending arm.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, if there is no receiver any more.
    ///
    /// # Panics
    ///
    /// If `sender` is not the one that was given to [`Select::send`] for this arm.
    pub fn send<T>(mut self, sender: &Sender<T>) -> Result<(), SendError<T>> {
        let (entry, outcome) = self.claim(ptr::from_ref(sender).cast(), true);
        // SAFETY: as in `recv`, with `Select::send` and `Sender<T>`.
        let entry = unsafe { &*ptr::from_ref(entry).cast::<SendEntry<'_, T>>() };
        let result = entry.arm.result(outcome);
        self.select.arms[self.index] = None;
        result
    }

    fn claim(&mut self, end: *const (), sends: bool) -> (&dyn AnyArm, Outcome) {
        match (&self.select.arms[self.index], self.outcome.take()) {
            (Some(arm), Some(outcome)) if arm.end() == end && arm.sends() == sends => {
                (&**arm, outcome)
            }
            _ => panic!(
                "FiredArm: arm {} was not made from this end of this channel",
                self.index
            ),
        }
    }
}

impl Drop for FiredArm<'_, '_> {
    fn drop(&mut self) {
        // The result was not asked for. A sending arm is used up all the same; a receiving arm drops its value here,
        // like the result of a `recv` that nobody looks at, and must be empty for the next select.
        if self.outcome.is_some()
            && let Some(arm) = &self.select.arms[self.index]
        {
            if arm.sends() {
                self.select.arms[self.index] = None;
            } else {
                arm.arm().forget();
            }
        }
    }
}

impl fmt::Debug for FiredArm<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FiredArm")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
