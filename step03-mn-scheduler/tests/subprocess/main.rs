//! What ends a process, or wants one of its own: overflows, what a panicking task may not do, std's lock across a park, the
//! line on exit.
//!
//! Each test runs a *case*, a function of this same binary, in a child process, and looks at how the child ended and
//! what it said. In a child a hang is ended by a watchdog.

use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};

use step01::{Runtime, never, park};
use step03::{Scheduled, SharedQueue};
use workloads::hazards;

#[path = "../../../step01-threads/tests/subprocess/child.rs"]
#[allow(dead_code)] // it knows of more endings than there are here
mod child;
#[path = "../common/elsewhere.rs"]
mod elsewhere;

use child::Case;
use elsewhere::Elsewhere;

const CASES: &[Case] = &[
    ("few_addresses", few_addresses),
    ("task_overflow", task_overflow),
    ("park_in_panic", park_in_panic),
    ("park_in_panic_elsewhere", park_in_panic_elsewhere),
    ("park_in_end", park_in_end),
    ("never_gives_up", never_gives_up),
    ("unbegun_parks", unbegun_parks),
    ("their_lock", their_lock),
    ("trace", trace),
    ("no_trace", no_trace),
];

/// Where the children begin. As an ordinary test it has nothing to do.
#[test]
fn child_entry() {
    let Some(name) = child::case() else { return };
    let Some((_, case)) = CASES.iter().find(|(known, _)| *known == name) else {
        panic!("no case {name}");
    };
    case();
    child::done()
}

fn shared(workers: usize) -> SharedQueue {
    let builder = SharedQueue::builder().workers(workers).max_tasks(64);
    builder.stack_size(64 << 10).build().unwrap()
}

/// A policy that has each task go on, on another worker.
fn forced() -> Scheduled<Elsewhere> {
    let builder = SharedQueue::builder().workers(2).max_tasks(64);
    builder.build_with("elsewhere", Elsewhere::new).unwrap()
}

/// The process may have 8 GiB of addresses, and the stacks of a million tasks would be 256.
fn few_addresses() {
    let limit = libc::rlimit {
        rlim_cur: 8 << 30,
        rlim_max: 8 << 30,
    };
    // SAFETY: it reads a plain struct, and lowers a limit of this process.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    let builder = SharedQueue::builder().workers(2);
    println!("sum {}", builder.build().unwrap().run(|| 1 + 2));
    println!(
        "refused {}",
        builder.max_tasks(1 << 20).build().unwrap_err()
    );
}

#[test]
fn without_a_wish_there_are_as_many_tasks_as_there_are_addresses_for() {
    if std::env::var_os("TEST_RUNNER").is_some() {
        return; // it is the emulator's process that is limited, and it is limited already
    }
    let ended = child::run("few_addresses");
    assert_eq!(ended.value("sum"), "3");
    let refused = ended.value("refused").to_owned();
    assert!(
        refused.contains("max_tasks") && refused.contains("RLIMIT_AS"),
        "{refused}"
    );
}

#[allow(unconditional_recursion)]
fn endless(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    endless(depth + 1) + frame[3]
}

/// On a worker's thread that the runtime has started, and not on the one that called `run`.
fn task_overflow() {
    let rt = forced();
    rt.run(|| {
        println!("line {}", line!() + 2);
        let rt2 = rt.clone();
        let runaway = rt.spawn(move || {
            rt2.yield_now();
            endless(black_box(1))
        });
        runaway.join().unwrap()
    });
}

#[test]
fn a_task_that_recurses_without_end_is_reported_on_whatever_worker_it_is() {
    let ended = child::run("task_overflow");
    let line = ended.value("line");
    ended
        .was_ended_by(libc::SIGABRT)
        .said("stack overflow in task ")
        .said(&format!(
            "spawned at step03-mn-scheduler/tests/subprocess/main.rs:{line}:"
        ))
        .said("stack_size(bytes)");
}

struct Parks;

impl Drop for Parks {
    fn drop(&mut self) {
        let _ = never::<()>().recv();
    }
}

