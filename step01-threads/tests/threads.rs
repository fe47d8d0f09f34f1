//! `Threads` as a runtime: what a task may rely on when it is an OS thread. What ends the process is in `subprocess.rs`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, RwLock, mpsc};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use step01::threads;
use step01::{Job, JoinError, Net, NetStream, Runtime, Threads};

/// Lets others run until the condition holds. The panic is a watchdog against hanging, and no measurement.
#[track_caller]
fn eventually(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "hangs");
        std::thread::yield_now();
    }
}

#[test]
fn tasks_return_what_their_closures_return() {
    let rt = Threads::new();
    let handles: Vec<_> = (0..50u64).map(|n| rt.spawn(move || n * n)).collect();
    for (n, handle) in (0..).zip(handles) {
        assert_eq!(handle.join().unwrap(), n * n);
    }
    eventually(|| rt.alive() == 0);
}

#[test]
fn every_task_has_a_thread_of_its_own() {
    let rt = Threads::new();
    // SAFETY: it only asks.
    let thread = || unsafe { libc::gettid() };
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write().unwrap();
    let (tell, told) = mpsc::channel();
    let handles: Vec<_> = (0..20)
        .map(|_| {
            let (tell, gate) = (tell.clone(), Arc::clone(&gate));
            rt.spawn(move || {
                tell.send(thread()).unwrap();
                drop(gate.read());
            })
        })
        .collect();
    // All have told before any may end, so no number is used twice.
    let mut seen: Vec<_> = told.iter().take(20).collect();
    assert_eq!(rt.alive(), 20);
    seen.push(thread());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 21);
    drop(closed);
    handles
        .into_iter()
        .for_each(|handle| handle.join().unwrap());
}

#[test]
fn a_panic_reaches_the_joiner_and_nobody_else() {
    let rt = Threads::new();
    let bad = rt.spawn(|| -> u32 { panic!("no {}", "soup") });
    let good = rt.spawn(|| 5);
    let error = bad.join().unwrap_err();
    assert_eq!(error.panic_message(), Some("no soup"));
    assert_eq!(good.join().unwrap(), 5);
    eventually(|| rt.alive() == 0);
}

#[test]
fn a_task_whose_handle_is_dropped_runs_on() {
    let rt = Threads::new();
    let (tell, told) = mpsc::channel();
    drop(rt.spawn(move || tell.send(1).unwrap()));
    assert_eq!(told.recv(), Ok(1));
    eventually(|| rt.alive() == 0);
}

#[test]
fn what_a_task_owned_is_dropped_when_it_ends() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let rt = Threads::new();
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = || Counted(Arc::clone(&drops));
    // In the closure, in a closure that panics, and in a result that nobody takes.
    let owned = counted();
    rt.spawn(move || drop(owned)).join().unwrap();
    let owned = counted();
    let panicked = rt.spawn(move || {
        let _owned = owned;
        panic!("with something in hand");
    });
    panicked.join().unwrap_err();
    let result = counted();
    drop(rt.spawn(move || result));
    eventually(|| drops.load(SeqCst) == 3);
    eventually(|| rt.alive() == 0);
}

#[test]
fn a_job_that_is_dropped_unrun_counts_as_cancelled() {
    let (job, handle) = Job::new(|| 1, Location::caller());
    drop(job);
    assert!(matches!(handle.join(), Err(JoinError::Cancelled)));
}

#[test]
fn run_borrows_and_returns_and_panics_as_a_call_does() {
    let rt = Threads::new();
    let mut log = vec![1];
    let len = rt.run(|| {
        log.push(rt.spawn(|| 2).join().unwrap());
        log.len()
    });
    assert_eq!((len, log), (2, vec![1, 2]));
    let caught = panic::catch_unwind(AssertUnwindSafe(|| rt.run(|| panic!("out of run"))));
    let message = caught.unwrap_err();
    assert_eq!(message.downcast_ref(), Some(&"out of run"));
}

#[test]
fn while_one_task_blocks_in_a_system_call_another_runs() {
    let rt = Threads::new();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let blocking = rt.clone();
    let blocked = rt.spawn(move || {
        let mut byte = [0];
        blocking.blocking(|| reader.read_exact(&mut byte)).unwrap();
        byte
    });
    // Only this task can let the other one go on.
    let other = rt.spawn(move || writer.write_all(&[42]).unwrap());
    assert_eq!(blocked.join().unwrap(), [42]);
    other.join().unwrap();
}

#[test]
fn a_sleep_is_as_long_as_was_asked_at_least() {
    let rt = Threads::new();
    let asked = Duration::from_millis(3);
    let started = Instant::now();
    rt.sleep(asked);
    assert!(started.elapsed() >= asked);
}

