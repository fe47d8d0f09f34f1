//! A task that wants to run every millisecond, and notes how late it was each time.
//!
//! A beat that is missed is not left out: when the task runs at last, it notes for each beat that was due how late that
//! one was. A stall of ten milliseconds is ten late beats. Were only the next beat noted, a runtime that stalls rarely
//! and long would look as good as one that never does (Gil Tene calls that *coordinated omission*).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use step01::{JoinHandle, Runtime};

use super::joined;

const PERIOD: Duration = Duration::from_millis(1);

/// A heartbeat that goes on.
pub(crate) struct Heartbeat {
    task: JoinHandle<Beats>,
    stop: Arc<AtomicBool>,
}

/// All beats: when each was due, and how late it was.
pub(crate) struct Beats(Vec<(Instant, Duration)>);

/// How late some beats were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lateness {
    pub(crate) beats: usize,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Heartbeat {
    /// Starts it.
    pub(crate) fn start<R: Runtime>(rt: &R) -> Heartbeat {
        let stop = Arc::new(AtomicBool::new(false));
        let (rt2, stopped) = (rt.clone(), stop.clone());
        let task = rt.spawn(move || {
            let mut beats = Vec::with_capacity(8_192);
            let mut due = Instant::now() + PERIOD;
            // Relaxed: the flag says nothing but "enough", and the join orders the rest.
            while !stopped.load(Relaxed) {
                let now = Instant::now();
                if now < due {
                    rt2.sleep(due - now);
                } else {
                    note(&mut beats, &mut due, now);
                }
            }
            // Those that were due before the end, and for which there was no time.
            note(&mut beats, &mut due, Instant::now());
            Beats(beats)
        });
        Heartbeat { task, stop }
    }

    /// Stops it and returns its beats.
    pub(crate) fn stop(self) -> Result<Beats, String> {
        self.stop.store(true, Relaxed);
        joined(self.task)
    }
}

/// Notes every beat that was due by `now`.
fn note(beats: &mut Vec<(Instant, Duration)>, due: &mut Instant, now: Instant) {
    while *due <= now {
        beats.push((*due, now - *due));
        *due += PERIOD;
    }
}

impl Beats {
    /// Those that were due between the two moments.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Lateness {
        let mut late: Vec<Duration> = self
            .0
            .iter()
            .filter(|(due, _)| (from..to).contains(due))
            .map(|(_, late)| *late)
            .collect();
        late.sort_unstable();
        let beats = late.len();
        let rank = (beats * 99).div_ceil(100).saturating_sub(1);
        Lateness {
            beats,
            p99: late.get(rank).copied().unwrap_or_default(),
            max: late.last().copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p99_of_a_hundred_beats_is_the_second_worst() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let beats = Beats((0..200).map(|i| (start + ms(i), ms(i))).collect());
        let all = beats.between(start, start + ms(100));
        assert_eq!((all.beats, all.p99, all.max), (100, ms(98), ms(99)));
        let none = beats.between(start + ms(500), start + ms(600));
        assert_eq!((none.beats, none.p99), (0, ms(0)));
    }

    #[test]
    fn a_stall_is_as_many_late_beats_as_were_due_in_it() {
        let start = Instant::now();
        let (mut beats, mut due) = (Vec::new(), start);
        note(&mut beats, &mut due, start + Duration::from_micros(9_500));
        let late: Vec<_> = beats.iter().map(|(_, late)| late.as_micros()).collect();
        let expected: Vec<_> = (0..10).rev().map(|ms| ms * 1_000 + 500).collect();
        assert_eq!(late, expected);
        assert_eq!(due, start + 10 * PERIOD);
    }

    #[test]
    fn no_beat_is_left_out() {
        let rt = step01::Threads::new();
        let (beats, stopped_at) = rt.run(|| {
            let heartbeat = Heartbeat::start(&rt);
            rt.sleep(Duration::from_millis(20));
            let stopped_at = Instant::now();
            (heartbeat.stop(), stopped_at)
        });
        let beats = beats.unwrap().0;
        for pair in beats.windows(2) {
            assert_eq!(pair[1].0 - pair[0].0, PERIOD);
        }
        let (last, _) = beats[beats.len() - 1];
        assert!(
            last + PERIOD > stopped_at,
            "all that were due before the stop are there"
        );
    }
}
