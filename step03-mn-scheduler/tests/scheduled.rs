//! The runtime with several workers: what it promises beyond the contract. What ends the process is in `subprocess/` and
//! `deadlock.rs`, what moving does to tasks in `migration.rs`.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use step01::{JoinError, Runtime, bounded, park, scope};
use step02::SlotLayout;
use step03::runtime::MOST_WORKERS;
use step03::{Scheduled, SharedQueue};
use workloads::endings;
use workloads::testing::Watchdog;

#[path = "common/elsewhere.rs"]
mod elsewhere;

use elsewhere::Elsewhere;

fn shared(workers: usize) -> SharedQueue {
    SharedQueue::builder().workers(workers).build().unwrap()
}

fn forced(workers: usize) -> Scheduled<Elsewhere> {
    let builder = SharedQueue::builder().workers(workers);
    builder.build_with("elsewhere", Elsewhere::new).unwrap()
}

// ANCHOR: all_at_once
/// go#45867, seen from outside: as many tasks as there are workers, each of which waits, without yielding, until all the
/// others run as well. If a worker slept beside a task that is ready, this would not end.
#[test]
fn as_many_tasks_run_at_once_as_there_are_workers() {
    let _watchdog = Watchdog::new("all workers at once");
    for workers in [1, 2, 4, 8] {
        let rt = shared(workers);
        for _ in 0..20 {
            let running = Arc::new(AtomicUsize::new(0));
            rt.run(|| {
                let tasks: Vec<_> = (0..workers)
                    .map(|_| {
                        let running = running.clone();
                        rt.spawn(move || {
                            running.fetch_add(1, SeqCst);
                            while running.load(SeqCst) < workers {
                                thread::yield_now();
                            }
                        })
                    })
                    .collect();
                tasks.into_iter().for_each(|task| task.join().unwrap());
            });
        }
    }
}
// ANCHOR_END: all_at_once

#[test]
fn a_task_that_blocks_takes_one_worker_and_no_more() {
    let _watchdog = Watchdog::new("a task that blocks");
    let rt = shared(2);
    let done = Arc::new(AtomicBool::new(false));
    rt.run(|| {
        let (rt2, done2) = (rt.clone(), done.clone());
        let blocks = rt.spawn(move || {
            rt2.blocking(|| {
                while !done2.load(SeqCst) {
                    thread::yield_now(); // as good as a system call: it does not come back before the other has run
                }
            });
        });
        let other = rt.spawn(|| 5);
        assert_eq!(other.join().unwrap(), 5);
        done.store(true, SeqCst);
        blocks.join().unwrap();
    });
}

#[test]
fn it_ends_from_any_state() {
    let _watchdog = Watchdog::new("ending from any state");
    for workers in [1, 2, 4] {
        endings::from_any_state(&shared(workers), 12);
        endings::from_any_state(&forced(workers), 12);
    }
}

/// With a policy that runs each child on another worker than its parent: numbers must say all the same who came first.
#[test]
fn the_newest_goes_first_wherever_it_was_spawned() {
    let _watchdog = Watchdog::new("the newest first");
    for workers in [1, 2, 3] {
        endings::the_newest_first(&shared(workers), 40);
        endings::the_newest_first(&forced(workers), 40);
    }
}

#[test]
fn threads_that_are_no_workers_come_and_go() {
    let _watchdog = Watchdog::new("wakers from outside");
    for workers in [1, 2, 4] {
        endings::wakers_from_outside(&shared(workers), 3, 60);
    }
}

