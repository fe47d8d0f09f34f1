//! `Mutex`: exclusion, overtaking and handing over, deadlines, tasks that are ended.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use step01::park::Wait;
use step01::{Mutex, MutexGuard};

use crate::puppet::Puppet;
use crate::watchdog::watch;
use crate::{gives_up, past, soon};

/// A puppet that locks, does nothing, unlocks; parked in `lock`.
#[track_caller]
fn queued(mutex: &Arc<Mutex<u32>>) -> Puppet<()> {
    let puppet = locker(mutex);
    assert_eq!(puppet.parked(), Wait::Mutex);
    puppet
}

fn locker(mutex: &Arc<Mutex<u32>>) -> Puppet<()> {
    let mutex = Arc::clone(mutex);
    Puppet::new(move || drop(mutex.lock()))
}

/// The same with a deadline; it returns whether it had the mutex.
fn impatient(mutex: &Arc<Mutex<u32>>, deadline: Instant) -> Puppet<bool> {
    let mutex = Arc::clone(mutex);
    Puppet::new(move || mutex.lock_deadline(deadline).is_some())
}

#[test]
fn threads_never_lose_an_increment() {
    let _watchdog = watch("four threads, one mutex");
    static TOTAL: Mutex<u64> = Mutex::new(0);
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..10_000 {
                    let mut total = TOTAL.lock();
                    *total += 1;
                }
            });
        }
    });
    assert_eq!(*TOTAL.lock(), 40_000);
}

#[test]
fn try_lock_and_a_past_deadline_do_not_wait() {
    let mutex = Mutex::new(1);
    let guard = mutex.try_lock().unwrap();
    assert!(mutex.try_lock().is_none());
    assert!(mutex.lock_deadline(past()).is_none());
    drop(guard);
    assert_eq!(*mutex.lock_deadline(past()).unwrap(), 1);
    // Nothing was left behind by those who did not get it.
    assert!(mutex.try_lock().is_some());
}

/// The whole promise about fairness. While a woken waiter is on its way it may be overtaken; once it has come too late
/// it may not: the mutex is its own from the unlock on, though it has not run yet.
#[test]
fn a_waiter_that_came_too_late_is_handed_the_mutex() {
    let mutex = Arc::new(Mutex::new(0));
    let mut held = mutex.lock();
    let late = queued(&mutex);
    for _ in 0..10 {
        drop(held);
        assert!(late.unparked());
        held = mutex.try_lock().expect("overtaking is allowed");
    }
    late.resume();
    assert_eq!(late.parked(), Wait::Mutex);
    assert!(!late.unparked());
    drop(held);
    assert!(late.unparked());
    assert!(mutex.try_lock().is_none(), "it was overtaken a second time");
    assert!(mutex.lock_deadline(past()).is_none());
    late.resume();
    late.ended();
    assert!(mutex.try_lock().is_some());
}

/// Who came too late stands before those who queued behind it.
#[test]
fn a_waiter_that_came_too_late_keeps_its_place() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let (first, second) = (queued(&mutex), queued(&mutex));
    drop(held);
    let held = mutex.try_lock().unwrap();
    first.resume();
    assert_eq!(first.parked(), Wait::Mutex);
    drop(held);
    assert!(first.unparked());
    assert!(!second.unparked());
    first.resume();
    first.ended();
    assert!(second.unparked());
    second.resume();
    second.ended();
}

/// A spurious return from the park changes nothing.
#[test]
fn waking_for_no_reason_is_not_locking() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let waiter = queued(&mutex);
    for _ in 0..3 {
        waiter.resume();
        assert_eq!(waiter.parked(), Wait::Mutex);
    }
    drop(held);
    assert!(waiter.unparked());
    waiter.resume();
    waiter.ended();
}

/// While one waiter is coming, no second one is woken, however often the mutex is unlocked.
#[test]
fn one_waiter_at_a_time_is_woken() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let (first, second) = (queued(&mutex), queued(&mutex));
    drop(held);
    for _ in 0..3 {
        drop(mutex.try_lock().unwrap());
        assert!(first.unparked());
        assert!(!second.unparked());
    }
    first.resume();
    first.ended();
    assert!(second.unparked());
    second.resume();
    second.ended();
}

#[test]
fn a_waiter_whose_time_is_over_leaves_the_queue() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let leaving = impatient(&mutex, soon());
    assert!(!gives_up(leaving));
    let patient = queued(&mutex);
    drop(held);
    assert!(patient.unparked());
    patient.resume();
    patient.ended();
    assert!(mutex.try_lock().is_some());
}

/// Woken, too late, and then out of time: the wake-up that it used is not missed by the next one.
#[test]
fn a_woken_waiter_that_gives_up_costs_nobody_a_wake_up() {
    let mutex = Arc::new(Mutex::new(0));
    let mut held = mutex.lock();
    let leaving = impatient(&mutex, soon());
    let parked = leaving.parks().is_some();
    let patient = queued(&mutex);
    if parked {
        drop(held);
        assert!(leaving.unparked());
        held = mutex.try_lock().unwrap();
        leaving.resume();
        assert!(!gives_up(leaving));
    }
    assert!(!patient.unparked());
    drop(held);
    assert!(patient.unparked());
    patient.resume();
    patient.ended();
}

