//! What a task takes is given back; what cannot be had is an error and no hang. Counted in a process that does nothing
//! else.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::{Arc, Barrier};

use step01::threads::{self, DEFAULT_GUARD};
use step01::{Net, NetListener, Runtime, Threads};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("everything comes back", everything_comes_back),
    ("no descriptors", no_descriptors),
    ("stack sizes", stack_sizes),
    ("smallest stack", smallest_stack),
];

fn count(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

fn own_threads() -> usize {
    count("/proc/self/task")
}

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// Bytes of addresses that this process has taken.
fn addresses() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    // SAFETY: it only asks.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    text.split(' ').next().unwrap().parse::<usize>().unwrap() * page
}

fn everything_comes_back() {
    const TASKS: usize = 16;
    const ROUNDS: usize = 60;
    let size = threads::min_stack_size();
    let rt = Threads::builder().stack_size(size).build().unwrap();
    let before = own_threads();
    let round = |n: usize| {
        let all_there = Arc::new(Barrier::new(TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let all_there = Arc::clone(&all_there);
                rt.spawn(move || {
                    all_there.wait();
                    // Panics take other ways out.
                    assert!(!(task + n).is_multiple_of(4), "on purpose");
                })
            })
            .collect();
        for task in tasks {
            let _ = task.join();
        }
        // The kernel takes the threads down a moment after the tasks' ends.
        while rt.alive() > 0 || own_threads() > before {
            std::thread::yield_now();
        }
    };
    std::panic::set_hook(Box::new(|_| ()));
    // libc keeps some stacks of ended threads for the next ones, and the heap grows: that is there after two rounds.
    round(0);
    round(1);
    let (maps, bytes, descriptors) = (mappings(), addresses(), count("/proc/self/fd"));
    (0..ROUNDS).for_each(round);
    let _ = std::panic::take_hook();
    assert_eq!(count("/proc/self/fd"), descriptors);
    // If each task left a mapping behind, it would be 960 of them, unless the kernel merges them. Then the addresses
    // tell: an alternate stack of each would be 35 MB or more.
    let (maps_now, bytes_now) = (mappings(), addresses());
    assert!(
        maps_now <= maps + 2 * TASKS,
        "mappings left behind: {maps} before, {maps_now} now"
    );
    assert!(
        bytes_now <= bytes + (16 << 20),
        "addresses left behind: {bytes} before, {bytes_now} now"
    );
}

#[test]
fn threads_mappings_addresses_and_descriptors_come_back() {
    child::run("everything comes back").is_done();
}

fn no_descriptors() {
    let rt = Threads::new();
    let listener = rt.net().listen("127.0.0.1:0").unwrap();
    let address = NetListener::local_addr(&listener).unwrap();
    // The next descriptors are numbered from here, so there are eleven more at most.
    let numbers = listener.as_raw_fd() as u64 + 12;
    let limit = libc::rlimit {
        rlim_cur: numbers,
        rlim_max: numbers,
    };
    // SAFETY: it only reads the struct.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let is_full =
        |error: io::Error| assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");

    let mut connections = Vec::new();
    let refused = loop {
        match rt.net().connect(address) {
            Ok(connection) => connections.push(connection),
            Err(error) => break error,
        }
    };
    is_full(refused);
    is_full(rt.net().listen("127.0.0.1:0").unwrap_err());
    // A connection waits to be accepted, so the only reason for an answer is that there is no descriptor for it.
    let (listener, accepted) = rt
        .spawn(move || {
            let accepted = NetListener::accept(&listener);
            (listener, accepted.map(drop))
        })
        .join()
        .unwrap();
    is_full(accepted.unwrap_err());
    // A thread needs no descriptor, and with one freed all is as before.
    println!("connections {}", connections.len());
    drop(connections.pop());
    NetListener::accept(&listener).unwrap();
}

#[test]
fn without_descriptors_sockets_are_errors_and_nothing_hangs() {
    child::run("no descriptors").is_done();
}

/// The size of the calling thread's stack and of its guard, as libc knows them.
fn own_stack() -> (usize, usize) {
    let mut attributes = MaybeUninit::uninit();
    let (mut lowest, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the first call initialises what the others read.
    unsafe {
        let this = attributes.as_mut_ptr();
        assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), this), 0);
        libc::pthread_attr_getstack(this, &mut lowest, &mut size);
        libc::pthread_attr_getguardsize(this, &mut guard);
        libc::pthread_attr_destroy(this);
    }
    (size, guard)
}

/// In a process of its own, since libc gives a new thread the larger stack of an ended one if it has one lying about.
fn stack_sizes() {
    // SAFETY: it only asks.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let smallest = threads::min_stack_size();
    for (asked, size) in [
        (smallest, smallest),
        (4 * smallest + 1, 4 * smallest + page),
        (16 << 20, 16 << 20),
        (512 << 20, 512 << 20),
    ] {
        let rt = Threads::builder().stack_size(asked).build().unwrap();
        assert_eq!(rt.stack_size(), size);
        assert_eq!(rt.spawn(own_stack).join().unwrap(), (size, DEFAULT_GUARD));
    }
    let rt = Threads::builder()
        .stack_size(1 << 30)
        .guard_size(1)
        .build()
        .unwrap();
    assert_eq!(rt.spawn(own_stack).join().unwrap(), (1 << 30, page));
}

#[test]
fn stacks_and_guards_have_the_size_that_was_set() {
    child::run("stack sizes").is_done();
}

fn smallest_stack() {
    let smallest = threads::min_stack_size();
    let rt = Threads::builder().stack_size(smallest).build().unwrap();
    let error = rt.spawn(|| panic!("in a small place")).join().unwrap_err();
    assert_eq!(error.panic_message(), Some("in a small place"));
}

#[test]
fn a_task_on_the_smallest_stack_can_panic() {
    child::run("smallest stack")
        .is_done()
        .said("in a small place");
}
