//! Judges a wait group: in every order in which its tasks can take turns, and with wake-ups for no reason.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use exercises::turns::{Explore, Turns, every_order};
use step01::Runtime;

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, clippy::new_without_default)]
mod exercise;

use exercise::WaitGroup;

/// Two tasks finish, `waiters` tasks wait, and each of those then finds both finished.
fn waits_for_both(rt: &Turns, waiters: usize) {
    let group = Arc::new(WaitGroup::new());
    let finished = Arc::new(AtomicUsize::new(0));
    group.add(2);
    let mut tasks = Vec::new();
    for name in ["worker a", "worker b"] {
        let (group, finished) = (group.clone(), finished.clone());
        tasks.push(rt.spawn_named(name, move || {
            finished.fetch_add(1, SeqCst);
            group.done();
        }));
    }
    for number in 1..waiters {
        let (group, finished) = (group.clone(), finished.clone());
        tasks.push(rt.spawn_named(&format!("waiter {number}"), move || {
            group.wait();
            assert_eq!(
                finished.load(SeqCst),
                2,
                "wait returned before everybody was done"
            );
        }));
    }
    group.wait();
    assert_eq!(
        finished.load(SeqCst),
        2,
        "wait returned before everybody was done"
    );
    for task in tasks {
        task.join().unwrap_or_else(|error| error.resume());
    }
}

#[test]
fn a_wait_lasts_until_everybody_is_done() {
    assert!(every_order(|rt| waits_for_both(rt, 1)) > 10);
}

#[test]
fn all_waiters_are_woken() {
    Explore::default()
        .preemptions(1)
        .run(|rt| waits_for_both(rt, 3));
}

#[test]
fn a_wake_up_for_no_reason_does_not_end_the_wait() {
    Explore::default()
        .preemptions(1)
        .wake_ups_for_no_reason(2)
        .run(|rt| waits_for_both(rt, 1));
}

#[test]
fn a_counter_of_zero_is_not_waited_for() {
    every_order(|_| {
        let group = WaitGroup::new();
        group.wait();
        group.add(1);
        group.done();
        group.wait();
    });
}

#[test]
fn one_done_too_many_panics_and_the_group_stays_usable() {
    every_order(|rt| {
        let group = Arc::new(WaitGroup::new());
        let payload = panic::catch_unwind(AssertUnwindSafe(|| group.done()));
        let payload = payload.expect_err("a counter of zero was lowered, and nothing was said");
        let text = payload.downcast_ref::<String>().cloned();
        let text = text
            .or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_default();
        if text.starts_with("not yet implemented") {
            panic!("{text}");
        }
        assert!(
            text.contains("negative WaitGroup counter"),
            "the panic says: {text}"
        );
        group.add(1);
        let other = group.clone();
        let task = rt.spawn(move || other.done());
        group.wait();
        task.join().unwrap();
    });
}

#[test]
fn the_next_round_does_not_hold_back_who_waited_for_this_one() {
    every_order(|rt| {
        let group = Arc::new(WaitGroup::new());
        let returned = Arc::new(AtomicUsize::new(0));
        group.add(1);
        let waiter = {
            let (group, returned) = (group.clone(), returned.clone());
            rt.spawn_named("waiter", move || {
                group.wait();
                returned.store(1, SeqCst);
            })
        };
        rt.settle();
        assert_eq!(
            returned.load(SeqCst),
            0,
            "wait returned, and the counter was one"
        );
        // Zero, and one again before the waiter has had a chance to look.
        group.done();
        group.add(1);
        rt.settle();
        assert_eq!(
            returned.load(SeqCst),
            1,
            "the counter was zero while the waiter waited, but a new round began before it looked, and it sleeps on"
        );
        group.done();
        waiter.join().unwrap();
    });
}

#[test]
fn a_group_is_used_again_and_again() {
    Explore::default().preemptions(1).run(|rt| {
        let group = Arc::new(WaitGroup::new());
        for round in 1..=2 {
            let finished = Arc::new(AtomicUsize::new(0));
            group.add(round);
            let tasks: Vec<_> = (0..round)
                .map(|_| {
                    let (group, finished) = (group.clone(), finished.clone());
                    rt.spawn(move || {
                        finished.fetch_add(1, SeqCst);
                        group.done();
                    })
                })
                .collect();
            group.wait();
            assert_eq!(
                finished.load(SeqCst),
                round,
                "wait returned before everybody was done"
            );
            tasks.into_iter().for_each(|task| task.join().unwrap());
        }
    });
}

/// The same on real threads: 8 of them, 200 times. There a wrong answer would hang, so it is looked for first.
#[test]
fn it_works_on_one_thread_per_task_too() {
    a_wait_lasts_until_everybody_is_done();
    all_waiters_are_woken();
    let rt = step01::Threads::new();
    rt.run(|| {
        for _ in 0..200 {
            let group = Arc::new(WaitGroup::new());
            let finished = Arc::new(AtomicUsize::new(0));
            group.add(8);
            for _ in 0..8 {
                let (group, finished) = (group.clone(), finished.clone());
                rt.spawn(move || {
                    finished.fetch_add(1, SeqCst);
                    group.done();
                });
            }
            group.wait();
            assert_eq!(finished.load(SeqCst), 8);
        }
    });
}