#[test]
fn yielding_lets_a_task_that_waits_for_this_one_and_one_that_does_not_go_on() {
    let rt = Threads::new();
    let turn = Arc::new(AtomicUsize::new(0));
    let players: Vec<_> = (0..2)
        .map(|me| {
            let (rt, turn) = (rt.clone(), Arc::clone(&turn));
            let play = rt.clone();
            rt.spawn(move || {
                for round in 0..100 {
                    while turn.load(SeqCst) != 2 * round + me {
                        play.yield_now();
                    }
                    turn.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    players
        .into_iter()
        .for_each(|player| player.join().unwrap());
    assert_eq!(turn.load(SeqCst), 200);
}

#[test]
fn its_sockets_carry_bytes_both_ways() {
    let rt = Threads::new();
    let listener = rt.net().listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = rt.spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(text.to_uppercase().as_bytes()).unwrap();
    });
    let mut stream = rt.net().connect(address).unwrap();
    stream.write_all(b"three eggs").unwrap();
    NetStream::shutdown(&stream, Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "THREE EGGS");
    server.join().unwrap();
}

#[test]
fn a_large_stack_can_be_used_to_the_end() {
    /// Calls itself until it has gone down `bytes`, with the same on the way back.
    fn descend(top: usize, bytes: usize) -> usize {
        let frame = std::hint::black_box([1u8; 1024]);
        let here = &raw const frame as usize;
        if top - here >= bytes {
            return 1;
        }
        descend(top, bytes) + std::hint::black_box(&frame)[512] as usize
    }
    let rt = Threads::builder().stack_size(48 << 20).build().unwrap();
    let frames = rt.spawn(|| {
        let top = 0u8;
        descend(&raw const top as usize, 47 << 20)
    });
    assert!(frames.join().unwrap() > 1000);
}

#[test]
fn a_setting_that_cannot_work_is_refused_by_its_name() {
    let refused = |builder: threads::Builder| builder.build().unwrap_err();
    for bytes in [0, 1, threads::min_stack_size() - 1, usize::MAX] {
        let error = refused(Threads::builder().stack_size(bytes));
        assert_eq!(error.setting(), "stack_size");
        assert!(
            error.to_string().contains(&format!("stack_size({bytes})")),
            "{error}"
        );
    }
    for bytes in [0, usize::MAX] {
        let error = refused(Threads::builder().guard_size(bytes));
        assert_eq!(error.setting(), "guard_size");
    }
    for prefix in ["longer than eight", "zero\0"] {
        let error = refused(Threads::builder().name_prefix(prefix));
        assert_eq!(error.setting(), "name_prefix");
    }
    let error = refused(Threads::builder().stack_size(0));
    assert!(
        error
            .reason()
            .contains(&threads::min_stack_size().to_string()),
        "{error}"
    );
}

#[test]
fn threads_are_named_after_their_tasks() {
    let own_name = || {
        let text = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        text.trim_end().to_owned()
    };
    let number =
        |name: &str, prefix: &str| name.strip_prefix(prefix).unwrap().parse::<u64>().unwrap();
    let rt = Threads::new();
    let first = number(&rt.spawn(own_name).join().unwrap(), "task-");
    let second = number(&rt.spawn(own_name).join().unwrap(), "task-");
    assert!(first < second);
    let rt = Threads::builder().name_prefix("12345678").build().unwrap();
    number(&rt.spawn(own_name).join().unwrap(), "12345678");
    let rt = Threads::builder().name_prefix("").build().unwrap();
    number(&rt.spawn(own_name).join().unwrap(), "");
}

#[test]
fn a_clone_is_the_same_runtime() {
    let rt = Threads::new();
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write().unwrap();
    let waits = Arc::clone(&gate);
    let task = rt.clone().spawn(move || drop(waits.read()));
    assert_eq!(rt.alive(), 1);
    drop(closed);
    task.join().unwrap();
    eventually(|| rt.alive() == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked for, it is refused by name or it works. Sizes of all magnitudes.
    #[test]
    fn any_settings_are_refused_by_name_or_accepted(
        stack in 0..64u32, stack_more: usize, guard in 0..64u32, guard_more: usize, prefix in "\\PC{0,10}",
    ) {
        let size = |bits: u32, more: usize| (1usize << bits) | (more & ((1usize << bits) - 1));
        let (stack, guard) = (size(stack, stack_more), size(guard, guard_more));
        let built = Threads::builder()
            .stack_size(stack)
            .guard_size(guard)
            .name_prefix(prefix.as_str())
            .build();
        match built {
            Ok(rt) => {
                prop_assert!(rt.stack_size() >= stack.max(threads::min_stack_size()));
                prop_assert!(prefix.len() <= 8);
            }
            Err(error) => {
                let bad = match error.setting() {
                    "stack_size" => stack < threads::min_stack_size() || stack > 32 << 40,
                    "guard_size" => guard > 32 << 40,
                    "name_prefix" => prefix.len() > 8,
                    _ => false,
                };
                prop_assert!(bad, "{error}");
            }
        }
    }
}
