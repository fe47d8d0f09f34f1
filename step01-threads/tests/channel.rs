//! Channels and select, promise by promise, on plain OS threads: no runtime is installed anywhere in this file.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use step01::{
    Receiver, RecvError, RecvTimeoutError, Select, SelectTimeoutError, SendError, SendTimeoutError,
    Sender, TryRecvError, TrySelectError, TrySendError, after, bounded, never, select, tick,
    unbounded,
};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

#[test]
fn errors_hand_the_value_back() {
    let (tx, rx) = bounded(1);
    tx.send("kept").unwrap();
    assert_eq!(tx.try_send("full"), Err(TrySendError::Full("full")));
    assert_eq!(
        tx.send_timeout("late", SHORT),
        Err(SendTimeoutError::Timeout("late"))
    );
    drop(rx);
    assert_eq!(tx.send("gone"), Err(SendError("gone")));
    assert_eq!(tx.try_send("gone"), Err(TrySendError::Disconnected("gone")));
    assert_eq!(
        tx.send_deadline("gone", Instant::now())
            .unwrap_err()
            .into_inner(),
        "gone"
    );
}

#[test]
fn errors_say_the_state() {
    let (tx, rx) = bounded::<u8>(0);
    assert_eq!(
        tx.try_send(1).unwrap_err().to_string(),
        "sending on a full channel"
    );
    assert_eq!(
        rx.try_recv().unwrap_err().to_string(),
        "receiving on an empty channel"
    );
    assert_eq!(
        rx.recv_timeout(SHORT).unwrap_err().to_string(),
        "timed out waiting to receive on an empty channel"
    );
    drop(tx);
    assert_eq!(
        rx.recv().unwrap_err().to_string(),
        "receiving on an empty channel whose senders are all gone"
    );
}

#[test]
fn what_was_sent_before_the_end_arrives() {
    let (tx, rx) = unbounded();
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    drop(tx);
    assert_eq!(
        (rx.recv(), rx.recv(), rx.recv()),
        (Ok(1), Ok(2), Err(RecvError))
    );
    assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(rx.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn iterators_end_with_the_senders_or_with_the_values() {
    let (tx, rx) = unbounded();
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1, 2]);
    tx.send(3).unwrap();
    drop(tx);
    assert_eq!((&rx).into_iter().collect::<Vec<_>>(), [3]);
    assert_eq!(rx.into_iter().next(), None);
}

#[test]
fn ends_know_their_channel() {
    let (tx, rx) = bounded::<u8>(3);
    let (other_tx, other_rx) = bounded::<u8>(3);
    assert!(tx.same_channel(&tx.clone()) && !tx.same_channel(&other_tx));
    assert!(rx.same_channel(&rx.clone()) && !rx.same_channel(&other_rx));
    assert_eq!((tx.capacity(), rx.capacity()), (Some(3), Some(3)));
    assert_eq!(unbounded::<u8>().0.capacity(), None);
}

#[test]
fn a_rendezvous_holds_nothing() {
    let (tx, rx) = bounded::<u8>(0);
    assert!(tx.is_empty() && tx.is_full() && rx.is_empty() && rx.is_full());
    assert_eq!((tx.len(), rx.len()), (0, 0));
}

/// The send returns only when the receiver has the value: what the receiver did before is seen.
#[test]
fn a_rendezvous_meets() {
    let (tx, rx) = bounded(0);
    let received = Arc::new(AtomicUsize::new(0));
    let receiver = thread::spawn({
        let received = received.clone();
        move || {
            for n in 1..=1000 {
                received.store(n, Ordering::Relaxed); // relaxed: the channel publishes it
                assert_eq!(rx.recv(), Ok(n));
            }
        }
    });
    for n in 1..=1000 {
        tx.send(n).unwrap();
        assert!(received.load(Ordering::Relaxed) >= n);
    }
    receiver.join().unwrap();
}

#[test]
fn dropping_the_last_sender_wakes_all_receivers() {
    let (tx, rx) = bounded::<u8>(0);
    let all: Vec<_> = (0..4)
        .map(|_| {
            let rx = rx.clone();
            thread::spawn(move || rx.recv())
        })
        .collect();
    drop(tx);
    for one in all {
        assert_eq!(one.join().unwrap(), Err(RecvError));
    }
}

#[test]
fn dropping_the_last_receiver_wakes_all_senders() {
    let (tx, rx) = bounded(1);
    tx.send(0).unwrap();
    let all: Vec<_> = (1..5)
        .map(|n| {
            let tx = tx.clone();
            thread::spawn(move || tx.send(n))
        })
        .collect();
    drop(rx);
    for (n, one) in (1..5).zip(all) {
        assert_eq!(one.join().unwrap(), Err(SendError(n)));
    }
}

