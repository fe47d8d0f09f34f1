//! The round-robin runtime: what it promises beyond the contract. What ends the process is in `subprocess/` and
//! `deadlock.rs`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use step01::{
    ForcedUnwind, JoinError, JoinHandle, Runtime, bounded, never, park, scope, unbounded,
};
use step02::{RoundRobin, SlotLayout};

type Log = Arc<Mutex<Vec<String>>>;

fn say(log: &Log, text: impl Into<String>) {
    log.lock().unwrap().push(text.into());
}

fn said(log: &Log) -> Vec<String> {
    log.lock().unwrap().clone()
}

/// Says so when it is dropped.
struct Says(String, Log);

impl Drop for Says {
    fn drop(&mut self) {
        say(&self.1, &self.0);
    }
}

#[test]
fn tasks_take_turns_in_the_order_in_which_they_were_spawned() {
    let rt = RoundRobin::new();
    let log = Log::default();
    rt.run(|| {
        let tasks: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let (rt, log) = (rt.clone(), log.clone());
                rt.clone().spawn(move || {
                    for turn in 0..3 {
                        say(&log, format!("{name}{turn}"));
                        rt.yield_now();
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(
        said(&log),
        ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]
    );
}

#[test]
fn one_task_that_blocks_makes_all_others_wait() {
    let rt = RoundRobin::new();
    let log = Log::default();
    rt.run(|| {
        let (rt2, log2) = (rt.clone(), log.clone());
        let blocks = rt.spawn(move || {
            rt2.blocking(|| std::thread::sleep(Duration::from_millis(5)));
            say(&log2, "back from the kernel");
        });
        let log2 = log.clone();
        let waits = rt.spawn(move || say(&log2, "the other one"));
        blocks.join().unwrap();
        waits.join().unwrap();
    });
    assert_eq!(said(&log), ["back from the kernel", "the other one"]);
}

#[test]
fn what_is_left_when_main_returns_is_unwound_the_newest_first() {
    let rt = RoundRobin::new();
    let log = Log::default();
    let handles: Vec<JoinHandle<()>> = rt.run(|| {
        let handles = (0..4)
            .map(|n| {
                let held = Says(format!("task {n}"), log.clone());
                rt.spawn(move || {
                    let _held = held;
                    let _ = never::<()>().recv();
                })
            })
            .collect();
        rt.yield_now(); // all of them begin, and park
        let held = Says("never begun".into(), log.clone());
        drop(rt.spawn(move || drop(held)));
        handles
    });
    assert_eq!(
        said(&log),
        ["never begun", "task 3", "task 2", "task 1", "task 0"]
    );
    for handle in handles {
        assert!(matches!(handle.join(), Err(JoinError::Cancelled)));
    }
    assert_eq!(rt.run(|| 5), 5);
}

#[test]
fn a_scope_that_is_left_waits_for_nobody_that_is_gone() {
    let rt = RoundRobin::new();
    let log = Log::default();
    rt.run(|| {
        let (rt2, log2) = (rt.clone(), log.clone());
        drop(rt.spawn(move || {
            let owned = Says("the owner".into(), log2.clone());
            scope(&rt2, |s| {
                for n in 0..3 {
                    let (owned, log) = (&owned, log2.clone());
                    s.spawn(move || {
                        let _held = Says(format!("child {n} of {}", owned.0), log);
                        park::park();
                        let _ = never::<()>().recv();
                    });
                }
            });
        }));
        rt.yield_now();
        rt.yield_now();
    });
    assert_eq!(
        said(&log),
        [
            "child 2 of the owner",
            "child 1 of the owner",
            "child 0 of the owner",
            "the owner"
        ]
    );
}

#[test]
fn a_task_that_survives_panics_ends_with_its_runtime_all_the_same() {
    let rt = RoundRobin::new();
    let caught = Arc::new(AtomicUsize::new(0));
    rt.run(|| {
        let (seen, rt2) = (caught.clone(), rt.clone());
        drop(rt.spawn(move || {
            // As a server does that is not to die of one bad request. It gives up after three.
            for _ in 0..3 {
                let result = panic::catch_unwind(AssertUnwindSafe(|| never::<()>().recv()));
                assert!(result.unwrap_err().is::<ForcedUnwind>());
                seen.fetch_add(1, SeqCst);
            }
            rt2.spawn(|| ()).join().unwrap_err();
        }));
        rt.yield_now();
    });
    assert_eq!(caught.load(SeqCst), 3);
}

#[test]
fn a_task_that_is_spawned_at_the_end_is_refused() {
    struct Spawns(RoundRobin, Log);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let error = self.0.try_spawn(|| ()).unwrap_err();
            say(&self.1, error.to_string());
        }
    }
    let rt = RoundRobin::new();
    let log = Log::default();
    rt.run(|| {
        let spawns = Spawns(rt.clone(), log.clone());
        drop(rt.spawn(move || {
            let _spawns = spawns;
            park::park();
            let _ = never::<()>().recv();
        }));
        rt.yield_now();
    });
    assert!(
        said(&log)[0].contains("the runtime is ending"),
        "{:?}",
        said(&log)
    );
}

#[test]
fn tasks_that_run_to_their_end_share_one_stack() {
    let rt = RoundRobin::new();
    rt.run(|| {
        let tasks: Vec<_> = (0..1000).map(|n| rt.spawn(move || n)).collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), n);
        }
    });
    // Main's, and that of all the others.
    assert_eq!(rt.stack_counts().opened, 2);
    assert_eq!(rt.stack_counts().reused, 999);
}

