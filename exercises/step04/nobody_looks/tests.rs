//! Judges the schedule on the pool as it was found, and the mended pool in every order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use exercises::turns::{Explore, Followed, Turns, follow};
use step01::Runtime;

mod broken;

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, clippy::new_without_default)]
mod exercise;

use exercise::Pool;

/// So many workers that take `each` tasks, and one submitter that submits them. Generic over the two pools.
fn all_are_found<P: Send + Sync + 'static>(
    rt: &Turns,
    workers: usize,
    each: usize,
    pool: Arc<P>,
    submit: fn(&P),
    find: fn(&P),
) {
    let tasks = (1..=workers).map(|number| {
        let name = match workers {
            1 => "worker".to_owned(),
            _ => format!("worker {number}"),
        };
        let pool = pool.clone();
        rt.spawn_named(&name, move || (0..each).for_each(|_| find(&pool)))
    });
    let mut tasks: Vec<_> = tasks.collect();
    tasks.push(rt.spawn_named("submitter", move || {
        (0..workers * each).for_each(|_| submit(&pool));
    }));
    for task in tasks {
        task.join().unwrap_or_else(|error| error.resume());
    }
}

fn mended(rt: &Turns, workers: usize, each: usize) {
    let pool = Arc::new(Pool::new());
    all_are_found(rt, workers, each, pool.clone(), Pool::submit, Pool::find);
    let (searching, sleeping, _) = pool.counts();
    assert_eq!(
        (searching, sleeping),
        (0, 0),
        "nobody searches and nobody sleeps any more, and so many are counted: from here on the counts are wrong for good"
    );
}

#[test]
fn the_schedule_leaves_a_task_beside_a_sleeper() {
    assert!(
        !exercise::SCHEDULE.is_empty(),
        "the schedule is empty: write down who takes the next step, until the worker sleeps and the task waits"
    );
    let followed = follow(exercise::SCHEDULE, |rt| {
        let pool = Arc::new(broken::Pool::new());
        all_are_found(rt, 1, 1, pool, broken::Pool::submit, broken::Pool::find);
    });
    match followed {
        Followed::Finished(log) => panic!("in this order nothing goes wrong:\n{log}"),
        Followed::Failed(report) => {
            assert!(report.contains("`worker` is parked"), "{report}");
            println!("{report}");
        }
    }
}

#[test]
fn every_task_is_found_by_one_worker() {
    Explore::default().preemptions(3).run(|rt| mended(rt, 1, 1));
}

#[test]
fn every_task_is_found_by_a_worker_that_comes_again() {
    Explore::default().run(|rt| mended(rt, 1, 2));
}

#[test]
fn every_task_is_found_by_two_workers() {
    Explore::default().preemptions(1).run(|rt| mended(rt, 2, 1));
}

#[test]
fn a_sleeper_that_wakes_up_for_no_reason_sleeps_on() {
    Explore::default()
        .preemptions(1)
        .wake_ups_for_no_reason(1)
        .run(|rt| mended(rt, 1, 2));
}

/// With three asleep, three tasks in a row wake one worker: that one is a searcher from the moment at which it is called.
/// The others are woken by those that find something.
#[test]
fn a_burst_wakes_one_worker() {
    Explore::default().preemptions(0).run(|rt| {
        let pool = Arc::new(Pool::new());
        let found = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (pool, found) = (pool.clone(), found.clone());
                rt.spawn(move || {
                    pool.find();
                    found.fetch_add(1, SeqCst);
                })
            })
            .collect();
        rt.settle();
        let (searching, sleeping, before) = pool.counts();
        assert_eq!(
            (searching, sleeping),
            (0, 3),
            "there is no task, so all three workers sleep, and nobody searches"
        );
        (0..3).for_each(|_| pool.submit());
        let (_, _, calls) = pool.counts();
        assert_eq!(
            calls - before,
            1,
            "so many workers were called for a burst of three tasks; the first call makes a searcher, and it finds the others"
        );
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(found.load(SeqCst), 3);
    });
}
