//! Deadlocks: reported when they are certain, and never otherwise.
//!
//! A test harness runs tests on threads of its own, and a process with other threads gets no report. So this is a program
//! with a `main`: it runs each case in a child process, which is itself again, and looks at what became of it.

use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use step01::{Mutex, Runtime, bounded, never};
use step02::RoundRobin;

const CASE: &str = "STEP02_DEADLOCK_CASE";

/// Ends a child that hangs; far longer than anything here takes.
const WATCHDOG_SECONDS: u32 = 60;

type Case = (&'static str, fn(), fn(&Output, &str));

const CASES: &[Case] = &[
    ("everyone waits", everyone_waits, is_reported),
    ("main alone", main_alone, main_is_named),
    (
        "after the last thread",
        after_the_last_thread,
        is_reported_late,
    ),
    ("a thread will send", a_thread_will_send, is_done),
    ("a sleeper", a_sleeper, is_done),
];

fn main() {
    if let Ok(name) = std::env::var(CASE) {
        // SAFETY: it touches no memory of ours. SIGALRM ends the process.
        unsafe { libc::alarm(WATCHDOG_SECONDS) };
        let Some((_, case, _)) = CASES.iter().find(|(known, ..)| *known == name) else {
            panic!("no case {name}");
        };
        case();
        println!("case done");
        return;
    }
    // `cargo test NAME` passes the name of some test, and `--list` wants to know them: this is one test, of this name.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|argument| argument == "--list") {
        println!("deadlock: test");
        return;
    }
    if wanted
        .iter()
        .any(|name| !name.starts_with('-') && !"deadlock".contains(name.as_str()))
    {
        return;
    }
    let program = std::env::current_exe().unwrap();
    for (name, _, judge) in CASES {
        let mut command = match std::env::var_os("TEST_RUNNER") {
            Some(emulator) => Command::new(emulator),
            None => Command::new(&program),
        };
        if std::env::var_os("TEST_RUNNER").is_some() {
            command.arg(&program);
        }
        let output = command.env(CASE, name).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        judge(&output, &said);
        println!("deadlock: {name} ... ok");
    }
    // In the words of a test harness, for those who read them: `cargo course mutants` wants to see that something ran.
    println!("\ntest result: ok. {} passed; 0 failed", CASES.len());
}

fn everyone_waits() {
    let rt = RoundRobin::new();
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
    assert_eq!(
        lines.next(),
        Some("fatal error: all tasks are asleep - deadlock!"),
        "{said}"
    );
    for (start, site) in [
        (
            "task 1 [join], spawned at",
            "step02-coroutines/tests/deadlock.rs",
        ),
        (
            "task 2 [mutex lock], spawned at",
            "step02-coroutines/tests/deadlock.rs",
        ),
        (
            "task 3 [channel receive], spawned at",
            "step02-coroutines/tests/deadlock.rs",
        ),
    ] {
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with(start) && line.contains(site), "{said}");
    }
    assert_eq!(lines.next(), None);
}

fn main_alone() {
    RoundRobin::new().run(|| never::<()>().recv()).unwrap();
}

#[track_caller]
fn main_is_named(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("task 1 [channel receive]"), "{said}");
}

/// Called by another thread: returns when the runtime on the main thread has found nothing to do five times.
///
/// The kernel counts how often a thread has gone to sleep of its own will. A worker with nothing to do does so once for
/// each time that it asks whether this is a deadlock. The first of the five may be from before all tasks waited, in the
/// start of this thread for one, and during the last it may not have asked yet; that leaves three.
fn when_the_runtime_has_wondered() {
    const TIMES: u64 = 5;
    let status = format!("/proc/self/task/{}/status", std::process::id());
    let slept = || -> u64 {
        let text = fs::read_to_string(&status).unwrap();
        let count = text
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse().unwrap()
    };
    let before = slept();
    while slept() < before + TIMES {
        std::thread::yield_now();
    }
}

fn after_the_last_thread() {
    let rt = RoundRobin::new();
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

fn a_thread_will_send() {
    let rt = RoundRobin::new();
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

fn a_sleeper() {
    let rt = RoundRobin::new();
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

#[track_caller]
fn is_done(output: &Output, said: &str) {
    assert!(output.status.success(), "{said}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "case done\n",
        "{said}"
    );
}
