//! Select: `src/select.rs`, driven through the dynamic form.

use loom::thread;

use crate::channel::error::SelectTimeoutError;
use crate::channel::{Receiver, Sender, bounded};
use crate::model::{Bound, explore, past};
use crate::select_dynamic::Select;

/// Receives from whichever of two has something; closed ones are skipped.
fn receive_either(a: &Receiver<u32>, b: &Receiver<u32>) -> u32 {
    let mut select = Select::new();
    select.recv(a);
    select.recv(b);
    let fired = select.select();
    let receiver = if fired.index() == 0 { a } else { b };
    fired.recv(receiver).unwrap()
}

/// Two senders on two channels, one select for both: each value arrives once, none is lost when both come together.
#[test]
fn two_channels() {
    explore("select, two senders", Bound::Preemptions(2), 500, || {
        let (tx_a, rx_a) = bounded(0);
        let (tx_b, rx_b) = bounded(0);
        let a = thread::spawn(move || tx_a.send(1).map_err(|_| ()));
        let b = thread::spawn(move || tx_b.send(2).map_err(|_| ()));
        let first = receive_either(&rx_a, &rx_b);
        let rest = if first == 1 { &rx_b } else { &rx_a };
        assert_eq!(first + rest.recv().unwrap(), 3);
        a.join().unwrap().unwrap();
        b.join().unwrap().unwrap();
    });
}

/// Sends on one of two channels; true if it was the first.
fn send_either(a: &Sender<u32>, b: &Sender<u32>) -> bool {
    let mut select = Select::new();
    select.send(a, 1);
    select.send(b, 2);
    let fired = select.select();
    let first = fired.index() == 0;
    fired.send(if first { a } else { b }).unwrap();
    first
}

/// Two selects face each other over the same two channels: they agree on one, and neither waits for the other for ever.
#[test]
fn select_against_select() {
    explore("select against select", Bound::Preemptions(3), 300, || {
        let (tx_a, rx_a) = bounded(0);
        let (tx_b, rx_b) = bounded(0);
        let sender = thread::spawn(move || send_either(&tx_a, &tx_b));
        let received = receive_either(&rx_a, &rx_b);
        assert_eq!(sender.join().unwrap(), received == 1);
    });
}

/// Two selects name the same two channels in opposite orders: they lock them in one order, and neither gets stuck.
#[test]
fn opposite_orders() {
    explore(
        "select, opposite orders",
        Bound::Preemptions(3),
        200,
        || {
            fn give_up(first: &Receiver<u32>, second: &Receiver<u32>) {
                let mut select = Select::new();
                select.recv(first);
                select.recv(second);
                assert!(select.select_deadline(past()).is_err());
            }
            let (_tx_a, rx_a) = bounded(0);
            let (_tx_b, rx_b) = bounded(0);
            let other = thread::spawn({
                let (rx_a, rx_b) = (rx_a.clone(), rx_b.clone());
                move || give_up(&rx_b, &rx_a)
            });
            give_up(&rx_a, &rx_b);
            other.join().unwrap();
        },
    );
}

/// A select that may send or receive on one channel, against another one: they meet, and neither meets itself.
#[test]
fn both_directions() {
    explore(
        "select, both directions",
        Bound::Preemptions(4),
        100,
        || {
            fn trade(tx: &Sender<u32>, rx: &Receiver<u32>, mine: u32) -> Option<u32> {
                let mut select = Select::new();
                select.send(tx, mine);
                select.recv(rx);
                let fired = select.select();
                if fired.index() == 0 {
                    fired.send(tx).unwrap();
                    None
                } else {
                    Some(fired.recv(rx).unwrap())
                }
            }
            let (tx, rx) = bounded(0);
            let other = thread::spawn({
                let (tx, rx) = (tx.clone(), rx.clone());
                move || trade(&tx, &rx, 1)
            });
            let here = trade(&tx, &rx, 2);
            match (here, other.join().unwrap()) {
                (Some(1), None) | (None, Some(2)) => {}
                wrong => panic!("they did not trade: {wrong:?}"),
            }
        },
    );
}

/// A select gives up at the moment a sender comes: either it has the value, or the sender still has it.
#[test]
fn deadline_against_send() {
    explore(
        "select deadline against send",
        Bound::Preemptions(4),
        50,
        || {
            let (tx_a, rx_a) = bounded::<u32>(0);
            let (_tx_b, rx_b) = bounded::<u32>(0);
            let sender = thread::spawn(move || tx_a.send_deadline(1, past()).is_ok());
            let mut select = Select::new();
            select.recv(&rx_a);
            select.recv(&rx_b);
            let received = match select.select_deadline(past()) {
                Ok(fired) => fired.recv(&rx_a).is_ok_and(|value| value == 1),
                Err(SelectTimeoutError) => false,
            };
            assert_eq!(sender.join().unwrap(), received);
        },
    );
}

/// The last sender of one channel goes while a select waits for two.
#[test]
fn closing_fires() {
    explore("select, closing fires", Bound::Preemptions(3), 100, || {
        let (tx_a, rx_a) = bounded::<u32>(0);
        let (_tx_b, rx_b) = bounded::<u32>(0);
        let closer = thread::spawn(move || drop(tx_a));
        let mut select = Select::new();
        select.recv(&rx_a);
        select.recv(&rx_b);
        let fired = select.select();
        assert_eq!(fired.index(), 0);
        assert!(fired.recv(&rx_a).is_err());
        closer.join().unwrap();
    });
}