/// A waker's thread may still be in the scheduler when the task that it has woken has run, `run` has returned, and the
/// runtime is dropped.
#[test]
fn a_runtime_may_go_while_its_last_waker_is_still_inside() {
    let _watchdog = Watchdog::new("the last waker");
    for _ in 0..200 {
        let rt = SharedQueue::builder().workers(2).max_tasks(8);
        let rt = rt.build().unwrap();
        let (name, named) = bounded(1);
        let woken = Arc::new(AtomicBool::new(false));
        let waker = {
            let woken = woken.clone();
            thread::spawn(move || {
                let task: step01::Unparker = named.recv().unwrap();
                woken.store(true, SeqCst);
                task.unpark();
            })
        };
        rt.run(|| {
            name.send(park::current()).unwrap();
            while !woken.load(SeqCst) {
                park::park();
            }
        });
        drop(rt);
        waker.join().unwrap();
    }
}

#[test]
fn jobs_from_outside_wait_for_the_next_run_and_are_cancelled_without_one() {
    let rt = shared(2);
    let early = rt.spawn(|| 1);
    rt.run(|| assert_eq!(early.join().unwrap(), 1));
    let late = rt.spawn(|| 2);
    drop(rt);
    assert!(matches!(late.join(), Err(JoinError::Cancelled)));
}

#[test]
fn two_runs_from_two_threads_go_one_after_the_other() {
    let _watchdog = Watchdog::new("two runs");
    let rt = shared(2);
    let inside = AtomicUsize::new(0);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..50 {
                    rt.run(|| {
                        assert_eq!(inside.fetch_add(1, SeqCst), 0, "two at once");
                        rt.yield_now();
                        inside.fetch_sub(1, SeqCst);
                    });
                }
            });
        }
    });
}

#[test]
fn a_task_that_is_spawned_at_the_end_is_refused() {
    struct SpawnsLate(SharedQueue, Arc<AtomicUsize>);
    impl Drop for SpawnsLate {
        fn drop(&mut self) {
            let refused = self.0.try_spawn(|| ()).unwrap_err().to_string();
            assert!(refused.contains("the runtime is ending"), "{refused}");
            self.1.fetch_add(1, SeqCst);
        }
    }
    let rt = shared(2);
    let refused = Arc::new(AtomicUsize::new(0));
    rt.run(|| {
        let late = SpawnsLate(rt.clone(), refused.clone());
        drop(rt.spawn(move || {
            let _late = late;
            park::park();
            park::park();
        }));
        rt.yield_now();
    });
    assert_eq!(refused.load(SeqCst), 1);
}

