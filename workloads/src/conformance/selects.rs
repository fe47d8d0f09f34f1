//! `select!`, and its form for a number of arms that is known at run time only.

use std::time::{Duration, Instant};

use step01::{Receiver, Runtime, Select, Sender, bounded, select, unbounded};

use super::let_others_run;

const SHORT: Duration = Duration::from_millis(2);

pub(super) fn the_arm_that_is_ready_is_done<R: Runtime>(rt: &R) {
    rt.run(|| {
        let ((_a, a), (b_in, b)) = (bounded::<u8>(1), bounded::<u8>(1));
        let (c_in, c) = bounded(1);
        c_in.send(0).unwrap(); // full: this arm cannot send
        b_in.send(7).unwrap();
        let got = select! {
            recv(a) -> _ => panic!("nothing is there"),
            recv(b) -> value => value,
            send(c_in, 1) -> _ => panic!("there is no room"),
        };
        assert_eq!(got, Ok(7));
        c.recv().unwrap();
        select! {
            recv(a) -> _ => panic!("nothing is there"),
            recv(b) -> _ => panic!("nothing is there any more"),
            send(c_in, 1) -> sent => sent.unwrap(),
        }
        assert_eq!(c.recv(), Ok(1));
    });
}

pub(super) fn a_parked_select_is_woken_by_any_arm<R: Runtime>(rt: &R) {
    rt.run(|| {
        for flavour in 0..3 {
            for arm in 0..3 {
                let channel = || match flavour {
                    0 => bounded::<usize>(0),
                    1 => bounded(1),
                    _ => unbounded(),
                };
                let (txs, rxs): (Vec<_>, Vec<_>) = (0..3).map(|_| channel()).unzip();
                let selecting = rt.spawn(move || {
                    select! {
                        recv(rxs[0]) -> value => (0, value),
                        recv(rxs[1]) -> value => (1, value),
                        recv(rxs[2]) -> value => (2, value),
                    }
                });
                let_others_run(rt);
                txs[arm].send(40 + arm).unwrap();
                assert_eq!(selecting.join().unwrap(), (arm, Ok(40 + arm)));
            }
        }
    });
}

pub(super) fn exactly_one_arm_is_done<R: Runtime>(rt: &R) {
    // Many who select over two channels, and senders on both: no value may vanish with an arm that was not chosen.
    const EACH: usize = 100;
    rt.run(|| {
        for room in [0, 3] {
            let ((a_in, a), (b_in, b)) = (bounded(room), bounded(room));
            let senders: Vec<_> = [a_in, b_in]
                .into_iter()
                .enumerate()
                .map(|(i, tx)| {
                    rt.spawn(move || (0..EACH).for_each(|n| tx.send(i * EACH + n).unwrap()))
                })
                .collect();
            let selecting: Vec<_> = (0..4)
                .map(|_| {
                    let (mut a, mut b) = (a.clone(), b.clone());
                    rt.spawn(move || {
                        let mut received = Vec::new();
                        let mut closed = 0;
                        while closed < 2 {
                            let (value, which) = select! {
                                recv(a) -> value => (value, &mut a),
                                recv(b) -> value => (value, &mut b),
                            };
                            match value {
                                Ok(value) => received.push(value),
                                Err(_) => {
                                    *which = step01::never();
                                    closed += 1;
                                }
                            }
                        }
                        received
                    })
                })
                .collect();
            drop((a, b));
            for sender in senders {
                sender.join().unwrap();
            }
            let mut all: Vec<usize> = selecting
                .into_iter()
                .flat_map(|task| task.join().unwrap())
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..2 * EACH).collect::<Vec<_>>());
        }
    });
}

pub(super) fn sends_and_receives_mix<R: Runtime>(rt: &R) {
    // A task that passes on what it gets, and may receive the next before it has got rid of the last.
    rt.run(|| {
        let ((tx, from), (to, rx)) = (bounded::<u32>(0), bounded::<u32>(0));
        let relay = rt.spawn(move || {
            let mut waiting = std::collections::VecDeque::new();
            let mut open = true;
            while open || !waiting.is_empty() {
                match waiting.front().copied() {
                    None => match from.recv() {
                        Ok(n) => waiting.push_back(n),
                        Err(_) => open = false,
                    },
                    Some(first) if open => select! {
                        recv(from) -> n => match n {
                            Ok(n) => waiting.push_back(n),
                            Err(_) => open = false,
                        },
                        send(to, first) -> sent => {
                            sent.unwrap();
                            waiting.pop_front();
                        }
                    },
                    Some(first) => {
                        to.send(first).unwrap();
                        waiting.pop_front();
                    }
                }
            }
        });
        let sender = rt.spawn(move || (0..200).for_each(|n| tx.send(n).unwrap()));
        assert_eq!(rx.iter().collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
        sender.join().unwrap();
        relay.join().unwrap();
    });
}

/// How often each arm is chosen at the least, of 1,000 times, if all are always ready. Were the choice fair, fewer than
/// this would come up once in 10^50 runs; were one arm preferred, always.
const FAIR: usize = 100;

pub(super) fn ready_arms_are_chosen_fairly<R: Runtime>(rt: &R) {
    rt.run(|| {
        let ((a_in, a), (b_in, b), (c_in, c)) = (unbounded(), unbounded(), unbounded());
        for n in 0..1_000 {
            a_in.send(n).unwrap();
            b_in.send(n).unwrap();
        }
        let mut chosen = [0; 3];
        for _ in 0..1_000 {
            select! {
                recv(a) -> _ => chosen[0] += 1,
                recv(b) -> _ => chosen[1] += 1,
                send(c_in, 0) -> _ => chosen[2] += 1,
            }
        }
        assert!(chosen.iter().all(|times| *times >= FAIR), "{chosen:?}");
        assert_eq!(c.len(), chosen[2]);
    });
}

pub(super) fn default_is_for_when_nothing_is_ready<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded(1);
        let look = || {
            select! {
                recv(rx) -> value => value.ok(),
                default => None,
            }
        };
        assert_eq!(look(), None);
        tx.send(1).unwrap();
        assert_eq!(look(), Some(1));
        assert_eq!(look(), None);
    });
}

