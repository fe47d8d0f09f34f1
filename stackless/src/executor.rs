//! Runs futures on one thread: a list of tasks, a queue of those to be polled, and the wakers that put them there.
//!
//! # The protocol
//!
//! ```text
//!                    ┌────────────── wake, from this thread
//!                    ▼
//!   spawn ───▶ ┌───────────┐  take the first   ┌──────┐ Ready    its place is free
//!              │   queue   │ ────────────────▶ │ poll │ ───────▶
//!              └───────────┘                   └──────┘
//!                    ▲                            │ Pending: back to its place, in no queue;
//!                    │                            ▼ somebody has its waker
//!              ┌───────────┐                 ┌─────────┐
//!              │   inbox   │ ◀────────────── │ waiting │
//!              └───────────┘   wake, from    └─────────┘
//!                              another thread
//! ```
//!
//! There are two parties. A future that cannot go on keeps the waker it is polled with where the event will find it,
//! and returns `Pending`. The executor promises to poll it again after the waker was called, and need not poll it
//! otherwise. That is the whole contract, and it is park and unpark once more: the waker is the unparker, `Pending` is
//! the park, and a poll may be spurious.
//!
//! A task is in two pieces. Its future is here, in a place of the list, and is dropped here, on this thread: it need
//! not be `Send`. Its [`Head`] is what wakers point to. It is shared and counted, and other threads may have it for
//! longer than the future lives. A waker that comes late finds that the place is free, or another task's, and does
//! nothing.
//!
//! Wake-ups from this thread go straight to the queue; those from others through the inbox (`inbox.rs`, which the model
//! checker explores). Everything else in this file is one thread's business.
//!
//! # The end
//!
//! When the first future is done, all others are dropped, each where it stands. A future that is dropped in the middle
//! drops what it holds at that point: that is cancellation, and no stack has to be unwound for it.
//!
//! # Rejected
//!
//! - *A waker without a count*, a plain pointer to a head that is never freed, as step 2 has it. It saves two atomic
//!   operations for each wake-up. [`Wake`] needs no `unsafe`, and this file is about something else.
//! - *Polling every task in turn*, without wakers. It works for three tasks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::inbox::{Inbox, Queued};
use crate::join::{JoinHandle, finish_into};

/// The inbox is looked at once in so many turns, if there is always something to poll.
const LOOK_AROUND: u32 = 61;

// ANCHOR: waker
/// What a waker points to.
#[derive(Debug)]
struct Head {
    /// The place of the task's future in its executor's list.
    place: usize,
    queued: Queued,
    inbox: Arc<Inbox<Arc<Head>>>,
}

impl Wake for Head {
    fn wake(self: Arc<Self>) {
        if self.queued.raise() {
            if ptr::eq(RUNNING.get(), &*self.inbox) {
                QUEUE.with_borrow_mut(|queue| queue.push_back(self));
            } else {
                let inbox = self.inbox.clone();
                inbox.put(self);
            }
        }
    }
}

thread_local! {
    /// The inbox of the executor that runs on this thread, to recognise its tasks by.
    static RUNNING: Cell<*const Inbox<Arc<Head>>> = const { Cell::new(ptr::null()) };
    /// The tasks of that executor that are to be polled.
    static QUEUE: RefCell<VecDeque<Arc<Head>>> = const { RefCell::new(VecDeque::new()) };
}
// ANCHOR_END: waker

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A place in the list.
struct Place {
    head: Arc<Head>,
    /// `None` while it is being polled, and when it is done.
    future: Option<Task>,
    site: &'static Location<'static>,
}

/// What the executor and its spawners share.
struct Shared {
    places: RefCell<Vec<Option<Place>>>,
    free: RefCell<Vec<usize>>,
    inbox: Arc<Inbox<Arc<Head>>>,
    /// The first future is done.
    over: Cell<bool>,
}

/// What starts further tasks, and can be cloned into them. It stays on its thread.
#[derive(Clone)]
pub struct Spawner {
    shared: Rc<Shared>,
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner")
            .field("places", &self.shared.places.borrow().len())
            .finish_non_exhaustive()
    }
}

// ANCHOR: run
/// Runs the future that `main` makes, and all that it spawns, until it is done. Then drops the others.
///
/// While nothing can be polled and somebody is [`Outside`], the thread sleeps.
///
/// # Errors
///
/// [`Deadlock`], if nothing can be polled, and nobody is outside who could wake anything.
///
/// # Panics
///
/// With the panic of any task. If it is called by a future that such a call polls.
pub fn run<T>(main: impl AsyncFnOnce(Spawner) -> T) -> Result<T, Deadlock> {
    let inbox = Arc::new(Inbox::new());
    let _entered = Entered::new(&inbox);
    let shared = Rc::new(Shared {
        places: RefCell::default(),
        free: RefCell::default(),
        inbox,
        over: Cell::new(false),
    });
    // Dropped before `_entered`, so that destructors can still wake what they like.
    let _tasks = DropTasks(&shared);
    let mut main = pin!(main(Spawner {
        shared: shared.clone()
    }));
    let head = shared.head(usize::MAX);
    let waker = Waker::from(head.clone());
    QUEUE.with_borrow_mut(|queue| queue.push_back(head.clone()));
    let mut turn: u32 = 0;
    loop {
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(LOOK_AROUND) {
            let arrived = shared.inbox.take();
            QUEUE.with_borrow_mut(|queue| queue.extend(arrived));
        }
        let Some(next) = QUEUE.with_borrow_mut(VecDeque::pop_front) else {
            match shared.inbox.wait() {
                Some(arrived) => QUEUE.with_borrow_mut(|queue| queue.extend(arrived)),
                None => return Err(shared.deadlock()),
            }
            continue;
        };
        // Before the poll: whoever wakes the task from here on queues it again.
        let was_queued = next.queued.lower();
        debug_assert!(was_queued, "whatever is in a queue says so");
        if Arc::ptr_eq(&next, &head) {
            if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(value);
            }
        } else {
            shared.poll(next);
        }
    }
}

