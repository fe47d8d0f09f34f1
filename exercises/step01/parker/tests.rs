//! Judges a parker: by its contract in every order of events (loom), with a condition variable that is restless, and by
//! letting the whole of step01 stand on it.

#![allow(
    clippy::duplicate_mod,
    reason = "one file in three worlds is the point"
)]

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The same file three times, each time with other locks. What it does not use yet is no reason for a warning.
#[path = "."]
mod plain {
    pub(crate) use std::sync;

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub, clippy::new_without_default)]
    pub(crate) mod exercise;
}

#[path = "."]
mod modelled {
    pub(crate) use loom::sync;

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub, clippy::new_without_default)]
    pub(crate) mod exercise;
}

#[path = "."]
mod restless {
    pub(crate) mod sync {
        pub(crate) use super::super::RestlessCondvar as Condvar;
        pub(crate) use std::sync::Mutex;
    }

    #[cfg_attr(feature = "solutions", path = "solution.rs")]
    #[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
    #[allow(unused, unreachable_pub, clippy::new_without_default)]
    pub(crate) mod exercise;
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// The models share things in std's `Arc`, which loom does not look into: where an order ends with everybody asleep, loom
/// unwinds, and its own `Arc` panics once more when it is dropped then.
///
/// Runs `events` in every order with at most two preemptions; if it fails in one of them, says `says` and what loom reports.
fn in_every_order(says: &str, events: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let count = orders.clone();
    let explore = move || {
        let mut builder = loom::model::Builder::new();
        // With three threads all orders would take minutes. Bugs of this kind need one or two preemptions.
        builder.preemption_bound = Some(2);
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            events();
        });
    };
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(explore)) {
        let report = text(&*payload);
        if report.starts_with("not yet implemented") {
            panic!("{report}");
        }
        panic!(
            "{says}\n(found in order number {} by loom, which says: {report})",
            orders.load(Ordering::Relaxed)
        );
    }
    println!("{} orders", orders.load(Ordering::Relaxed));
}

#[test]
fn a_token_left_before_the_park_is_kept() {
    in_every_order(
        "a token that was left before the park is lost, and the park sleeps for ever",
        || {
            let parker = modelled::exercise::Parker::new();
            parker.unpark();
            parker.park();
        },
    );
}

#[test]
fn a_park_takes_the_token_and_two_tokens_are_one() {
    in_every_order(
        "a second park returned before the second token came: two tokens are one, and a park takes it",
        || {
            let parker = Arc::new(modelled::exercise::Parker::new());
            parker.unpark();
            parker.unpark();
            parker.park();
            let second = Arc::new(loom::sync::atomic::AtomicBool::new(false));
            let other = {
                let (parker, second) = (parker.clone(), second.clone());
                loom::thread::spawn(move || {
                    second.store(true, Ordering::Relaxed);
                    parker.unpark();
                })
            };
            parker.park();
            assert!(second.load(Ordering::Relaxed), "returned without a token");
            other.join().unwrap();
        },
    );
}

#[test]
fn whenever_the_token_comes_the_park_returns_and_sees_what_was_before() {
    in_every_order(
        "a token that came while the owner was about to sleep is lost, or what was written before it is",
        || {
            let parker = Arc::new(modelled::exercise::Parker::new());
            let data = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
            let other = {
                let (parker, data) = (parker.clone(), data.clone());
                loom::thread::spawn(move || {
                    data.store(7, Ordering::Relaxed);
                    parker.unpark();
                })
            };
            parker.park();
            assert_eq!(
                data.load(Ordering::Relaxed),
                7,
                "what was written before the unpark is not seen after the park"
            );
            other.join().unwrap();
        },
    );
}

#[test]
fn of_two_that_unpark_neither_is_overlooked() {
    in_every_order("with two threads that unpark, a token is lost", || {
        let parker = Arc::new(modelled::exercise::Parker::new());
        let count = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let others = [(); 2].map(|()| {
            let (parker, count) = (parker.clone(), count.clone());
            loom::thread::spawn(move || {
                count.fetch_add(1, Ordering::Relaxed);
                parker.unpark();
            })
        });
        while count.load(Ordering::Relaxed) < 2 {
            parker.park();
        }
        for other in others {
            other.join().unwrap();
        }
    });
}

thread_local! {
    /// Called at each wait of this thread's restless condition variable; true makes the wait end for no reason.
    static AT_WAIT: RefCell<Option<Box<dyn FnMut() -> bool>>> = const { RefCell::new(None) };
}

/// std's, but wakes up for no reason when the test says so. The real one is allowed to do that at any time.
#[derive(Debug)]
pub(crate) struct RestlessCondvar(std::sync::Condvar);

#[allow(dead_code, reason = "the start uses none of it")]
impl RestlessCondvar {
    pub(crate) fn new() -> Self {
        RestlessCondvar(std::sync::Condvar::new())
    }

    fn restless() -> bool {
        AT_WAIT.with_borrow_mut(|at_wait| at_wait.as_mut().is_some_and(|at_wait| at_wait()))
    }

