//! Kernels that do not have what this one has: guards must be found out to be missing, and made in another way.
//!
//! A filter of system calls plays the older kernel: it answers a call without its being made. It holds for one thread and
//! for good, so each case has a process of its own.

use std::hint::black_box;
use std::io;

use step02::{Coroutine, GuardKind, Region, SlotLayout};

use crate::child::{self, Case};

pub(crate) const CASES: &[Case] = &[
    ("advice_unknown", || {
        overflow_with(libc::EINVAL, Some(libc::EINVAL))
    }),
    ("advice_ignored", || overflow_with(libc::ENOSYS, Some(0))),
    ("no_batches", || overflow_with(libc::ENOSYS, None)),
];

const MADV_GUARD_INSTALL: u32 = 102;

/// From now on the kernel does not do these calls for this thread, and answers with an error number; 0 is success.
/// `batches` is what it says to process_madvise, and `advice` to madvise, with MADV_GUARD_INSTALL.
fn play(batches: i32, advice: Option<i32>) {
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let skip_unless =
        |value, steps| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, steps, value);
    let answer = |errno: i32| {
        let answer = libc::SECCOMP_RET_ERRNO | errno as u32;
        step(libc::BPF_RET | libc::BPF_K, 0, 0, answer)
    };
    // The number of the call is the first word of what a filter sees; its third argument begins at byte 32.
    let mut filter = vec![
        load(0),
        skip_unless(libc::SYS_process_madvise as u32, 1),
        answer(batches),
    ];
    if let Some(errno) = advice {
        filter.extend([
            skip_unless(libc::SYS_madvise as u32, 3),
            load(32),
            skip_unless(MADV_GUARD_INSTALL, 1),
            answer(errno),
        ]);
    }
    filter.push(step(
        libc::BPF_RET | libc::BPF_K,
        0,
        0,
        libc::SECCOMP_RET_ALLOW,
    ));
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is alive during the call, and only changes what system calls answer.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        let code = libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program);
        assert_eq!(code, 0, "{}", io::Error::last_os_error());
    }
}

#[allow(unconditional_recursion)]
fn endless(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    endless(depth + 1) + frame[3]
}

/// Plays a kernel, says how guards are made there, and runs over the end of a stack.
fn overflow_with(batches: i32, advice: Option<i32>) {
    play(batches, advice);
    let region = Region::map(SlotLayout::new(64 << 10).unwrap(), 3).unwrap();
    let _below = region.open().unwrap();
    let stack = region.open().unwrap();
    println!("guards {:?}", region.guard_kind());
    let mut runaway = Coroutine::<u64, (), u64>::new(stack, |_, n| endless(n));
    runaway.resume(black_box(1));
}

fn guards_are(case: &str, kind: GuardKind) {
    if std::env::var_os("TEST_RUNNER").is_some() {
        println!("skipped: an emulator has no filters of system calls");
        return;
    }
    let ended = child::run(case);
    ended
        .was_ended_by(libc::SIGABRT)
        .said("fatal error: stack overflow in task ");
    assert_eq!(ended.value("guards"), format!("{kind:?}"));
}

#[test]
fn a_kernel_that_does_not_know_the_advice_gets_guards_by_mprotect() {
    guards_are("advice_unknown", GuardKind::Protected);
}

/// qemu's user mode and valgrind do so.
#[test]
fn a_kernel_that_says_done_and_does_nothing_is_not_believed() {
    guards_are("advice_ignored", GuardKind::Protected);
}

/// What is there without many in one call: marks, if this kernel has them at all.
fn one_by_one() -> GuardKind {
    let region = Region::map_guarded_by(SlotLayout::default(), 1, GuardKind::Marked).unwrap();
    drop(region.open().unwrap());
    region.guard_kind()
}

#[test]
fn without_the_call_for_many_ranges_each_has_a_call_of_its_own() {
    guards_are("no_batches", one_by_one());
}
