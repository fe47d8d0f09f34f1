//! `Semaphore`: order, deadlines, permits that come and go, misuse.

use std::sync::Arc;
use std::time::Instant;

use step01::Semaphore;
use step01::park::Wait;

use crate::puppet::Puppet;
use crate::{gives_up, panic_message, past, soon};

/// A puppet that takes permits and keeps them; parked in `acquire`.
#[track_caller]
fn queued(semaphore: &Arc<Semaphore>, n: usize) -> Puppet<()> {
    let puppet = Puppet::new({
        let semaphore = Arc::clone(semaphore);
        move || semaphore.acquire(n).forget()
    });
    assert_eq!(puppet.parked(), Wait::Semaphore);
    puppet
}

/// The same with a deadline; it returns whether it has them.
fn impatient(semaphore: &Arc<Semaphore>, n: usize, deadline: Instant) -> Puppet<bool> {
    let semaphore = Arc::clone(semaphore);
    Puppet::new(move || {
        let permit = semaphore.acquire_deadline(n, deadline);
        permit.map(step01::Permit::forget).is_some()
    })
}

#[track_caller]
fn goes_on(puppet: Puppet<()>) {
    assert!(puppet.unparked());
    puppet.resume();
    puppet.ended();
}

#[test]
fn permits_come_back_when_they_are_dropped() {
    static SEATS: Semaphore = Semaphore::new(3);
    let two = SEATS.acquire(2);
    assert_eq!((two.count(), SEATS.available()), (2, 1));
    assert!(SEATS.try_acquire(2).is_none());
    assert!(SEATS.acquire_deadline(2, past()).is_none());
    assert_eq!(SEATS.available(), 1);
    drop(two);
    assert_eq!(SEATS.acquire_deadline(3, past()).unwrap().count(), 3);
    SEATS.acquire(1).forget();
    assert_eq!(SEATS.available(), 2);
    SEATS.release(5);
    assert_eq!(SEATS.available(), 7);
    assert_eq!(format!("{SEATS:?}"), "Semaphore { available: 7, .. }");
    assert_eq!(format!("{:?}", SEATS.acquire(4)), "Permit { n: 4 }");
}

/// One permit is free all the time, and a stream of small requests would take it whenever it comes back. The large
/// request is first, so they wait.
#[test]
fn a_large_request_is_not_starved_by_small_ones() {
    let semaphore = Arc::new(Semaphore::new(3));
    let (one, other) = (semaphore.acquire(1), semaphore.acquire(1));
    let large = queued(&semaphore, 3);
    assert_eq!(semaphore.available(), 1);
    assert!(semaphore.try_acquire(1).is_none());
    assert!(semaphore.acquire_deadline(1, past()).is_none());
    let small = queued(&semaphore, 1);
    drop(one);
    assert!(!large.unparked() && !small.unparked());
    drop(other);
    assert!(!small.unparked());
    goes_on(large);
    assert!(!small.unparked());
    semaphore.release(1);
    goes_on(small);
    assert_eq!(semaphore.available(), 0);
}

/// The permits are handed over by the release: nobody can take them before the woken task has run.
#[test]
fn permits_are_handed_over() {
    let semaphore = Arc::new(Semaphore::new(0));
    let waiter = queued(&semaphore, 2);
    semaphore.release(2);
    assert_eq!(semaphore.available(), 0);
    assert!(semaphore.try_acquire(1).is_none());
    goes_on(waiter);
}

#[test]
fn one_release_serves_as_many_as_it_can() {
    let semaphore = Arc::new(Semaphore::new(0));
    let served = [queued(&semaphore, 1), queued(&semaphore, 2)];
    let not_served = queued(&semaphore, 2);
    semaphore.release(4);
    for waiter in served {
        goes_on(waiter);
    }
    assert!(!not_served.unparked());
    assert_eq!(semaphore.available(), 1);
    semaphore.release(1);
    goes_on(not_served);
}

/// golang/go#37852: the first gives up, and the permits that were too few for it are enough for the second.
#[test]
fn the_first_gives_up_and_lets_the_second_go() {
    let semaphore = Arc::new(Semaphore::new(2));
    let large = impatient(&semaphore, 3, soon());
    // On a very busy machine its time may be over already.
    let small = if large.parks().is_some() {
        let small = queued(&semaphore, 1);
        large.expire();
        assert!(!large.ended());
        small
    } else {
        assert!(
            semaphore.try_acquire(2).is_some(),
            "it left something behind"
        );
        return;
    };
    goes_on(small);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_request_whose_time_is_over_leaves_nothing_behind() {
    let semaphore = Arc::new(Semaphore::new(1));
    assert!(!gives_up(impatient(&semaphore, 2, soon())));
    assert_eq!(semaphore.available(), 1);
    assert!(semaphore.try_acquire(1).is_some());
}

/// The permits were granted, and then its time is over: it has them.
#[test]
fn granted_at_the_deadline_is_granted() {
    let semaphore = Arc::new(Semaphore::new(0));
    let waiter = impatient(&semaphore, 1, soon());
    let parked = waiter.parks().is_some();
    semaphore.release(1);
    if parked {
        waiter.expire();
        assert!(waiter.ended());
        assert_eq!(semaphore.available(), 0);
    } else {
        assert_eq!(semaphore.available(), 1);
    }
}

#[test]
fn a_task_that_is_ended_in_the_queue_lets_the_next_go() {
    let semaphore = Arc::new(Semaphore::new(1));
    let ended = queued(&semaphore, 2);
    let next = queued(&semaphore, 1);
    ended.unwind();
    ended.unwound();
    goes_on(next);
    assert_eq!(semaphore.available(), 0);
}

#[test]
fn a_task_that_is_ended_with_permits_gives_them_back() {
    let semaphore = Arc::new(Semaphore::new(0));
    let ended = queued(&semaphore, 2);
    let next = queued(&semaphore, 1);
    semaphore.release(2);
    assert!(ended.unparked() && !next.unparked());
    ended.unwind();
    ended.unwound();
    goes_on(next);
    assert_eq!(semaphore.available(), 1);
}

/// A request for nothing waits for its turn like any other, and is then served whatever is free.
#[test]
fn a_request_for_nothing() {
    let semaphore = Arc::new(Semaphore::new(0));
    drop(semaphore.acquire(0));
    let first = queued(&semaphore, 1);
    let nothing = queued(&semaphore, 0);
    semaphore.release(1);
    goes_on(first);
    goes_on(nothing);
}

#[test]
fn too_many_permits_are_named() {
    let semaphore = Semaphore::new(usize::MAX);
    assert_eq!(
        panic_message(|| semaphore.release(1)),
        "Semaphore permits overflow"
    );
    assert_eq!(semaphore.available(), usize::MAX);
}
