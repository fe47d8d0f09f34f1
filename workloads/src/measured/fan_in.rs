//! How many messages a second one receiver can take from several senders.
//!
//! Timed: four tasks send as fast as they can into one channel with room for 128, one task receives; from before the
//! first send until the last message has been received.
//! Checked: every message arrives, once, and those of each sender in the order in which it sent them.

use std::time::{Duration, Instant};

use step01::{Runtime, bounded};

use super::{budget, fill, joined, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, headline,
};

const METRICS: &[MetricInfo] = &[headline(
    "million_per_s",
    "messages received",
    "M msg/s",
    Better::Higher,
)];

pub(crate) const INFO: Info = Info {
    name: "fan_in",
    title: "Fan-in: four senders, one receiver",
    group: Group::Full,
    explain: "Four tasks send numbers into one channel that holds 128 of them, and one task receives. Each message \
              says whose it is and which one, and the receiver checks both. What counts is how seldom somebody must be \
              woken: a sender that fills the channel before it gives way wakes the receiver once for 128 messages, two \
              that meet at every message pay for a wake-up each time.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 5,
    cost: 0.6,
};

const SENDERS: u64 = 4;
const ROOM: usize = 128;

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let fewest = params.size.pick(500, 5_000, 5_000, 5_000);
    let (each, elapsed) = fill(budget(params.size), fewest, |each| {
        rt.run(|| round(rt, each))
    })?;
    let messages = each * SENDERS;
    Ok(Outcome::Measured(vec![Sample::noted(
        &METRICS[0],
        messages as f64 / elapsed.as_secs_f64() / 1e6,
        format!("{} messages", thousands(messages as usize)),
    )]))
}

fn round<R: Runtime>(rt: &R, each: u64) -> Result<Duration, String> {
    let (tx, rx) = bounded::<u64>(ROOM);
    let start = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let tx = tx.clone();
            rt.spawn(move || (0..each).all(|n| tx.send(n * SENDERS + sender).is_ok()))
        })
        .collect();
    drop(tx);
    let receiver = rt.spawn(move || {
        let mut next = [0; SENDERS as usize];
        for message in rx {
            let (sender, n) = ((message % SENDERS) as usize, message / SENDERS);
            if n != next[sender] {
                return Err(format!(
                    "sender {sender}: message {n} in place of {}",
                    next[sender]
                ));
            }
            next[sender] += 1;
        }
        Ok((next, Instant::now()))
    });
    let (received, end) = joined(receiver)??;
    for sender in senders {
        if !joined(sender)? {
            return Err("a sender found the channel closed".to_owned());
        }
    }
    if received != [each; SENDERS as usize] {
        return Err(format!(
            "{received:?} messages were received of {each} from each sender"
        ));
    }
    Ok(end - start)
}
