//! Where the round-robin runtime ends the process.

use std::ffi::c_void;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use step01::{Runtime, never, park};
use step02::{GuardKind, Region, RoundRobin, SlotLayout};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("task_overflow", task_overflow),
    ("overflow_on_a_plain_thread", overflow_on_a_plain_thread),
    ("park_in_panic", park_in_panic),
    ("park_in_end", park_in_end),
    ("never_gives_up", never_gives_up),
    ("unbegun_parks", unbegun_parks),
    ("reserve_to_the_limit", reserve_to_the_limit),
];

#[allow(unconditional_recursion)]
fn endless(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    endless(depth + 1) + frame[3]
}

fn task_overflow() {
    let builder = RoundRobin::builder().stack_size(64 << 10).max_tasks(64);
    let rt = builder.build().unwrap();
    rt.run(|| {
        let fine = rt.spawn(|| 1);
        println!("line {}", line!() + 1);
        let runaway = rt.spawn(|| endless(black_box(1)));
        fine.join().unwrap() + runaway.join().unwrap()
    });
}

#[test]
fn a_task_that_recurses_without_end_is_reported_by_its_number_and_site() {
    let ended = child::run("task_overflow");
    let line = ended.value("line");
    ended
        .was_ended_by(libc::SIGABRT)
        .said(&format!("stack overflow in task 3, spawned at step02-coroutines/tests/subprocess/runtime.rs:{line}:"))
        .said("stack_size(bytes)");
}

/// A thread that std knows nothing of has no alternate stack, unless the runtime brings one.
fn overflow_on_a_plain_thread() {
    extern "C" fn main(_: *mut c_void) -> *mut c_void {
        task_overflow();
        ptr::null_mut()
    }
    let mut thread = 0;
    // SAFETY: the place for the name is alive, and the thread is joined.
    unsafe {
        let started = libc::pthread_create(&raw mut thread, ptr::null(), main, ptr::null_mut());
        assert_eq!(started, 0);
        libc::pthread_join(thread, ptr::null_mut());
    }
}

/// Bug 14: without a stack of its own the handler of the fault would need the very stack that has ended.
#[test]
fn a_runaway_task_is_reported_on_a_thread_that_std_did_not_make() {
    child::run("overflow_on_a_plain_thread")
        .was_ended_by(libc::SIGABRT)
        .said(
            "stack overflow in task 3, spawned at step02-coroutines/tests/subprocess/runtime.rs:",
        );
}

struct Parks;

impl Drop for Parks {
    fn drop(&mut self) {
        let _ = never::<()>().recv();
    }
}

/// Bug 11, as far as one thread can have it: a task must not leave its stack while it panics.
fn park_in_panic() {
    let rt = RoundRobin::new();
    rt.run(|| {
        println!("line {}", line!() + 1);
        let panics = rt.spawn(|| {
            let _parks = Parks;
            panic!("first");
        });
        panics.join().unwrap()
    })
}

#[test]
fn a_task_that_parks_while_it_panics_is_named() {
    let ended = child::run("park_in_panic");
    let line = ended.value("line");
    ended
        .was_ended_by(libc::SIGABRT)
        .said("first")
        .said(&format!(
            "fatal error: task 2, spawned at step02-coroutines/tests/subprocess/runtime.rs:{line}:"
        ))
        .said("parked in a destructor that runs because of a panic");
}

fn park_in_end() {
    let rt = RoundRobin::new();
    rt.run(|| {
        drop(rt.spawn(|| {
            let _parks = Parks;
            let _ = never::<()>().recv();
        }));
        rt.yield_now();
    });
}

#[test]
fn a_task_that_parks_while_its_runtime_ends_it_is_named() {
    child::run("park_in_end")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: task 2, spawned at step02-coroutines/tests/subprocess/runtime.rs:")
        .said("parked in a destructor while it was ended by its runtime");
}

fn never_gives_up() {
    let rt = RoundRobin::new();
    rt.run(|| {
        drop(rt.spawn(|| {
            loop {
                let _ = panic::catch_unwind(AssertUnwindSafe(park::park));
            }
        }));
        rt.yield_now();
    });
}

#[test]
fn a_task_that_never_gives_up_is_named_in_the_end() {
    child::run("never_gives_up")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: the task spawned at step02-coroutines/tests/subprocess/runtime.rs:")
        .said("again and again")
        .said("step01::ForcedUnwind");
}

fn unbegun_parks() {
    let rt = RoundRobin::new();
    rt.run(|| {
        let parks = Parks;
        drop(rt.spawn(move || drop(parks)));
    });
}

#[test]
fn a_destructor_of_a_task_that_never_began_is_unwound_if_it_parks() {
    child::run("unbegun_parks").is_done();
}

fn reserve_to_the_limit() {
    let layout = SlotLayout::new(SlotLayout::smallest()).unwrap();
    let region = Region::map_guarded_by(layout, 1 << 20, GuardKind::Protected).unwrap();
    let error = (1..=1 << 20).find_map(|count| region.reserve(count).err());
    println!("refused {}", error.unwrap());
}

#[test]
fn stacks_that_cannot_be_guarded_are_refused_when_they_are_reserved() {
    let limit: u64 = {
        let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        text.trim().parse().unwrap()
    };
    if limit > 1 << 20 || std::env::var_os("TEST_RUNNER").is_some() {
        println!("skipped: vm.max_map_count is {limit}, or is an emulator's");
        return;
    }
    let ended = child::run("reserve_to_the_limit");
    let refused = ended.is_done().value("refused");
    assert!(
        refused.contains(&format!("vm.max_map_count is {limit}")),
        "{refused}"
    );
}
