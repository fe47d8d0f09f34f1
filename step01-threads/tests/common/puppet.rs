//! A thread whose parks are in the hands of the test.
//!
//! A puppet is an OS thread with a parker of its own ([`park::install`]). It runs until it parks or ends, and tells the
//! test which of the two. When it parks, the test can see whether its token has been left, and says how the park
//! returns: normally, because its time is over, or by unwinding, as when a stage ends a parked task. So a test can take
//! a protocol through one particular interleaving, such as "woken, but not yet running", and no clock is involved.
//!
//! Thread and test take turns: after an order, the test waits for the thread's next report before it goes on.

#![allow(dead_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use step01::park::{self, ParkVTable, Parker, Wait};
use step01::{UnparkVTable, Unparker};

/// Ends a test that hangs; far longer than anything here takes.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How a park returns.
enum Order {
    Return,
    Expire,
    Unwind,
}

enum Report {
    Parked(Wait),
    Ended,
}

/// What the parker's functions get: what the puppet's thread and its unparkers share. Leaked, as unparkers demand.
struct Strings {
    token: AtomicBool,
    /// Whether the thread was unwinding when it parked last.
    unwinding: AtomicBool,
    reports: Sender<Report>,
    orders: Receiver<Order>,
}

static PARK: ParkVTable = ParkVTable {
    // SAFETY: `data` is a leaked `Strings`; `park` and `current` are called on the puppet's own thread, which is the
    // only one that uses the two channel ends.
    park: |data, wait, deadline| unsafe { &*data.cast::<Strings>() }.park(wait, deadline),
    // SAFETY: as above, and `unpark` only touches the token.
    current: |data| unsafe { Unparker::new(data, &UNPARK) },
};

static UNPARK: UnparkVTable = UnparkVTable {
    // SAFETY: `data` is a leaked `Strings`, and the token is atomic.
    unpark: |data| unsafe { &(*data.cast::<Strings>()).token }.store(true, SeqCst),
};

impl Strings {
    fn park(&self, wait: Wait, deadline: Option<Instant>) {
        self.unwinding.store(thread::panicking(), SeqCst);
        self.reports.send(Report::Parked(wait)).unwrap();
        match self.orders.recv().unwrap() {
            Order::Return => {}
            Order::Expire => {
                let deadline = deadline.expect("this park has no deadline");
                thread::sleep(deadline.saturating_duration_since(Instant::now()));
            }
            // Not a panic!, which would print.
            Order::Unwind => resume_unwind(Box::new(Unwound)),
        }
        self.token.store(false, SeqCst);
    }
}

/// The payload with which a park is left by unwinding.
pub(crate) struct Unwound;

/// A thread whose parks are in the hands of the test.
pub(crate) struct Puppet<T> {
    token: &'static AtomicBool,
    unwinding: &'static AtomicBool,
    reports: Receiver<Report>,
    orders: Sender<Order>,
    thread: thread::JoinHandle<Result<T, Box<dyn Any + Send>>>,
}

impl<T: Send + 'static> Puppet<T> {
    /// Starts a thread that calls `f`.
    pub(crate) fn new(f: impl FnOnce() -> T + Send + 'static) -> Self {
        let (report, reports) = channel();
        let (order, orders) = channel();
        let strings = Box::leak(Box::new(Strings {
            token: AtomicBool::new(false),
            unwinding: AtomicBool::new(false),
            reports: report,
            orders,
        }));
        let (token, unwinding) = (&strings.token, &strings.unwinding);
        let data = Address(strings);
        let thread = thread::spawn(move || {
            let data = { data }.0;
            // SAFETY: the table fits the pointer, and the thread ends before anything is restored.
            unsafe { park::install(Some(Parker::new(data.cast(), &PARK))) };
            let result = catch_unwind(AssertUnwindSafe(f));
            // SAFETY: `Strings` is leaked, and this is the thread that may use its channel ends.
            let sent = unsafe { &(*data).reports }.send(Report::Ended);
            sent.unwrap();
            result
        });
        Puppet {
            token,
            unwinding,
            reports,
            orders: order,
            thread,
        }
    }

    /// Waits until it parks; returns what it waits for.
    #[track_caller]
    pub(crate) fn parked(&self) -> Wait {
        self.parks().expect("it ended instead of parking")
    }

    /// Waits until it parks or ends; `None` if it has ended.
    #[track_caller]
    pub(crate) fn parks(&self) -> Option<Wait> {
        match self.reports.recv_timeout(WATCHDOG).expect("hangs") {
            Report::Parked(wait) => Some(wait),
            Report::Ended => None,
        }
    }

    /// Waits until it has ended; returns what it returned.
    #[track_caller]
    pub(crate) fn ended(self) -> T {
        match self.end() {
            Ok(value) => value,
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Waits until it has ended by the unwinding that was ordered.
    #[track_caller]
    pub(crate) fn unwound(self) {
        let Err(payload) = self.end() else {
            panic!("it returned");
        };
        assert!(payload.is::<Unwound>(), "it panicked");
    }

    /// Waits until it has ended, in whatever way.
    #[track_caller]
    fn end(self) -> Result<T, Box<dyn Any + Send>> {
        match self.reports.recv_timeout(WATCHDOG).expect("hangs") {
            Report::Ended => {}
            Report::Parked(wait) => panic!("it parked instead of ending: {wait}"),
        }
        self.join()
    }

    /// The result of one that is known to have ended.
    pub(crate) fn join(self) -> Result<T, Box<dyn Any + Send>> {
        self.thread.join().unwrap()
    }

    /// True if its token has been left and not been taken yet.
    pub(crate) fn unparked(&self) -> bool {
        self.token.load(SeqCst)
    }

    /// True if its thread was unwinding when it parked last, which no stage can do with.
    pub(crate) fn unwinding_when_parked(&self) -> bool {
        self.unwinding.load(SeqCst)
    }

    /// Lets its park return and take the token. Without a token that is a spurious return.
    pub(crate) fn resume(&self) {
        self.orders.send(Order::Return).unwrap();
    }

    /// Lets its park return when its deadline has passed.
    pub(crate) fn expire(&self) {
        self.orders.send(Order::Expire).unwrap();
    }

    /// Leaves its park by unwinding.
    pub(crate) fn unwind(&self) {
        self.orders.send(Order::Unwind).unwrap();
    }
}

/// Carries the pointer into the thread.
struct Address(*const Strings);

// SAFETY: only the thread that it is carried into uses what is not atomic.
unsafe impl Send for Address {}
