//! Faults for a checker to find: each is one task's, on a coroutine's stack. And a run in which there is none to find.
//!
//! `.ci/valgrind` and `.ci/asan` run it. A checker that finds nothing in `good` is of use only if it finds the others.
//! Without a checker, most of these go unnoticed: `cargo run -p step02 --example faults -- past-the-box`.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use step01::{JoinError, Runtime, bounded, never, scope};
use step02::RoundRobin;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let builder = RoundRobin::builder().max_tasks(64);
    let rt = builder.build().expect("room for 64 stacks");
    let fault: fn() -> u64 = match name.as_str() {
        "good" => return good(&rt),
        "uninitialised" => uninitialised,
        "past-the-box" => past_the_box,
        "after-free" => after_free,
        "past-the-array" => past_the_array,
        _ => {
            eprintln!("good, uninitialised, past-the-box, after-free or past-the-array?");
            std::process::exit(2);
        }
    };
    let found = rt.run(|| {
        rt.yield_now();
        rt.spawn(fault).join().expect("it goes on")
    });
    println!("{name} went on: {found}");
}

/// What coroutines do: yield, wait, panic, catch, nest, end early, and use each other's stacks again.
fn good(rt: &RoundRobin) {
    panic::set_hook(Box::new(|_| ()));
    let sum = rt.run(|| {
        let mut sum = 0;
        for round in 0..20 {
            let (tx, rx) = bounded(round % 3);
            let yields = rt.clone();
            let sender = rt.spawn(move || {
                for n in 0..10 {
                    tx.send(boxed_sum(n * 8)).expect("it is received");
                    yields.yield_now();
                }
            });
            sum += rx.iter().sum::<u64>();
            sender.join().expect("it ends");
            sum += panics(rt, round as u64);
            let local = black_box([1u64; 32]);
            let half = &local[..16];
            sum += scope(rt, |s| {
                let borrows = s.spawn(move || half.iter().sum::<u64>());
                borrows.join().expect("it ends")
            });
            rt.sleep(Duration::from_micros(50));
        }
        // Left in the middle, with something on its stack.
        drop(rt.spawn(|| {
            let held = vec![Box::new(1u64); 50];
            let _ = never::<()>().recv();
            held.len()
        }));
        rt.yield_now();
        sum
    });
    println!("good went on: {sum}");
}

/// From some way down, with a box on every level.
fn boxed_sum(levels: u64) -> u64 {
    let frame = black_box([levels; 8]);
    let kept = Box::new(frame);
    match levels {
        0 => kept[1],
        _ => boxed_sum(levels - 1) + black_box(kept)[2],
    }
}

/// A panic that is caught where it happens, below frames that are in use, and one that goes to who joins.
fn panics(rt: &RoundRobin, round: u64) -> u64 {
    let yields = rt.clone();
    let task = rt.spawn(move || {
        let local = black_box([round; 64]);
        let caught = panic::catch_unwind(AssertUnwindSafe(|| {
            let deeper = black_box([round; 64]);
            yields.yield_now();
            assert_eq!(deeper[3], round + 1, "on purpose");
        }));
        yields.yield_now();
        assert!(caught.is_err());
        assert_eq!(boxed_sum(20) + local[5], 210 + round);
        panic!("on purpose, too")
    });
    match task.join() {
        Err(JoinError::Panicked(_)) => 1,
        Err(other) => other.resume(),
        Ok(()) => unreachable!("it panics"),
    }
}

/// A decision by a byte that nobody wrote, on a stack that others have used before.
#[inline(never)]
fn uninitialised() -> u64 {
    let nothing = black_box(MaybeUninit::<[u8; 64]>::uninit());
    // SAFETY: none. This is what is to be found.
    let byte = unsafe { nothing.as_ptr().cast::<u8>().add(17).read_volatile() };
    if black_box(byte) > 127 { 1 } else { 2 }
}

/// A write behind the end of a box.
#[inline(never)]
fn past_the_box() -> u64 {
    let mut values = black_box(Box::new([1u8; 16]));
    // SAFETY: none. This is what is to be found.
    unsafe { values.as_mut_ptr().add(16).write_volatile(7) };
    u64::from(values[3])
}

/// A read of a box that was freed.
#[inline(never)]
fn after_free() -> u64 {
    let value = black_box(Box::new(5u64));
    let address = &raw const *value;
    drop(value);
    // SAFETY: none. This is what is to be found.
    unsafe { address.read_volatile() }
}

/// A write behind the end of an array that lies on the coroutine's own stack.
#[inline(never)]
fn past_the_array() -> u64 {
    let mut values = black_box([1u8; 16]);
    let beyond = black_box(16);
    // SAFETY: none. This is what is to be found.
    unsafe { values.as_mut_ptr().add(beyond).write_volatile(7) };
    u64::from(black_box(values)[3])
}
