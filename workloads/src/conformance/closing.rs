//! Channels at their end: who is woken, what comes back, what is left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use step01::{
    Receiver, RecvError, RecvTimeoutError, Runtime, SendError, SendTimeoutError, Sender,
    TryRecvError, TrySendError, bounded, unbounded,
};

use super::let_others_run;

const SHORT: Duration = Duration::from_millis(2);

pub(super) fn the_last_sender_wakes_all_receivers<R: Runtime>(rt: &R) {
    rt.run(|| {
        for (tx, rx) in [bounded::<u8>(0), bounded(4), unbounded()] {
            let receivers: Vec<_> = (0..8)
                .map(|_| {
                    let rx = rx.clone();
                    rt.spawn(move || rx.recv())
                })
                .collect();
            let second = tx.clone();
            let_others_run(rt);
            drop(tx);
            let_others_run(rt);
            drop(second);
            for receiver in receivers {
                assert_eq!(receiver.join().unwrap(), Err(RecvError));
            }
        }
    });
}

pub(super) fn the_last_receiver_wakes_all_senders<R: Runtime>(rt: &R) {
    rt.run(|| {
        for (room, (tx, rx)) in [(0, bounded(0)), (1, bounded(1))] {
            let senders: Vec<_> = (0..8)
                .map(|i| {
                    let tx = tx.clone();
                    rt.spawn(move || (i, tx.send(i)))
                })
                .collect();
            let_others_run(rt);
            drop(rx);
            let mut refused = 0;
            for sender in senders {
                match sender.join().unwrap() {
                    (i, Err(SendError(value))) => {
                        assert_eq!(i, value, "each gets its own value back");
                        refused += 1;
                    }
                    (_, Ok(())) => {}
                }
            }
            assert!(refused >= 8 - room, "{refused} of 8, with room for {room}");
        }
    });
}

pub(super) fn what_was_sent_is_received_after_the_last_sender<R: Runtime>(rt: &R) {
    rt.run(|| {
        for (tx, rx) in [bounded(3), unbounded()] {
            for n in 0..3 {
                tx.send(n).unwrap();
            }
            drop(tx);
            assert_eq!(rx.recv(), Ok(0));
            assert_eq!(rx.try_recv(), Ok(1));
            assert_eq!(rx.recv_timeout(SHORT), Ok(2));
            assert_eq!(rx.recv(), Err(RecvError));
        }
        // A sender that is parked counts as one: its value is not lost.
        let (tx, rx) = bounded(1);
        let sender = rt.spawn(move || (0..2).all(|n| tx.send(n).is_ok()));
        let_others_run(rt);
        assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1]);
        assert!(sender.join().unwrap());
    });
}

pub(super) fn a_clone_keeps_the_channel_open<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = unbounded();
        let (tx2, rx2) = (tx.clone(), rx.clone());
        drop((tx, rx));
        tx2.send(1).unwrap();
        assert_eq!(rx2.try_recv(), Ok(1));
        assert_eq!(rx2.try_recv(), Err(TryRecvError::Empty));
        drop(tx2);
        assert_eq!(rx2.try_recv(), Err(TryRecvError::Disconnected));
    });
}

pub(super) fn a_value_that_cannot_be_sent_comes_back<R: Runtime>(rt: &R) {
    rt.run(|| {
        let text = || String::from("mine");
        let (tx, rx) = bounded(1);
        tx.send(text()).unwrap();
        let full = tx.try_send(text()).unwrap_err();
        assert!(full.is_full());
        assert_eq!(full.into_inner(), text());
        let start = Instant::now();
        let late = tx.send_timeout(text(), SHORT).unwrap_err();
        assert!(start.elapsed() >= SHORT && late.is_timeout());
        assert_eq!(late.into_inner(), text());
        let deadline = Instant::now() + SHORT;
        let late = tx.send_deadline(text(), deadline);
        assert_eq!(late, Err(SendTimeoutError::Timeout(text())));
        assert!(Instant::now() >= deadline);
        drop(rx);
        assert_eq!(tx.send(text()).unwrap_err().into_inner(), text());
        assert_eq!(tx.try_send(text()), Err(TrySendError::Disconnected(text())));
        let gone = tx.send_timeout(text(), SHORT);
        assert_eq!(gone, Err(SendTimeoutError::Disconnected(text())));
        // A rendezvous without a partner.
        let (tx, rx) = bounded(0);
        let late = tx.send_timeout(text(), SHORT);
        assert_eq!(late, Err(SendTimeoutError::Timeout(text())));
        drop(rx);
        assert_eq!(tx.send(text()), Err(SendError(text())));
    });
}

pub(super) fn receiving_says_why_there_is_nothing<R: Runtime>(rt: &R) {
    rt.run(|| {
        for (tx, rx) in [bounded::<u8>(0), bounded(1), unbounded()] {
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            let start = Instant::now();
            assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
            assert!(start.elapsed() >= SHORT);
            let deadline = Instant::now() + SHORT;
            assert_eq!(rx.recv_deadline(deadline), Err(RecvTimeoutError::Timeout));
            assert!(Instant::now() >= deadline);
            drop(tx);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Disconnected));
            assert_eq!(rx.recv(), Err(RecvError));
        }
    });
}

/// Counts its own end.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

pub(super) fn no_value_is_lost_or_dropped_twice<R: Runtime>(rt: &R) {
    const SENDERS: usize = 4;
    const EACH: usize = 50;
    rt.run(|| {
        let flavours: [(Sender<Counted>, Receiver<Counted>); 3] =
            [bounded(0), bounded(8), unbounded()];
        for (tx, rx) in flavours {
            let dropped = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| {
                    let (tx, dropped) = (tx.clone(), dropped.clone());
                    // Some arrive, some come back, some lie in the channel when it ends.
                    rt.spawn(move || {
                        for _ in 0..EACH {
                            let _ = tx.send(Counted(dropped.clone()));
                        }
                    })
                })
                .collect();
            drop(tx);
            // Takes half, then leaves.
            let taken: Vec<_> = rx.iter().take(SENDERS * EACH / 2).collect();
            assert_eq!(taken.len(), SENDERS * EACH / 2);
            drop(rx);
            for sender in senders {
                sender.join().unwrap();
            }
            assert_eq!(dropped.load(SeqCst), SENDERS * EACH - taken.len());
            drop(taken);
            assert_eq!(dropped.load(SeqCst), SENDERS * EACH);
        }
    });
}

pub(super) fn a_timeout_leaves_nothing_behind<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded(0);
        for _ in 0..5 {
            assert!(rx.recv_timeout(Duration::from_micros(100)).is_err());
            assert!(tx.send_timeout(0, Duration::from_micros(100)).is_err());
        }
        // A receiver that has given up is no partner, and neither is a sender.
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        let sender = rt.spawn(move || tx.send(2));
        assert_eq!(rx.recv(), Ok(2));
        sender.join().unwrap().unwrap();

        // Some give up while values arrive: each value still reaches someone.
        let (tx, rx) = bounded(0);
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let rx = rx.clone();
                rt.spawn(move || {
                    let mut received = Vec::new();
                    loop {
                        match rx.recv_timeout(Duration::from_micros(50)) {
                            Ok(value) => received.push(value),
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Disconnected) => return received,
                        }
                    }
                })
            })
            .collect();
        drop(rx);
        for n in 0..200 {
            tx.send(n).unwrap();
        }
        drop(tx);
        let mut all: Vec<i32> = receivers
            .into_iter()
            .flat_map(|receiver| receiver.join().unwrap())
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
    });
}
