//! The runtime that the exercises are judged with: it must find what is wrong, and nothing where nothing is.

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex as StdMutex};

use exercises::sync::{Condvar, Mutex, Word};
use exercises::turns::{Explore, Followed, Turns, every_order, follow};
use step01::{Runtime, bounded, park};

/// What the run's report says, or the empty text if it passes.
fn report(explore: Explore, scenario: impl Fn(&Turns) + Send + Sync + 'static) -> String {
    let run = panic::catch_unwind(AssertUnwindSafe(|| explore.run(scenario)));
    run.map_or_else(
        |payload| *payload.downcast::<String>().unwrap(),
        |_| String::new(),
    )
}

#[test]
fn every_order_of_three_steps_is_tried_once() {
    let seen = Arc::new(StdMutex::new(Vec::new()));
    let orders = {
        let seen = seen.clone();
        Explore::default().preemptions(0).run(move |rt| {
            let order = Arc::new(StdMutex::new(String::new()));
            let tasks: Vec<_> = ["a", "b", "c"]
                .map(|name| {
                    let order = order.clone();
                    rt.spawn_named(name, move || order.lock().unwrap().push_str(name))
                })
                .into();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            seen.lock().unwrap().push(order.lock().unwrap().clone());
        })
    };
    let seen = seen.lock().unwrap();
    let different: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        different,
        BTreeSet::from(["abc", "acb", "bac", "bca", "cab", "cba"])
    );
    assert!(orders >= 6);
}

/// Two tasks that each read, add one and write: the oldest race.
fn two_counters(rt: &Turns) -> u32 {
    let word = Arc::new(Word::new("count", 0));
    let tasks = ["a", "b"].map(|name| {
        let word = word.clone();
        rt.spawn_named(name, move || word.store(word.load() + 1))
    });
    for task in tasks {
        task.join().unwrap();
    }
    word.load()
}

#[test]
fn a_lost_update_takes_one_preemption() {
    let scenario = |rt: &Turns| assert_eq!(two_counters(rt), 2, "an update is lost");
    assert_eq!(report(Explore::default().preemptions(0), scenario), "");
    let text = report(Explore::default(), scenario);
    assert!(
        text.contains("an update is lost") && text.contains("a: loads `count`: it is 0"),
        "{text}"
    );
    assert!(text.contains("TURNS="), "{text}");
}

#[test]
#[ignore = "fails, and is started by the test below"]
fn child_loses_an_update() {
    every_order(|rt| assert_eq!(two_counters(rt), 2, "an update is lost"));
}

#[test]
fn a_printed_order_can_be_run_again() {
    let child = |order: Option<&str>| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["child_loses_an_update", "--ignored", "--exact"]);
        command.env_remove("TURNS");
        command.envs(order.map(|order| ("TURNS", order)));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let turns = |text: &str| {
        let (_, order) = text.split_once("in this order:").expect("it fails");
        order.split_once("and then main").unwrap().0.to_owned()
    };
    let searched = child(None);
    let (_, order) = searched.split_once("TURNS=").unwrap();
    let (order, command) = order.split_once(' ').unwrap();
    assert!(
        command.starts_with("cargo test -p exercises --test turns child_loses_an_update"),
        "{command}"
    );
    let again = child(Some(order));
    assert_eq!(turns(&again), turns(&searched));
    assert!(
        child(Some("0:")).contains("1 passed"),
        "the first order of all is harmless"
    );
}

#[test]
fn a_schedule_is_followed_step_by_step() {
    let counted = Arc::new(AtomicUsize::new(0));
    let run = |schedule: &[&str]| {
        let counter = counted.clone();
        let followed = follow(schedule, move |rt| {
            counter.store(two_counters(rt) as usize, SeqCst)
        });
        assert!(matches!(followed, Followed::Finished(_)), "{followed:?}");
        counted.load(SeqCst)
    };
    assert_eq!(run(&[]), 2);
    assert_eq!(run(&["a", "a", "b", "b"]), 2);
    assert_eq!(run(&["a", "b", "a", "b"]), 1);
    assert_eq!(run(&["b", "a"]), 1);
    let refused = panic::catch_unwind(AssertUnwindSafe(|| run(&["a", "a", "a"])));
    let text = refused.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("entry 3 of the schedule names `a`"), "{text}");
}

#[test]
fn everybody_waiting_is_reported_with_what_for() {
    let text = report(Explore::default(), |rt| {
        let (tx, rx) = bounded::<u32>(0);
        let task = rt.spawn_named("reader", move || rx.recv());
        let _ = task.join();
        drop(tx);
    });
    assert!(text.contains("nobody can move any more"), "{text}");
    assert!(
        text.contains("`reader` is parked (channel receive)"),
        "{text}"
    );
    assert!(text.contains("`main` is parked (join)"), "{text}");
}

#[test]
fn a_wake_up_for_no_reason_finds_whoever_does_not_look_again() {
    let wait = |rt: &Turns, again: bool| {
        let there = Arc::new(AtomicBool::new(false));
        let (main, sets) = (park::current(), there.clone());
        let task = rt.spawn(move || {
            sets.store(true, SeqCst);
            main.unpark();
        });
        loop {
            park::park();
            if !again || there.load(SeqCst) {
                break;
            }
        }
        assert!(there.load(SeqCst), "woken too early");
        task.join().unwrap();
    };
    let woken = || Explore::default().wake_ups_for_no_reason(1);
    assert_eq!(report(Explore::default(), move |rt| wait(rt, false)), "");
    assert_eq!(report(woken(), move |rt| wait(rt, true)), "");
    let text = report(woken(), move |rt| wait(rt, false));
    assert!(
        text.contains("woken too early") && text.contains("is woken for no reason"),
        "{text}"
    );
}

#[test]
fn settling_lets_everybody_else_go_as_far_as_they_can() {
    every_order(|rt| {
        let steps = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = bounded::<()>(0);
        let counter = steps.clone();
        let task = rt.spawn(move || {
            counter.fetch_add(1, SeqCst);
            rx.recv().unwrap();
            counter.fetch_add(1, SeqCst);
        });
        rt.settle();
        assert_eq!(steps.load(SeqCst), 1);
        tx.send(()).unwrap();
        rt.settle();
        assert_eq!(steps.load(SeqCst), 2);
        task.join().unwrap();
    });
}

#[test]
fn a_condition_variable_works_between_tasks() {
    let orders = every_order(|rt| {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                rt.spawn(move || {
                    *shared.0.lock() += 1;
                    shared.1.notify_one();
                })
            })
            .collect();
        let mut count = shared.0.lock();
        while *count < 2 {
            count = shared.1.wait(count);
        }
        drop(count);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert!(orders > 10, "{orders} orders");
}

#[test]
fn tasks_that_yield_to_each_other_leave_a_third_its_turn() {
    every_order(|rt| {
        let there = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let (rt, there) = (rt.clone(), there.clone());
                rt.clone().spawn(move || {
                    while !there.load(SeqCst) {
                        rt.yield_now();
                    }
                })
            })
            .collect();
        let setter = rt.spawn(move || there.store(true, SeqCst));
        setter.join().unwrap();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn tasks_that_go_round_in_circles_are_reported() {
    let text = report(Explore::default(), |_| {
        let word = Word::new("never", 0);
        while word.load() == 0 {}
    });
    assert!(text.contains("there is no end in sight"), "{text}");
}
