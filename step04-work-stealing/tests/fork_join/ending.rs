//! A runtime that ends in the middle of forks: every frame is unwound once, borrowers before those they borrow from.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

use step01::{ForcedUnwind, Runtime, bounded, park};
use step04::{join, scope};
use workloads::testing::Watchdog;

use crate::{Flag, runtime};

/// What was dropped, in order.
#[derive(Default)]
struct Log(Mutex<Vec<&'static str>>);

impl Log {
    fn entry(&'static self, name: &'static str) -> Entry {
        Entry(self, name)
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Entry(&'static Log, &'static str);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

fn leaked<T: Default>() -> &'static T {
    Box::leak(Box::default())
}

fn park_for_ever() -> ! {
    loop {
        park::park();
    }
}

/// The job was stolen and never ends, and the joiner waits for it.
#[test]
fn while_a_joiner_waits() {
    let _watchdog = Watchdog::new("while_a_joiner_waits");
    let rt = runtime(2);
    let (log, began) = (leaked::<Log>(), leaked::<Flag>());
    let (tell, told) = bounded(1);
    rt.run(|| {
        rt.spawn(move || {
            let frame = log.entry("frame");
            join(
                || began.wait(),
                || {
                    let _borrows = (&frame, log.entry("job"));
                    began.set();
                    tell.send(()).unwrap();
                    park_for_ever()
                },
            )
        });
        told.recv().unwrap();
    });
    assert_eq!(log.take(), ["job", "frame"]);
}

/// The job was stolen and never ends; nor does `a`.
#[test]
fn while_both_halves_park() {
    let _watchdog = Watchdog::new("while_both_halves_park");
    let rt = runtime(2);
    let (log, began) = (leaked::<Log>(), leaked::<Flag>());
    let (tell, told) = bounded(1);
    rt.run(|| {
        rt.spawn(move || {
            let frame = log.entry("frame");
            join(
                || {
                    let _a = log.entry("a");
                    began.wait();
                    park_for_ever()
                },
                || {
                    let _borrows = (&frame, log.entry("b"));
                    began.set();
                    tell.send(()).unwrap();
                    park_for_ever()
                },
            )
        });
        told.recv().unwrap();
    });
    assert_eq!(log.take(), ["b", "a", "frame"]);
}

/// Nobody has stolen the job: it is dropped with the frame, and not called.
#[test]
fn while_a_parks_and_b_has_not_begun() {
    let _watchdog = Watchdog::new("while_a_parks_and_b_has_not_begun");
    let rt = runtime(1);
    let (log, parks) = (leaked::<Log>(), leaked::<Flag>());
    rt.run(|| {
        rt.spawn(move || {
            let _frame = log.entry("frame");
            let job = log.entry("job");
            join(
                || {
                    parks.set();
                    park_for_ever()
                },
                || {
                    let _job = job;
                    unreachable!("the runtime ends")
                },
            )
        });
        while !parks.is_set() {
            rt.yield_now();
        }
    });
    assert_eq!(log.take(), ["job", "frame"]);
}

/// A helper that was there *before* its victim: by their numbers at birth it would be unwound after it, and the victim's
/// frame would go while the job uses it.
#[test]
fn an_old_helper_with_a_young_victim() {
    let _watchdog = Watchdog::new("an_old_helper_with_a_young_victim");
    // One worker for the first task, one for the helper, one for the victim: all of them busy until the job has begun.
    let rt = runtime(3);
    let log = leaked::<Log>();
    let (began_0, forked, began_1) = (leaked::<Flag>(), leaked::<Flag>(), leaked::<Flag>());
    rt.run(|| {
        join(
            || {
                began_0.wait(); // the helper is there
                rt.spawn(move || {
                    let frame = log.entry("frame");
                    join(
                        || {
                            forked.set();
                            began_1.wait();
                        },
                        || {
                            let _borrows = (&frame, log.entry("job"));
                            began_1.set();
                            park_for_ever()
                        },
                    )
                });
                began_1.wait();
            },
            || {
                began_0.set();
                forked.wait(); // then it is this helper that finds the job: everyone else is busy
            },
        );
    });
    assert_eq!(log.take(), ["job", "frame"]);
}

/// The same for a scope: a stolen job parks, and one that has not begun is dropped.
#[test]
fn while_a_scope_waits() {
    let _watchdog = Watchdog::new("while_a_scope_waits");
    let rt = runtime(2);
    let (log, began) = (leaked::<Log>(), leaked::<Flag>());
    let (tell, told) = bounded(1);
    rt.run(|| {
        rt.spawn(move || {
            let frame = log.entry("frame");
            let frame = &frame;
            scope(|s| {
                s.spawn(move || {
                    let _borrows = (frame, log.entry("stolen"));
                    began.set();
                    tell.send(()).unwrap();
                    park_for_ever()
                });
                began.wait();
            });
        });
        told.recv().unwrap();
    });
    assert_eq!(log.take(), ["stolen", "frame"]);

    let rt = runtime(1);
    let parks = leaked::<Flag>();
    rt.run(|| {
        rt.spawn(move || {
            let _frame = log.entry("frame");
            scope(|s| {
                let job = log.entry("not begun");
                s.spawn(move || {
                    let _job = job;
                    unreachable!("the runtime ends")
                });
                parks.set();
                park_for_ever()
            })
        });
        while !parks.is_set() {
            rt.yield_now();
        }
    });
    assert_eq!(log.take(), ["not begun", "frame"]);
}

/// A task that catches the unwinding with which it is ended, and forks again: one half after the other, and nothing is
/// stolen any more.
#[test]
fn a_fork_of_a_task_that_is_being_ended() {
    let _watchdog = Watchdog::new("a_fork_of_a_task_that_is_being_ended");
    let rt = runtime(2);
    let (log, parks) = (leaked::<Log>(), leaked::<Flag>());
    rt.run(|| {
        rt.spawn(move || {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| {
                join(
                    || {
                        parks.set();
                        park_for_ever()
                    },
                    || (),
                )
            }));
            let payload = ended.unwrap_err();
            assert!(payload.is::<ForcedUnwind>());
            assert_eq!(join(|| 1, || 2), (1, 2));
            scope(|s| s.spawn(|| drop(log.entry("job"))));
            panic::resume_unwind(payload);
        });
        parks.wait();
    });
    assert_eq!(log.take(), ["job"]);
}

/// Runtimes that end at any moment of a computation that forks all the time.
#[test]
fn at_any_moment() {
    fn fib(n: u32) -> u64 {
        if n < 2 {
            return n.into();
        }
        if n == 9 {
            step03::runtime::yield_now();
        }
        let (a, b) = join(|| fib(n - 1), || fib(n - 2));
        a + b
    }
    let _watchdog = Watchdog::new("at_any_moment");
    for round in 0..200 {
        let rt = runtime(1 + round % 4);
        rt.run(|| {
            for _ in 0..4 {
                rt.spawn(|| fib(18));
            }
            (0..round).for_each(|_| rt.yield_now());
        });
        let snapshot = rt.snapshot();
        assert_eq!(snapshot.spawned, snapshot.finished, "round {round}");
        assert_eq!(rt.run(|| fib(10)), 55, "it runs again");
    }
}
