//! What the policy decides, looked at one decision at a time, and what follows from it with real workers.
//!
//! No test asks how long something takes. Those with workers spin until all that should run at once does; if a worker
//! sleeps beside a task they do not end, and a watchdog says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use step01::{Runtime, bounded};
use step03::Why;
use step03::drive::Drive;
use step04::WorkStealing;
use workloads::testing::Watchdog;

/// The slot's limit, and one turn more.
const SOON: usize = 17;

fn drive(processors: usize) -> Drive<WorkStealing> {
    Drive::new(processors, WorkStealing::new)
}

/// Tasks `a` and `b` wake each other on processor 0 until another one runs. Returns that, and after how many turns.
fn ping_pong(drive: &mut Drive<WorkStealing>, a: usize, b: usize) -> Option<(usize, usize)> {
    drive.ready(a, Some(0), Why::Unpark);
    for turn in 1..=SOON {
        match drive.try_next(0).expect("there is always one") {
            task if task == a => drive.ready(b, Some(0), Why::Unpark),
            task if task == b => drive.ready(a, Some(0), Why::Unpark),
            other => return Some((other, turn)),
        }
    }
    None
}

#[test]
fn two_that_wake_each_other_do_not_starve_a_third() {
    let mut drive = drive(1);
    let [a, b, third] = [(); 3].map(|()| drive.add_task());
    drive.ready(third, Some(0), Why::Spawn);
    let other = ping_pong(&mut drive, a, b);
    assert_eq!(other, Some((third, SOON)), "the third waits for ever");
    assert_eq!(drive.waiting(), 1, "one of the two is ready");
    assert!(drive.try_next(0).is_some());
}

#[test]
fn who_is_woken_last_runs_first_and_timers_keep_their_order() {
    for (why, expected) in [(Why::Unpark, [2, 0, 1]), (Why::Timer, [0, 1, 2])] {
        let mut drive = drive(1);
        let tasks = [(); 3].map(|()| drive.add_task());
        for task in tasks {
            drive.ready(task, Some(0), why);
        }
        let order = [(); 3].map(|()| drive.try_next(0).expect("three are ready"));
        assert_eq!(order, expected.map(|n| tasks[n]), "{why:?}");
    }
}

#[test]
fn who_is_passed_over_can_be_stolen() {
    let mut drive = drive(2);
    let [a, b, third] = [(); 3].map(|()| drive.add_task());
    drive.ready(third, Some(0), Why::Spawn);
    assert!(ping_pong(&mut drive, a, b).is_some());
    // The third runs on for ever, on processor 0. The one that it was preferred to is processor 1's.
    drive.idle(1);
    let stolen = drive.try_next(1);
    assert!(stolen.is_some(), "it must be seen by the thief");
    assert_eq!(drive.waiting(), 0);
}

#[test]
fn the_injector_is_looked_at_in_time() {
    let mut drive = drive(1);
    let [own, outside] = [(); 2].map(|()| drive.add_task());
    drive.ready(own, Some(0), Why::Spawn);
    drive.ready(outside, None, Why::Inject);
    let found = (1..=61).find(|_| {
        let task = drive.try_next(0).expect("there is always one");
        if task == own {
            drive.ready(own, Some(0), Why::Yield);
        }
        task == outside
    });
    assert!(found.is_some(), "within 61 turns");
}

#[test]
fn a_queue_whose_worker_is_blocked_is_stolen_empty() {
    let mut drive = drive(2);
    // More than a ring holds, so that some are in the injector.
    for _ in 0..300 {
        let task = drive.add_task();
        drive.ready(task, Some(0), Why::Spawn);
    }
    for _ in 0..300 {
        if drive.try_next(1).is_none() {
            drive.idle(1);
            assert!(drive.try_next(1).is_some(), "{} left", drive.waiting());
        }
    }
    assert_eq!(drive.waiting(), 0);
}

