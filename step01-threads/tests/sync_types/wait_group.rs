//! `WaitGroup`: counting, rounds, misuse.

use std::sync::Arc;
use std::time::Instant;

use step01::WaitGroup;
use step01::park::Wait;

use crate::puppet::Puppet;
use crate::{gives_up, panic_message, past, soon};

#[track_caller]
fn waiting(group: &Arc<WaitGroup>) -> Puppet<()> {
    let puppet = Puppet::new({
        let group = Arc::clone(group);
        move || group.wait()
    });
    assert_eq!(puppet.parked(), Wait::WaitGroup);
    puppet
}

fn impatient(group: &Arc<WaitGroup>, deadline: Instant) -> Puppet<bool> {
    let group = Arc::clone(group);
    Puppet::new(move || group.wait_deadline(deadline))
}

#[test]
fn zero_is_not_waited_for() {
    let group = WaitGroup::new();
    group.wait();
    assert!(group.wait_deadline(past()));
    group.add(0);
    group.wait();
}

#[test]
fn all_who_wait_are_woken_at_zero_and_not_before() {
    let group = Arc::new(WaitGroup::default());
    group.add(2);
    let waiting = [waiting(&group), waiting(&group)];
    group.add(1);
    group.done();
    group.done();
    assert!(!group.wait_deadline(past()));
    assert!(waiting.iter().all(|waiter| !waiter.unparked()));
    group.done();
    for waiter in waiting {
        assert!(waiter.unparked());
        waiter.resume();
        waiter.ended();
    }
}

/// The counter was zero, and is above zero again before the woken task has run: it is not sent back to wait.
#[test]
fn a_round_that_is_over_is_over() {
    let group = Arc::new(WaitGroup::new());
    group.add(1);
    let first = waiting(&group);
    group.done();
    group.add(1);
    let second = waiting(&group);
    assert!(first.unparked());
    first.resume();
    first.ended();
    assert!(!second.unparked());
    group.done();
    assert!(second.unparked());
    second.resume();
    second.ended();
}

#[test]
fn waking_for_no_reason_is_not_zero() {
    let group = Arc::new(WaitGroup::new());
    group.add(1);
    let waiter = waiting(&group);
    waiter.resume();
    assert_eq!(waiter.parked(), Wait::WaitGroup);
    group.done();
    waiter.resume();
    waiter.ended();
}

#[test]
fn a_deadline_says_what_is_true() {
    let group = Arc::new(WaitGroup::new());
    group.add(1);
    assert!(!gives_up(impatient(&group, soon())));
    let patient = waiting(&group);
    let late = impatient(&group, soon());
    let parked = late.parks().is_some();
    group.done();
    if parked {
        // Zero came first, then the deadline.
        late.expire();
        assert!(late.ended());
    } else {
        assert!(!late.join().unwrap());
    }
    patient.resume();
    patient.ended();
}

#[test]
fn a_task_that_is_ended_leaves_the_crowd() {
    let group = Arc::new(WaitGroup::new());
    group.add(1);
    let (ended, staying) = (waiting(&group), waiting(&group));
    ended.unwind();
    ended.unwound();
    group.done();
    assert!(staying.unparked());
    staying.resume();
    staying.ended();
}

#[test]
fn too_many_dones_are_named() {
    let group = WaitGroup::new();
    group.add(1);
    group.done();
    assert_eq!(panic_message(|| group.done()), "negative WaitGroup counter");
    // It still counts.
    group.add(1);
    assert!(!group.wait_deadline(past()));
    group.done();
    group.wait();
}

#[test]
fn too_large_a_count_is_named() {
    let group = WaitGroup::new();
    group.add(usize::MAX);
    assert_eq!(panic_message(|| group.add(1)), "WaitGroup counter overflow");
    assert_eq!(
        format!("{group:?}"),
        format!("WaitGroup {{ count: {}, .. }}", usize::MAX)
    );
}
