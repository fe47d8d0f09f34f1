//! Wait group, semaphore, once, scope: what makes several tasks one thing.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use step01::{Once, Runtime, Semaphore, WaitGroup, scope};

use super::let_others_run;
use super::tasks::panic_quietly;

const SHORT: Duration = Duration::from_millis(2);

pub(super) fn a_wait_group_waits_for_all<R: Runtime>(rt: &R) {
    rt.run(|| {
        let group = Arc::new(WaitGroup::new());
        group.wait(); // for nobody
        let done = Arc::new(AtomicUsize::new(0));
        for round in 1..=3 {
            group.add(20);
            for _ in 0..20 {
                let (rt2, group, done) = (rt.clone(), group.clone(), done.clone());
                drop(rt.spawn(move || {
                    rt2.yield_now();
                    done.fetch_add(1, SeqCst);
                    group.done();
                }));
            }
            group.wait();
            assert_eq!(done.load(SeqCst), 20 * round);
        }
        group.add(1);
        let deadline = Instant::now() + SHORT;
        assert!(!group.wait_deadline(deadline));
        assert!(Instant::now() >= deadline);
        group.done();
        assert!(group.wait_deadline(deadline), "zero is zero, however late");
    });
}

pub(super) fn a_wait_group_wakes_all_who_wait<R: Runtime>(rt: &R) {
    rt.run(|| {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiting: Vec<_> = (0..30)
            .map(|_| {
                let group = group.clone();
                rt.spawn(move || group.wait())
            })
            .collect();
        let_others_run(rt);
        assert!(waiting.iter().all(|task| !task.is_finished()));
        group.done();
        for task in waiting {
            task.join().unwrap();
        }
        let too_many = panic::catch_unwind(AssertUnwindSafe(|| {
            // The message is part of this test.
            group.done();
        }));
        let payload = too_many.unwrap_err();
        let text = payload.downcast_ref::<&str>().copied().unwrap_or_default();
        assert!(text.contains("negative WaitGroup counter"), "{text}");
    });
}

pub(super) fn a_semaphore_lets_so_many_in<R: Runtime>(rt: &R) {
    rt.run(|| {
        let seats = Arc::new(Semaphore::new(3));
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (rt2, seats, inside) = (rt.clone(), seats.clone(), inside.clone());
                rt.spawn(move || {
                    let wanted = 1 + i % 3;
                    for _ in 0..10 {
                        let permit = seats.acquire(wanted);
                        let taken = inside.fetch_add(wanted, SeqCst) + wanted;
                        assert!(taken <= 3, "{taken} of 3 are taken");
                        rt2.yield_now();
                        inside.fetch_sub(wanted, SeqCst);
                        drop(permit);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(seats.available(), 3);
    });
}

pub(super) fn a_semaphore_gives_up_in_time<R: Runtime>(rt: &R) {
    rt.run(|| {
        let seats = Arc::new(Semaphore::new(2));
        let one = seats.acquire(1);
        assert!(seats.try_acquire(2).is_none());
        let deadline = Instant::now() + SHORT;
        assert!(seats.acquire_deadline(2, deadline).is_none());
        assert!(Instant::now() >= deadline);
        // Who has given up is in nobody's way.
        drop(seats.try_acquire(1).unwrap());
        drop(one);
        let two = seats.acquire(2);
        let theirs = seats.clone();
        let task = rt.spawn(move || theirs.acquire(1).count());
        let_others_run(rt);
        assert!(!task.is_finished());
        two.forget();
        seats.release(1);
        assert_eq!(task.join().unwrap(), 1);
        assert_eq!(seats.available(), 1);
    });
}

pub(super) fn once_runs_once<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (once, runs) = (Arc::new(Once::new()), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (rt2, once, runs) = (rt.clone(), once.clone(), runs.clone());
                rt.spawn(move || {
                    once.call_once(|| {
                        rt2.sleep(Duration::from_micros(200)); // the others come meanwhile
                        runs.fetch_add(1, SeqCst);
                    });
                    // Whoever ran it: it has been done by now.
                    assert_eq!(runs.load(SeqCst), 1);
                    assert!(once.is_completed());
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

pub(super) fn once_tries_again_after_a_panic<R: Runtime>(rt: &R) {
    rt.run(|| {
        let once = Arc::new(Once::new());
        let theirs = once.clone();
        let task = rt.spawn(move || theirs.call_once(|| panic_quietly("not this time")));
        assert!(task.join().is_err());
        assert!(!once.is_completed());
        let mut runs = 0;
        once.call_once(|| runs += 1);
        assert!(once.is_completed());
        assert_eq!(runs, 1);
    });
}

pub(super) fn a_scope_lends_its_stack<R: Runtime>(rt: &R) {
    rt.run(|| {
        let text = String::from("from threads to goroutines");
        let mut lengths = [0; 4];
        let total = scope(rt, |s| {
            for (length, word) in lengths.iter_mut().zip(text.split(' ')) {
                s.spawn(move || *length = word.len());
            }
            let whole = s.spawn(|| text.len());
            let nested = s.spawn(|| s.spawn(|| text.len() * 2).join().unwrap());
            (whole.join().unwrap(), nested.join().unwrap())
        });
        assert_eq!((lengths, total), ([4, 7, 2, 10], (26, 52)));
    });
}

pub(super) fn a_scope_ends_after_its_tasks<R: Runtime>(rt: &R) {
    rt.run(|| {
        for round in 0..20 {
            let ended = AtomicUsize::new(0);
            scope(rt, |s| {
                for _ in 0..10 {
                    s.spawn(|| {
                        (0..round).for_each(|_| rt.yield_now());
                        ended.fetch_add(1, SeqCst);
                    });
                }
            });
            assert_eq!(ended.load(SeqCst), 10);
        }
    });
}

pub(super) fn a_panic_in_a_scope_comes_out_at_its_end<R: Runtime>(rt: &R) {
    rt.run(|| {
        let ended = AtomicUsize::new(0);
        // The panic of the closure itself: not before the tasks are over, which still borrow.
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            scope(rt, |s| {
                s.spawn(|| {
                    let_others_run(rt);
                    ended.fetch_add(1, SeqCst);
                });
                panic_quietly("of the closure");
            });
        }));
        let payload = result.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"of the closure"));
        assert_eq!(ended.load(SeqCst), 1);
        // The panic of a task that is joined is the joiner's affair.
        let joined = scope(rt, |s| {
            s.spawn(|| panic_quietly("of a task")).join().map(|()| 0)
        });
        assert!(joined.is_err());
        // Of one that is not, the scope's. (The message that follows is part of this test.)
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            scope(rt, |s| {
                drop(s.spawn::<_, ()>(|| panic_quietly("of a task")))
            });
        }));
        assert!(result.is_err());
    });
}