#[test]
fn more_tasks_than_are_allowed_are_refused_by_the_settings_name() {
    const MOST: usize = 32;
    let rt = SharedQueue::builder().workers(2).max_tasks(MOST);
    let rt = rt.build().unwrap();
    rt.run(|| {
        let (tx, rx) = bounded::<()>(0);
        let mut tasks = Vec::new();
        let error = loop {
            let rx = rx.clone();
            match rt.try_spawn(move || _ = rx.recv()) {
                Ok(task) => tasks.push(task),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("max_tasks"), "{error}");
        assert_eq!(tasks.len(), MOST - 1, "and the first task");
        drop(tx);
        tasks.into_iter().for_each(|task| task.join().unwrap());
        // There is room again, wherever the tasks ended.
        let again: Vec<_> = (0..MOST - 1)
            .map(|_| rt.try_spawn(|| ()).map(|task| task.join().unwrap()))
            .collect();
        assert!(again.iter().all(Result::is_ok));
    });
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let builder = SharedQueue::builder;
    let refused = [
        ("workers", "0", builder().workers(0)),
        ("workers", "1025", builder().workers(MOST_WORKERS + 1)),
        ("stack_size", "100", builder().stack_size(100)),
        (
            "stack_size",
            "18446744073709551615",
            builder().stack_size(usize::MAX),
        ),
        ("max_tasks", "0", builder().max_tasks(0)),
        (
            "max_tasks",
            "18446744073709551615",
            builder().max_tasks(usize::MAX),
        ),
        (
            "name_prefix",
            "far too long",
            builder().name_prefix("far too long"),
        ),
    ];
    for (setting, value, builder) in refused {
        let said = builder.build().unwrap_err().to_string();
        assert!(said.contains(setting) && said.contains(value), "{said}");
    }
    let smallest = builder()
        .workers(1)
        .max_tasks(1)
        .stack_size(SlotLayout::smallest());
    assert_eq!(smallest.build().unwrap().run(|| 5), 5);
}

/// Two tasks that wait for each other, so that there is one on each worker.
#[test]
fn the_threads_of_workers_have_names() {
    let _watchdog = Watchdog::new("the_threads_of_workers_have_names");
    let rt = SharedQueue::builder().workers(2).name_prefix("ours-");
    let rt = rt.build().unwrap();
    let both_run = Arc::new(Barrier::new(2));
    let name = || {
        let both_run = Arc::clone(&both_run);
        move || {
            both_run.wait();
            fs::read_to_string("/proc/thread-self/comm").unwrap()
        }
    };
    let other = rt.spawn(name());
    let names = rt.run(|| [name()(), other.join().unwrap()]);
    let named = names.iter().filter(|name| name.starts_with("ours-"));
    assert_eq!(named.count(), 1, "the caller's keeps its own: {names:?}");
}

#[test]
fn a_run_inside_of_a_task_is_refused() {
    let rt = shared(2);
    let said = rt.run(|| {
        let inner = rt.clone();
        let panic = panic::catch_unwind(AssertUnwindSafe(|| inner.run(|| ()))).unwrap_err();
        panic.downcast_ref::<&str>().map(|text| text.to_string())
    });
    assert!(said.unwrap().contains("`run` was called inside of a task"));
}

#[test]
fn called_outside_of_a_run_the_functions_are_those_of_the_thread() {
    let rt = shared(2);
    rt.yield_now();
    rt.sleep(Duration::from_millis(1));
    assert_eq!(rt.blocking(|| 3), 3);
    assert_eq!(step03::runtime::on_native_stack(|| 6), 6);
}

/// A scope's end and its tasks are on several workers; what they borrow is there until the last one has ended.
#[test]
fn a_scope_waits_for_tasks_on_all_workers() {
    let _watchdog = Watchdog::new("scopes");
    let rt = forced(3);
    rt.run(|| {
        for _ in 0..100 {
            let counts: Vec<AtomicUsize> = (0..8).map(AtomicUsize::new).collect();
            scope(&rt, |scope| {
                for count in &counts {
                    let rt = &rt;
                    scope.spawn(move || {
                        rt.yield_now();
                        count.fetch_add(1, SeqCst);
                    });
                }
            });
            let sum: usize = counts.into_iter().map(AtomicUsize::into_inner).sum();
            assert_eq!(sum, 28 + 8);
        }
    });
}

/// The counters, on one worker, where each number is known.
#[test]
fn the_snapshot_counts_what_has_happened() {
    let rt = shared(1);
    rt.run(|| {
        let (tx, rx) = bounded::<()>(0);
        // It begins, parks in `recv`, and is woken by the send.
        let receiver = rt.spawn(move || rx.recv().unwrap());
        rt.yield_now();
        tx.send(()).unwrap();
        receiver.join().unwrap();
    });
    let seen = rt.snapshot();
    assert_eq!((seen.spawned, seen.finished), (2, 2), "{seen}");
    // The receiver has parked once, and the first task in `join`.
    assert_eq!((seen.parks, seen.wakes), (2, 2), "{seen}");
    // Begun, begun, after the yield, after the send, after the end.
    assert_eq!(seen.switches, 5, "{seen}");
    assert_eq!((seen.migrations, seen.idles), (0, 0), "{seen}");
    let line = seen.to_string();
    assert!(
        line.starts_with("spawned=2 finished=2 switches=5 parks=2 wakes=2"),
        "{line}"
    );
    // A worker that has nothing to do counts that.
    rt.run(|| rt.sleep(Duration::from_millis(1)));
    assert!(rt.snapshot().idles > 0);
}