impl Shared {
    /// Polls a task, if its place is still its own.
    fn poll(&self, head: Arc<Head>) {
        let place = head.place;
        let future = match self.places.borrow_mut().get_mut(place) {
            Some(Some(found)) if Arc::ptr_eq(&found.head, &head) => found.future.take(),
            _ => None, // it is done, and this is a late wake-up
        };
        let Some(mut future) = future else { return };
        // The waker is the head itself, counted once more only by who keeps it.
        let waker = Waker::from(head);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        // Nothing is borrowed while a future is polled or dropped: it may spawn.
        if polled.is_pending() {
            if let Some(Some(found)) = self.places.borrow_mut().get_mut(place) {
                found.future = Some(future);
            }
        } else {
            let done = self.places.borrow_mut()[place].take();
            self.free.borrow_mut().push(place);
            drop(done);
        }
    }
}
// ANCHOR_END: run

impl Shared {
    fn head(&self, place: usize) -> Arc<Head> {
        Arc::new(Head {
            place,
            queued: Queued::raised(),
            inbox: self.inbox.clone(),
        })
    }

    /// Everybody waits, and here is who.
    fn deadlock(&self) -> Deadlock {
        let places = self.places.borrow();
        let waiting = places.iter().flatten().map(|place| place.site).collect();
        Deadlock { waiting }
    }
}

impl Spawner {
    /// Starts a task. It is polled for the first time when its turn comes, not now. If the first future is done
    /// already, the task is dropped, and whoever awaits its handle is told that it was cancelled.
    #[track_caller]
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        let site = Location::caller();
        let (task, handle) = finish_into(future);
        let shared = &*self.shared;
        if shared.over.get() {
            return handle;
        }
        let reused = shared.free.borrow_mut().pop();
        let place = reused.unwrap_or_else(|| {
            let mut places = shared.places.borrow_mut();
            places.push(None);
            places.len() - 1
        });
        let head = shared.head(place);
        shared.places.borrow_mut()[place] = Some(Place {
            head: head.clone(),
            future: Some(Box::pin(task)),
            site,
        });
        QUEUE.with_borrow_mut(|queue| queue.push_back(head));
        handle
    }

    /// Announces somebody outside: another thread, most often, who has a waker and will call it. As long as the result
    /// lives, the executor waits instead of reporting a deadlock.
    pub fn outside(&self) -> Outside {
        self.shared.inbox.go_out();
        Outside {
            inbox: self.shared.inbox.clone(),
        }
    }
}

/// Somebody outside of the executor who may still wake a task of it. To be dropped *after* the last wake-up.
#[derive(Debug)]
pub struct Outside {
    inbox: Arc<Inbox<Arc<Head>>>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.inbox.come_in();
    }
}

/// Every task waits for another one. Nothing would ever happen again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// Where the waiting tasks were spawned, in the order of their places; the first future is one more.
    pub waiting: Vec<&'static Location<'static>>,
}

impl Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: the first future waits, and so ")?;
        match self.waiting.len() {
            1 => f.write_str("does 1 task")?,
            n => write!(f, "do {n} tasks")?,
        }
        for site in self.waiting.iter().take(10) {
            write!(f, "\n  spawned at {site}")?;
        }
        let rest = self.waiting.len().saturating_sub(10);
        if rest > 0 {
            write!(f, "\n  and {rest} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Deadlock {}

/// This thread runs an executor, until this is dropped.
struct Entered;

impl Entered {
    fn new(inbox: &Arc<Inbox<Arc<Head>>>) -> Entered {
        assert!(
            RUNNING.get().is_null(),
            "`run` was called by a future that it polls: await instead, or spawn"
        );
        RUNNING.set(Arc::as_ptr(inbox));
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        RUNNING.set(ptr::null());
        let left = QUEUE.with_borrow_mut(std::mem::take);
        drop(left);
    }
}

/// Drops all tasks in the end, however `run` ends.
struct DropTasks<'a>(&'a Rc<Shared>);

impl Drop for DropTasks<'_> {
    fn drop(&mut self) {
        self.0.over.set(true);
        // Not while the list is borrowed: a destructor may call what it likes, and finds that it is over.
        let places = self.0.places.take();
        drop(places);
    }
}
