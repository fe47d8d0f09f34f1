//! Fork and join without tasks: what a stage or a peer has for a computation that splits itself.
//!
//! Timed: the Fibonacci number the slow way, as in `fib.rs`, but each call *joins* its two halves, and whether the second
//! runs elsewhere is up to the other one's workers; and a sum over a slice that is halved until the pieces are small.
//! Checked: the number, the sum.
//!
//! A runtime need not have this, so it is not asked of one. Who has it, a stage or a peer, brings a [`ForkJoin`], and is
//! measured by [`measure`]: the same code, compiled around each one's own `join`. Each computation takes a few
//! milliseconds; it is done again and again, and what is reported is the median, since an interruption makes a few of
//! them much longer and says nothing about the rest.

use std::hint::black_box;
use std::time::{Duration, Instant};

use step01::Runtime;

use super::fib::{forks, iteratively, sequential};
use super::{budget, median, ms, thousands};
use crate::catalog::{
    Better, ForkJoin, Group, Info, MetricInfo, Outcome, Params, Sample, StackWanted, WorkersWanted,
    detail, headline,
};
use crate::machine::Pinned;
use crate::work::chain;

const FORKS: &[MetricInfo] = &[
    headline("ns_per_fork", "the whole, per fork", "ns", Better::Lower),
    detail("ms", "the whole", "ms", Better::Lower),
    detail("best_ms", "the fastest", "ms", Better::Lower),
    detail(
        "sequential_ms",
        "the same without forks",
        "ms",
        Better::Lower,
    ),
];

const ELEMENTS: &[MetricInfo] = &[
    headline(
        "ns_per_element",
        "the whole, per element",
        "ns",
        Better::Lower,
    ),
    FORKS[1],
    FORKS[2],
    detail(
        "sequential_ms",
        "the same in a plain loop",
        "ms",
        Better::Lower,
    ),
];

pub(crate) const FIB: Info = Info {
    name: "join_fib",
    title: "Join: forks of some size",
    group: Group::Part,
    explain: "fib(30) by joins: each call joins fib(n-1) and fib(n-2), and below 12 it goes on without. That is 10,945 \
              forks, each with less than a microsecond of work. A fork that nobody steals costs no task and no stack, so \
              this should take half as long on two workers as on one. A runtime without such a join has its row with \
              tasks, fib_spawn.",
    metrics: FORKS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 5,
    cost: 0.4,
};

pub(crate) const ALL: Info = Info {
    name: "join_all",
    title: "Join: a fork at every call",
    explain: "fib(25), and every call forks: 121,392 of them with next to nothing to do (18 instead of 25 with --quick). \
              What is measured is the price of a join that nobody steals from.",
    ..FIB
};

pub(crate) const SUM: Info = Info {
    name: "join_sum",
    title: "Map and reduce over a slice",
    explain: "A slice of a million numbers is halved until a piece has a thousand or fewer, each number is scrambled by \
              five steps of a generator, and the results are added up.",
    metrics: ELEMENTS,
    ..FIB
};

/// What is said of a runtime: those that have a join are measured by [`measure`], and do not come here.
pub(crate) fn run<R: Runtime>(rt: &R, _: &Params) -> Result<Outcome, String> {
    Ok(Outcome::Skipped {
        reason: format!("{} has no join but that of tasks: see fib_spawn", rt.name()),
    })
}

/// Measures one of the three. `make` is called on a thread that is held on as many cores as there are workers.
pub(crate) fn measure<F: ForkJoin>(
    name: &str,
    params: &Params,
    make: impl FnOnce() -> Result<F, String>,
) -> Result<Outcome, String> {
    let _pinned = Pinned::to_cores(params.workers)
        .map_err(|e| format!("cannot hold the process on {} cores: {e}", params.workers))?;
    let forker = make()?;
    let size = params.size;
    match name {
        "join_fib" => fib(&forker, params, size.pick(16, 26, 30, 30), 12),
        "join_all" => fib(&forker, params, size.pick(8, 18, 25, 25), 2),
        "join_sum" => sum(
            &forker,
            params,
            size.pick(5_000, 100_000, 1_000_000, 1_000_000),
        ),
        _ => Err(format!("{name} is not measured by joins")),
    }
}

fn fib<F: ForkJoin>(forker: &F, params: &Params, n: u32, below: u32) -> Result<Outcome, String> {
    let compute = || by_joins(forker, black_box(n), below);
    let times = forker.enter(|| repeat(budget(params.size), iteratively(n), compute))?;
    let plain = repeat(budget(params.size) / 4, iteratively(n), || {
        sequential(black_box(n))
    })?;
    let forks = forks(n, below);
    let note = format!("fib({n}), {} forks", thousands(forks as usize));
    Ok(outcome(FORKS, forks as f64, note, &times, &plain))
}