    pub(crate) fn wait<'a, T>(
        &self,
        guard: std::sync::MutexGuard<'a, T>,
    ) -> std::sync::LockResult<std::sync::MutexGuard<'a, T>> {
        if Self::restless() {
            return Ok(self.0.wait_timeout(guard, Duration::ZERO).unwrap().0);
        }
        self.0.wait(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: std::sync::MutexGuard<'a, T>,
        left: Duration,
    ) -> std::sync::LockResult<(std::sync::MutexGuard<'a, T>, std::sync::WaitTimeoutResult)> {
        let left = if Self::restless() {
            Duration::ZERO
        } else {
            left
        };
        self.0.wait_timeout(guard, left)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Parks with `park` on a parker whose condition variable wakes up three times for no reason, and leaves the token only
/// then. Returns whether the token had come when `park` returned.
fn park_restlessly(park: impl FnOnce(&restless::exercise::Parker) -> bool) -> bool {
    let parker = Arc::new(restless::exercise::Parker::new());
    let came = Arc::new(AtomicBool::new(false));
    let (awake, woken) = mpsc::channel();
    let other = {
        let (parker, came) = (parker.clone(), came.clone());
        thread::spawn(move || {
            // An error means that the park has returned and nobody is left to wake up.
            if woken.recv().is_ok() {
                came.store(true, Ordering::SeqCst);
                parker.unpark();
            }
        })
    };
    let mut waits = 0;
    AT_WAIT.set(Some(Box::new(move || {
        waits += 1;
        if waits == 3 {
            awake.send(()).unwrap();
        }
        waits <= 3
    })));
    let returned = park(&parker) && came.load(Ordering::SeqCst);
    AT_WAIT.set(None);
    other.join().unwrap();
    returned
}

#[test]
fn a_condition_variable_that_wakes_up_for_no_reason_does_not_end_the_park() {
    let token = park_restlessly(|parker| {
        parker.park();
        true
    });
    assert!(
        token,
        "the condition variable woke up for no reason, and the park returned without a token"
    );
}

/// So far away that a test which comes here has failed already.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(50)
}

#[test]
fn a_condition_variable_that_wakes_up_for_no_reason_does_not_end_a_park_with_a_deadline() {
    let token = park_restlessly(|parker| parker.park_until(far()));
    assert!(
        token,
        "the condition variable woke up for no reason, and park_until gave up long before its deadline"
    );
}

#[test]
fn a_park_whose_deadline_has_passed_takes_a_token_that_is_there() {
    let parker = plain::exercise::Parker::new();
    let past = Instant::now();
    assert!(
        !parker.park_until(past),
        "there was no token, but park_until says that it took one"
    );
    parker.unpark();
    assert!(
        parker.park_until(past),
        "there was a token, but park_until says that it took none"
    );
    assert!(
        !parker.park_until(past),
        "park_until has left the token that it returned for"
    );
}

#[test]
fn a_token_that_comes_ends_a_park_with_a_deadline() {
    let parker = Arc::new(plain::exercise::Parker::new());
    let other = {
        let parker = parker.clone();
        thread::spawn(move || parker.unpark())
    };
    assert!(
        parker.park_until(far()),
        "a token came, and park_until slept on to its deadline"
    );
    other.join().unwrap();
}

/// Your parker, as the stage that every park of a thread goes to.
mod stage {
    use std::time::Instant;

    use step01::park::{self, ParkVTable, Wait};
    use step01::{UnparkVTable, Unparker};

    use super::plain::exercise::Parker;

    static UNPARK: UnparkVTable = UnparkVTable {
        // SAFETY: `data` is a parker that `install` has leaked.
        unpark: |data| unsafe { &*data.cast::<Parker>() }.unpark(),
    };

    static PARK: ParkVTable = ParkVTable {
        park: |data, _: Wait, deadline: Option<Instant>| {
            // SAFETY: as above.
            let parker = unsafe { &*data.cast::<Parker>() };
            match deadline {
                Some(deadline) => drop(parker.park_until(deadline)),
                None => parker.park(),
            }
        },
        // SAFETY: as above, and `unpark` may be called from anywhere.
        current: |data| unsafe { Unparker::new(data, &UNPARK) },
    };

    /// From now on this thread parks on a parker of yours. It is leaked: an unparker may come late.
    pub(super) fn install() {
        let parker: &'static Parker = Box::leak(Box::new(Parker::new()));
        // SAFETY: the parker lives for ever, and is this thread's alone to park on.
        unsafe {
            park::install(Some(park::Parker::new(
                (parker as *const Parker).cast(),
                &PARK,
            )))
        };
    }
}

/// On real threads a wrong answer would hang, so it is looked for first.
#[test]
fn the_channels_and_locks_of_step01_stand_on_it() {
    a_token_left_before_the_park_is_kept();
    whenever_the_token_comes_the_park_returns_and_sees_what_was_before();
    a_park_whose_deadline_has_passed_takes_a_token_that_is_there();
    const ROUNDS: u32 = 300;
    let (done, finished) = mpsc::channel();
    let run = thread::spawn(move || {
        stage::install();
        let (there, ping) = step01::bounded::<u32>(0);
        let (back, pong) = step01::bounded::<u32>(0);
        let sum = Arc::new(step01::Mutex::new(0));
        let echo = {
            let sum = sum.clone();
            thread::spawn(move || {
                stage::install();
                for n in ping.iter() {
                    *sum.lock() += n;
                    back.send(n + 1).unwrap();
                }
            })
        };
        for n in 0..ROUNDS {
            there.send(n).unwrap();
            assert_eq!(pong.recv(), Ok(n + 1));
        }
        drop(there);
        echo.join().unwrap();
        done.send(*sum.lock()).unwrap();
    });
    match finished.recv_timeout(Duration::from_secs(60)) {
        Ok(sum) => assert_eq!(sum, (0..ROUNDS).sum()),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            panic!("two threads wait for each other: a wake-up was lost")
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{}", text(&*run.join().unwrap_err())),
    }
}
