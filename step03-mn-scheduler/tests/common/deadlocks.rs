//! Deadlocks: reported when they are certain, and never otherwise; for stages with several workers.
//!
//! A test harness runs tests on threads of its own, and a process with other threads gets no report. So this is for a
//! program with a `main`: it runs each case in a child process, which is itself again, and looks at what became of it.

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use step01::{Mutex, Runtime, bounded, never};

const CASE: &str = "DEADLOCK_CASE";

/// Ends a child that hangs; far longer than anything here takes.
const WATCHDOG_SECONDS: u32 = 60;

/// Where the sites of all tasks are.
const HERE: &str = "step03-mn-scheduler/tests/common/deadlocks.rs:";

struct Case<R> {
    name: &'static str,
    run: fn(&R),
    judge: fn(&Output, &str),
}

fn cases<R: Runtime>() -> [Case<R>; 6] {
    let case = |name, run, judge| Case { name, run, judge };
    [
        case("everyone waits", everyone_waits, is_reported),
        case("main alone", main_alone, main_is_named),
        case(
            "after the last thread",
            after_the_last_thread,
            is_reported_late,
        ),
        case("a thread will send", a_thread_will_send, is_done),
        case("a sleeper", a_sleeper, is_done),
        case("many sleepers", many_sleepers, is_done),
    ]
}

/// The program's main function. `make` makes a runtime with several workers.
pub(crate) fn main<R: Runtime>(make: fn() -> R) {
    if let Ok(name) = std::env::var(CASE) {
        // SAFETY: it touches no memory of ours. SIGALRM ends the process.
        unsafe { libc::alarm(WATCHDOG_SECONDS) };
        let Some(case) = cases::<R>().into_iter().find(|case| case.name == name) else {
            panic!("no case {name}");
        };
        (case.run)(&make());
        println!("case done");
        return;
    }
    // `cargo test NAME` passes the name of some test, and `--list` wants to know them: this is one test, of this name.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|argument| argument == "--list") {
        println!("deadlock: test");
        return;
    }
    let mut names = wanted.iter().filter(|argument| !argument.starts_with('-'));
    if names.any(|name| !"deadlock".contains(name.as_str())) {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut passed = 0;
    for case in cases::<R>() {
        let mut command = match std::env::var_os("TEST_RUNNER") {
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.arg(&program);
                command
            }
            None => Command::new(&program),
        };
        let output = command.env(CASE, case.name).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (case.judge)(&output, &said);
        println!("deadlock: {} ... ok", case.name);
        passed += 1;
    }
    println!("\ntest result: ok. {passed} passed; 0 failed");
}

fn everyone_waits<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded::<()>(0);
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock();
        let theirs = Arc::clone(&lock);
        let locks = rt.spawn(move || drop(theirs.lock()));
        let receives = rt.spawn(move || rx.recv());
        receives.join().unwrap().unwrap();
        drop((tx, held));
        locks.join().unwrap();
    });
}

#[track_caller]
fn is_reported(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(2), "{said}");
    let mut lines = said.lines().filter(|line| !line.is_empty());
    let first = lines.next();
    let expected = "fatal error: all tasks are asleep - deadlock!";
    assert_eq!(first, Some(expected), "{said}");
    // The oldest first.
    for wait in ["[join]", "[mutex lock]", "[channel receive]"] {
        let line = lines.next().unwrap_or_default();
        let named = line.starts_with("task ") && line.contains(wait);
        assert!(named && line.contains(HERE), "{said}");
    }
    assert_eq!(lines.next(), None, "{said}");
}

fn main_alone<R: Runtime>(rt: &R) {
    let _ = rt.run(|| never::<()>().recv());
}

#[track_caller]
fn main_is_named(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(" [channel receive], spawned at"), "{said}");
}

/// Called by another thread: returns when the runtime has found nothing to do five times.
///
/// The kernel counts how often a thread has gone to sleep of its own will. Of several workers with nothing to do, the one
/// that fell asleep last does so once for each time that it asks whether this is a deadlock. All of them go to sleep once
/// before, and during the last time it may not have asked yet.
fn when_the_runtime_has_wondered() {
    const TIMES: u64 = 12;
    let own = fs::read_link("/proc/thread-self").unwrap();
    let own = own.file_name().unwrap().to_owned();
    let slept = || -> u64 {
        let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
        let others = threads.filter(|thread| thread.file_name() != own);
        others
            .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
            .map(|text| {
                let mut lines = text.lines();
                let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                count.unwrap().trim().parse::<u64>().unwrap()
            })
            .sum()
    };
    let before = slept();
    while slept() < before + TIMES {
        std::thread::yield_now();
    }
}

fn after_the_last_thread<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded::<()>(0);
        // It has a sender, does not use it, and takes it along when it ends.
        drop(std::thread::spawn(move || {
            when_the_runtime_has_wondered();
            println!("no report so far");
            std::mem::forget(tx);
        }));
        rx.recv().unwrap();
    });
}

#[track_caller]
fn is_reported_late(output: &Output, said: &str) {
    main_is_named(output, said);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "no report so far\n", "{said}");
}

fn a_thread_will_send<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded::<()>(0);
        let thread = std::thread::spawn(move || {
            when_the_runtime_has_wondered();
            tx.send(()).unwrap();
        });
        rx.recv().unwrap();
        thread.join().unwrap();
    });
}

fn a_sleeper<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (tx, rx) = bounded::<()>(0);
        let rt2 = rt.clone();
        let sleeper = rt.spawn(move || {
            // What is tested is that a timer counts as somebody who will come. It is due later than the runtime wonders.
            rt2.sleep(Duration::from_millis(100));
            tx.send(()).unwrap();
        });
        rx.recv().unwrap();
        sleeper.join().unwrap();
    });
}

/// Timers fire all the time, at moments at which everyone is about to fall asleep.
fn many_sleepers<R: Runtime>(rt: &R) {
    rt.run(|| {
        for round in 0..100u64 {
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let rt2 = rt.clone();
                    rt.spawn(move || rt2.sleep(Duration::from_micros(round * 7 % 300 + n)))
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        }
    });
}

#[track_caller]
fn is_done(output: &Output, said: &str) {
    assert!(output.status.success(), "{said}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "case done\n", "{said}");
}