fn by_joins<F: ForkJoin>(forker: &F, n: u32, below: u32) -> u64 {
    if n < below {
        return sequential(n);
    }
    let (a, b) = forker.join(
        || by_joins(forker, n - 1, below),
        || by_joins(forker, n - 2, below),
    );
    a + b
}

/// A piece of the slice that is not halved any more.
const GRAIN: usize = 1_000;

fn scramble(n: &u64) -> u64 {
    chain(*n, 5)
}

fn sum<F: ForkJoin>(forker: &F, params: &Params, length: usize) -> Result<Outcome, String> {
    let numbers: Vec<u64> = (1..=length as u64).collect();
    let in_a_loop = || {
        let scrambled = black_box(&numbers).iter().map(scramble);
        scrambled.fold(0, u64::wrapping_add)
    };
    let expected = in_a_loop();
    let compute = || {
        let sum = forker.map_reduce(black_box(&numbers), GRAIN, scramble, u64::wrapping_add);
        sum.unwrap_or_default()
    };
    let times = forker.enter(|| repeat(budget(params.size), expected, compute))?;
    let plain = repeat(budget(params.size) / 4, expected, in_a_loop)?;
    let note = format!("{} elements", thousands(length));
    Ok(outcome(ELEMENTS, length as f64, note, &times, &plain))
}

/// Computes until the budget is spent, after a first time that is not counted. How long each time took, in order.
fn repeat(
    budget: Duration,
    expected: u64,
    compute: impl Fn() -> u64,
) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    let mut spent = Duration::ZERO;
    for round in 0u64.. {
        let start = Instant::now();
        let result = compute();
        let elapsed = start.elapsed();
        if result != expected {
            return Err(format!("the result was {result}, not {expected}"));
        }
        if round > 0 {
            times.push(elapsed);
            spent += elapsed;
        }
        if round > 0 && spent >= budget {
            break;
        }
    }
    times.sort_unstable();
    Ok(times)
}

fn outcome(
    metrics: &[MetricInfo],
    units: f64,
    note: String,
    times: &[Duration],
    plain: &[Duration],
) -> Outcome {
    let middle = |times: &[Duration]| median(&mut times.to_vec());
    let whole = middle(times);
    let best = times.first().copied().unwrap_or_default();
    let note = format!("{note}; the median of {}", thousands(times.len()));
    Outcome::Measured(vec![
        Sample::noted(&metrics[0], whole.as_nanos() as f64 / units, note),
        Sample::new(&metrics[1], ms(whole)),
        Sample::new(&metrics[2], ms(best)),
        Sample::new(&metrics[3], ms(middle(plain))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Size;
    use crate::side::Side;

    const PARAMS: Params = Params {
        size: Size::Test,
        workers: 1,
        side: Side::Threads,
    };

    /// One half after the other; or, if it is a bad one, only the first.
    struct InTurn {
        both: bool,
    }

    impl ForkJoin for InTurn {
        fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
            f()
        }

        fn join<RA: Send, RB: Send>(
            &self,
            a: impl FnOnce() -> RA + Send,
            b: impl FnOnce() -> RB + Send,
        ) -> (RA, RB) {
            (a(), b())
        }

        fn map_reduce<T: Sync, R: Send>(
            &self,
            slice: &[T],
            grain: usize,
            map: impl Fn(&T) -> R + Send + Sync,
            reduce: impl Fn(R, R) -> R + Send + Sync,
        ) -> Option<R> {
            let all = if self.both { slice } else { &slice[..grain] };
            all.iter().map(map).reduce(reduce)
        }
    }

    #[test]
    fn a_join_is_measured_and_its_answers_are_checked() {
        for info in [FIB, ALL, SUM] {
            match measure(info.name, &PARAMS, || Ok(InTurn { both: true })) {
                Ok(Outcome::Measured(samples)) => {
                    let names: Vec<&str> = samples.iter().map(|s| s.metric.as_str()).collect();
                    let expected: Vec<&str> = info.metrics.iter().map(|m| m.name).collect();
                    assert_eq!(names, expected, "{}", info.name);
                }
                other => panic!("{}: {other:?}", info.name),
            }
        }
        let wrong = measure("join_sum", &PARAMS, || Ok(InTurn { both: false }));
        assert!(wrong.unwrap_err().starts_with("the result was"));
        let refused = measure("join_fib", &PARAMS, || Err::<InTurn, _>("no".to_owned()));
        assert_eq!(refused, Err("no".to_owned()));
    }

    #[test]
    fn threads_say_that_they_have_no_join_but_that_of_tasks() {
        match run(&step01::Threads::new(), &PARAMS) {
            Ok(Outcome::Skipped { reason }) => {
                assert!(reason.starts_with("step01 has no join"), "{reason}")
            }
            other => panic!("{other:?}"),
        }
    }
}
