//! Judges a rendezvous channel in every order in which senders and receivers can take turns.

use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use exercises::turns::{Explore, every_order};
use step01::Runtime;

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, clippy::new_without_default)]
mod exercise;

use exercise::Rendezvous;

#[test]
fn a_send_waits_until_its_value_is_taken() {
    every_order(|rt| {
        let channel = Arc::new(Rendezvous::new());
        let returned = Arc::new(AtomicUsize::new(0));
        let sender = {
            let (channel, returned) = (channel.clone(), returned.clone());
            rt.spawn_named("sender", move || {
                channel.send(7);
                returned.store(1, SeqCst);
            })
        };
        rt.settle();
        assert_eq!(
            returned.load(SeqCst),
            0,
            "send returned although nobody has received: that is a buffer"
        );
        assert_eq!(channel.recv(), 7);
        rt.settle();
        assert_eq!(
            returned.load(SeqCst),
            1,
            "the value was received, and its sender still waits"
        );
        sender.join().unwrap();
    });
}

#[test]
fn a_receive_waits_for_a_sender() {
    every_order(|rt| {
        let channel = Arc::new(Rendezvous::new());
        let got = Arc::new(AtomicUsize::new(0));
        let receiver = {
            let (channel, got) = (channel.clone(), got.clone());
            rt.spawn_named("receiver", move || got.store(channel.recv(), SeqCst))
        };
        rt.settle();
        assert_eq!(
            got.load(SeqCst),
            0,
            "recv returned although nobody has sent"
        );
        channel.send(7);
        receiver.join().unwrap();
        assert_eq!(got.load(SeqCst), 7);
    });
}

#[test]
fn each_sender_waits_for_its_own_value() {
    every_order(|rt| {
        let channel = Arc::new(Rendezvous::new());
        let returned = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let senders = [0, 1].map(|number| {
            let (channel, returned) = (channel.clone(), returned.clone());
            rt.spawn_named(&format!("sender {number}"), move || {
                channel.send(number);
                returned[number].store(1, SeqCst);
            })
        });
        rt.settle();
        let first = channel.recv();
        rt.settle();
        let has_returned = |number: usize| returned[number].load(SeqCst) == 1;
        assert!(
            has_returned(first),
            "sender {first} still waits although its value has been received"
        );
        assert!(
            !has_returned(1 - first),
            "sender {} returned although its value has not been received",
            1 - first
        );
        assert_eq!(channel.recv(), 1 - first, "the second value is lost");
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn every_value_arrives_once() {
    Explore::default().preemptions(1).run(|rt| {
        let channel = Arc::new(Rendezvous::new());
        let got = Arc::new(StdMutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in [1, 2] {
            let channel = channel.clone();
            tasks.push(rt.spawn_named(&format!("sender {number}"), move || channel.send(number)));
        }
        for number in [1, 2] {
            let (channel, got) = (channel.clone(), got.clone());
            tasks.push(rt.spawn_named(&format!("receiver {number}"), move || {
                let value = channel.recv();
                got.lock().unwrap().push(value);
            }));
        }
        for task in tasks {
            task.join().unwrap_or_else(|error| error.resume());
        }
        let mut got = got.lock().unwrap().clone();
        got.sort_unstable();
        assert_eq!(got, [1, 2], "a value was lost, or came twice");
    });
}

#[test]
fn three_senders_and_one_receiver_all_come_to_an_end() {
    Explore::default().preemptions(0).run(|rt| {
        let channel = Arc::new(Rendezvous::new());
        let senders = [1, 2, 4].map(|value| {
            let channel = channel.clone();
            rt.spawn_named(&format!("sender of {value}"), move || channel.send(value))
        });
        let sum: i32 = (0..3).map(|_| channel.recv()).sum();
        assert_eq!(sum, 7, "a value was lost, or came twice");
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn one_sender_is_received_in_order() {
    every_order(|rt| {
        let channel = Arc::new(Rendezvous::new());
        let sender = {
            let channel = channel.clone();
            rt.spawn_named("sender", move || (0..3).for_each(|n| channel.send(n)))
        };
        for n in 0..3 {
            assert_eq!(channel.recv(), n);
        }
        sender.join().unwrap();
    });
}

/// The same on real threads. There a wrong answer would hang, so it is looked for first.
#[test]
fn it_works_on_one_thread_per_task_too() {
    each_sender_waits_for_its_own_value();
    three_senders_and_one_receiver_all_come_to_an_end();
    let rt = step01::Threads::new();
    rt.run(|| {
        let channel = Arc::new(Rendezvous::new());
        for sender in 0..4_u64 {
            let channel = channel.clone();
            rt.spawn(move || (0..250).for_each(|n| channel.send(sender * 250 + n)));
        }
        let sum: u64 = (0..1000).map(|_| channel.recv()).sum();
        assert_eq!(sum, 999 * 1000 / 2);
    });
}
