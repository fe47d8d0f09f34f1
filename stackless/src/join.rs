//! The end of a task, as a future: one place for the result, one for the waker of whoever waits for it.
//!
//! Both parties are on one thread, so there is nothing to race. The task's half is dropped when the task ends, in
//! whatever way. If it has left no result by then, the task was dropped before it was done, and the handle says so.
//!
//! The task's half is a future around the user's, and is written by hand. As an `async` block it would be one line, and
//! every task would take three times the memory: such a block keeps the future that it was given, the local that it is
//! moved to, and what is awaited, each in a place of its own (rust-lang/rust#62958).

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

/// What task and handle share.
#[derive(Debug)]
struct Ending<T> {
    value: Option<T>,
    waiting: Option<Waker>,
}

/// Waits for a task's result, as a future. To drop it lets the task go on.
#[derive(Debug)]
pub struct JoinHandle<T> {
    ending: Rc<RefCell<Ending<T>>>,
    /// Gone when the task is.
    alive: Weak<Alive<T>>,
}

/// The task's half.
#[derive(Debug)]
struct Alive<T> {
    ending: Rc<RefCell<Ending<T>>>,
}

/// The task was dropped before it was done: the executor's first future was done before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was dropped before it was done")
    }
}

impl std::error::Error for Cancelled {}

impl<T> Drop for Alive<T> {
    fn drop(&mut self) {
        let waiting = self.ending.borrow_mut().waiting.take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A future that leaves its result for the handle.
#[derive(Debug)]
pub(crate) struct Finish<F: Future> {
    future: F,
    alive: Rc<Alive<F::Output>>,
}

impl<F: Future> Future for Finish<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of it. `future` is pinned wherever the whole is: nobody moves it, there is no
        // `Drop` that could, and the whole is `Unpin` only if the future is. `alive` is never pinned.
        let (future, alive) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &this.alive)
        };
        future.poll(cx).map(|value| {
            alive.ending.borrow_mut().value = Some(value);
        })
    }
}

/// Puts a future around `future`, and makes the handle.
pub(crate) fn finish_into<F: Future>(future: F) -> (Finish<F>, JoinHandle<F::Output>) {
    let ending = Rc::new(RefCell::new(Ending {
        value: None,
        waiting: None,
    }));
    let alive = Rc::new(Alive {
        ending: ending.clone(),
    });
    let handle = JoinHandle {
        ending,
        alive: Rc::downgrade(&alive),
    };
    let task = Finish { future, alive };
    (task, handle)
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut ending = self.ending.borrow_mut();
        match ending.value.take() {
            Some(value) => Poll::Ready(Ok(value)),
            None if self.alive.strong_count() == 0 => Poll::Ready(Err(Cancelled)),
            None => {
                ending.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