fn panics_and_parks<R: Runtime>(rt: &R) {
    rt.run(|| {
        println!("line {}", line!() + 2);
        let rt2 = rt.clone();
        let panics = rt.spawn(move || {
            rt2.yield_now();
            let _parks = Parks;
            panic!("first");
        });
        panics.join().unwrap()
    })
}

fn park_in_panic() {
    panics_and_parks(&shared(2));
}

fn park_in_panic_elsewhere() {
    panics_and_parks(&forced());
}

/// Bug 11: it would go on, on another thread, for which std has counted no panic.
#[test]
fn a_task_that_parks_while_it_panics_is_named() {
    for case in ["park_in_panic", "park_in_panic_elsewhere"] {
        let ended = child::run(case);
        let line = ended.value("line");
        ended
            .was_ended_by(libc::SIGABRT)
            .said("first")
            .said("fatal error: task ")
            .said(&format!(
                "spawned at step03-mn-scheduler/tests/subprocess/main.rs:{line}:"
            ))
            .said("parked in a destructor that runs because of a panic");
    }
}

fn park_in_end() {
    let rt = shared(2);
    rt.run(|| {
        let (tx, rx) = step01::bounded::<()>(0);
        drop(rt.spawn(move || {
            let _parks = Parks;
            tx.send(()).unwrap();
            let _ = never::<()>().recv();
        }));
        rx.recv().unwrap();
    });
}

#[test]
fn a_task_that_parks_while_its_runtime_ends_it_is_named() {
    child::run("park_in_end")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: task ")
        .said("spawned at step03-mn-scheduler/tests/subprocess/main.rs:")
        .said("parked in a destructor while it was ended by its runtime");
}

fn never_gives_up() {
    let rt = shared(2);
    rt.run(|| {
        let (tx, rx) = step01::bounded::<()>(0);
        drop(rt.spawn(move || {
            tx.send(()).unwrap();
            loop {
                let _ = panic::catch_unwind(AssertUnwindSafe(park::park));
            }
        }));
        rx.recv().unwrap();
    });
}

#[test]
fn a_task_that_never_gives_up_is_named_in_the_end() {
    child::run("never_gives_up")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: the task spawned at step03-mn-scheduler/tests/subprocess/main.rs:")
        .said("again and again")
        .said("step01::ForcedUnwind");
}

fn unbegun_parks() {
    let rt = shared(1);
    rt.run(|| {
        let parks = Parks;
        drop(rt.spawn(move || drop(parks)));
    });
}

#[test]
fn a_destructor_of_a_task_that_never_began_is_unwound_if_it_parks() {
    child::run("unbegun_parks").is_done();
}

/// Each worker is about to be blocked for ever. The watchdog is set to a second: what does not hang comes to its end
/// by then, and says so.
fn all_wait() {
    println!("all wait");
    // SAFETY: it touches no memory of ours.
    unsafe { libc::alarm(1) };
}

fn their_lock() {
    hazards::their_lock_across_a_park(&shared(2), 2, all_wait);
}

/// Bug 25, the half of it that does not work: std's lock, held across a park.
#[test]
fn stds_lock_held_across_a_park_hangs() {
    child::run("their_lock")
        .was_ended_by(libc::SIGALRM)
        .printed("all wait");
}

fn run_traced(value: &str) {
    // SAFETY: this process does nothing else, and nobody reads the environment now.
    unsafe { std::env::set_var("SCHEDTRACE", value) };
    let rt = shared(2);
    rt.run(|| {
        let tasks: Vec<_> = (0..3).map(|_| rt.spawn(|| ())).collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

fn trace() {
    run_traced("1");
}

fn no_trace() {
    run_traced("0");
}

#[test]
fn a_run_that_is_traced_says_in_one_line_what_it_did() {
    child::run("trace")
        .is_done()
        .said("SCHED step03: workers=2 spawned=4 finished=4 switches=");
    child::run("no_trace").is_done().did_not_say("SCHED");
}
