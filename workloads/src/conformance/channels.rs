//! Channels: order, exactly once, and what each of the three flavours promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use step01::{
    Receiver, RecvError, Runtime, Sender, TryRecvError, TrySendError, bounded, unbounded,
};

use super::let_others_run;

/// Each flavour: a rendezvous, a little room, more room, any amount.
fn flavours<T>() -> [(Sender<T>, Receiver<T>); 4] {
    [bounded(0), bounded(1), bounded(16), unbounded()]
}

pub(super) fn values_of_one_sender_keep_their_order<R: Runtime>(rt: &R) {
    rt.run(|| {
        for (tx, rx) in flavours() {
            let sender = rt.spawn(move || (0..300).for_each(|n| tx.send(n).unwrap()));
            assert_eq!(
                rx.iter().collect::<Vec<i32>>(),
                (0..300).collect::<Vec<_>>()
            );
            sender.join().unwrap();
        }
    });
}

pub(super) fn every_value_arrives_exactly_once<R: Runtime>(rt: &R) {
    const SENDERS: usize = 4;
    const EACH: usize = 250;
    rt.run(|| {
        for (tx, rx) in flavours() {
            let senders: Vec<_> = (0..SENDERS)
                .map(|sender| {
                    let tx = tx.clone();
                    rt.spawn(move || (0..EACH).for_each(|n| tx.send((sender, n)).unwrap()))
                })
                .collect();
            let receivers: Vec<_> = (0..4)
                .map(|_| {
                    let rx = rx.clone();
                    rt.spawn(move || rx.iter().collect::<Vec<(usize, usize)>>())
                })
                .collect();
            drop((tx, rx));
            for sender in senders {
                sender.join().unwrap();
            }
            let mut all = Vec::new();
            for receiver in receivers {
                let received = receiver.join().unwrap();
                for sender in 0..SENDERS {
                    // What one receiver gets of one sender is in that sender's order, whoever got the rest.
                    let of_one = received.iter().filter(|(s, _)| *s == sender);
                    assert!(of_one.is_sorted(), "{received:?}");
                }
                all.extend(received);
            }
            all.sort_unstable();
            let expected = (0..SENDERS).flat_map(|sender| (0..EACH).map(move |n| (sender, n)));
            assert_eq!(all, expected.collect::<Vec<_>>());
        }
    });
}

pub(super) fn a_rendezvous_is_a_meeting<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded(0);
        let sent = Arc::new(AtomicBool::new(false));
        let theirs = sent.clone();
        let sender = rt.spawn(move || {
            tx.send("here").unwrap();
            theirs.store(true, SeqCst);
        });
        let_others_run(rt);
        assert!(
            !sent.load(SeqCst),
            "the send has returned, and nobody has received"
        );
        assert_eq!(rx.recv(), Ok("here"));
        sender.join().unwrap();
        assert!(sent.load(SeqCst));

        // And from the other side: a receiver that is there first.
        let (tx, rx) = bounded(0);
        let receiver = rt.spawn(move || rx.recv());
        let_others_run(rt);
        tx.send("there").unwrap();
        assert_eq!(receiver.join().unwrap(), Ok("there"));
    });
}

pub(super) fn a_rendezvous_is_tried_only_with_a_partner<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded(0);
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        let receiver = {
            let rx = rx.clone();
            rt.spawn(move || rx.recv())
        };
        while tx.try_send(2).is_err() {
            rt.yield_now();
        }
        assert_eq!(receiver.join().unwrap(), Ok(2));
        let sender = rt.spawn(move || tx.send(3));
        loop {
            match rx.try_recv() {
                Ok(value) => break assert_eq!(value, 3),
                Err(TryRecvError::Empty) => rt.yield_now(),
                Err(TryRecvError::Disconnected) => panic!("its sender is parked on it"),
            }
        }
        sender.join().unwrap().unwrap();
    });
}

pub(super) fn a_bounded_channel_holds_so_many<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded(3);
        for n in 0..3 {
            tx.send(n).unwrap(); // hangs if there is no room for three
        }
        assert!(tx.is_full() && rx.is_full());
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        let sent = Arc::new(AtomicBool::new(false));
        let (theirs, tx2) = (sent.clone(), tx.clone());
        let sender = rt.spawn(move || {
            tx2.send(3).unwrap();
            theirs.store(true, SeqCst);
        });
        let_others_run(rt);
        assert!(!sent.load(SeqCst), "there is no room for a fourth");
        assert_eq!(rx.recv(), Ok(0));
        sender.join().unwrap();
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(rx.is_empty());
    });
}