#[test]
fn values_left_behind_are_dropped_with_the_last_receiver() {
    let value = Arc::new(());
    let (tx, rx) = unbounded();
    tx.send(value.clone()).unwrap();
    drop(rx);
    assert_eq!(Arc::strong_count(&value), 1);
    drop(tx);
}

#[test]
fn after_comes_once_and_to_one() {
    let start = Instant::now();
    let rx = after(SHORT);
    let other = rx.clone();
    let due = rx.recv().unwrap();
    assert!(due >= start + SHORT && Instant::now() >= due);
    assert_eq!(other.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(other.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
}

#[test]
fn tick_keeps_coming_and_does_not_make_up_for_lost_time() {
    let rx = tick(SHORT);
    let first = rx.recv().unwrap();
    let second = rx.recv().unwrap();
    assert!(second >= first + SHORT);
    thread::sleep(4 * SHORT); // not for order: time has to pass for ticks to be missed
    assert!(rx.try_recv().is_ok());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
#[should_panic(expected = "the period must not be zero")]
fn a_period_of_zero_is_refused() {
    let _ = tick(Duration::ZERO);
}

#[test]
fn never_never_comes() {
    let rx = never::<u8>();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
    assert!(rx.same_channel(&never()));
}

#[test]
fn select_takes_what_is_ready() {
    let (tx, rx) = unbounded();
    let (_keep, quiet) = bounded::<u8>(0);
    tx.send(5).unwrap();
    let got = select! {
        recv(quiet) -> _ => None,
        recv(rx) -> value => value.ok(),
    };
    assert_eq!(got, Some(5));
}

#[test]
fn select_default_and_timeout() {
    let (_keep, quiet) = bounded::<u8>(0);
    let (full, _rx) = bounded(1);
    full.send(1).unwrap();
    assert!(select! { recv(quiet) -> _ => false, default => true });
    assert!(select! { send(full, 2) -> _ => false, default => true });
    let start = Instant::now();
    assert!(
        select! { recv(quiet) -> _ => false, send(full, 2) -> _ => false, default(SHORT) => true }
    );
    assert!(start.elapsed() >= SHORT);
}

#[test]
fn select_waits_for_clocks_made_on_the_spot() {
    let (_keep, quiet) = bounded::<u8>(0);
    let ticks = tick(SHORT);
    for _ in 0..3 {
        select! {
            recv(quiet) -> _ => panic!("nobody sends"),
            recv(ticks) -> due => assert!(due.unwrap() <= Instant::now()),
            recv(after(LONG)) -> _ => panic!("a minute has passed"),
        }
    }
    select! {
        recv(never::<u8>()) -> _ => panic!("never"),
        recv(after(SHORT)) -> due => assert!(due.is_ok()),
    }
}

#[test]
fn select_sees_the_end_of_a_channel() {
    let (tx, rx) = bounded::<u8>(0);
    let waiting =
        thread::spawn(move || select! { recv(rx) -> result => result, recv(never()) -> r => r });
    drop(tx);
    assert_eq!(waiting.join().unwrap(), Err(RecvError));
    let (tx, rx) = bounded(0);
    drop(rx);
    let result = select! { send(tx, 7) -> result => result };
    assert_eq!(result, Err(SendError(7)));
}

#[test]
fn select_bodies_may_leave() {
    fn first(rx: &Receiver<u8>) -> Result<u8, RecvError> {
        loop {
            select! {
                recv(rx) -> value => {
                    if value? == 3 {
                        break Ok(3);
                    }
                    continue;
                }
                default => return Ok(0),
            }
        }
    }
    let (tx, rx) = unbounded();
    assert_eq!(first(&rx), Ok(0));
    tx.send(1).unwrap();
    tx.send(3).unwrap();
    assert_eq!(first(&rx), Ok(3));
    drop(tx);
    assert_eq!(first(&rx), Err(RecvError));
}

/// Of arms that are all ready, each has its chance: in 3,000 rounds over three arms the least chosen one would come
/// below 800 about once in 10^14 runs.
#[test]
fn select_is_fair_among_ready_arms() {
    let channels: Vec<(Sender<()>, Receiver<()>)> = (0..3).map(|_| unbounded()).collect();
    let [(tx_a, a), (tx_b, b), (tx_c, c)] = &channels[..] else {
        unreachable!()
    };
    let mut chosen = [0; 3];
    for _ in 0..3000 {
        for tx in [tx_a, tx_b, tx_c] {
            tx.send(()).unwrap();
        }
        let index = select! {
            recv(a) -> _ => 0,
            recv(b) -> _ => 1,
            recv(c) -> _ => 2,
        };
        chosen[index] += 1;
    }
    assert!(
        chosen.iter().all(|&times| times > 800),
        "chosen: {chosen:?}"
    );
}

/// A hundred thousand values through selects that face each other on four channels: nothing lost, nothing doubled,
/// and nobody stuck.
#[test]
fn selects_facing_each_other() {
    const EACH: usize = 5_000;
    let (txs, rxs): (Vec<_>, Vec<_>) = (0..4).map(|n| bounded(n % 2)).unzip();
    let all: HashSet<usize> = thread::scope(|scope| {
        for sender in 0..4 {
            let txs: Vec<Sender<usize>> = txs.clone();
            scope.spawn(move || {
                for n in 0..EACH {
                    let value = sender * EACH + n;
                    let mut select = Select::new();
                    for tx in &txs {
                        select.send(tx, value);
                    }
                    let fired = select.select();
                    let tx = &txs[fired.index()];
                    fired.send(tx).unwrap();
                }
            });
        }
        drop(txs);
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let rxs = rxs.clone();
                scope.spawn(move || {
                    let mut got = Vec::new();
                    let mut select = Select::new();
                    for rx in &rxs {
                        select.recv(rx);
                    }
                    let mut open = rxs.len();
                    while open > 0 {
                        let fired = select.select();
                        let index = fired.index();
                        match fired.recv(&rxs[index]) {
                            Ok(value) => got.push(value),
                            Err(RecvError) => {
                                select.remove(index);
                                open -= 1;
                            }
                        }
                    }
                    got
                })
            })
            .collect();
        let got: Vec<usize> = receivers
            .into_iter()
            .flat_map(|receiver| receiver.join().unwrap())
            .collect();
        assert_eq!(got.len(), 4 * EACH);
        got.into_iter().collect()
    });
    assert_eq!(all.len(), 4 * EACH);
}

#[test]
fn dynamic_select_without_waiting() {
    let (tx, rx) = bounded(1);
    let mut select = Select::new();
    let receiving = select.recv(&rx);
    assert_eq!(select.try_select().err(), Some(TrySelectError));
    assert_eq!(select.select_timeout(SHORT).err(), Some(SelectTimeoutError));
    tx.send(1).unwrap();
    let fired = select.try_select().unwrap();
    assert_eq!(fired.index(), receiving);
    assert_eq!(fired.recv(&rx), Ok(1));
}

#[test]
fn a_fired_arm_that_is_not_asked_is_over() {
    let (tx, rx) = bounded(2);
    let (other_tx, other_rx) = bounded(1);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let mut select = Select::new();
    select.recv(&rx);
    drop(select.select()); // the 1 is dropped with it
    let fired = select.select();
    assert_eq!(fired.recv(&rx), Ok(2));
    let sending = select.send(&other_tx, 9);
    let fired = select.select();
    assert_eq!(fired.index(), sending);
    drop(fired);
    assert_eq!(other_rx.try_recv(), Ok(9));
    assert_eq!(select.try_select().err(), Some(TrySelectError)); // the sending arm is used up
}

#[test]
#[should_panic(expected = "arm 0 was not made from this end of this channel")]
fn a_fired_arm_belongs_to_its_end() {
    let (tx, rx) = bounded(1);
    tx.send(1).unwrap();
    let other = rx.clone();
    let mut select = Select::new();
    select.recv(&rx);
    let _ = select.select().recv(&other);
}

#[test]
#[should_panic(expected = "no operations have been added")]
fn an_empty_select_is_refused() {
    let _ = Select::new().select();
}

/// A wait that timed out leaves nothing behind: later partners find the others, in order, and not the one that left.
#[test]
fn leaving_early_leaves_nothing() {
    let (tx, rx) = bounded(0);
    for n in 0..100 {
        assert_eq!(
            rx.recv_timeout(Duration::ZERO),
            Err(RecvTimeoutError::Timeout)
        );
        assert_eq!(
            tx.send_timeout(n, Duration::ZERO),
            Err(SendTimeoutError::Timeout(n))
        );
        assert!(select! { recv(rx) -> _ => false, default(Duration::ZERO) => true });
    }
    let barrier = Arc::new(Barrier::new(2));
    let receiver = thread::spawn({
        let barrier = barrier.clone();
        move || {
            barrier.wait();
            rx.recv()
        }
    });
    barrier.wait();
    tx.send(100).unwrap();
    assert_eq!(receiver.join().unwrap(), Ok(100));
}
