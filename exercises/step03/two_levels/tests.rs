//! Judges a policy: driven by hand, one decision at a time, and then with a runtime around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

use step01::{Runtime, bounded, park};
use step03::drive::Drive;
use step03::{Builder, Policy, Why};

/// Workers that have gone to sleep without a deadline, and notifications, since the start of the tests.
static SLEPT: AtomicUsize = AtomicUsize::new(0);
static NOTIFIED: AtomicUsize = AtomicUsize::new(0);

mod sync {
    pub(crate) use super::CountingCondvar as Condvar;
    pub(crate) use std::sync::Mutex;
}

/// std's condition variable, and a count of what is done with it.
#[derive(Debug)]
pub(crate) struct CountingCondvar(Condvar);

impl CountingCondvar {
    pub(crate) fn new() -> Self {
        CountingCondvar(Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        // Under the lock: whoever sees this and wants the lock gets it when the worker is asleep.
        SLEPT.fetch_add(1, SeqCst);
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        rest: Duration,
    ) -> MutexGuard<'a, T> {
        let woken = self.0.wait_timeout(guard, rest);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn notify_one(&self) {
        NOTIFIED.fetch_add(1, SeqCst);
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        NOTIFIED.fetch_add(1, SeqCst);
        self.0.notify_all();
    }
}

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub, clippy::new_without_default)]
mod exercise;

use exercise::TwoLevels;

/// A policy and so many tasks, which become ready in this order for these reasons.
fn driven(tasks: &[Why]) -> Drive<TwoLevels> {
    let mut drive = Drive::new(2, |_| TwoLevels::new());
    for why in tasks {
        let task = drive.add_task();
        drive.ready(task, Some(task % 2), *why);
    }
    drive
}

/// All tasks, in the order in which the two processors find them, taking turns.
fn order(mut drive: Drive<TwoLevels>) -> Vec<usize> {
    let mut found = Vec::new();
    while let Some(task) = drive.try_next(found.len() % 2) {
        found.push(task);
    }
    assert_eq!(drive.waiting(), 0, "tasks are ready, and nobody finds them");
    found
}

#[test]
fn who_was_woken_goes_before_who_was_not() {
    for woken in [Why::Unpark, Why::Join, Why::Timer] {
        for other in [Why::Spawn, Why::Yield, Why::Inject] {
            let found = order(driven(&[other, woken]));
            assert_eq!(
                found,
                [1, 0],
                "a task that is ready for {woken:?} came after one that is ready for {other:?}"
            );
        }
    }
}

#[test]
fn on_each_level_the_first_comes_first() {
    let found = order(driven(&[Why::Unpark, Why::Timer, Why::Join, Why::Unpark]));
    assert_eq!(found, [0, 1, 2, 3], "urgent tasks came out of order");
    let found = order(driven(&[Why::Yield, Why::Spawn, Why::Inject, Why::Spawn]));
    assert_eq!(found, [0, 1, 2, 3], "ordinary tasks came out of order");
}

#[test]
fn after_eight_urgent_ones_in_a_row_comes_an_ordinary_one() {
    let mut tasks = vec![Why::Spawn; 3];
    tasks.extend([Why::Unpark; 20]);
    let found = order(driven(&tasks));
    let ordinary: Vec<usize> = (0..found.len()).filter(|at| found[*at] < 3).collect();
    assert_eq!(
        ordinary,
        [8, 17, 22],
        "at these places of the order came the three ordinary tasks; the order was {found:?}"
    );
}

/// Two tasks that wake each other are always ready. Whoever is new must have a turn all the same.
#[test]
fn two_that_wake_each_other_do_not_starve_the_others() {
    let mut drive = driven(&[Why::Unpark, Why::Spawn]);
    let mut turns = 0;
    while drive.is_ready(1) {
        assert!(
            turns <= 1_000,
            "the two have had {turns} turns, and the ordinary task none"
        );
        if drive.try_next(0) == Some(0) {
            turns += 1;
            drive.ready(0, Some(0), Why::Unpark);
        }
    }
    assert_eq!(turns, 8, "so many turns of the two before the ordinary one");
}

