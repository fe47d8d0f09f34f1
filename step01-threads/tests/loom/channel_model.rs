//! Channels of all three kinds: `src/channel/`, on `src/wait_queue.rs`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::channel::error::{RecvTimeoutError, SendTimeoutError};
use crate::channel::{Receiver, bounded, unbounded};
use crate::model::{Bound, explore, past};

/// A value that counts its drops, so that one lost or doubled is seen.
#[derive(Debug)]
struct Counted(usize, Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

// ANCHOR: rendezvous
/// One sends, one receives, nobody stores: they meet, whoever comes first.
#[test]
fn rendezvous() {
    explore("channel, rendezvous", Bound::Complete, 50, || {
        let (tx, rx) = bounded(0);
        let sender = thread::spawn(move || tx.send(Box::new(1)).unwrap());
        assert_eq!(*rx.recv().unwrap(), 1);
        sender.join().unwrap();
    });
}
// ANCHOR_END: rendezvous

/// A sender that has to wait for room is given it, and the order is kept.
#[test]
fn bounded_one() {
    explore("channel, bounded(1)", Bound::Preemptions(3), 200, || {
        let (tx, rx) = bounded(1);
        let sender = thread::spawn(move || {
            for n in 0..3 {
                tx.send(n).unwrap();
            }
        });
        for n in 0..3 {
            assert_eq!(rx.recv(), Ok(n));
        }
        assert!(rx.recv().is_err());
        sender.join().unwrap();
    });
}

/// The unbounded kind: the receiver may sleep, the sender never does; the end of the senders is seen last.
#[test]
fn unbounded_and_closed() {
    explore("channel, unbounded", Bound::Preemptions(3), 200, || {
        let (tx, rx) = unbounded();
        let sender = thread::spawn(move || {
            tx.send(1).unwrap();
            tx.send(2).unwrap();
        });
        assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2]);
        sender.join().unwrap();
    });
}

/// A sender waits for room: the receive that makes some lets it go, and not the one after.
#[test]
fn room_goes_to_the_sender_that_waits() {
    explore(
        "channel, room for a sender that waits",
        Bound::Preemptions(3),
        200,
        || {
            let (tx, rx) = bounded(1);
            let (done, finished) = bounded(0);
            let sender = thread::spawn(move || {
                tx.send(1).unwrap();
                tx.send(2).unwrap();
                done.send(()).unwrap();
            });
            assert_eq!(rx.recv(), Ok(1));
            // Nobody receives the second value before its sender has gone on.
            assert_eq!(finished.recv(), Ok(()));
            assert_eq!(rx.recv(), Ok(2));
            sender.join().unwrap();
        },
    );
}

fn two_senders(capacity: usize) {
    let (tx, rx) = bounded(capacity);
    let senders: Vec<_> = [1, 2]
        .into_iter()
        .map(|n| {
            let tx = tx.clone();
            thread::spawn(move || tx.send(n).unwrap())
        })
        .collect();
    drop(tx);
    let mut got: Vec<_> = rx.iter().collect();
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
    for sender in senders {
        sender.join().unwrap();
    }
}

/// Two senders, one receiver: everything arrives once.
#[test]
fn two_senders_rendezvous() {
    explore(
        "channel, two senders, rendezvous",
        Bound::Preemptions(2),
        500,
        || two_senders(0),
    );
}

/// The same with room for one.
#[test]
fn two_senders_bounded() {
    explore(
        "channel, two senders, bounded(1)",
        Bound::Preemptions(2),
        500,
        || two_senders(1),
    );
}

/// Two receivers wait; the last sender goes; both are told.
#[test]
fn closing_wakes_everyone() {
    explore(
        "channel, closing wakes all",
        Bound::Preemptions(2),
        100,
        || {
            let (tx, rx) = bounded::<()>(0);
            let receive = |rx: Receiver<()>| thread::spawn(move || assert!(rx.recv().is_err()));
            let receivers = [receive(rx.clone()), receive(rx)];
            drop(tx);
            for receiver in receivers {
                receiver.join().unwrap();
            }
        },
    );
}

/// The last receiver goes while a sender waits: the value comes back.
#[test]
fn closing_hands_the_value_back() {
    explore("channel, closing against send", Bound::Complete, 20, || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = bounded(0);
        let receiver = thread::spawn(move || drop(rx));
        let error = tx.send(Counted(1, drops.clone())).unwrap_err();
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        assert_eq!(error.into_inner().0, 1);
        receiver.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// A receiver gives up at the moment of the send: either it has the value, or the sender still has it.
#[test]
fn receive_deadline_against_send() {
    explore(
        "channel, receive deadline against send",
        Bound::Preemptions(5),
        2000,
        || {
            let drops = Arc::new(AtomicUsize::new(0));
            let (tx, rx) = bounded(0);
            let value = Counted(1, drops.clone());
            let sender = thread::spawn(move || tx.send_deadline(value, past()).is_ok());
            let received = match rx.recv_deadline(past()) {
                Ok(_) => true,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
            };
            assert_eq!(sender.join().unwrap(), received);
            assert_eq!(drops.load(Ordering::Relaxed), 1);
        },
    );
}

/// A sender gives up while another one waits behind it: the one behind is not forgotten, and nothing is left in the queue.
#[test]
fn leaving_the_queue() {
    explore(
        "channel, leaving the queue",
        Bound::Preemptions(2),
        200,
        || {
            let (tx, rx) = bounded(0);
            let impatient = thread::spawn({
                let tx = tx.clone();
                move || match tx.send_deadline(1, past()) {
                    Ok(()) => 1,
                    Err(SendTimeoutError::Timeout(1)) => 0,
                    Err(other) => panic!("{other}"),
                }
            });
            let patient = thread::spawn(move || tx.send(10).unwrap());
            let sum: usize = rx.iter().sum();
            patient.join().unwrap();
            assert_eq!(sum, 10 + impatient.join().unwrap());
        },
    );
}

/// Values that nobody takes are dropped with the last receiver, once.
#[test]
fn left_over_values() {
    explore(
        "channel, values left over",
        Bound::Preemptions(5),
        1000,
        || {
            let drops = Arc::new(AtomicUsize::new(0));
            let (tx, rx) = unbounded();
            let value = Counted(1, drops.clone());
            let sender = thread::spawn(move || drop(tx.send(value)));
            drop(rx);
            sender.join().unwrap();
            assert_eq!(drops.load(Ordering::Relaxed), 1);
        },
    );
}
