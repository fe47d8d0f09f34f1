//! Judges a scheduler: the order of turns, what a task may do in its turn, panics, and the use of stacks.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use step02::{Region, SlotLayout, StackPool};

#[cfg_attr(feature = "solutions", path = "solution.rs")]
#[cfg_attr(not(feature = "solutions"), path = "exercise.rs")]
#[allow(unused, unreachable_pub)]
mod exercise;

use exercise::Scheduler;

/// A scheduler with room for so many stacks at a time.
fn scheduler(stacks: usize) -> Scheduler {
    Scheduler::new(StackPool::new(
        Region::map(SlotLayout::default(), stacks).unwrap(),
    ))
}

type Log<T> = Rc<RefCell<Vec<T>>>;

#[test]
fn tasks_take_turns_in_the_order_in_which_they_were_spawned() {
    let scheduler = scheduler(4);
    let log: Log<(u32, char)> = Log::default();
    for (task, turns) in [('a', 3), ('b', 1), ('c', 2)] {
        let log = log.clone();
        scheduler.spawn(move |turn| {
            for n in 0..turns {
                if n > 0 {
                    turn.yield_now();
                }
                log.borrow_mut().push((n, task));
            }
        });
    }
    assert!(log.borrow().is_empty(), "a task ran before `run`");
    assert_eq!(scheduler.run(), 0);
    let expected = [(0, 'a'), (0, 'b'), (0, 'c'), (1, 'a'), (1, 'c'), (2, 'a')];
    assert_eq!(*log.borrow(), expected, "the turns were not given in order");
}

#[test]
fn a_task_may_spawn_and_the_new_one_goes_behind_those_that_wait() {
    let scheduler = scheduler(4);
    let log: Log<&str> = Log::default();
    let (inner, inside) = (scheduler.clone(), log.clone());
    scheduler.spawn(move |turn| {
        inside.borrow_mut().push("first");
        let log = inside.clone();
        let spawned = catch_unwind(AssertUnwindSafe(|| {
            inner.spawn(move |_| log.borrow_mut().push("spawned"));
        }));
        if spawned.is_err() {
            inside.borrow_mut().push("spawning panicked");
        }
        turn.yield_now();
        inside.borrow_mut().push("first again");
    });
    let inside = log.clone();
    scheduler.spawn(move |_| inside.borrow_mut().push("second"));
    scheduler.run();
    let log = log.borrow();
    assert!(
        !log.contains(&"spawning panicked"),
        "a task spawned another one in its turn, and that panicked: what is borrowed while a task runs?"
    );
    assert_eq!(*log, ["first", "second", "spawned", "first again"]);
}

#[test]
fn a_panic_ends_its_task_and_no_other() {
    let scheduler = scheduler(4);
    let log: Log<&str> = Log::default();
    scheduler.spawn(|turn| {
        turn.yield_now();
        panic!("boom");
    });
    let inside = log.clone();
    scheduler.spawn(move |turn| {
        for _ in 0..3 {
            turn.yield_now();
        }
        inside.borrow_mut().push("the other one is done");
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| scheduler.run()));
    assert!(panicked.is_ok(), "the panic of one task came out of `run`");
    assert_eq!(panicked.unwrap(), 1, "one task has panicked");
    assert_eq!(*log.borrow(), ["the other one is done"]);
    let counts = scheduler.counts();
    assert_eq!(
        (counts.opened, counts.returned),
        (2, 2),
        "two tasks had a stack each, and gave back so many"
    );
}

#[test]
fn tasks_that_do_not_yield_share_one_stack() {
    let scheduler = scheduler(10);
    let log: Log<u32> = Log::default();
    let tasks = 1_000;
    for n in 0..tasks {
        let log = log.clone();
        scheduler.spawn(move |_| log.borrow_mut().push(n));
    }
    let counts = scheduler.counts();
    assert_eq!(counts.opened, 0, "a task has a stack before it first runs");
    scheduler.run();
    assert!(log.borrow().iter().copied().eq(0..tasks));
    let counts = scheduler.counts();
    assert_eq!(
        counts.opened, 1,
        "tasks that never yield need one stack, one after the other"
    );
    assert_eq!(
        counts.returned,
        u64::from(tasks),
        "each task gives its stack back to the pool"
    );
}

#[test]
fn tasks_that_have_yielded_have_a_stack_each() {
    let scheduler = scheduler(50);
    for _ in 0..50 {
        scheduler.spawn(|turn| {
            turn.yield_now();
            turn.yield_now();
        });
    }
    scheduler.run();
    let counts = scheduler.counts();
    assert_eq!((counts.opened, counts.returned), (50, 50));
    // And the next fifty use them again.
    for _ in 0..50 {
        scheduler.spawn(|turn| turn.yield_now());
    }
    scheduler.run();
    let counts = scheduler.counts();
    assert_eq!(
        (counts.opened, counts.reused, counts.returned),
        (50, 50, 100),
        "stacks that were given back are used again"
    );
}

#[test]
fn many_tasks_with_many_turns_all_come_to_their_end() {
    let scheduler = scheduler(100);
    let log: Log<(u32, u32)> = Log::default();
    for task in 0..100 {
        let log = log.clone();
        scheduler.spawn(move |turn| {
            for n in 0..task % 7 {
                log.borrow_mut().push((n, task));
                turn.yield_now();
            }
        });
    }
    assert_eq!(scheduler.run(), 0);
    // In every round those that are still there, in the order of their numbers.
    let expected: Vec<_> = (0..7)
        .flat_map(|n| {
            (0..100)
                .filter(move |task| n < task % 7)
                .map(move |task| (n, task))
        })
        .collect();
    assert_eq!(*log.borrow(), expected, "the turns were not given in order");
}
