//! A million tasks that sleep.
//!
//! Timed: tasks are spawned one after the other, each sleeps between 1 and 1,000 ms; from the first spawn until the
//! last has woken. The longest sleep is part of that, so what is reported is the time past it.
//! Checked: every task wakes, and none (of one in sixteen, so that looking at the clock does not become the work)
//! before its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use step01::{Runtime, WaitGroup};

use super::{ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};

const METRICS: &[MetricInfo] = &[
    headline(
        "past_longest_ms",
        "time past the longest sleep",
        "ms",
        Better::Lower,
    ),
    detail(
        "ns_per_sleeper",
        "the same, per sleeper",
        "ns",
        Better::Lower,
    ),
];

pub(crate) const INFO: Info = Info {
    name: "sleepers",
    title: "Sleepers: very many timers",
    group: Group::Full,
    explain: "A million tasks (without --full, a hundred thousand) are started, and each sleeps for 1 to 1,000 ms. \
              Whatever the runtime takes beyond the longest sleep is spent on starting tasks, on its timers and on \
              waking. That no task wakes too early is checked. A runtime that refuses so many tasks, or needs more \
              than twenty seconds to start them, is skipped with the number it got to.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 3,
    cost: 8.0,
};

/// A runtime that has not started all tasks after this time will not be waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts, and one thing to wait for. The wait orders the counts, so every access to them is relaxed.
#[derive(Default)]
struct Shared {
    ended: WaitGroup,
    awake: AtomicUsize,
    too_early: AtomicUsize,
}

/// Tells the end of a sleeper, also of one that its runtime has dropped in place of running it.
struct Sleeper(Arc<Shared>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.ended.done();
    }
}

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let tasks = params.size.pick(100, 10_000, 100_000, 1_000_000);
    let longest = params.size.pick(20, 1_000, 1_000, 1_000);
    rt.run(|| {
        let warm_up = sleep_all(rt, 100, 5)?;
        let timed = sleep_all(rt, tasks, longest)?;
        Ok(match warm_up.and(timed) {
            Ok(elapsed) => {
                let past = elapsed.saturating_sub(Duration::from_millis(longest));
                let note = format!("{} sleepers", thousands(tasks));
                Outcome::Measured(vec![
                    Sample::noted(&METRICS[0], ms(past), note),
                    Sample::new(&METRICS[1], past.as_nanos() as f64 / tasks as f64),
                ])
            }
            Err(reason) => Outcome::Skipped { reason },
        })
    })
}

/// The outer error is a wrong answer, the inner one the reason why there cannot be so many.
fn sleep_all<R: Runtime>(
    rt: &R,
    tasks: usize,
    longest: u64,
) -> Result<Result<Duration, String>, String> {
    let shared = Arc::new(Shared::default());
    let start = Instant::now();
    let mut started = 0;
    let mut refused = None;
    for i in 0..tasks {
        let rt2 = rt.clone();
        // Neighbours get very different times, so that the timers are not simply in order.
        let time = Duration::from_millis(1 + (i as u64).wrapping_mul(0x9e37_79b9) % longest);
        shared.ended.add(1);
        let sleeper = Sleeper(shared.clone());
        let spawned = rt.try_spawn(move || {
            if i % 16 == 0 {
                let start = Instant::now();
                rt2.sleep(time);
                if start.elapsed() < time {
                    sleeper.0.too_early.fetch_add(1, Relaxed);
                }
            } else {
                rt2.sleep(time);
            }
            sleeper.0.awake.fetch_add(1, Relaxed);
        });
        if let Err(error) = spawned {
            refused = Some(format!(
                "{} of {} tasks, then: {error}",
                thousands(i),
                thousands(tasks)
            ));
            break;
        }
        started += 1;
        if i % 1_024 == 0 && start.elapsed() > PATIENCE {
            refused = Some(format!(
                "after {} s only {} of {} tasks had been started",
                PATIENCE.as_secs(),
                thousands(i + 1),
                thousands(tasks)
            ));
            break;
        }
    }
    shared.ended.wait();
    let elapsed = start.elapsed();
    let lost = started - shared.awake.load(Relaxed);
    if lost > 0 && refused.is_none() {
        refused = Some(format!(
            "{} of {} tasks were ended by the runtime",
            thousands(lost),
            thousands(tasks)
        ));
    }
    match (shared.too_early.load(Relaxed), refused) {
        (0, None) => Ok(Ok(elapsed)),
        (0, Some(reason)) => Ok(Err(reason)),
        (early, _) => Err(format!("{early} tasks woke before their time")),
    }
}
