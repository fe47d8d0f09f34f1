//! `scope`: jobs that borrow.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use step01::{Runtime, bounded};
use step04::{join, scope};
use workloads::testing::Watchdog;

use crate::{Flag, runtime};

#[test]
fn every_job_is_done_once_before_the_scope_ends() {
    let _watchdog = Watchdog::new("every_job_is_done_once");
    for workers in [1, 2, 4] {
        let rt = runtime(workers);
        let mut counts = vec![0; 10_000];
        let value = rt.run(|| {
            scope(|s| {
                for count in &mut counts {
                    s.spawn(move || *count += 1);
                }
                "value"
            })
        });
        assert_eq!(value, "value");
        assert!(counts.iter().all(|count| *count == 1), "{workers} workers");
    }
}

#[test]
fn jobs_spawn_jobs_of_the_same_scope() {
    fn spread<'scope>(s: &'scope step04::Scope<'scope, '_>, depth: u32, done: &'scope AtomicUsize) {
        done.fetch_add(1, Relaxed);
        if depth > 0 {
            s.spawn(move || spread(s, depth - 1, done));
            s.spawn(move || spread(s, depth - 1, done));
        }
    }
    let _watchdog = Watchdog::new("jobs_spawn_jobs_of_the_same_scope");
    for workers in [1, 2, 4] {
        let rt = runtime(workers);
        let done = AtomicUsize::new(0);
        rt.run(|| scope(|s| s.spawn(|| spread(s, 12, &done))));
        assert_eq!(done.into_inner(), (1 << 13) - 1, "{workers} workers");
    }
}

/// A join inside of a scope's closure or job finds what was spawned in it above its own job, and does it.
#[test]
fn scopes_and_joins_in_each_other() {
    let _watchdog = Watchdog::new("scopes_and_joins_in_each_other");
    for workers in [1, 2, 4] {
        let rt = runtime(workers);
        let done = AtomicUsize::new(0);
        let one = || {
            done.fetch_add(1, Relaxed);
        };
        rt.run(|| {
            scope(|outer| {
                outer.spawn(one);
                let both = join(
                    || {
                        outer.spawn(one);
                        scope(|inner| {
                            inner.spawn(one);
                            outer.spawn(one);
                            inner.spawn(|| {
                                join(one, || outer.spawn(one));
                            });
                        });
                        1
                    },
                    || {
                        outer.spawn(one);
                        2
                    },
                );
                assert_eq!(both, (1, 2));
                outer.spawn(one);
            });
        });
        assert_eq!(done.into_inner(), 8, "{workers} workers");
    }
}

#[test]
fn a_scope_waits_for_the_job_that_was_stolen() {
    let _watchdog = Watchdog::new("a_scope_waits_for_the_job_that_was_stolen");
    let rt = runtime(2);
    let written = rt.run(|| {
        let (tx, rx) = bounded::<u32>(0);
        let (began, rt2) = (Flag::default(), rt.clone());
        let mut written = 0;
        scope(|s| {
            s.spawn(|| {
                began.set();
                written = rx.recv().unwrap();
            });
            began.wait();
            rt2.spawn(move || tx.send(6).unwrap());
        });
        written
    });
    assert_eq!(written, 6);
}

#[test]
fn off_a_task_jobs_are_called_at_once() {
    let here = thread::current().id();
    let mut jobs = Vec::new();
    let seen = AtomicUsize::new(0);
    scope(|s| {
        let (seen, jobs) = (&seen, &mut jobs);
        s.spawn(move || {
            jobs.push(thread::current().id());
            seen.store(1, Relaxed);
        });
        assert_eq!(seen.load(Relaxed), 1, "it is over when `spawn` returns");
    });
    assert_eq!(jobs, [here]);
}

/// A task of step 1's scope, inside of one of these, spawns into it: it has no deque of its own, so it calls the job.
#[test]
fn another_task_may_spawn_into_the_scope() {
    let _watchdog = Watchdog::new("another_task_may_spawn_into_the_scope");
    let rt = runtime(2);
    let done = AtomicUsize::new(0);
    let one = || {
        done.fetch_add(1, Relaxed);
    };
    rt.run(|| {
        scope(|s| {
            step01::scope(&rt, |tasks| {
                for _ in 0..100 {
                    tasks.spawn(|| s.spawn(one));
                    tasks.spawn(|| {
                        join(|| s.spawn(one), || s.spawn(one));
                    });
                }
            });
        });
    });
    assert_eq!(done.into_inner(), 300);
}

#[test]
fn the_first_panic_goes_on_when_all_jobs_are_over() {
    let _watchdog = Watchdog::new("the_first_panic_goes_on");
    for workers in [1, 2, 4] {
        let rt = runtime(workers);
        let done = AtomicUsize::new(0);
        rt.run(|| {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| {
                scope(|s| {
                    for n in 0..100 {
                        let done = &done;
                        s.spawn(move || {
                            done.fetch_add(1, Relaxed);
                            assert!(n % 10 != 0, "job");
                        });
                    }
                });
            }));
            let payload = ended.unwrap_err();
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"job"));
            assert_eq!(done.load(Relaxed), 100, "{workers} workers");

            // That of the closure comes first.
            let ended = panic::catch_unwind(AssertUnwindSafe(|| {
                scope(|s| {
                    s.spawn(|| {
                        done.fetch_add(1, Relaxed);
                        panic!("job")
                    });
                    panic!("closure")
                });
            }));
            assert_eq!(ended.unwrap_err().downcast_ref::<&str>(), Some(&"closure"));
            assert_eq!(done.load(Relaxed), 101);
        });
    }
}
