//! Runaway recursion is reported by the task's name; every other fault goes where it went before; a panic is a message.

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::mem;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};

use step01::overflow::{self, Lookup, Report};
use step01::{Runtime, Threads};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("overflow", overflow_in_a_task),
    ("overflow on main", overflow_on_main),
    ("overflow, stderr locked", overflow_while_stderr_is_locked),
    ("overflow by a large frame", overflow_by_a_large_frame),
    ("registered", fault_in_a_registered_guard),
    ("null", null_dereference),
    ("null, earlier handler", || {
        earlier_handler(libc::SA_SIGINFO)
    }),
    ("null, earlier plain handler", || earlier_handler(0)),
    ("sent, default", || sent(libc::SIG_DFL)),
    ("sent, ignored", || sent(libc::SIG_IGN)),
    ("null, ignored", null_dereference_ignored),
    ("panic", panic_in_a_task),
];

const STACK: usize = 256 << 10;

/// Recurses without end, in a way that the compiler can neither see nor make a loop of.
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    let below = if black_box(true) {
        recurse(depth + 1)
    } else {
        0
    };
    below + black_box(&frame)[3]
}

fn overflow_in_a_task() {
    let rt = Threads::builder().stack_size(STACK).build().unwrap();
    rt.spawn(|| ()).join().unwrap(); // task 1
    println!("line {}", line!() + 1);
    let _ = rt.spawn(|| recurse(0)).join(); // task 2
}

#[test]
fn runaway_recursion_is_reported_with_the_task_its_origin_and_the_remedy() {
    let ended = child::run("overflow");
    let line = ended.value("line ");
    ended
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: stack overflow in task 2")
        .said(&format!("spawned at {}:{line}:", file!()))
        .said(&format!("set to {STACK} bytes"))
        .said("Threads::builder().stack_size(bytes)");
}

fn overflow_on_main() {
    Threads::new().run(|| recurse(0));
}

#[test]
fn recursion_on_a_thread_of_std_is_still_reported_by_std() {
    let ended = child::run("overflow on main");
    ended
        .was_ended_by(libc::SIGABRT)
        .said("has overflowed its stack");
    ended.did_not_say("in task");
}

fn overflow_while_stderr_is_locked() {
    let rt = Threads::builder().stack_size(STACK).build().unwrap();
    let _held = std::io::stderr().lock();
    let _ = rt.spawn(|| recurse(0)).join();
}

#[test]
fn the_report_needs_no_lock() {
    child::run("overflow, stderr locked")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: stack overflow in task 1");
}

/// A task touches an address far below its own frame, as C code without stack probes does with a large local array.
fn overflow_by_a_large_frame() {
    let rt = Threads::builder().stack_size(STACK).build().unwrap();
    let (tell, told) = mpsc::channel();
    let gate = Arc::new(Barrier::new(2));
    let opens = Arc::clone(&gate);
    let high = rt.spawn(move || {
        let here = 0u8;
        tell.send(&raw const here as usize).unwrap();
        opens.wait();
        let below = (&raw const here as usize) - STACK - (48 << 10);
        // SAFETY: none; this is the fault that is to be reported.
        unsafe { ptr::write_volatile(below as *mut u8, 1) };
    });
    // Linux maps downwards, so the next task's stack is what lies below the guard.
    let above = told.recv().unwrap();
    let low = rt.spawn(move || {
        let here = 0u8;
        println!("apart by {}", above.abs_diff(&raw const here as usize));
        gate.wait();
    });
    let _ = (high.join(), low.join());
}

#[test]
fn a_frame_of_many_pages_does_not_step_over_the_guard() {
    child::run("overflow by a large frame")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: stack overflow in task 1");
}

/// The guard of a stack that is not a thread's, as later stages have.
static FOREIGN_GUARD: AtomicUsize = AtomicUsize::new(0);
static FOREIGN: Lookup = Lookup::new(|address| {
    (address == FOREIGN_GUARD.load(SeqCst)).then_some(Report {
        task: 4711,
        site: Location::caller(),
        stack_size: 12_345,
        setting: "Other::builder().stack(bytes)",
    })
});

