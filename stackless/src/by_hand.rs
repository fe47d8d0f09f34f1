//! The two tasks as state machines, written by hand: what the compiler makes of the `async fn`.
//!
//! # The state machine
//!
//! Between two polls a future has no frame on any stack. What it needs afterwards must be in the future itself. That
//! is: *where it stands*, one state for each `await` beside the beginning and the end, and *what is alive there*. What
//! is alive at every `await` gets a place of its own (`next`, `to`, `from`); what is alive at one `await` only shares
//! its place with what belongs to the others. So it is a struct with an enum in it. The size is known to the compiler,
//! and it is the largest sum that can be alive at once, not a page.
//!
//! # Why it is pinned
//!
//! `to.send(number)` is itself a future, [`SendFuture`], and it borrows `to`. While `ping` waits for it, the one is in
//! the enum and the other in the struct: the value holds a reference into itself. If it were moved, the reference would
//! go on pointing at the old place. References know nothing of that, so the type of `poll` rules it out: it takes
//! `Pin<&mut Self>`, and whoever has made one has promised that the value stays where it is until it is dropped. Before
//! the first poll there is no such reference, and futures move freely: into a `Box`, into a list.
//!
//! The compiler writes such borrows without asking. By hand they need `unsafe`, and these are the promises:
//!
//! 1. *The borrowed value stays where it is.* The machine is pinned from its first poll on, and it is not
//!    [`Unpin`]. A future borrows only after the first poll.
//! 2. *The borrow ends before the borrowed value does.* Fields are dropped in the order in which they are declared, and
//!    `state` is the first.
//! 3. *Nobody else uses what is mutably borrowed.* While `state` is `Receiving`, nothing but it touches `from`, and
//!    nothing but `Sending` touches `to`: see the two lines in `poll` that make them.
//! 4. *A `&mut` of the whole is no second user.* `poll` gets one while `state` holds a borrow of a part. For types that
//!    are not `Unpin`, rustc does not assume that such a reference is the only one. The machines that it makes itself
//!    stand on the same ground.
//!
//! One thing is left out. The machine of an `async fn` drops its channel ends when it is done; these keep them until
//! they are dropped themselves, which the executor does at once.
//!
//! Rejected: *futures that own clones of the ends*. It is safe and needs no pin, and it is not what the compiler does.

use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Receiver, RecvFuture, SendFuture, Sender};

// ANCHOR: states
/// Where a machine stands: one state for each `await`, and one for each end.
///
/// The lifetime is a lie that [`Ping`] and [`Pong`] keep to themselves: what is borrowed is their own field.
#[derive(Debug)]
enum State {
    /// It has not been polled.
    Start,
    /// It waits for `to.send(…)`.
    Sending(SendFuture<'static, u64>),
    /// It waits for `from.recv()`.
    Receiving(RecvFuture<'static, u64>),
    /// It is done.
    End,
}

/// [`as_async::ping`](crate::as_async::ping) as a state machine.
#[derive(Debug)]
pub struct Ping<F> {
    state: State, // dropped first: it borrows from those below
    next: F,
    to: Sender<u64>,
    from: Receiver<u64>,
    _stays: PhantomPinned,
}
// ANCHOR_END: states

/// The future that [`as_async::ping`](crate::as_async::ping) returns, made by hand.
pub fn ping<F>(next: F, to: Sender<u64>, from: Receiver<u64>) -> Ping<F>
where
    F: FnMut(Option<u64>) -> Option<u64>,
{
    Ping {
        state: State::Start,
        next,
        to,
        from,
        _stays: PhantomPinned,
    }
}

// ANCHOR: poll
impl<F> Future for Ping<F>
where
    F: FnMut(Option<u64>) -> Option<u64>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of `this`: fields are used where they are.
        let this = unsafe { self.get_unchecked_mut() };
        loop {
            let answer = match &mut this.state {
                State::Start => None,
                State::Sending(send) => match Pin::new(send).poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return this.end(),
                    Poll::Ready(Ok(())) => {
                        this.state = State::End; // what was borrowed is free before it is borrowed again
                        let from = &raw mut this.from;
                        // SAFETY: `from` is pinned with the machine, dropped after the state, and used by nothing else
                        // while the state is `Receiving`: promises 1 to 3 above.
                        let from: &'static mut Receiver<u64> = unsafe { &mut *from };
                        this.state = State::Receiving(from.recv());
                        continue;
                    }
                },
                State::Receiving(recv) => match Pin::new(recv).poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return this.end(),
                    Poll::Ready(answer) => answer,
                },
                State::End => panic!("a future was polled that is done"),
            };
            // The loop of the `async fn` begins here again.
            this.state = State::End;
            let Some(number) = (this.next)(answer) else {
                return this.end();
            };
            let to = &raw const this.to;
            // SAFETY: as above, for `to` and `Sending`.
            let to: &'static Sender<u64> = unsafe { &*to };
            this.state = State::Sending(to.send(number));
        }
    }
}
// ANCHOR_END: poll

impl<F> Ping<F> {
    fn end(&mut self) -> Poll<()> {
        self.state = State::End;
        Poll::Ready(())
    }
}

/// [`as_async::pong`](crate::as_async::pong) as a state machine.
#[derive(Debug)]
pub struct Pong<F> {
    state: State, // dropped first: it borrows from those below
    answer: F,
    from: Receiver<u64>,
    to: Sender<u64>,
    _stays: PhantomPinned,
}

/// The future that [`as_async::pong`](crate::as_async::pong) returns, made by hand.
pub fn pong<F>(answer: F, from: Receiver<u64>, to: Sender<u64>) -> Pong<F>
where
    F: FnMut(u64) -> Option<u64>,
{
    Pong {
        state: State::Start,
        answer,
        from,
        to,
        _stays: PhantomPinned,
    }
}

impl<F> Future for Pong<F>
where
    F: FnMut(u64) -> Option<u64>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: as in `Ping`.
        let this = unsafe { self.get_unchecked_mut() };
        loop {
            match &mut this.state {
                State::Start => {}
                State::Receiving(recv) => match Pin::new(recv).poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return this.end(),
                    Poll::Ready(Some(number)) => {
                        this.state = State::End;
                        let Some(reply) = (this.answer)(number) else {
                            return this.end();
                        };
                        let to = &raw const this.to;
                        // SAFETY: as in `Ping`.
                        let to: &'static Sender<u64> = unsafe { &*to };
                        this.state = State::Sending(to.send(reply));
                        continue;
                    }
                },
                State::Sending(send) => match Pin::new(send).poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return this.end(),
                    Poll::Ready(Ok(())) => {}
                },
                State::End => panic!("a future was polled that is done"),
            }
            this.state = State::End;
            let from = &raw mut this.from;
            // SAFETY: as in `Ping`.
            let from: &'static mut Receiver<u64> = unsafe { &mut *from };
            this.state = State::Receiving(from.recv());
        }
    }
}

impl<F> Pong<F> {
    fn end(&mut self) -> Poll<()> {
        self.state = State::End;
        Poll::Ready(())
    }
}