pub(super) fn an_unbounded_channel_never_makes_a_sender_wait<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = unbounded();
        for n in 0..10_000 {
            tx.send(n).unwrap(); // nobody receives yet
        }
        assert_eq!(rx.len(), 10_000);
        assert!(rx.try_iter().eq(0..10_000));
    });
}

pub(super) fn a_task_and_a_plain_thread_share_a_channel<R: Runtime>(rt: &R) {
    rt.run(|| {
        for ((to_thread, from_task), (to_task, from_thread)) in
            flavours().into_iter().zip(flavours())
        {
            // On the far side, one of each kind receives from the same channel and answers on the same channel.
            let serve = |rx: Receiver<u32>, tx: Sender<u32>| {
                move || rx.iter().for_each(|n| tx.send(n * 2).unwrap())
            };
            let outside = thread::spawn(serve(from_task.clone(), to_task.clone()));
            let inside = rt.spawn(serve(from_task, to_task));
            let asker = rt.spawn(move || (0..200).for_each(|n| to_thread.send(n).unwrap()));
            let mut answers: Vec<u32> = from_thread.iter().collect();
            answers.sort_unstable();
            assert_eq!(answers, (0..200).map(|n| n * 2).collect::<Vec<_>>());
            asker.join().unwrap();
            inside.join().unwrap();
            // It has let go of its sender, or `answers` would not have ended: nothing is left that could block us.
            outside.join().unwrap();
        }
    });
}

pub(super) fn a_value_may_own_things<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded::<Box<dyn FnOnce() -> String + Send>>(0);
        let worker = rt.spawn(move || rx.iter().map(|job| job()).collect::<Vec<_>>());
        for i in 0..5 {
            let text = "x".repeat(i);
            tx.send(Box::new(move || text + "!")).unwrap();
        }
        drop(tx);
        assert_eq!(worker.join().unwrap(), ["!", "x!", "xx!", "xxx!", "xxxx!"]);
    });
}

pub(super) fn iterators_end_with_the_channel<R: Runtime>(rt: &R) {
    rt.run(|| {
        let numbers = |n: u32| {
            let (tx, rx) = bounded(2);
            let sender = rt.spawn(move || (0..n).for_each(|i| tx.send(i).unwrap()));
            (rx, sender)
        };
        let (rx, sender) = numbers(10);
        let mut seen = Vec::new();
        for i in &rx {
            seen.push(i);
        }
        sender.join().unwrap();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!(rx.recv(), Err(RecvError));
        let (rx, sender) = numbers(10);
        let mut owned = rx.into_iter();
        assert_eq!(owned.by_ref().sum::<u32>(), 45);
        assert_eq!(owned.next(), None, "and stays at its end");
        sender.join().unwrap();
        let (tx, rx) = unbounded();
        tx.send(1).unwrap();
        assert_eq!(
            rx.try_iter().collect::<Vec<_>>(),
            [1],
            "does not wait for more"
        );
        assert_eq!(rx.try_iter().next(), None);
        drop(tx);
    });
}

pub(super) fn handles_say_what_they_belong_to<R: Runtime>(rt: &R) {
    rt.run(|| {
        let ((a_tx, a_rx), (b_tx, b_rx)) = (bounded::<u8>(5), unbounded::<u8>());
        assert!(a_tx.same_channel(&a_tx.clone()) && !a_tx.same_channel(&b_tx));
        assert!(a_rx.same_channel(&a_rx.clone()) && !a_rx.same_channel(&b_rx));
        assert_eq!((a_tx.capacity(), a_rx.capacity()), (Some(5), Some(5)));
        assert_eq!((b_tx.capacity(), b_rx.capacity()), (None, None));
        a_tx.send(1).unwrap();
        assert_eq!((a_tx.len(), a_rx.len()), (1, 1));
        assert!(!a_tx.is_empty() && !a_rx.is_full());
        let (tx, rx) = bounded::<u8>(0);
        assert_eq!(tx.capacity(), Some(0));
        assert!(tx.is_empty() && tx.is_full() && rx.is_empty() && rx.is_full());
    });
}
