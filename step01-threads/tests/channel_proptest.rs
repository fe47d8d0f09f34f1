//! Channels against the simplest model there is: a queue, and counts of the ends.
//!
//! Two properties. Alone, a channel answers every operation exactly as the model does. Between threads, with random
//! scripts on every side, every value arrives exactly once or is handed back, and each sender's values arrive in order.

#[path = "common/seed.rs"]
mod seed;

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use step01::{
    Receiver, RecvTimeoutError, Select, SendTimeoutError, Sender, TryRecvError, TrySendError,
    bounded, select, unbounded,
};

fn channel(capacity: Option<usize>) -> (Sender<u32>, Receiver<u32>) {
    capacity.map_or_else(unbounded, bounded)
}

fn capacities() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![Just(None), (0usize..4).prop_map(Some)]
}

/// What one thread alone can do without ever waiting.
#[derive(Clone, Copy, Debug)]
enum Step {
    TrySend,
    SendExpired,
    SelectSend,
    TryRecv,
    RecvExpired,
    SelectRecv,
    CloneSender,
    DropSender,
    CloneReceiver,
    DropReceiver,
}

fn steps() -> impl Strategy<Value = Step> {
    use Step::{
        CloneReceiver, CloneSender, DropReceiver, DropSender, RecvExpired, SelectRecv, SelectSend,
        SendExpired, TryRecv, TrySend,
    };
    prop_oneof![
        6 => prop_oneof![Just(TrySend), Just(SendExpired), Just(SelectSend)],
        6 => prop_oneof![Just(TryRecv), Just(RecvExpired), Just(SelectRecv)],
        1 => Just(CloneSender),
        1 => Just(DropSender),
        1 => Just(CloneReceiver),
        1 => Just(DropReceiver),
    ]
}

/// What a send may answer.
#[derive(Debug, PartialEq)]
enum Sent {
    Yes,
    Full(u32),
    Closed(u32),
}

/// What a receive may answer.
#[derive(Debug, PartialEq)]
enum Received {
    Value(u32),
    Empty,
    Closed,
}

fn send(step: Step, tx: &Sender<u32>, value: u32) -> Sent {
    match step {
        Step::TrySend => match tx.try_send(value) {
            Ok(()) => Sent::Yes,
            Err(TrySendError::Full(v)) => Sent::Full(v),
            Err(TrySendError::Disconnected(v)) => Sent::Closed(v),
        },
        Step::SendExpired => match tx.send_deadline(value, Instant::now()) {
            Ok(()) => Sent::Yes,
            Err(SendTimeoutError::Timeout(v)) => Sent::Full(v),
            Err(SendTimeoutError::Disconnected(v)) => Sent::Closed(v),
        },
        _ => select! {
            send(tx, value) -> result => match result {
                Ok(()) => Sent::Yes,
                Err(error) => Sent::Closed(error.into_inner()),
            },
            default => Sent::Full(value),
        },
    }
}

fn receive(step: Step, rx: &Receiver<u32>) -> Received {
    match step {
        Step::TryRecv => match rx.try_recv() {
            Ok(value) => Received::Value(value),
            Err(TryRecvError::Empty) => Received::Empty,
            Err(TryRecvError::Disconnected) => Received::Closed,
        },
        Step::RecvExpired => match rx.recv_timeout(Duration::ZERO) {
            Ok(value) => Received::Value(value),
            Err(RecvTimeoutError::Timeout) => Received::Empty,
            Err(RecvTimeoutError::Disconnected) => Received::Closed,
        },
        _ => select! {
            recv(rx) -> result => result.map_or(Received::Closed, Received::Value),
            default => Received::Empty,
        },
    }
}

fn alone(capacity: Option<usize>, script: &[Step]) -> Result<(), TestCaseError> {
    let (tx, rx) = channel(capacity);
    let (mut txs, mut rxs) = (vec![tx], vec![rx]);
    let mut model = VecDeque::new();
    for (value, &step) in (0u32..).zip(script) {
        match step {
            Step::CloneSender => txs.extend(txs.last().cloned()),
            Step::DropSender => drop(txs.pop()),
            Step::CloneReceiver => rxs.extend(rxs.last().cloned()),
            Step::DropReceiver => {
                rxs.pop();
                if rxs.is_empty() {
                    model.clear();
                }
            }
            Step::TrySend | Step::SendExpired | Step::SelectSend => {
                let Some(tx) = txs.last() else { continue };
                let expected = if rxs.is_empty() {
                    Sent::Closed(value)
                } else if capacity.is_some_and(|room| model.len() >= room) {
                    Sent::Full(value)
                } else {
                    model.push_back(value);
                    Sent::Yes
                };
                prop_assert_eq!(send(step, tx, value), expected);
            }
            Step::TryRecv | Step::RecvExpired | Step::SelectRecv => {
                let Some(rx) = rxs.last() else { continue };
                let expected = match model.pop_front() {
                    Some(value) => Received::Value(value),
                    None if txs.is_empty() => Received::Closed,
                    None => Received::Empty,
                };
                prop_assert_eq!(receive(step, rx), expected);
            }
        }
        if let Some(tx) = txs.last() {
            prop_assert_eq!(tx.len(), model.len());
            prop_assert_eq!(tx.is_empty(), model.is_empty());
            prop_assert_eq!(tx.is_full(), capacity == Some(model.len()));
            prop_assert_eq!(tx.capacity(), capacity);
        }
    }
    Ok(())
}