/// Where no ordinary task waits nobody is kept waiting, and the row of the urgent ones is not interrupted for long.
#[test]
fn the_count_begins_anew_with_each_ordinary_task() {
    let mut drive = driven(&[Why::Unpark; 8]);
    for task in 0..8 {
        assert_eq!(drive.try_next(0), Some(task));
    }
    // An ordinary one, and after it eight urgent ones again.
    drive.ready(0, None, Why::Inject);
    assert_eq!(drive.try_next(1), Some(0));
    for task in 0..8 {
        drive.ready(task, Some(0), Why::Unpark);
    }
    let late = drive.add_task();
    drive.ready(late, Some(0), Why::Spawn);
    for place in 0..8 {
        let found = drive.try_next(1);
        assert_eq!(
            found,
            Some(place),
            "an ordinary task has just had its turn, and at place {place} of the next row comes another"
        );
    }
    assert_eq!(drive.try_next(1), Some(late));
}

#[test]
fn nothing_is_lost_in_random_schedules() {
    let mut random = fastrand::Rng::with_seed(3);
    let reasons = [
        Why::Spawn,
        Why::Unpark,
        Why::Join,
        Why::Yield,
        Why::Timer,
        Why::Inject,
    ];
    for _ in 0..200 {
        let mut drive = driven(&[]);
        for _ in 0..200 {
            if random.bool() {
                let task = drive.add_task();
                let why = reasons[random.usize(..reasons.len())];
                drive.ready(task, Some(task % 2), why);
            } else {
                let ready = drive.waiting() > 0;
                let found = drive.try_next(random.usize(..2));
                assert_eq!(found.is_some(), ready, "a task is ready, and was not found");
            }
        }
        order(drive);
    }
}

/// Spins until `there`: what it waits for comes by itself, from a worker that is awake.
fn until(mut there: impl FnMut() -> bool) {
    while !there() {
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_that_sleeps_is_woken_and_a_program_comes_to_its_end() {
    // First on one thread: a policy that panics would take a runtime with it.
    order(driven(&[Why::Spawn, Why::Unpark]));
    let rt = Builder::default()
        .workers(2)
        .max_tasks(4_096)
        .build_with("two levels", |_| TwoLevels::new())
        .unwrap();
    rt.run(|| {
        // This task has the one worker. The other has nothing to do and goes to sleep.
        until(|| SLEPT.load(SeqCst) > 0);
        let before = NOTIFIED.load(SeqCst);
        let (goes_on, ran) = (Arc::new(AtomicBool::new(false)), bounded(1));
        let task = {
            let (goes_on, ran) = (goes_on.clone(), ran.0.clone());
            rt.spawn(move || {
                ran.send((park::current(), SLEPT.load(SeqCst))).unwrap();
                while !goes_on.load(SeqCst) {
                    park::park();
                }
            })
        };
        assert!(
            NOTIFIED.load(SeqCst) > before,
            "a worker sleeps, a task was spawned, and nobody was woken"
        );
        // It runs on the other worker; ours is kept busy. Then it parks, and its worker sleeps again.
        let mut unparker = None;
        until(|| {
            unparker = ran.1.try_recv().ok();
            unparker.is_some()
        });
        let (unparker, slept) = unparker.unwrap();
        until(|| SLEPT.load(SeqCst) > slept);
        let before = NOTIFIED.load(SeqCst);
        goes_on.store(true, SeqCst);
        unparker.unpark();
        assert!(
            NOTIFIED.load(SeqCst) > before,
            "a worker sleeps, a task was unparked, and nobody was woken"
        );
        task.join().unwrap();
    });
    // And a program: tasks that hand numbers on, with three workers on whatever cores there are.
    let rt = Builder::default()
        .workers(3)
        .max_tasks(4_096)
        .build_with("two levels", |_| TwoLevels::new())
        .unwrap();
    let sum: u64 = rt.run(|| {
        let (first, mut last) = bounded(1);
        for stage in 0..50 {
            let (tx, rx) = bounded(stage % 3);
            rt.spawn(move || {
                last.iter().for_each(|n: u64| tx.send(n + 1).unwrap());
            });
            last = rx;
        }
        rt.spawn(move || (0..100).for_each(|n| first.send(n).unwrap()));
        last.iter().sum()
    });
    assert_eq!(sum, (0..100).sum::<u64>() + 50 * 100);
}

/// It is a policy as any other.
#[test]
fn the_policy_is_send_and_sync() {
    fn is_policy<P: Policy>() {}
    is_policy::<TwoLevels>();
}
