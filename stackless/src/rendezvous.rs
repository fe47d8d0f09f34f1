//! A rendezvous channel whose operations are futures: many senders, one receiver, no buffer.
//!
//! # The protocol
//!
//! - Does the receiver wait? Then a sender puts its value in the receiver's hand, wakes it, and is done at once.
//! - Otherwise the sender leaves an *offer*, with its number, and waits. The receiver takes the oldest offer and wakes
//!   who made it. A sender is done when its offer is gone from the queue.
//! - When all senders are gone, the receiver gets `None`; when the receiver is gone, senders get their values back.
//!
//! Everything is on one thread: an `Rc` and a `RefCell`, and no operation waits in the middle. No waker is called, and
//! no value dropped, while the cell is borrowed: both may run anybody's code.
//!
//! # Cancellation
//!
//! A future can be dropped at any time, and then nobody polls it any more. So each has a destructor that takes back
//! what it has left here: [`SendFuture`] its offer, [`RecvFuture`] its waker. One case is worth a second look. A value
//! is in the receiver's hand, the sender has been told so, and the `RecvFuture` is dropped before it is polled. The
//! value then *stays in the hand*, for the next one. With a stack of its own a task would just have woken up and taken
//! it.
//!
//! Rejected: *several receivers*. Each would need a hand of its own, and a rule for what is in one that is dropped.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
struct State<T> {
    offers: VecDeque<Offer<T>>,
    /// The number of the next offer.
    next: u64,
    /// The receiver's hand.
    hand: Option<T>,
    /// The receiver waits, with an empty hand.
    receiver: Option<Waker>,
    senders: usize,
    receiver_is_gone: bool,
}

#[derive(Debug)]
struct Offer<T> {
    number: u64,
    value: T,
    waker: Waker,
}

/// The sending end. There can be many; the channel ends for the receiver when all are dropped.
#[derive(Debug)]
pub struct Sender<T> {
    state: Rc<RefCell<State<T>>>,
}

/// The receiving end.
#[derive(Debug)]
pub struct Receiver<T> {
    state: Rc<RefCell<State<T>>>,
}

/// The receiver is gone. With the value that nobody will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the receiver is gone")
    }
}

impl<T: fmt::Debug> std::error::Error for SendError<T> {}

/// Makes a channel.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = Rc::new(RefCell::new(State {
        offers: VecDeque::new(),
        next: 0,
        hand: None,
        receiver: None,
        senders: 1,
        receiver_is_gone: false,
    }));
    let sender = Sender {
        state: state.clone(),
    };
    (sender, Receiver { state })
}

/// A value on its way. Made by [`Sender::send`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct SendFuture<'a, T> {
    sender: &'a Sender<T>,
    stage: Stage<T>,
}

#[derive(Debug)]
enum Stage<T> {
    New(T),
    Offered(u64),
    Done,
}

/// A value to come. Made by [`Receiver::recv`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct RecvFuture<'a, T> {
    receiver: &'a mut Receiver<T>,
}

impl<T> Sender<T> {
    /// Hands the value over. Done when the receiver has it.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, if the receiver is gone.
    pub fn send(&self, value: T) -> SendFuture<'_, T> {
        SendFuture {
            sender: self,
            stage: Stage::New(value),
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the next value. `None` if there is none, and all senders are gone.
    pub fn recv(&mut self) -> RecvFuture<'_, T> {
        RecvFuture { receiver: self }
    }
}

// Neither holds a `T` that anybody could have pinned, nor an address of itself.
impl<T> Unpin for SendFuture<'_, T> {}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = this.sender.state.borrow_mut();
        match std::mem::replace(&mut this.stage, Stage::Done) {
            Stage::New(value) if state.receiver_is_gone => Poll::Ready(Err(SendError(value))),
            Stage::New(value) => match state.receiver.take() {
                Some(receiver) => {
                    state.hand = Some(value);
                    drop(state);
                    receiver.wake();
                    Poll::Ready(Ok(()))
                }
                None => {
                    let (number, waker) = (state.next, cx.waker().clone());
                    state.next += 1;
                    state.offers.push_back(Offer {
                        number,
                        value,
                        waker,
                    });
                    this.stage = Stage::Offered(number);
                    Poll::Pending
                }
            },
            Stage::Offered(number) => match state.find(number) {
                None => Poll::Ready(Ok(())),
                Some(place) if state.receiver_is_gone => {
                    let offer = state.offers.remove(place);
                    drop(state);
                    match offer {
                        Some(offer) => Poll::Ready(Err(SendError(offer.value))),
                        None => Poll::Ready(Ok(())),
                    }
                }
                Some(place) => {
                    let new = cx.waker().clone(); // the task that awaits may be another one by now
                    let old = std::mem::replace(&mut state.offers[place].waker, new);
                    this.stage = Stage::Offered(number);
                    drop(state);
                    drop(old);
                    Poll::Pending
                }
            },
            Stage::Done => panic!("a future was polled that is done"),
        }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.receiver.state.borrow_mut();
        if let Some(value) = state.hand.take() {
            return Poll::Ready(Some(value));
        }
        if let Some(offer) = state.offers.pop_front() {
            drop(state);
            offer.waker.wake();
            return Poll::Ready(Some(offer.value));
        }
        if state.senders == 0 {
            return Poll::Ready(None);
        }
        let old = state.receiver.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<T> State<T> {
    fn find(&self, number: u64) -> Option<usize> {
        // Offers are in the order of their numbers.
        self.offers
            .binary_search_by_key(&number, |offer| offer.number)
            .ok()
    }
}

// ANCHOR: drop
impl<T> Drop for SendFuture<'_, T> {
    /// Withdraws the offer, if it is still there.
    fn drop(&mut self) {
        let Stage::Offered(number) = self.stage else {
            return;
        };
        let mut state = self.sender.state.borrow_mut();
        let offer = match state.find(number) {
            Some(place) => state.offers.remove(place),
            None => None,
        };
        drop(state);
        drop(offer);
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    /// Takes the hand back. What is in it already stays there, for the next `recv`.
    fn drop(&mut self) {
        let waker = self.receiver.state.borrow_mut().receiver.take();
        drop(waker);
    }
}
// ANCHOR_END: drop

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.state.borrow_mut().senders += 1;
        Sender {
            state: self.state.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        state.senders -= 1;
        let receiver = match state.senders {
            0 => state.receiver.take(),
            _ => None,
        };
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.state.borrow_mut();
        state.receiver_is_gone = true;
        let left = state.hand.take();
        let wakers: Vec<Waker> = state
            .offers
            .iter()
            .map(|offer| offer.waker.clone())
            .collect();
        drop(state);
        drop(left);
        wakers.into_iter().for_each(Waker::wake);
    }
}
