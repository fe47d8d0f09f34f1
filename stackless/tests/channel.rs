//! The rendezvous channel of futures: who waits for whom, the end, and what a dropped future leaves behind.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use stackless::{SendError, channel, yield_now};

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_send_is_done_when_the_value_was_taken_and_not_before() {
    let (tx, mut rx) = channel();
    let mut send = tx.send(1);
    assert!(poll(&mut send).is_pending());
    assert!(poll(&mut send).is_pending(), "nobody has taken it");
    assert_eq!(poll(&mut rx.recv()), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut send), Poll::Ready(Ok(())));
}

#[test]
fn a_send_to_a_receiver_that_waits_is_done_at_once() {
    let (tx, mut rx) = channel();
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(poll(&mut tx.send(1)), Poll::Ready(Ok(())));
    let mut second = tx.send(2);
    assert!(poll(&mut second).is_pending(), "its hand is full");
    assert_eq!(poll(&mut recv), Poll::Ready(Some(1)));
}

#[test]
fn values_come_in_the_order_of_their_offers() {
    let (tx, mut rx) = channel();
    let other = tx.clone();
    let (mut first, mut second, mut third) = (tx.send(1), other.send(2), tx.send(3));
    assert!(poll(&mut first).is_pending());
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut third).is_pending());
    for n in 1..=3 {
        assert_eq!(poll(&mut rx.recv()), Poll::Ready(Some(n)));
    }
    assert_eq!(poll(&mut third), Poll::Ready(Ok(())));
}

#[test]
fn a_dropped_send_takes_its_value_back() {
    let (tx, mut rx) = channel();
    let value = Rc::new(());
    let mut dropped = tx.send(value.clone());
    assert!(poll(&mut dropped).is_pending());
    drop(dropped);
    assert_eq!(Rc::strong_count(&value), 1);
    assert!(
        poll(&mut rx.recv()).is_pending(),
        "there is no offer any more"
    );
}

#[test]
fn a_value_in_the_hand_of_a_dropped_recv_is_kept_for_the_next() {
    let (tx, mut rx) = channel();
    let mut dropped = rx.recv();
    assert!(poll(&mut dropped).is_pending());
    assert_eq!(poll(&mut tx.send(7)), Poll::Ready(Ok(())));
    drop(dropped);
    assert_eq!(poll(&mut rx.recv()), Poll::Ready(Some(7)));
}

#[test]
fn a_dropped_recv_does_not_wait_any_more() {
    let (tx, mut rx) = channel();
    let mut dropped = rx.recv();
    assert!(poll(&mut dropped).is_pending());
    drop(dropped);
    let mut send = tx.send(7);
    assert!(poll(&mut send).is_pending(), "nobody waits for it");
}

#[test]
fn the_end_of_all_senders_is_the_end_of_the_values() {
    let (tx, mut rx) = channel::<u64>();
    let other = tx.clone();
    stackless::run(async |spawner| {
        spawner.spawn(async move {
            yield_now().await;
            drop(tx);
            yield_now().await;
            drop(other);
        });
        assert_eq!(rx.recv().await, None);
        assert_eq!(rx.recv().await, None, "and it stays so");
    })
    .unwrap();
}

#[test]
fn the_end_of_the_receiver_gives_the_values_back() {
    let (tx, rx) = channel();
    stackless::run(async |spawner| {
        let waits = spawner.spawn({
            let tx = tx.clone();
            async move { tx.send("offered").await }
        });
        yield_now().await;
        drop(rx);
        assert_eq!(waits.await, Ok(Err(SendError("offered"))));
        assert_eq!(tx.send("late").await, Err(SendError("late")));
    })
    .unwrap();
}

/// A value whose destructor uses the channel it was in.
#[test]
fn a_destructor_may_use_the_channel() {
    struct Uses(Rc<RefCell<Option<stackless::Sender<Uses>>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            // Clones the sender, and so borrows the channel's state, while the receiver is being dropped.
            drop(self.0.borrow().clone());
        }
    }
    let (tx, mut rx) = channel();
    let kept = Rc::new(RefCell::new(Some(tx.clone())));
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert!(matches!(
        poll(&mut tx.send(Uses(kept.clone()))),
        Poll::Ready(Ok(()))
    ));
    drop(recv);
    drop(rx);
    kept.take();
}