pub(super) fn a_default_with_a_timeout_waits_that_long<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded::<u8>(0);
        let start = Instant::now();
        let value = select! {
            recv(rx) -> value => value.ok(),
            default(SHORT) => None,
        };
        assert!(value.is_none() && start.elapsed() >= SHORT);
        // The select that gave up is no partner any more.
        assert!(tx.try_send(1).is_err());
        let sender = rt.spawn(move || tx.send(2));
        let value = select! {
            recv(rx) -> value => value.ok(),
            default(Duration::from_secs(3_600)) => None,
        };
        assert_eq!(value, Some(2));
        sender.join().unwrap().unwrap();
    });
}

pub(super) fn a_closed_channel_is_ready<R: Runtime>(rt: &R) {
    rt.run(|| {
        let ((_open, a), (tx, b)) = (bounded::<u8>(0), bounded::<u8>(0));
        let selecting = rt.spawn(move || {
            select! {
                recv(a) -> _ => panic!("nothing happens here"),
                recv(b) -> value => value.is_err(),
            }
        });
        let_others_run(rt);
        drop(tx);
        assert!(selecting.join().unwrap());
        let (tx, rx) = bounded(0);
        let selecting = rt.spawn(move || {
            select! {
                send(tx, String::from("mine")) -> sent => sent.unwrap_err().into_inner(),
            }
        });
        let_others_run(rt);
        drop(rx);
        assert_eq!(selecting.join().unwrap(), "mine", "the value comes back");
    });
}

pub(super) fn two_selects_meet_at_a_rendezvous<R: Runtime>(rt: &R) {
    // Both sides only ever wait in a select, on two channels in opposite order; each meeting moves one value.
    const MEETINGS: usize = 200;
    rt.run(|| {
        let ((a_in, a), (b_in, b)) = (bounded(0), bounded(0));
        let sender = rt.spawn(move || {
            for n in 0..MEETINGS {
                select! {
                    send(a_in, n) -> sent => sent.unwrap(),
                    send(b_in, n) -> sent => sent.unwrap(),
                }
            }
        });
        for n in 0..MEETINGS {
            let got = select! {
                recv(b) -> value => value,
                recv(a) -> value => value,
            };
            assert_eq!(got, Ok(n));
        }
        sender.join().unwrap();
    });
}

fn many(n: usize) -> (Vec<Sender<usize>>, Vec<Receiver<usize>>) {
    (0..n).map(|_| bounded(1)).unzip()
}

pub(super) fn a_list_of_arms_made_at_run_time<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (txs, rxs) = many(10);
        let sender = rt.spawn(move || {
            for (n, tx) in txs.iter().enumerate() {
                tx.send(n).unwrap();
            }
        });
        let mut select = Select::new();
        for rx in &rxs {
            select.recv(rx);
        }
        let mut seen = Vec::new();
        while seen.len() < rxs.len() {
            let fired = select.select();
            let arm = fired.index();
            if let Ok(n) = fired.recv(&rxs[arm]) {
                assert_eq!(n, arm);
                seen.push(n);
                select.remove(arm);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        sender.join().unwrap();

        // Sends among them, of other types.
        let ((text_in, text), (_n_in, n)) = (bounded(1), bounded::<u8>(1));
        let mut select = Select::new();
        let to = select.send(&text_in, String::from("out"));
        let from = select.recv(&n);
        assert_ne!(to, from);
        let fired = select.select();
        assert_eq!(fired.index(), to);
        fired.send(&text_in).unwrap();
        assert_eq!(text.recv().as_deref(), Ok("out"));
    });
}

pub(super) fn a_list_of_arms_is_fair<R: Runtime>(rt: &R) {
    rt.run(|| {
        let channels: Vec<_> = (0..3).map(|_| unbounded()).collect();
        for _ in 0..1_000 {
            channels.iter().for_each(|(tx, _)| tx.send(()).unwrap());
        }
        let mut select = Select::new();
        for (_, rx) in &channels {
            select.recv(rx);
        }
        let mut chosen = [0; 3];
        for _ in 0..1_000 {
            let fired = select.select();
            let arm = fired.index();
            fired.recv(&channels[arm].1).unwrap();
            chosen[arm] += 1;
        }
        assert!(chosen.iter().all(|times| *times >= FAIR), "{chosen:?}");
    });
}

pub(super) fn a_list_of_arms_gives_up_in_time<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (txs, rxs) = many(3);
        let mut select = Select::new();
        for rx in &rxs {
            select.recv(rx);
        }
        assert!(select.try_select().is_err());
        let start = Instant::now();
        assert!(select.select_timeout(SHORT).is_err());
        assert!(start.elapsed() >= SHORT);
        let deadline = Instant::now() + SHORT;
        assert!(select.select_deadline(deadline).is_err());
        assert!(Instant::now() >= deadline);
        txs[2].send(5).unwrap();
        let fired = select.try_select().unwrap();
        assert_eq!(fired.index(), 2);
        assert_eq!(fired.recv(&rxs[2]), Ok(5));
    });
}
