//! `Condvar`: nothing is missed, nobody is woken in place of another, deadlines, tasks that are ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use step01::park::Wait;
use step01::{Condvar, Mutex, Threads, bounded, scope};

use crate::puppet::Puppet;
use crate::watchdog::watch;
use crate::{gives_up, past, soon};

#[derive(Default)]
struct Shared {
    ready: Mutex<bool>,
    changed: Condvar,
}

/// A puppet that waits once; parked in the wait.
#[track_caller]
fn waiting(shared: &Arc<Shared>) -> Puppet<()> {
    let puppet = Puppet::new({
        let shared = Arc::clone(shared);
        move || drop(shared.changed.wait(shared.ready.lock()))
    });
    assert_eq!(puppet.parked(), Wait::Condvar);
    puppet
}

/// One that waits once with a deadline; it returns whether its time was over, and has looked that it has the mutex.
fn impatient(shared: &Arc<Shared>, deadline: Instant) -> Puppet<bool> {
    let shared = Arc::clone(shared);
    Puppet::new(move || {
        let (guard, ended) = shared.changed.wait_deadline(shared.ready.lock(), deadline);
        assert!(shared.ready.try_lock().is_none());
        drop(guard);
        ended.timed_out()
    })
}

#[track_caller]
fn goes_on(puppet: Puppet<()>) {
    assert!(puppet.unparked());
    puppet.resume();
    puppet.ended();
}

/// The puppet has unlocked and is about to sleep; its park has begun and not looked for a token yet.
#[test]
fn a_notification_between_unlock_and_sleep_is_seen() {
    let shared = Arc::new(Shared::default());
    let waiter = waiting(&shared);
    *shared.ready.try_lock().expect("it has unlocked") = true;
    shared.changed.notify_one();
    goes_on(waiter);
}

#[test]
fn a_notification_is_not_kept_for_later() {
    let shared = Arc::new(Shared::default());
    shared.changed.notify_one();
    shared.changed.notify_all();
    let waiter = waiting(&shared);
    assert!(!waiter.unparked());
    shared.changed.notify_one();
    goes_on(waiter);
}

#[test]
fn notify_one_wakes_who_has_waited_longest() {
    let shared = Arc::new(Shared::default());
    let (first, second) = (waiting(&shared), waiting(&shared));
    shared.changed.notify_one();
    assert!(!second.unparked());
    goes_on(first);
    assert!(!second.unparked());
    shared.changed.notify_one();
    goes_on(second);
}

#[test]
fn notify_all_wakes_all_who_wait_and_nobody_later() {
    let shared = Arc::new(Shared::default());
    let now = [waiting(&shared), waiting(&shared), waiting(&shared)];
    shared.changed.notify_all();
    let later = waiting(&shared);
    for waiter in now {
        goes_on(waiter);
    }
    assert!(!later.unparked());
    shared.changed.notify_all();
    goes_on(later);
}

/// Notified while the notifier still has the mutex: it waits for that like anyone else.
#[test]
fn a_notified_task_waits_for_the_mutex() {
    let shared = Arc::new(Shared::default());
    let waiter = waiting(&shared);
    let held = shared.ready.lock();
    shared.changed.notify_one();
    waiter.resume();
    assert_eq!(waiter.parked(), Wait::Mutex);
    drop(held);
    goes_on(waiter);
}

#[test]
fn waking_for_no_reason_is_no_notification() {
    let shared = Arc::new(Shared::default());
    let waiter = waiting(&shared);
    waiter.resume();
    assert_eq!(waiter.parked(), Wait::Condvar);
    shared.changed.notify_one();
    goes_on(waiter);
}

#[test]
fn a_wait_ends_at_its_deadline_with_the_mutex_locked() {
    let shared = Arc::new(Shared::default());
    assert!(gives_up(impatient(&shared, soon())));
    let held = shared.ready.lock();
    let (guard, ended) = shared.changed.wait_deadline(held, past());
    assert!(ended.timed_out());
    assert!(shared.ready.try_lock().is_none());
    let (_guard, ended) = shared.changed.wait_timeout(guard, Duration::ZERO);
    assert!(ended.timed_out());
}