#[test]
fn more_tasks_than_there_are_stacks_are_refused_by_the_settings_name() {
    let rt = RoundRobin::builder().max_tasks(10).build().unwrap();
    rt.run(|| {
        let parked: Vec<_> = (0..9).map(|_| rt.try_spawn(park::park).unwrap()).collect();
        let text = rt.try_spawn(|| ()).unwrap_err().to_string();
        assert!(
            text.contains("all 10 stacks") && text.contains("max_tasks(count)"),
            "{text}"
        );
        assert!(matches!(
            rt.spawn(|| ()).join(),
            Err(JoinError::NotStarted(_))
        ));
        let rt2 = rt.clone();
        let outside = std::thread::spawn(move || rt2.try_spawn(|| ()).is_err());
        assert!(outside.join().unwrap());
        drop(parked);
    });
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    for (builder, setting) in [
        (RoundRobin::builder().stack_size(0), "stack_size"),
        (RoundRobin::builder().stack_size(usize::MAX), "stack_size"),
        (RoundRobin::builder().max_tasks(0), "max_tasks"),
        (RoundRobin::builder().max_tasks(usize::MAX), "max_tasks"),
    ] {
        assert_eq!(builder.build().unwrap_err().setting(), setting);
    }
    let builder = RoundRobin::builder().stack_size(100_000).max_tasks(64);
    let rt = builder.build().unwrap();
    assert_eq!(rt.layout(), SlotLayout::new(128 << 10).unwrap());
}

#[test]
fn a_run_inside_of_a_task_is_refused() {
    let rt = RoundRobin::new();
    let text = rt.run(|| {
        let inner = panic::catch_unwind(AssertUnwindSafe(|| rt.run(|| ())));
        *inner.unwrap_err().downcast::<&str>().unwrap()
    });
    assert!(text.contains("`run` was called inside of a task"), "{text}");
}

#[test]
fn jobs_from_outside_wait_for_the_next_run_and_are_cancelled_without_one() {
    let rt = RoundRobin::new();
    let early = rt.spawn(|| 7);
    assert!(!early.is_finished());
    assert_eq!(rt.run(|| early.join().unwrap()), 7);
    let late = rt.spawn(|| 8);
    drop(rt);
    assert!(matches!(late.join(), Err(JoinError::Cancelled)));
}

