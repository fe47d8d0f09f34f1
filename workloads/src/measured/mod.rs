//! The measured workloads, one file for each or for a small family.
//!
//! Each file opens with what is timed and what is checked. Each workload warms up before the clock starts, keeps its
//! own bookkeeping out of the timed part, and looks at the answers before it returns a number.

use std::time::Duration;

use step01::{JoinError, JoinHandle};

use crate::catalog::Size;

pub(crate) mod alive;
pub(crate) mod blocking;
mod crowd;
pub(crate) mod echo;
pub(crate) mod fan_in;
pub(crate) mod fan_out;
pub(crate) mod fib;
pub(crate) mod fork_join;
mod heartbeat;
pub(crate) mod hogs;
pub(crate) mod memory;
pub(crate) mod ping_pong;
pub(crate) mod pipeline;
pub(crate) mod raw_switch;
mod refusal;
pub(crate) mod scale_echo;
pub(crate) mod scale_tasks;
pub(crate) mod scale_turns;
pub(crate) mod scale_workers;
pub(crate) mod skynet;
pub(crate) mod sleepers;
pub(crate) mod spawn_join;
pub(crate) mod spread;
pub(crate) mod switch;
pub(crate) mod web_server;

/// How long a workload that can go on for as long as it likes is timed.
pub(crate) fn budget(size: Size) -> Duration {
    Duration::from_millis(size.pick(1, 50, 300, 1_000))
}

/// Runs `round` with more and more repetitions, beginning with `fewest`, until one lasts for the whole budget. Returns
/// that one: its repetitions and its time. Those before it were the warm-up.
pub(crate) fn fill(
    budget: Duration,
    fewest: u64,
    mut round: impl FnMut(u64) -> Result<Duration, String>,
) -> Result<(u64, Duration), String> {
    let mut repetitions = fewest;
    loop {
        let elapsed = round(repetitions)?;
        if elapsed >= budget {
            return Ok((repetitions, elapsed));
        }
        // A tenth more than should be enough; but a first, cold round says little, so no leaps.
        let wanted = 1.1 * budget.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
        repetitions = (repetitions as f64 * wanted.clamp(1.2, 10.0)).ceil() as u64;
    }
}

/// What a task returned, or why it did not, as a message for the user.
pub(crate) fn joined<T>(handle: JoinHandle<T>) -> Result<T, String> {
    handle.join().map_err(|error: JoinError| error.to_string())
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A number with its thousands set apart: `1,000,000`.
pub(crate) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The middle one of some durations; zero if there are none.
pub(crate) fn median(durations: &mut [Duration]) -> Duration {
    durations.sort_unstable();
    durations
        .get(durations.len() / 2)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(n), text);
        }
    }

    #[test]
    fn the_last_round_fills_the_budget_and_the_others_do_not() {
        let per_repetition = Duration::from_micros(3);
        let mut rounds = Vec::new();
        let result = fill(Duration::from_millis(90), 10, |n| {
            rounds.push(n);
            Ok(per_repetition * n as u32)
        });
        let (n, elapsed) = result.unwrap();
        assert_eq!((n, elapsed), (33_000, per_repetition * 33_000));
        assert_eq!(rounds, [10, 100, 1_000, 10_000, 33_000]);
        let failed = fill(Duration::from_millis(1), 10, |_| Err("no".to_owned()));
        assert_eq!(failed, Err("no".to_owned()));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let ms = Duration::from_millis;
        assert_eq!(median(&mut [ms(9), ms(1), ms(5)]), ms(5));
        assert_eq!(median(&mut []), ms(0));
    }
}
