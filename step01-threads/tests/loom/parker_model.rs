//! The OS-thread parker: `src/os_parker.rs`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::model::{Bound, explore, past};
use crate::os_parker::OsParker;
use crate::sync::UnsafeCell;

// ANCHOR: model
/// Whatever the order, a park that waits for a flag ends, and what the waker wrote is there.
#[test]
fn wakes_and_publishes() {
    explore("parker, one waker", Bound::Complete, 10, || {
        let parker = Arc::new(OsParker::new());
        let data = Arc::new(UnsafeCell::new(0));
        let flag = Arc::new(AtomicUsize::new(0));
        let waker = thread::spawn({
            let (parker, data, flag) = (parker.clone(), data.clone(), flag.clone());
            move || {
                // SAFETY: the other thread reads only after it has seen the flag, or the token.
                data.with_mut(|data| unsafe { *data = 7 });
                flag.store(1, Ordering::Relaxed); // relaxed: the token alone has to publish
                parker.unpark();
            }
        });
        while flag.load(Ordering::Relaxed) == 0 {
            parker.park(None);
        }
        waker.join().unwrap();
        // SAFETY: the waker has ended.
        data.with(|data| assert_eq!(unsafe { *data }, 7));
    });
}
// ANCHOR_END: model

/// The token itself is the only thing that says the data is there.
#[test]
fn token_publishes() {
    explore("parker, token publishes", Bound::Complete, 5, || {
        let parker = Arc::new(OsParker::new());
        let data = Arc::new(UnsafeCell::new(0));
        let waker = thread::spawn({
            let (parker, data) = (parker.clone(), data.clone());
            move || {
                // SAFETY: read only after the park that takes the token.
                data.with_mut(|data| unsafe { *data = 7 });
                parker.unpark();
            }
        });
        // There is exactly one token, no deadline, and loom's condition variable does not wake for no reason: so this
        // park returns when the token is there.
        parker.park(None);
        // SAFETY: the token was taken, and the waker wrote before it left it.
        data.with(|data| assert_eq!(unsafe { *data }, 7));
        waker.join().unwrap();
    });
}

/// Two wakers, one token or two: the parker's thread sees both flags in the end.
#[test]
fn two_wakers() {
    explore("parker, two wakers", Bound::Preemptions(3), 100, || {
        let parker = Arc::new(OsParker::new());
        let flags = Arc::new(AtomicUsize::new(0));
        let wakers: Vec<_> = (0..2)
            .map(|_| {
                let (parker, flags) = (parker.clone(), flags.clone());
                thread::spawn(move || {
                    flags.fetch_add(1, Ordering::Relaxed);
                    parker.unpark();
                })
            })
            .collect();
        while flags.load(Ordering::Relaxed) < 2 {
            parker.park(None);
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

/// A park that gives up at the very moment of the unpark does not lose the token: the next one takes it, or this one did.
#[test]
fn giving_up_loses_nothing() {
    explore(
        "parker, deadline against unpark",
        Bound::Complete,
        10,
        || {
            let parker = Arc::new(OsParker::new());
            let flag = Arc::new(AtomicUsize::new(0));
            let waker = thread::spawn({
                let (parker, flag) = (parker.clone(), flag.clone());
                move || {
                    flag.store(1, Ordering::Relaxed);
                    parker.unpark();
                }
            });
            parker.park(Some(past()));
            while flag.load(Ordering::Relaxed) == 0 {
                parker.park(None);
            }
            waker.join().unwrap();
        },
    );
}
