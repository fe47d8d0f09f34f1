//! `Once`: once, and again after a panic; who waits, who must not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use step01::park::{self, Wait};
use step01::{Once, Threads, scope};

use crate::panic_message;
use crate::puppet::Puppet;
use crate::watchdog::watch;

#[test]
fn threads_run_it_once_and_all_see_it() {
    let _watchdog = watch("eight threads, one Once");
    static ONCE: Once = Once::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                ONCE.call_once(|| {
                    RUNS.fetch_add(1, Relaxed);
                });
                assert!(ONCE.is_completed());
                assert_eq!(RUNS.load(Relaxed), 1);
            });
        }
    });
}

/// A puppet whose initialiser parks in the middle; it is there.
#[track_caller]
fn initialising(once: &Arc<Once>) -> Puppet<()> {
    let puppet = Puppet::new({
        let once = Arc::clone(once);
        move || once.call_once(park::park)
    });
    assert_eq!(puppet.parked(), Wait::Park);
    puppet
}

/// One that waits for it, and would initialise if it had to; it returns whether it did.
#[track_caller]
fn waiting(once: &Arc<Once>) -> Puppet<bool> {
    let puppet = Puppet::new({
        let once = Arc::clone(once);
        move || {
            let mut ran = false;
            once.call_once(|| ran = true);
            assert!(once.is_completed());
            ran
        }
    });
    assert_eq!(puppet.parked(), Wait::Once);
    puppet
}

#[test]
fn others_wait_until_it_is_over() {
    let once = Arc::new(Once::default());
    let first = initialising(&once);
    let others = [waiting(&once), waiting(&once)];
    assert!(!once.is_completed());
    assert!(others.iter().all(|other| !other.unparked()));
    // For no reason: it is not over.
    others[0].resume();
    assert_eq!(others[0].parked(), Wait::Once);
    first.resume();
    first.ended();
    assert!(once.is_completed());
    for other in others {
        assert!(other.unparked());
        other.resume();
        assert!(!other.ended());
    }
    once.call_once(|| panic!("a second time"));
}

/// The initialiser is ended in the middle, as by a panic: everyone who waits is woken, the first to come tries again,
/// and those who come while it does wait for it.
#[test]
fn who_waits_tries_again() {
    let once = Arc::new(Once::new());
    let first = initialising(&once);
    let others = [waiting(&once), waiting(&once)];
    first.unwind();
    first.unwound();
    assert!(!once.is_completed());
    assert!(others.iter().all(Puppet::unparked));
    let ran: Vec<_> = others
        .into_iter()
        .map(|other| {
            other.resume();
            other.ended()
        })
        .collect();
    assert_eq!(ran, [true, false]);
}

#[test]
fn who_comes_during_the_second_try_waits_for_it() {
    let once = Arc::new(Once::new());
    let first = initialising(&once);
    let other = waiting(&once);
    first.unwind();
    first.unwound();
    // The other has been woken and has not come; someone else tries meanwhile.
    let second = initialising(&once);
    other.resume();
    assert_eq!(other.parked(), Wait::Once);
    second.resume();
    second.ended();
    assert!(other.unparked());
    other.resume();
    assert!(!other.ended());
}

#[test]
fn a_panic_goes_to_its_own_caller() {
    let once = Once::new();
    for _ in 0..2 {
        let panicked = catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("no"))));
        assert!(panicked.is_err());
        assert!(!once.is_completed());
    }
    let mut ran = false;
    once.call_once(|| ran = true);
    assert!(ran && once.is_completed());
}

#[test]
fn calling_it_from_its_own_initialiser_is_named() {
    let once = Once::new();
    let message = panic_message(|| once.call_once(|| once.call_once(|| ())));
    assert_eq!(message, "a Once was called by its own initialiser");
    // And was tried again after that, as after any panic.
    once.call_once(|| ());
    assert!(once.is_completed());
    assert_eq!(format!("{once:?}"), "Once { completed: true, .. }");
}

/// Another Once in an initialiser is nobody's business.
#[test]
fn initialisers_may_use_others() {
    let (outer, inner) = (Once::new(), Once::new());
    outer.call_once(|| inner.call_once(|| ()));
    assert!(outer.is_completed() && inner.is_completed());
}

#[test]
fn tasks_and_threads_share_one() {
    let _watchdog = watch("tasks and a thread, one Once");
    for _ in 0..50 {
        let (once, runs) = (Once::new(), AtomicU32::new(0));
        let call = || {
            once.call_once(|| {
                runs.fetch_add(1, Relaxed);
            });
        };
        scope(&Threads::new(), |s| {
            s.spawn(call);
            s.spawn(call);
            thread::scope(|threads| {
                threads.spawn(call);
            });
        });
        assert_eq!(runs.load(Relaxed), 1);
    }
}
