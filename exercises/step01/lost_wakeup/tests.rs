//! Judges the schedule on the parker as it was found, and the mended parker in every order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use exercises::turns::{Explore, Followed, Turns, every_order, follow};

mod broken;

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, clippy::new_without_default)]
mod exercise;

use exercise::Parker;

/// One task parks until `wakers` others have each said something and unparked it. Generic over the two parkers.
fn one_sleeps<P: Send + Sync + 'static>(
    rt: &Turns,
    wakers: usize,
    parker: P,
    park: fn(&P),
    unpark: fn(&P),
) {
    let parker = Arc::new(parker);
    let said = Arc::new(AtomicUsize::new(0));
    let sleeper = {
        let (parker, said) = (parker.clone(), said.clone());
        rt.spawn_named("sleeper", move || {
            while said.load(SeqCst) < wakers {
                park(&parker);
            }
        })
    };
    for number in 1..=wakers {
        let name = if wakers == 1 {
            "waker".to_owned()
        } else {
            format!("waker {number}")
        };
        let (parker, said) = (parker.clone(), said.clone());
        rt.spawn_named(&name, move || {
            said.fetch_add(1, SeqCst);
            unpark(&parker);
        });
    }
    sleeper.join().unwrap();
}

fn mended(rt: &Turns, wakers: usize) {
    one_sleeps(rt, wakers, Parker::new(), Parker::park, Parker::unpark);
}

#[test]
fn the_schedule_loses_a_wake_up() {
    assert!(
        !exercise::SCHEDULE.is_empty(),
        "the schedule is empty: write down who takes the next step, until the sleeper sleeps for ever"
    );
    let followed = follow(exercise::SCHEDULE, |rt| {
        one_sleeps(
            rt,
            1,
            broken::Parker::new(),
            broken::Parker::park,
            broken::Parker::unpark,
        );
    });
    match followed {
        Followed::Finished(log) => panic!("in this order nothing goes wrong:\n{log}"),
        Followed::Failed(report) => {
            assert!(report.contains("`sleeper` is parked"), "{report}");
            println!("{report}");
        }
    }
}

#[test]
fn no_wake_up_is_lost_with_one_waker() {
    Explore::default().preemptions(4).run(|rt| mended(rt, 1));
}

#[test]
fn no_wake_up_is_lost_with_two_wakers() {
    Explore::default().run(|rt| mended(rt, 2));
}

#[test]
fn no_wake_up_is_lost_if_some_come_for_no_reason() {
    Explore::default()
        .wake_ups_for_no_reason(1)
        .run(|rt| mended(rt, 1));
}

#[test]
fn a_token_left_before_the_park_is_kept_and_two_are_one() {
    every_order(|rt| {
        let parker = Arc::new(Parker::new());
        let returned = Arc::new(AtomicUsize::new(0));
        parker.unpark();
        parker.unpark();
        let sleeper = {
            let (parker, returned) = (parker.clone(), returned.clone());
            rt.spawn_named("sleeper", move || {
                for _ in 0..2 {
                    parker.park();
                    returned.fetch_add(1, SeqCst);
                }
            })
        };
        rt.settle();
        let parks = returned.load(SeqCst);
        assert!(
            parks >= 1,
            "the token was left before the park, and the park sleeps"
        );
        assert!(
            parks <= 1,
            "two tokens are one, but two parks have returned"
        );
        parker.unpark();
        sleeper.join().unwrap();
    });
}

/// A loop that looks again and again would lose nothing, and burn a core.
#[test]
fn the_owner_sleeps_while_there_is_no_token() {
    every_order(|rt| {
        let parker = Arc::new(Parker::new());
        let sleeper = {
            let parker = parker.clone();
            rt.spawn_named("sleeper", move || parker.park())
        };
        rt.settle();
        assert!(
            !sleeper.is_finished(),
            "the park returned, and nobody has unparked"
        );
        parker.unpark();
        sleeper.join().unwrap();
    });
}