/// The deadline passes after the mutex was handed over: it has the mutex, and not a timeout while holding it.
#[test]
fn handed_over_at_the_deadline_is_locked() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let waiter = impatient(&mutex, soon());
    if waiter.parks().is_none() {
        assert!(!waiter.join().unwrap());
        return;
    }
    drop(held);
    let held = mutex.try_lock().unwrap();
    waiter.resume();
    if waiter.parks().is_none() {
        assert!(!waiter.join().unwrap());
        return;
    }
    drop(held);
    assert!(waiter.unparked());
    waiter.expire();
    assert!(waiter.ended(), "handed over and then lost");
    assert!(mutex.try_lock().is_some());
}

#[test]
fn a_task_that_is_ended_in_the_queue_leaves_it() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let (ended, next) = (queued(&mutex), queued(&mutex));
    ended.unwind();
    ended.unwound();
    drop(held);
    assert!(next.unparked());
    next.resume();
    next.ended();
}

/// It was woken and relied upon, and never comes: the next one is woken instead.
#[test]
fn a_task_that_is_ended_when_woken_passes_it_on() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let (ended, next) = (queued(&mutex), queued(&mutex));
    drop(held);
    assert!(ended.unparked());
    ended.unwind();
    ended.unwound();
    assert!(next.unparked());
    next.resume();
    next.ended();
    assert!(mutex.try_lock().is_some());
}

/// The same while someone else has the mutex: that one's unlock wakes the next.
#[test]
fn a_task_that_is_ended_when_overtaken_leaves_it_to_the_holder() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let (ended, next) = (queued(&mutex), queued(&mutex));
    drop(held);
    let held = mutex.try_lock().unwrap();
    ended.unwind();
    ended.unwound();
    assert!(!next.unparked());
    drop(held);
    assert!(next.unparked());
    next.resume();
    next.ended();
}

/// The mutex was handed to a task that is ended before it could run: it does not stay locked.
#[test]
fn a_task_that_is_ended_when_handed_the_mutex_unlocks_it() {
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock();
    let (ended, next) = (queued(&mutex), queued(&mutex));
    drop(held);
    let held = mutex.try_lock().unwrap();
    ended.resume();
    assert_eq!(ended.parked(), Wait::Mutex);
    drop(held);
    assert!(ended.unparked());
    assert!(mutex.try_lock().is_none());
    ended.unwind();
    ended.unwound();
    assert!(next.unparked());
    next.resume();
    next.ended();
    assert!(mutex.try_lock().is_some());
}

#[test]
fn a_panic_unlocks_and_does_not_poison() {
    let mutex = Arc::new(Mutex::new(0));
    let other = thread::spawn({
        let mutex = Arc::clone(&mutex);
        move || {
            let mut guard = mutex.lock();
            *guard = 1;
            panic!("while the mutex is held");
        }
    });
    other.join().unwrap_err();
    assert_eq!(*mutex.lock(), 1);
}

/// A task may go on on another thread while it holds a guard; and a guard can be handed on.
#[test]
fn a_guard_may_be_dropped_by_another_thread() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    let mut guard = MUTEX.lock();
    thread::spawn(move || {
        *guard = 5;
        drop(guard);
    })
    .join()
    .unwrap();
    assert_eq!(*MUTEX.try_lock().unwrap(), 5);
}

#[test]
fn guards_are_as_send_and_sync_as_the_access_they_give() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Mutex<Cell<u32>>>();
    sync::<Mutex<Cell<u32>>>();
    send::<MutexGuard<'_, Cell<u32>>>();
    sync::<MutexGuard<'_, u32>>();
    // What must not compile is in the documentation of `MutexGuard`.
}

#[test]
fn the_data_may_be_unsized() {
    let numbers: Arc<Mutex<[u32]>> = Arc::new(Mutex::new([1, 2, 3]));
    numbers.lock()[1] = 7;
    assert_eq!(*numbers.lock(), [1, 7, 3]);
    let debug: Box<Mutex<dyn std::fmt::Debug + Send>> = Box::new(Mutex::new("seven"));
    assert_eq!(format!("{:?}", debug.lock()), "\"seven\"");
}

#[test]
fn the_rest_of_the_interface() {
    let mut mutex = Mutex::from(1);
    *mutex.get_mut() += 1;
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 2 }");
    let guard = mutex.lock();
    assert_eq!(format!("{guard} {guard:?}"), "2 2");
    assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
    drop(guard);
    assert_eq!(mutex.into_inner(), 2);
    assert_eq!(*Mutex::<u32>::default().lock(), 0);
}
