//! Fork and join: a computation that splits itself, by tasks.
//!
//! Timed: the Fibonacci number the slow way, where each call spawns a task for one half, computes the other half itself
//! and joins. `fib_spawn` stops forking where the rest is small, as one would in earnest; `fib_all` forks at every
//! call, so that nearly everything it does is to fork.
//! Checked: the number.

use std::hint::black_box;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::refusal::Refusal;
use super::{ms, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted, detail,
    headline,
};

const METRICS: &[MetricInfo] = &[
    headline("ns_per_fork", "the whole, per fork", "ns", Better::Lower),
    detail("ms", "the whole", "ms", Better::Lower),
    detail(
        "sequential_ms",
        "the same without tasks",
        "ms",
        Better::Lower,
    ),
];

pub(crate) const SPAWN: Info = Info {
    name: "fib_spawn",
    title: "Fork-join: forks of some size",
    group: Group::Full,
    explain: "fib(30) by forks: each call spawns a task for fib(n-1), computes fib(n-2) itself, and joins; below 12 it \
              goes on without tasks. That is 10,945 forks, each with less than a microsecond of work. With \
              cheap tasks this is faster than the plain computation on two cores, with dear ones it is many times \
              slower. A runtime that cannot have so many tasks at once computes a smaller number, and says so.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Small,
    default_reps: 5,
    cost: 1.5,
};

pub(crate) const ALL: Info = Info {
    name: "fib_all",
    title: "Fork-join: a fork at every call",
    group: Group::Full,
    explain: "fib(25), and every call forks: 121,392 tasks with next to nothing to do (without --full it is fib(22)). \
              The smallest task there can be; what is measured is the price of spawn and join where the joiner comes \
              soon after. A runtime that cannot have so many tasks at once computes a smaller number, and says so.",
    default_reps: 3,
    cost: 2.5,
    ..SPAWN
};

pub(crate) fn spawn<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let n = params.size.pick(16, 26, 30, 30);
    measure(rt, params, n, 12)
}

pub(crate) fn all<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let n = params.size.pick(8, 18, 22, 25);
    measure(rt, params, n, 2)
}

fn measure<R: Runtime>(
    rt: &R,
    params: &Params,
    wanted: u32,
    below: u32,
) -> Result<Outcome, String> {
    let budget = super::budget(params.size);
    let mut n = wanted;
    let mut why_smaller = String::new();
    let time = loop {
        match rt.run(|| repeat(rt, n, below, budget))? {
            Ok(time) => break time,
            Err(refused) if n > below + 2 => {
                if why_smaller.is_empty() {
                    why_smaller = format!("; fib({n}) was refused: {refused}");
                }
                n -= 2;
            }
            Err(reason) => return Ok(Outcome::Skipped { reason }),
        }
    };
    let forks = forks(n, below);
    let ns = time.as_nanos() as f64 / forks as f64;
    let note = format!("fib({n}), {} forks{why_smaller}", thousands(forks as usize));
    let mut samples = vec![Sample::noted(&METRICS[0], ns, note)];
    // The time of a smaller number is not the time of this one.
    if n == wanted {
        samples.push(Sample::new(&METRICS[1], ms(time)));
        let start = Instant::now();
        black_box(sequential(black_box(n)));
        samples.push(Sample::new(&METRICS[2], ms(start.elapsed())));
    }
    Ok(Outcome::Measured(samples))
}

/// What [`once`] takes on average, after a first time that is not counted: unless that has taken so long that whatever
/// was cold at its beginning is no part of it any more.
fn repeat<R: Runtime>(
    rt: &R,
    n: u32,
    below: u32,
    budget: Duration,
) -> Result<Result<Duration, String>, String> {
    match once(rt, n, below)? {
        Ok(time) if time < 5 * budget => {}
        enough => return Ok(enough),
    }
    let (mut elapsed, mut times) = (Duration::ZERO, 0);
    while elapsed < budget {
        match once(rt, n, below)? {
            Ok(time) => elapsed += time,
            Err(refused) => return Ok(Err(refused)),
        }
        times += 1;
    }
    Ok(Ok(elapsed / times))
}

/// One computation. The outer error is a wrong answer, the inner one a refusal.
fn once<R: Runtime>(rt: &R, n: u32, below: u32) -> Result<Result<Duration, String>, String> {
    let refusal = Refusal::none_yet();
    let start = Instant::now();
    let result = by_tasks(rt, n, below, refusal);
    let elapsed = start.elapsed();
    match (result, refusal.reason()) {
        (_, Some(reason)) => Ok(Err(reason.to_owned())),
        (Some(value), None) if value == iteratively(n) => Ok(Ok(elapsed)),
        (result, None) => Err(format!("fib({n}) was {result:?}")),
    }
}

/// None if a task was refused, here or elsewhere.
fn by_tasks<R: Runtime>(rt: &R, n: u32, below: u32, refusal: Refusal) -> Option<u64> {
    if n < below {
        return Some(sequential(n));
    }
    if refusal.happened() {
        return None;
    }
    let rt2 = rt.clone();
    let left = rt
        .try_spawn(move || by_tasks(&rt2, n - 1, below, refusal))
        .map_err(|error| refusal.because(error))
        .ok()?;
    let right = by_tasks(rt, n - 2, below, refusal);
    // Joined in any case, so that no task is left when we give up.
    let left = left.join().map_err(|error| refusal.because(error)).ok()?;
    Some(left? + right?)
}

/// The slow way.
pub(crate) fn sequential(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    // The compiler would turn one of the two calls into a loop.
    sequential(black_box(n - 1)) + sequential(n - 2)
}

/// The quick way, to check against.
pub(crate) fn iteratively(n: u32) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

/// How many forks there are.
pub(crate) fn forks(n: u32, below: u32) -> u64 {
    if n < below {
        0
    } else {
        1 + forks(n - 1, below) + forks(n - 2, below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_way_and_the_quick_way_agree() {
        for n in 0..20 {
            assert_eq!(sequential(n), iteratively(n), "fib({n})");
        }
        assert_eq!(iteratively(30), 832_040);
    }

    #[test]
    fn the_forks_are_as_many_as_the_descriptions_say() {
        assert_eq!(forks(30, 12), 10_945);
        assert_eq!(forks(25, 2), 121_392);
    }
}
