//! Guards: pages at the end of a stack that fault when they are touched, so that an overflow is seen.
//!
//! # Two ways
//!
//! *mprotect(2)* takes the right to read and write from the pages. The kernel keeps rights per *mapping*, so each guard
//! cuts one mapping into three, and a process may have 65,530 of those by default (`vm.max_map_count`). Two for each
//! stack: the end is at 32,7xx stacks. libdill#130 and may stop there.
//!
//! *madvise(2) with `MADV_GUARD_INSTALL`* (Linux 6.13) writes a mark into the page table, for each page. The mapping
//! stays in one piece, and a million guarded stacks are one line in `/proc/self/maps`.
//!
//! So the second is tried first. A kernel that does not know it says `EINVAL`, and then it is the first. An emulated
//! kernel may say "done" and do nothing (qemu's does, since advice may be ignored), so after each call one guard is
//! looked at: the kernel itself is asked to read it, which it answers with `EFAULT`.
//!
//! # Many in one call
//!
//! process_madvise(2) takes a list of ranges, and a process may name itself by a pidfd. Measured on the machine of the
//! book's recordings, with 256 in a call: a quarter to a third less time for each guard than one by one, which in turn is a
//! third of what a mapping costs (`cargo run --release -p step02 --example guards` asks yours). What remains is
//! the kernel's allocating the tables that the marks are written into, one page for 2 MiB of addresses. The descriptor
//! is opened for each call, since one that is kept would, after a fork(2), name the parent.
//!
//! Rejected: *no guards, but a check in each function* as Go has, which needs the compiler's help; *a guard that shares
//! its page with the neighbour's stack*, which does not fault.

use std::io;

use step01::SpawnError;
use step01::limits::{self, Request};

use crate::layout::SlotLayout;

/// Linux 6.13 and later; not in libc's list yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// The most guards that are installed in one call; process_madvise takes up to 1,024, and gains nothing beyond this.
pub(crate) const BATCH: usize = 256;

/// How guards are made on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardKind {
    /// Marks in the page table, by process_madvise(2), many in one call.
    MarkedInBatches,
    /// Marks in the page table, by madvise(2).
    Marked,
    /// Rights of mappings, by mprotect(2): two mappings for each stack.
    Protected,
}

// ANCHOR: install
/// Guards `count` slots, one at least, of which the lowest is at `base`. Where `kind` turns out not to work here, the next one is
/// tried, and `kind` is the one that worked.
///
/// # Safety
///
/// The slots must be mapped in one piece, readable and writable, and nobody may be using what is in them.
///
/// # Errors
///
/// [`SpawnError`] names the limit that was met; mostly that is `vm.max_map_count`. Some of the slots may be guarded.
pub(crate) unsafe fn install(
    kind: &mut GuardKind,
    base: *mut u8,
    count: usize,
    layout: SlotLayout,
) -> Result<(), SpawnError> {
    // SAFETY: the slots lie one after the other, so all these addresses are in the mapping.
    let guards = (0..count).map(|n| unsafe { base.add(n * layout.slot()) });
    loop {
        // SAFETY: by the caller's promise the guards are mapped, and nothing is in them.
        let result = unsafe {
            match kind {
                GuardKind::MarkedInBatches => mark_all(guards.clone(), layout.guard()),
                GuardKind::Marked => each(guards.clone(), |guard| mark(guard, layout.guard())),
                GuardKind::Protected => {
                    each(guards.clone(), |guard| protect(guard, layout.guard()))
                }
            }
        };
        let error = match result {
            Ok(()) if !readable(base) => return Ok(()),
            Ok(()) => io::Error::from_raw_os_error(libc::EINVAL),
            Err(error) => error,
        };
        *kind = match (*kind, error.raw_os_error()) {
            // Out of memory for page tables: another way would not help.
            (GuardKind::Protected, _) | (_, Some(libc::ENOMEM)) => return Err(explain(error)),
            (GuardKind::MarkedInBatches, _) => GuardKind::Marked,
            (GuardKind::Marked, _) => GuardKind::Protected,
        };
    }
}
// ANCHOR_END: install

/// Whether the eight bytes at `address` can be read; found out without touching them.
///
/// rt_sigprocmask(2) is asked to change the signal mask in a way that there is not. It reads the new mask before it looks
/// at the way, so the answer is `EFAULT` or `EINVAL`, and nothing changes. This is a trick of the Abseil library.
fn readable(address: *const u8) -> bool {
    const NO_SUCH_WAY: libc::c_int = -1;
    // SAFETY: the kernel checks the address.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            NO_SUCH_WAY,
            address,
            std::ptr::null_mut::<libc::c_void>(),
            8,
        );
    }
    io::Error::last_os_error().raw_os_error() != Some(libc::EFAULT)
}

/// Says which limit is behind a refusal.
fn explain(cause: io::Error) -> SpawnError {
    let request = Request {
        threads: 0,
        mappings: 2,
        bytes: 0,
        setting: crate::STACK_SETTING,
    };
    limits::explain(cause, request)
}

fn each(
    mut guards: impl Iterator<Item = *mut u8>,
    guard: impl Fn(*mut u8) -> libc::c_int,
) -> io::Result<()> {
    if guards.all(|address| guard(address) == 0) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// # Safety
///
/// The range is mapped, and nobody is using what is in it.
unsafe fn mark(address: *mut u8, len: usize) -> libc::c_int {
    // SAFETY: see above.
    unsafe { libc::madvise(address.cast(), len, MADV_GUARD_INSTALL) }
}

/// # Safety
///
/// As [`mark`].
unsafe fn protect(address: *mut u8, len: usize) -> libc::c_int {
    // SAFETY: as in `mark`.
    unsafe { libc::mprotect(address.cast(), len, libc::PROT_NONE) }
}

// ANCHOR: batches
/// # Safety
///
/// As [`mark`], for each of the ranges.
unsafe fn mark_all(guards: impl Iterator<Item = *mut u8>, len: usize) -> io::Result<()> {
    let ranges: Vec<libc::iovec> = guards
        .map(|address| libc::iovec {
            iov_base: address.cast(),
            iov_len: len,
        })
        .collect();
    // SAFETY: the calls take numbers, and a list that is alive during the call. The kernel checks the rest.
    unsafe {
        let own = libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0);
        let Ok(own) = libc::c_int::try_from(own) else {
            return Err(io::Error::last_os_error());
        };
        if own < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut left = ranges.as_slice();
        let result = loop {
            let count = left.len().min(BATCH);
            if count == 0 {
                break Ok(());
            }
            let advised = libc::syscall(
                libc::SYS_process_madvise,
                own,
                left.as_ptr(),
                count,
                MADV_GUARD_INSTALL,
                0,
            );
            // It says how many bytes it got through, which is fewer than asked for if it met an error on the way.
            match usize::try_from(advised) {
                Ok(bytes) if bytes >= len => left = &left[bytes / len..],
                _ => break Err(io::Error::last_os_error()),
            }
        };
        libc::close(own);
        result
    }
}
// ANCHOR_END: batches
