//! The three forms of the two tasks say and hear the same, whatever is said and whoever leaves first.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stackless::{as_async, by_hand, channel, stackful};
use step01::{Runtime, bounded};
use step02::RoundRobin;

#[path = "../../step01-threads/tests/common/seed.rs"]
mod seed;

/// One pair of tasks: what the first one says, and how many answers the second one gives before it leaves.
#[derive(Clone, Debug)]
struct Script {
    says: Vec<u64>,
    answers: usize,
}

/// What one pair has said and heard, in the order in which the closures were called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    by_ping: Vec<Option<u64>>,
    by_pong: Vec<u64>,
}

/// The closure that `ping` is driven by.
fn says(
    script: Script,
    mut note: impl FnMut(Option<u64>),
) -> impl FnMut(Option<u64>) -> Option<u64> {
    let mut says = script.says.into_iter();
    move |answer| {
        note(answer);
        says.next()
    }
}

/// The closure that `pong` is driven by.
fn answers(script: Script, mut note: impl FnMut(u64)) -> impl FnMut(u64) -> Option<u64> {
    let mut left = script.answers;
    move |number| {
        note(number);
        left = left.checked_sub(1)?;
        Some(number.wrapping_mul(3).wrapping_add(1))
    }
}

/// Which of the two stackless forms a task has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Async,
    ByHand,
}

/// Runs all pairs at once in one executor. Ping has the one form, pong the other: they must fit together, too.
fn stackless(scripts: &[Script], ping: Form, pong: Form) -> Vec<Heard> {
    let heard: Vec<_> = scripts
        .iter()
        .map(|_| Rc::new(RefCell::new(Heard::default())))
        .collect();
    stackless::run(async |spawner| {
        let mut tasks = Vec::new();
        for (script, heard) in scripts.iter().zip(&heard) {
            let (to, from) = channel();
            let (back_to, back_from) = channel();
            let notes = heard.clone();
            let next = says(script.clone(), move |answer| {
                notes.borrow_mut().by_ping.push(answer)
            });
            let notes = heard.clone();
            let answer = answers(script.clone(), move |n| notes.borrow_mut().by_pong.push(n));
            tasks.push(match pong {
                Form::Async => spawner.spawn(as_async::pong(answer, from, back_to)),
                Form::ByHand => spawner.spawn(by_hand::pong(answer, from, back_to)),
            });
            tasks.push(match ping {
                Form::Async => spawner.spawn(as_async::ping(next, to, back_from)),
                Form::ByHand => spawner.spawn(by_hand::ping(next, to, back_from)),
            });
        }
        for task in tasks {
            task.await.unwrap();
        }
    })
    .unwrap();
    heard.iter().map(|heard| heard.borrow().clone()).collect()
}

/// Runs all pairs at once in one runtime of step 2.
fn stackful(rt: &RoundRobin, scripts: &[Script]) -> Vec<Heard> {
    let heard: Vec<_> = scripts
        .iter()
        .map(|_| Arc::new(Mutex::new(Heard::default())))
        .collect();
    rt.run(|| {
        let mut tasks = Vec::new();
        for (script, heard) in scripts.iter().zip(&heard) {
            let (to, from) = bounded(0);
            let (back_to, back_from) = bounded(0);
            let notes = heard.clone();
            let next = says(script.clone(), move |answer| {
                notes.lock().unwrap().by_ping.push(answer);
            });
            let notes = heard.clone();
            let answer = answers(script.clone(), move |n| {
                notes.lock().unwrap().by_pong.push(n)
            });
            tasks.push(rt.spawn(move || stackful::pong(answer, from, back_to)));
            tasks.push(rt.spawn(move || stackful::ping(next, to, back_from)));
        }
        for task in tasks {
            task.join().unwrap();
        }
    });
    heard
        .iter()
        .map(|heard| heard.lock().unwrap().clone())
        .collect()
}

fn script() -> impl Strategy<Value = Script> {
    (proptest::collection::vec(any::<u64>(), 0..12), 0..14_usize)
        .prop_map(|(says, answers)| Script { says, answers })
}

#[test]
fn all_forms_say_and_hear_the_same() {
    let rt = RoundRobin::builder()
        .stack_size(64 << 10)
        .max_tasks(64)
        .build()
        .unwrap();
    let scripts = proptest::collection::vec(script(), 1..6);
    TestRunner::new(seed::config(200))
        .run(&scripts, |scripts| {
            let expected = stackful(&rt, &scripts);
            for (ping, pong) in [
                (Form::Async, Form::Async),
                (Form::ByHand, Form::ByHand),
                (Form::Async, Form::ByHand),
                (Form::ByHand, Form::Async),
            ] {
                let heard = stackless(&scripts, ping, pong);
                prop_assert_eq!(&heard, &expected, "ping {:?}, pong {:?}", ping, pong);
            }
            Ok(())
        })
        .unwrap();
}

/// What the property compares with is what one would work out by hand.
#[test]
fn a_conversation_is_as_expected() {
    let script = Script {
        says: vec![1, 2, 3],
        answers: 2,
    };
    let rt = RoundRobin::builder().max_tasks(8).build().unwrap();
    let heard = stackful(&rt, std::slice::from_ref(&script));
    let expected = Heard {
        by_ping: vec![None, Some(4), Some(7)],
        by_pong: vec![1, 2, 3],
    };
    assert_eq!(heard, std::slice::from_ref(&expected));
    assert_eq!(stackless(&[script], Form::Async, Form::ByHand), [expected]);
}

/// The machine written by hand takes as much room as the one that the compiler makes, give or take a few words.
#[test]
fn the_hand_written_machine_is_about_as_large_as_the_compiler_s() {
    let next = |_: Option<u64>| None;
    let (to, from) = channel();
    let by_compiler = size_of_val(&as_async::ping(next, to, from));
    let (to, from) = channel();
    let by_hand = size_of_val(&by_hand::ping(next, to, from));
    println!("by the compiler: {by_compiler} bytes, by hand: {by_hand} bytes");
    assert!(by_hand <= by_compiler, "{by_hand} against {by_compiler}");
    assert!(by_compiler < 256, "{by_compiler}");
}
