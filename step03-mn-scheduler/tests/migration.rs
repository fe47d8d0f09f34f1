//! Tasks that are made to move: to another thread at every turn.
//!
//! The bodies are in `workloads::hazards`; step 4 runs them with its own policy. Here a policy of this test's sends each
//! task elsewhere each time (`common/elsewhere.rs`), 100,000 times, and `.ci/soak` runs this in release mode too, where
//! compilers do what makes moving dangerous.

use std::cell::{Cell, RefCell};
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

thread_local! {
    /// A number behind a pointer. With a plain `Cell<i32>` the second look was right when it was tried: for a value of a
    /// few bytes x86 needs no address, it reads relative to the register that says which thread this is.
    static ID: RefCell<Vec<i32>> = RefCell::new(vec![0]);
}

/// Writes down the number of the thread. Not inlined, so that it is about the thread that it is called on.
#[inline(never)]
fn mark() -> i32 {
    // SAFETY: it asks the kernel, and touches no memory.
    let truth = unsafe { libc::gettid() };
    ID.with_borrow_mut(|id| id[0] = truth);
    truth
}

// ANCHOR: two_looks
/// What no task should do: it looks at a thread-local, gives up its turn, and looks again, in one function.
#[inline(never)]
fn two_looks(rt: &Scheduled<Elsewhere>) -> (i32, i32) {
    let before = ID.with_borrow(|id| id[0]);
    rt.yield_now();
    let after = ID.with_borrow(|id| id[0]);
    (before, after)
}
// ANCHOR_END: two_looks

/// How often the second look gives the first thread's answer.
fn lies(rt: &Scheduled<Elsewhere>, turns: u32) -> u32 {
    let mut lies = 0;
    for _ in 0..turns {
        let here = mark();
        let (before, after) = two_looks(rt);
        let there = mark();
        assert_eq!(before, here);
        assert_ne!(here, there, "each yield is a move");
        lies += u32::from(after == here);
    }
    lies
}

/// The hazard itself: code that a task must not contain, and what it reads. Where nothing is optimised it is right; where
/// it is, the compiler has computed the thread-local's address once, on the first thread, and uses it after the yield.
///
/// If this fails in release mode, compilers have learned something, and the book has to be changed.
#[test]
fn a_thread_local_lies_to_a_task_that_moves_if_the_compiler_may_keep_its_address() {
    let _watchdog = Watchdog::new("a thread-local that lies");
    let rt = forced(2);
    let lies = rt.run(|| {
        // So that both threads have a number.
        for _ in 0..2 {
            mark();
            rt.yield_now();
        }
        lies(&rt, 1_000)
    });
    println!("{lies} of 1000 looks gave the first thread's answer");
    if cfg!(debug_assertions) {
        assert_eq!(lies, 0);
    } else if cfg!(target_arch = "x86_64") {
        assert_eq!(lies, 1_000);
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
