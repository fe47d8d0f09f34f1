//! Storms of signals on small stacks, handled on the alternate stack: what Go's issue 54306 is about.

use std::cell::Cell;
use std::ffi::c_int;
use std::hint::black_box;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use step01::threads;
use step01::{Runtime, Threads};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("deep", signals_deep_in_a_small_stack),
    ("at both ends", signals_at_both_ends_of_a_thread),
];

/// What the handler puts on the stack: far more than is left of the stack of a task that has gone deep.
const HANDLER_FRAME: usize = 20 << 10;
/// What a task leaves of its stack: enough to wait in, not enough for the handler.
const LEFT: usize = 8 << 10;
const TASKS: usize = 24;
const ROUNDS: usize = 50;

thread_local! {
    /// Which task this thread is. Without a destructor, so that a handler can read it.
    static TASK: Cell<usize> = const { Cell::new(0) };
}

/// How often the handler has run in each task.
static HANDLED: [AtomicUsize; TASKS] = [const { AtomicUsize::new(0) }; TASKS];
static ON_THE_WRONG_STACK: AtomicUsize = AtomicUsize::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

fn handle(handler: extern "C" fn(c_int)) {
    // SAFETY: the handlers touch their own frames and atomics only.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
}

fn is_on_alternate_stack() -> bool {
    let mut now = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: with no new stack the call only writes the present one. It may be called in a handler.
    unsafe {
        libc::sigaltstack(ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init().ss_flags & libc::SS_ONSTACK != 0
    }
}

extern "C" fn large_handler(_: c_int) {
    black_box(&mut [0u8; HANDLER_FRAME]).fill(0xaa);
    if !is_on_alternate_stack() {
        ON_THE_WRONG_STACK.fetch_add(1, SeqCst);
    }
    HANDLED[TASK.get()].fetch_add(1, SeqCst);
}

/// The lowest address of the calling thread's stack.
fn bottom() -> usize {
    let mut attributes = MaybeUninit::uninit();
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the first call initialises what the others read.
    unsafe {
        let this = attributes.as_mut_ptr();
        assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), this), 0);
        libc::pthread_attr_getstack(this, &mut lowest, &mut size);
        libc::pthread_attr_destroy(this);
    }
    lowest as usize
}

/// Goes down until little is left of the stack, then waits there. The frames must be as they were on the way back.
fn wait_deep(bottom: usize, ready: &AtomicUsize) -> u64 {
    let frame = black_box([0x5555u64; 32]);
    let below = if (&raw const frame as usize) - bottom > LEFT {
        wait_deep(bottom, ready)
    } else {
        ready.fetch_add(1, SeqCst);
        while !STOP.load(SeqCst) {
            std::thread::yield_now();
        }
        0
    };
    below
        + black_box(&frame)
            .iter()
            .filter(|word| **word != 0x5555)
            .count() as u64
}

fn signals_deep_in_a_small_stack() {
    handle(large_handler);
    let size = threads::min_stack_size().max(64 << 10);
    let rt = Threads::builder().stack_size(size).build().unwrap();
    let ready = Arc::new(AtomicUsize::new(0));
    let (tell, told) = std::sync::mpsc::channel();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (ready, tell) = (Arc::clone(&ready), tell.clone());
            rt.spawn(move || {
                TASK.set(task);
                // SAFETY: it only asks.
                tell.send(unsafe { libc::gettid() }).unwrap();
                wait_deep(bottom(), &ready)
            })
        })
        .collect();
    let targets: Vec<_> = told.iter().take(TASKS).collect();
    while ready.load(SeqCst) < TASKS {
        std::thread::yield_now();
    }
    for round in 1..=ROUNDS {
        for &thread in &targets {
            send(thread);
        }
        // A second signal to a thread that has not handled the first would be lost, so all of this round come first.
        while HANDLED.iter().any(|count| count.load(SeqCst) < round) {
            std::thread::yield_now();
        }
    }
    STOP.store(true, SeqCst);
    for task in tasks {
        assert_eq!(task.join().unwrap(), 0, "frames were overwritten");
    }
    assert!(HANDLED.iter().all(|count| count.load(SeqCst) == ROUNDS));
    assert_eq!(ON_THE_WRONG_STACK.load(SeqCst), 0);
}

/// Sends SIGUSR1 to one thread of this process; false if there is no such thread any more.
fn send(thread: libc::pid_t) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1) == 0 }
}

#[test]
fn a_handler_has_room_however_little_the_task_has_left() {
    child::run("deep").is_done();
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn small_handler(_: c_int) {
    black_box(&mut [0u8; 1024]).fill(0xaa);
    SEEN.fetch_add(1, SeqCst);
}

/// Threads begin and end under fire: before the alternate stack is there, while it is, and when it has just been unmapped.
fn signals_at_both_ends_of_a_thread() {
    handle(small_handler);
    let rt = Threads::builder()
        .stack_size(threads::min_stack_size().max(64 << 10))
        .build()
        .unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let storm = std::thread::spawn(move || {
        // SAFETY: it only asks.
        let this = unsafe { libc::gettid() };
        tell.send(()).unwrap();
        while !STOP.load(SeqCst) {
            for entry in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
                let thread = entry.file_name().to_str().unwrap().parse().unwrap();
                if thread != this {
                    send(thread);
                }
            }
        }
    });
    told.recv().unwrap();
    let mut tasks = 0u64;
    while tasks < 400 || SEEN.load(SeqCst) < 2000 {
        let batch: Vec<_> = (0..8).map(|n| rt.spawn(move || tasks + n)).collect();
        let sum: u64 = batch.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 8 * tasks + 28);
        tasks += 8;
    }
    STOP.store(true, SeqCst);
    storm.join().unwrap();
    println!("{tasks} tasks, {} signals", SEEN.load(SeqCst));
}

#[test]
fn threads_begin_and_end_under_fire() {
    child::run("at both ends").is_done();
}