/// As many tasks as workers, each of which runs until all of them do.
#[test]
fn all_workers_run_if_there_are_so_many_tasks() {
    let _watchdog = Watchdog::new("who waits for all workers");
    for workers in [2, 4] {
        let rt = step04::build(&step03::Builder::default().workers(workers)).unwrap();
        rt.run(|| {
            for _ in 0..20 {
                let running = Arc::new(AtomicUsize::new(0));
                let spin = move |running: &AtomicUsize| {
                    running.fetch_add(1, SeqCst);
                    while running.load(SeqCst) < workers {
                        thread::yield_now(); // the thread: there may be more workers than cores
                    }
                };
                let tasks: Vec<_> = (1..workers)
                    .map(|_| {
                        let running = Arc::clone(&running);
                        rt.spawn(move || spin(&running))
                    })
                    .collect();
                spin(&running);
                tasks.into_iter().for_each(|task| task.join().unwrap());
            }
        });
    }
}

/// A task wakes another and yields. The other, which runs first, computes until the first goes on.
#[test]
fn one_that_yields_to_the_one_it_woke_is_found_by_another_worker() {
    let _watchdog = Watchdog::new("who waits for another worker");
    let rt = step04::build(&step03::Builder::default().workers(2)).unwrap();
    rt.run(|| {
        for _ in 0..50 {
            let (tx, rx) = bounded(1);
            let flag = Arc::new(AtomicUsize::new(0));
            let other = {
                let flag = Arc::clone(&flag);
                rt.spawn(move || {
                    rx.recv().unwrap();
                    while flag.load(SeqCst) == 0 {
                        thread::yield_now();
                    }
                })
            };
            rt.yield_now();
            tx.send(()).unwrap();
            rt.yield_now();
            flag.store(1, SeqCst);
            other.join().unwrap();
        }
    });
}

/// One task spawns far more than its ring holds, and each of them goes round once more: through ring, injector, and the
/// other worker's ring.
#[test]
fn who_is_spawned_is_finished() {
    const TASKS: usize = 10_000;
    let _watchdog = Watchdog::new("who_is_spawned_is_finished");
    let rt = step04::build(&step03::Builder::default().workers(2)).unwrap();
    rt.run(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let task = || {
            let (inner, ran) = (rt.clone(), Arc::clone(&ran));
            rt.spawn(move || {
                inner.yield_now();
                ran.fetch_add(1, SeqCst);
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| task()).collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(ran.load(SeqCst), TASKS, "each has gone on after its yield");
    });
    let snapshot = rt.snapshot();
    let spawned = TASKS as u64 + 1; // and the one that spawned them
    assert_eq!((snapshot.spawned, snapshot.finished), (spawned, spawned));
    assert!(snapshot.switches >= 2 * TASKS as u64, "{snapshot}");
}

/// Two tasks wake each other until a third has run, which is behind them in the ring. There is one worker, so that no
/// thief helps it.
#[test]
fn a_pair_that_waits_for_a_third_ends() {
    let _watchdog = Watchdog::new("a_pair_that_waits_for_a_third_ends");
    let rt = step04::build(&step03::Builder::default().workers(1)).unwrap();
    rt.run(|| {
        let third_has_run = Arc::new(AtomicBool::new(false));
        let (to_pong, from_ping) = bounded(1);
        let (to_ping, from_pong) = bounded(1);
        let flag = Arc::clone(&third_has_run);
        let ping = rt.spawn(move || {
            while !flag.load(SeqCst) {
                to_pong.send(()).unwrap();
                from_pong.recv().unwrap();
            }
        });
        let pong = rt.spawn(move || {
            while from_ping.recv().is_ok() {
                to_ping.send(()).unwrap();
            }
        });
        let third = rt.spawn(move || third_has_run.store(true, SeqCst));
        [ping, pong, third]
            .into_iter()
            .for_each(|task| task.join().unwrap());
    });
}