fn fault_in_a_registered_guard() {
    let _rt = Threads::new();
    // SAFETY: the lookup's function loads one atomic. The mapping is new and without access, so the write is a fault.
    unsafe {
        overflow::register(&FOREIGN);
        let (len, nowhere) = (4096, -1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let guard = libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, nowhere, 0);
        FOREIGN_GUARD.store(guard as usize, SeqCst);
        ptr::write_volatile(guard.cast::<u8>(), 1);
    }
}

#[test]
fn a_guard_that_another_stage_has_registered_is_reported_too() {
    child::run("registered")
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: stack overflow in task 4711")
        .said("12345 bytes")
        .said("`Other::builder().stack(bytes)`");
}

/// Writes where nothing can be mapped.
fn fault() {
    // SAFETY: none; this is the fault that is to be passed on.
    unsafe { ptr::write_volatile(ptr::without_provenance_mut::<u8>(8), 1) };
}

fn null_dereference() {
    let _ = Threads::new().spawn(fault).join();
}

#[test]
fn another_fault_in_a_task_still_ends_the_process_as_a_fault() {
    child::run("null")
        .was_ended_by(libc::SIGSEGV)
        .did_not_say("stack overflow");
}

/// Sets what happens on SIGSEGV.
fn set_action(handler: usize, flags: c_int) {
    // SAFETY: the handlers in this file have the signature that `flags` says, and do only what a handler may do.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()), 0);
    }
}

extern "C" fn with_information(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel's structure was passed on.
    let address = unsafe { (*info).si_addr() } as usize;
    // SAFETY: _exit may be called in a handler.
    unsafe { libc::_exit(if address == 8 { 42 } else { 1 }) }
}

extern "C" fn plain(signal: c_int) {
    // SAFETY: as above.
    unsafe { libc::_exit(if signal == libc::SIGSEGV { 43 } else { 1 }) }
}

fn earlier_handler(flags: c_int) {
    let handler = match flags {
        0 => plain as *const () as usize,
        _ => with_information as *const () as usize,
    };
    set_action(handler, flags);
    let _ = Threads::new().spawn(fault).join();
}

#[test]
fn a_handler_that_was_installed_before_gets_the_faults_that_are_its_own() {
    child::run("null, earlier handler").exited(42);
    child::run("null, earlier plain handler").exited(43);
}

/// SIGSEGV that somebody has sent with kill(2): there is no faulting instruction that would fault again.
fn sent(before: usize) {
    set_action(before, 0);
    let _rt = Threads::new();
    // SAFETY: a signal to this process itself.
    unsafe { libc::raise(libc::SIGSEGV) };
}

#[test]
fn a_signal_that_was_sent_does_what_it_did_before() {
    child::run("sent, default").was_ended_by(libc::SIGSEGV);
    child::run("sent, ignored").is_done();
}

fn null_dereference_ignored() {
    set_action(libc::SIG_IGN, 0);
    null_dereference();
}

#[test]
fn a_fault_cannot_be_ignored() {
    child::run("null, ignored").was_ended_by(libc::SIGSEGV);
}

fn panic_in_a_task() {
    let rt = Threads::new();
    println!("line {}", line!() + 1);
    let error = rt.spawn(|| panic!("the soup is {}", "cold")).join();
    println!("joined {}", error.unwrap_err());
    println!("later {}", rt.spawn(|| 6 * 7).join().unwrap());
}

#[test]
fn a_panic_is_told_once_and_the_program_goes_on() {
    let ended = child::run("panic");
    let line = ended.value("line ");
    ended
        .is_done()
        .said(&format!("panicked at {}:{line}:", file!()))
        .said("the soup is cold");
    assert_eq!(
        ended.value("joined "),
        "the task panicked: the soup is cold"
    );
    assert_eq!(ended.value("later "), "42");
}
