//! What `join` and `par_map_reduce` return, and what they cost.

use std::cell::RefCell;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use step01::{Runtime, bounded, unbounded};
use step04::{join, par_map_reduce, scope};
use workloads::testing::Watchdog;

use crate::{Flag, runtime};

fn fib(n: u32) -> u64 {
    if n < 2 {
        return u64::from(n);
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

#[test]
fn results_come_back_in_their_places() {
    let _watchdog = Watchdog::new("results_come_back_in_their_places");
    for workers in [1, 2, 4] {
        let rt = runtime(workers);
        let (text, number) = rt.run(|| join(|| String::from("a"), || 7));
        assert_eq!((text.as_str(), number), ("a", 7));
        assert_eq!(rt.run(|| fib(20)), 6_765, "{workers} workers");
    }
}

/// What is not stolen costs no task: where there is one worker, there is not a single one.
#[test]
fn a_million_joins_and_no_task() {
    let _watchdog = Watchdog::new("a_million_joins_and_no_task");
    let rt = runtime(1);
    let sum = rt.run(|| {
        (0..1_000_000u64)
            .map(|n| join(|| n, || 1))
            .map(|(a, b)| a + b)
            .sum::<u64>()
    });
    assert_eq!(sum, 1_000_000 * 999_999 / 2 + 1_000_000);
    assert_eq!(rt.run(|| fib(25)), 75_025);
    assert_eq!(rt.snapshot().spawned, 2, "the two that `run` has started");
}

/// The same where thieves come: a million tiny joins in a row, outermost ones and nested ones.
#[test]
fn a_million_joins_with_thieves_around() {
    let _watchdog = Watchdog::new("a_million_joins_with_thieves_around");
    let rt = runtime(4);
    let sum = rt.run(|| {
        (0..500_000u64)
            .map(|n| join(|| n, || 1))
            .map(|(a, b)| a + b)
            .sum::<u64>()
    });
    assert_eq!(sum, 500_000 * 499_999 / 2 + 500_000);
    for _ in 0..5 {
        assert_eq!(rt.run(|| fib(24)), 46_368);
    }
}

#[test]
fn off_a_task_one_is_called_after_the_other() {
    let order = RefCell::new(Vec::new());
    // A plain thread.
    let both = join(
        || order.borrow_mut().push('a'),
        // RefCell is not Sync, so this one has an order of its own.
        || thread::current().id(),
    );
    assert_eq!(both.1, thread::current().id());
    assert_eq!(order.into_inner(), ['a']);

    // A task of the step before, which has no deques.
    let rt = step03::SharedQueue::builder().workers(2).build().unwrap();
    let calls = AtomicUsize::new(0);
    let (a, b) = rt.run(|| {
        join(
            || calls.fetch_add(1, Relaxed),
            || calls.fetch_add(1, Relaxed),
        )
    });
    assert_eq!((a, b), (0, 1), "a, then b");
    assert_eq!(rt.snapshot().spawned, 1);
    assert_eq!(thread::spawn(|| fib(10)).join().unwrap(), 55);
}

/// `a` need not be Send: it stays with its task.
#[test]
fn a_may_use_what_cannot_be_sent() {
    let rt = runtime(2);
    let both = rt.run(|| {
        let cell = std::rc::Rc::new(3);
        join(|| *cell + 1, || 5)
    });
    assert_eq!(both, (4, 5));
}

#[test]
fn a_stolen_job_runs_elsewhere_and_its_result_comes_back() {
    let _watchdog = Watchdog::new("a_stolen_job_runs_elsewhere");
    let rt = runtime(2);
    let began = Flag::default();
    let (here, there) = rt.run(|| {
        join(
            || {
                began.wait();
                thread::current().id()
            },
            || {
                began.set();
                thread::current().id()
            },
        )
    });
    assert_ne!(here, there);
}

/// The stolen job is not over when its joiner comes, which parks; its worker runs other tasks meanwhile, and it is one of
/// them that the job waits for.
#[test]
fn a_joiner_that_waits_leaves_its_worker_to_others() {
    let _watchdog = Watchdog::new("a_joiner_that_waits_leaves_its_worker_to_others");
    let rt = runtime(2);
    let result = rt.run(|| {
        let (to_job, from_others) = bounded::<u32>(0);
        let (began, rt2) = (Flag::default(), rt.clone());
        join(
            || {
                began.wait();
                rt2.spawn(move || to_job.send(5).unwrap());
                1
            },
            || {
                began.set();
                from_others.recv().unwrap()
            },
        )
    });
    assert_eq!(result, (1, 5));
}

/// Many tasks at a time, each with joins in joins, and in their leaves they park: on channels, in sleeps. They go on on
/// other workers, with their deques.
#[test]
fn joins_that_park_in_the_middle() {
    fn tree(rt: &step04::Stealing, depth: u32, echo: &step01::Sender<step01::Sender<u64>>) -> u64 {
        if depth == 0 {
            let (tx, rx) = bounded(1);
            echo.send(tx).unwrap();
            return rx.recv().unwrap();
        }
        if depth == 3 {
            rt.sleep(Duration::from_micros(50));
        }
        let (a, b) = join(|| tree(rt, depth - 1, echo), || tree(rt, depth - 1, echo));
        a + b
    }
    let _watchdog = Watchdog::new("joins_that_park_in_the_middle");
    for workers in [1, 2, 4] {
        let rt = runtime(workers);
        let sum: u64 = rt.run(|| {
            let (echo, requests) = unbounded::<step01::Sender<u64>>();
            let answers = rt.spawn(move || requests.iter().for_each(|tx| tx.send(1).unwrap()));
            let trees: Vec<_> = (0..20)
                .map(|_| {
                    let (rt2, echo) = (rt.clone(), echo.clone());
                    rt.spawn(move || tree(&rt2, 6, &echo))
                })
                .collect();
            drop(echo);
            let sum = trees.into_iter().map(|tree| tree.join().unwrap()).sum();
            answers.join().unwrap();
            sum
        });
        assert_eq!(sum, 20 * 64, "{workers} workers");
    }
}

#[test]
fn par_map_reduce_is_map_and_reduce() {
    let _watchdog = Watchdog::new("par_map_reduce_is_map_and_reduce");
    for workers in [1, 2, 3] {
        let rt = runtime(workers);
        for length in [0usize, 1, 2, 3, 10, 1_000] {
            let numbers: Vec<usize> = (0..length).collect();
            for grain in [1, 2, 7, 1_000, 5_000] {
                let calls = AtomicUsize::new(0);
                // Not commutative: the order must be kept.
                let text = rt.run(|| {
                    let map = |n: &usize| {
                        calls.fetch_add(1, Relaxed);
                        format!("{n},")
                    };
                    par_map_reduce(&numbers, grain, map, |a, b| a + &b)
                });
                let expected = numbers
                    .iter()
                    .map(|n| format!("{n},"))
                    .reduce(|a, b| a + &b);
                assert_eq!(text, expected, "{length} by {grain}");
                assert_eq!(calls.into_inner(), length, "each element once");
            }
        }
    }
    assert_eq!(
        par_map_reduce(&[1, 2, 3], 1, |n| n * n, |a, b| a + b),
        Some(14)
    );
}

#[test]
#[should_panic(expected = "grain is 0")]
fn a_grain_of_zero_is_refused() {
    par_map_reduce(&[1, 2, 3], 0, |n| *n, |a, b| a + b);
}

/// The deques are given back: two thousand tasks that fork one after the other use no more than a few, and those of a task
/// that has ended serve the next.
#[test]
fn forks_of_many_tasks() {
    let _watchdog = Watchdog::new("forks_of_many_tasks");
    let rt = runtime(2);
    let sum: u64 = rt.run(|| {
        let tasks: Vec<_> = (0..2_000).map(|_| rt.spawn(|| fib(8))).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    assert_eq!(sum, 2_000 * 21);
    let waiting = rt.run(|| {
        // As many outermost scopes at a time, all of them parked.
        let (tx, rx) = bounded::<()>(0);
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let rx = rx.clone();
                rt.spawn(move || scope(|s| s.spawn(|| assert!(rx.recv().is_err()))))
            })
            .collect();
        drop((tx, rx));
        tasks
            .into_iter()
            .filter_map(|task| task.join().ok())
            .count()
    });
    assert_eq!(waiting, 100);
}