#[test]
fn one_thread_agrees_with_a_queue() {
    TestRunner::new(seed::config(2_000))
        .run(
            &(capacities(), vec(steps(), 0..60)),
            |(capacity, script)| alone(capacity, &script),
        )
        .unwrap();
}

/// How a thread sends or receives its next value.
#[derive(Clone, Copy, Debug)]
enum Way {
    Block,
    Try,
    Expired,
    Select,
    SelectDynamic,
    Yield,
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![
        Just(Way::Block),
        Just(Way::Try),
        Just(Way::Expired),
        Just(Way::Select),
        Just(Way::SelectDynamic),
        Just(Way::Yield),
    ]
}

/// Sends `sender * 1000 + n` in ways of the script; returns what went, in order.
fn produce(tx: &Sender<u32>, spare: &Sender<u32>, sender: u32, script: &[Way]) -> Vec<u32> {
    let mut sent = Vec::new();
    for (n, &way) in (0..).zip(script) {
        let value = sender * 1000 + n;
        let went = match way {
            Way::Block => tx.send(value).is_ok(),
            Way::Try => tx.try_send(value).is_ok(),
            Way::Expired => tx.send_timeout(value, Duration::ZERO).is_ok(),
            // Nobody receives on the spare channel, so this arm never fires.
            Way::Select => select! {
                send(tx, value) -> result => result.is_ok(),
                send(spare, value) -> _ => panic!("nobody is there"),
            },
            Way::SelectDynamic => {
                let mut select = Select::new();
                select.send(spare, value);
                select.send(tx, value);
                let fired = select.select();
                assert_eq!(fired.index(), 1);
                fired.send(tx).is_ok()
            }
            Way::Yield => {
                thread::yield_now();
                false
            }
        };
        if went {
            sent.push(value);
        }
    }
    sent
}

/// Receives in ways of the script, over and over, until the channel is closed.
fn consume(rx: &Receiver<u32>, quiet: &Receiver<u32>, script: &[Way]) -> Vec<u32> {
    let mut got = Vec::new();
    for &way in script.iter().cycle() {
        let received = match way {
            Way::Block => rx.recv().map_err(|_| TryRecvError::Disconnected),
            Way::Try => rx.try_recv(),
            Way::Expired => rx
                .recv_timeout(Duration::ZERO)
                .map_err(|error| match error {
                    RecvTimeoutError::Timeout => TryRecvError::Empty,
                    RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
                }),
            Way::Select => select! {
                recv(quiet) -> _ => panic!("nobody sends here"),
                recv(rx) -> result => result.map_err(|_| TryRecvError::Disconnected),
            },
            Way::SelectDynamic => {
                let mut select = Select::new();
                select.recv(rx);
                select.recv(quiet);
                let fired = select.select();
                assert_eq!(fired.index(), 0);
                fired.recv(rx).map_err(|_| TryRecvError::Disconnected)
            }
            Way::Yield => {
                thread::yield_now();
                Err(TryRecvError::Empty)
            }
        };
        match received {
            Ok(value) => got.push(value),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
    }
    got
}

fn together(
    capacity: Option<usize>,
    producers: &[Vec<Way>],
    consumers: &[Vec<Way>],
) -> Result<(), TestCaseError> {
    let (tx, rx) = channel(capacity);
    // Two more channels, each with one end that nobody uses: arms that never fire.
    let (spare_tx, _unused_rx) = bounded(0);
    let (_unused_tx, quiet_rx) = bounded(0);
    let (sent, got) = thread::scope(|scope| {
        let producers: Vec<_> = (0..)
            .zip(producers)
            .map(|(number, script)| {
                let (tx, spare) = (tx.clone(), &spare_tx);
                scope.spawn(move || produce(&tx, spare, number, script))
            })
            .collect();
        drop(tx);
        let consumers: Vec<_> = consumers
            .iter()
            .map(|script| {
                let (rx, quiet) = (rx.clone(), &quiet_rx);
                scope.spawn(move || consume(&rx, quiet, script))
            })
            .collect();
        let sent: Vec<_> = producers.into_iter().map(|p| p.join().unwrap()).collect();
        let got: Vec<_> = consumers.into_iter().map(|c| c.join().unwrap()).collect();
        (sent, got)
    });
    for values in &got {
        for number in 0..producers.len() as u32 {
            let own: Vec<_> = values.iter().filter(|&&v| v / 1000 == number).collect();
            prop_assert!(own.is_sorted(), "one sender's values out of order: {own:?}");
        }
    }
    let mut sent: Vec<u32> = sent.into_iter().flatten().collect();
    let mut got: Vec<u32> = got.into_iter().flatten().collect();
    sent.sort_unstable();
    got.sort_unstable();
    prop_assert_eq!(sent, got);
    Ok(())
}

#[test]
fn threads_deliver_exactly_once() {
    let scripts = |length| vec(vec(ways(), length), 1..4);
    // A consumer's script is repeated, so it must not consist of yields alone: the first way blocks.
    let consumers = scripts(1..8).prop_map(|mut scripts| {
        for script in &mut scripts {
            script.insert(0, Way::Block);
        }
        scripts
    });
    TestRunner::new(seed::config(300))
        .run(
            &(capacities(), scripts(0..40), consumers),
            |(capacity, producers, consumers)| together(capacity, &producers, &consumers),
        )
        .unwrap();
}