#[test]
fn two_runs_from_two_threads_go_one_after_the_other() {
    let rt = RoundRobin::new();
    let running = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (rt, running) = (rt.clone(), running.clone());
            std::thread::spawn(move || {
                rt.run(|| {
                    assert_eq!(running.fetch_add(1, SeqCst), 0);
                    for _ in 0..100 {
                        rt.yield_now();
                    }
                    running.fetch_sub(1, SeqCst);
                })
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn wake_ups_from_many_threads_all_arrive() {
    const THREADS: usize = 4;
    const EACH: usize = 500;
    let rt = RoundRobin::new();
    rt.run(|| {
        let (tx, rx) = bounded(3);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let tx = tx.clone();
                std::thread::spawn(move || (0..EACH).for_each(|n| tx.send(n).unwrap()))
            })
            .collect();
        drop(tx);
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                rt.spawn(move || rx.iter().sum::<usize>())
            })
            .collect();
        drop(rx);
        let sum: usize = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, THREADS * EACH * (EACH - 1) / 2);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn tasks_that_yield_to_each_other_for_ever_do_not_keep_timers_and_threads_out() {
    let rt = RoundRobin::new();
    rt.run(|| {
        for _ in 0..3 {
            let rt2 = rt.clone();
            drop(rt.spawn(move || {
                loop {
                    rt2.yield_now();
                }
            }));
        }
        rt.sleep(Duration::from_millis(2));
        let (tx, rx) = unbounded();
        let outside = std::thread::spawn(move || tx.send(()).unwrap());
        rx.recv().unwrap();
        outside.join().unwrap();
    });
}

#[test]
fn deadlines_that_are_not_met_leave_nothing_behind() {
    let rt = RoundRobin::new();
    rt.run(|| {
        let (tx, rx) = bounded(0);
        let rounds = 10_000;
        let receiver = rt.spawn(move || {
            for _ in 0..rounds {
                rx.recv_timeout(Duration::from_secs(3600)).unwrap();
            }
        });
        for n in 0..rounds {
            tx.send(n).unwrap();
        }
        receiver.join().unwrap();
    });
    assert!(rt.timer_count() <= 64, "{}", rt.timer_count());
}

#[test]
fn a_panicking_task_does_not_switch_in_its_destructors() {
    struct Yields(RoundRobin, Log);
    impl Drop for Yields {
        fn drop(&mut self) {
            say(&self.1, "unwinding");
            self.0.yield_now();
            say(&self.1, "still");
        }
    }
    let rt = RoundRobin::new();
    let log = Log::default();
    rt.run(|| {
        let yields = Yields(rt.clone(), log.clone());
        let panics = rt.spawn(move || {
            let _yields = yields;
            panic::resume_unwind(Box::new(1u8));
        });
        let log2 = log.clone();
        let other = rt.spawn(move || {
            assert!(!std::thread::panicking());
            say(&log2, "other");
        });
        assert!(panics.join().is_err());
        other.join().unwrap();
    });
    assert_eq!(said(&log), ["unwinding", "still", "other"]);
}

#[test]
fn a_run_in_a_destructor_works_while_the_thread_panics() {
    struct Runs(Arc<AtomicUsize>);
    impl Drop for Runs {
        fn drop(&mut self) {
            let rt = RoundRobin::builder().max_tasks(8).build().unwrap();
            let sum = rt.run(|| {
                let tasks: Vec<_> = (1..4)
                    .map(|n| {
                        let rt2 = rt.clone();
                        rt.spawn(move || {
                            rt2.yield_now();
                            n
                        })
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join().unwrap()).sum()
            });
            self.0.store(sum, SeqCst);
        }
    }
    let sum = Arc::new(AtomicUsize::new(0));
    let runs = Runs(sum.clone());
    let result = panic::catch_unwind(AssertUnwindSafe(move || {
        let _runs = runs;
        panic::resume_unwind(Box::new(()));
    }));
    assert!(result.is_err());
    assert_eq!(sum.load(SeqCst), 6);
}

#[test]
fn called_outside_of_a_run_the_functions_are_those_of_the_thread() {
    let rt = RoundRobin::new();
    rt.yield_now();
    let start = Instant::now();
    rt.sleep(Duration::from_millis(1));
    assert!(start.elapsed() >= Duration::from_millis(1));
    assert_eq!(rt.blocking(|| 3), 3);
}

/// Where a name is looked up the C library is called, and it may want more stack than a task has. So the resolver runs on
/// the thread's own, its panics come back to the task, and a task can do without a runtime around it.
#[test]
fn names_are_looked_up_on_the_threads_own_stack() {
    use std::net::{SocketAddr, ToSocketAddrs};
    use step01::Net as _;

    fn here() -> usize {
        step02::arch::stack_pointer().addr()
    }
    struct Resolver(Arc<AtomicUsize>);
    impl ToSocketAddrs for Resolver {
        type Iter = std::vec::IntoIter<SocketAddr>;
        fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
            self.0.store(here(), SeqCst);
            Ok(vec![([127, 0, 0, 1], 0).into()].into_iter())
        }
    }

    let rt = RoundRobin::builder().max_tasks(64).build().unwrap();
    let own = here();
    let at = Arc::new(AtomicUsize::new(0));
    rt.run(|| {
        assert!(
            own.abs_diff(here()) > 1 << 20,
            "a task has a stack of its own"
        );
        rt.net().listen(Resolver(at.clone())).unwrap();
        assert!(own.abs_diff(at.load(SeqCst)) < 1 << 20);

        let caught =
            panic::catch_unwind(|| step02::round_robin::on_native_stack(|| panic::panic_any(7)));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&7));
        assert_eq!(step02::round_robin::on_native_stack(|| 5), 5);
    });
    assert_eq!(step02::round_robin::on_native_stack(|| 6), 6);
}