/// A time limit beyond the end of the clock is none.
#[test]
fn an_endless_timeout_is_no_timeout() {
    let shared = Arc::new(Shared::default());
    let waiter = Puppet::new({
        let shared = Arc::clone(&shared);
        move || {
            let waited = shared
                .changed
                .wait_timeout(shared.ready.lock(), Duration::MAX);
            waited.1.timed_out()
        }
    });
    assert_eq!(waiter.parked(), Wait::Condvar);
    shared.changed.notify_one();
    waiter.resume();
    assert!(!waiter.ended());
}

#[test]
fn who_gave_up_takes_no_notification() {
    let shared = Arc::new(Shared::default());
    let leaving = impatient(&shared, soon());
    // It may have given up by itself already, on a very busy machine.
    let parked = leaving.parks().is_some();
    let staying = waiting(&shared);
    if parked {
        leaving.expire();
        assert!(leaving.ended());
    }
    shared.changed.notify_one();
    goes_on(staying);
}

/// Notified first, and then its time is over: it was notified.
#[test]
fn a_notification_before_the_deadline_counts() {
    let shared = Arc::new(Shared::default());
    let waiter = impatient(&shared, soon());
    if waiter.parks().is_none() {
        assert!(waiter.join().unwrap());
        return;
    }
    shared.changed.notify_one();
    waiter.expire();
    assert!(!waiter.ended());
}

#[test]
fn a_task_that_is_ended_leaves_the_crowd() {
    let shared = Arc::new(Shared::default());
    let (ended, staying) = (waiting(&shared), waiting(&shared));
    ended.unwind();
    ended.unwound();
    shared.changed.notify_one();
    goes_on(staying);
}

#[test]
fn a_task_that_is_ended_when_notified_passes_it_on() {
    let shared = Arc::new(Shared::default());
    let (ended, staying) = (waiting(&shared), waiting(&shared));
    shared.changed.notify_one();
    assert!(!staying.unparked());
    ended.unwind();
    ended.unwound();
    goes_on(staying);
    // It has not locked the mutex again.
    assert!(shared.ready.try_lock().is_some());
}

#[test]
fn wait_while_looks_before_and_after() {
    let shared = Arc::new(Shared::default());
    let mut looks = 0;
    let guard = shared.changed.wait_while(shared.ready.lock(), |_| {
        looks += 1;
        false
    });
    drop(guard);
    assert_eq!(looks, 1);

    let waiter = Puppet::new({
        let shared = Arc::clone(&shared);
        move || {
            *shared
                .changed
                .wait_while(shared.ready.lock(), |ready| !*ready)
        }
    });
    assert_eq!(waiter.parked(), Wait::Condvar);
    shared.changed.notify_one();
    waiter.resume();
    assert_eq!(waiter.parked(), Wait::Condvar, "it is not ready");
    *shared.ready.lock() = true;
    shared.changed.notify_one();
    waiter.resume();
    assert!(waiter.ended());
}

/// A task and a plain thread take turns, each waiting for the other.
#[test]
fn tasks_and_threads_share_one() {
    let _watchdog = watch("a task and a thread in turns");
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    let take_turns = |me: u32| {
        for _ in 0..200 {
            let mut turn = changed.wait_while(turn.lock(), |turn| *turn % 2 != me);
            *turn += 1;
            changed.notify_all();
        }
    };
    let (told, tell) = bounded(1);
    scope(&Threads::new(), |s| {
        s.spawn(|| {
            take_turns(1);
            told.send(()).unwrap();
        });
        std::thread::scope(|threads| {
            threads.spawn(|| take_turns(0));
        });
        tell.recv().unwrap();
    });
    assert_eq!(turn.into_inner(), 400);
}
