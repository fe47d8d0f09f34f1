//! Tasks that are made to move: to another thread at every turn.
//!
//! The bodies are in `workloads::hazards`; step 4 runs them with its own policy. Here a policy of this test's sends each
//! task elsewhere each time (`common/elsewhere.rs`), 100,000 times, and `.ci/soak` runs this in release mode too, where
//! compilers do what makes moving dangerous.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use step01::Runtime;
use step03::{Scheduled, SharedQueue};
use workloads::hazards;
use workloads::testing::Watchdog;

#[path = "common/elsewhere.rs"]
mod elsewhere;

use elsewhere::Elsewhere;

fn forced(workers: usize) -> Scheduled<Elsewhere> {
    SharedQueue::builder()
        .workers(workers)
        .max_tasks(1_024)
        .build_with("elsewhere", Elsewhere::new)
        .unwrap()
}

/// Bug 10: who comes back from a park on another thread still knows who it is, and where.
#[test]
fn who_am_i_after_a_hundred_thousand_moves() {
    let _watchdog = Watchdog::new("forced migration");
    let rt = forced(2);
    let mut moved = 0;
    while moved < 100_000 {
        moved += hazards::who_am_i(&rt, 3, 20_000);
    }
    let seen = rt.snapshot();
    assert!(seen.migrations >= moved, "{moved} moves, and {seen}");
}

/// The same, for the ones that only yield: each turn of each task is on another thread.
#[test]
fn each_yield_is_a_move() {
    const TURNS: u64 = 10_000;
    let _watchdog = Watchdog::new("forced migration");
    for workers in [2, 3] {
        let rt = forced(workers);
        let tasks = 2 * workers as u64;
        rt.run(|| {
            let tasks: Vec<_> = (0..tasks)
                .map(|_| {
                    let rt2 = rt.clone();
                    rt.spawn(move || (0..TURNS).for_each(|_| rt2.yield_now()))
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
        let seen = rt.snapshot();
        assert!(seen.migrations >= tasks * TURNS, "{seen}");
        assert!(seen.switches >= seen.migrations, "{seen}");
    }
}

/// A task's own values move with it, those that are not `Send` too: they lie on its stack.
#[test]
fn what_lies_on_a_stack_moves_with_it() {
    let _watchdog = Watchdog::new("forced migration");
    let rt = forced(2);
    let sum = Arc::new(AtomicUsize::new(0));
    rt.run(|| {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (rt2, sum) = (rt.clone(), sum.clone());
                rt.spawn(move || {
                    let own = std::rc::Rc::new(Cell::new(0));
                    let other = own.clone();
                    for _ in 0..1_000 {
                        own.set(own.get() + 1);
                        rt2.yield_now();
                    }
                    sum.fetch_add(other.get(), SeqCst);
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(sum.load(SeqCst), 4_000);
}

/// Bug 11: a task that panics does not switch, be its policy ever so eager to move it.
#[test]
fn a_task_does_not_move_while_it_panics() {
    let _watchdog = Watchdog::new("yields in a panic");
    let rt = forced(2);
    hazards::no_switch_in_a_panic(&rt, 4, 500);
    assert!(rt.snapshot().migrations > 0);
}

/// Bug 25, the half of it that works.
#[test]
fn a_lock_is_taken_along() {
    let _watchdog = Watchdog::new("a lock held across a switch");
    hazards::our_lock_across_a_switch(&forced(2), 4, 500);
}

/// The three bodies with the policy of this step.
#[test]
fn tasks_that_move_now_and_then_are_right_too() {
    let _watchdog = Watchdog::new("hazards");
    for workers in [1, 2, 4] {
        let rt = SharedQueue::builder().workers(workers).build().unwrap();
        hazards::who_am_i(&rt, 4, 2_000);
        hazards::no_switch_in_a_panic(&rt, 4, 50);
        hazards::our_lock_across_a_switch(&rt, 4, 100);
    }
}
