//! The stack on which a thread handles signals when its own is not fit for it.
//!
//! A thread that has run out of stack cannot say so: the handler of the fault would need the very stack that has ended.
//! sigaltstack(2) names another one. A handler that was installed with `SA_ONSTACK` runs there, and `overflow.rs` does.
//!
//! ```text
//!   low addresses                                                        high addresses
//!   ┌──────────────┬──────────────────────────────┬──────────────────────────────────┐
//!   │ guard page   │ room for handlers, 32 KiB    │ the kernel's frame: all registers │
//!   └──────────────┴──────────────────────────────┴──────────────────────────────────┘
//!                  ◀── grows this way ── ss_sp … ss_sp + ss_size
//! ```
//!
//! How large? The kernel writes the interrupted thread's registers on it first. How many bytes that takes depends on the
//! processor (vector registers made it grow past what the constant `MINSIGSTKSZ` once promised), so the kernel is
//! asked: `AT_MINSIGSTKSZ`. On top come 32 KiB for the handlers, which is what Go gives its own. That is generous for
//! ours, but any `SA_ONSTACK` handler of the program lands here, a profiler's too, and Go's issue 54306 is what happens
//! when such a handler finds too little. The pages are reserved, and spent only when a signal arrives.
//!
//! # Who makes it, and when
//!
//! [`AltStack::allocate`] may be refused, so whoever creates a thread calls it *before* there is a thread, where a
//! refusal is an `Err` that someone can act on. std makes it in the new thread, where nobody can; near the limit of
//! mappings the thread then panics before its first line. The new thread only installs what it was given, and that
//! cannot fail.
//!
//! # Rejected
//!
//! - *A buffer in the thread's first frame.* It needs no mapping of its own and is there as soon as the thread is. But a
//!   handler that overflows it writes over the task's frames, where here it meets a guard page.
//! - *A pool of used ones.* It would save three of the eighteen system calls that the life of a task takes (counted with
//!   `perf stat -e raw_syscalls:sys_enter`), and it would have to be bounded, and emptied again.

use std::ffi::{c_int, c_void};
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

/// What handlers may use, beside the frame that the kernel itself writes.
const HANDLER_ROOM: usize = 32 << 10;

/// Makes pages fault without splitting the mapping; Linux 6.13 and later, not in libc's list yet.
const MADV_GUARD_INSTALL: c_int = 102;

/// A mapped stack for signal handlers, not yet in use.
#[derive(Debug)]
pub struct AltStack {
    /// The lowest address of the mapping: the guard page.
    mapping: NonNull<c_void>,
    guard: usize,
    /// The usable bytes above the guard.
    size: usize,
}

// SAFETY: it owns its mapping, and unmapping works from any thread.
unsafe impl Send for AltStack {}

// ANCHOR: allocate
impl AltStack {
    /// Maps a stack of [`AltStack::default_size`] bytes, and its guard page.
    ///
    /// # Errors
    ///
    /// What mmap(2) answered: `ENOMEM` if the process may not have another mapping, or no more addresses.
    pub fn allocate() -> io::Result<AltStack> {
        let guard = page_size();
        let size = AltStack::default_size();
        // The flags are those with which libc maps a thread's stack. So the kernel merges the two when they come to lie
        // side by side, as they mostly do, and a thread takes two mappings and not three. (With MAP_NORESERVE it took
        // three, and vm.max_map_count ended it at 21,800 threads instead of 32,400.)
        // SAFETY: a new private mapping, at an address of the kernel's choice, touches nobody's memory.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                guard + size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
                -1,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(mapping) = NonNull::new(mapping) else {
            unreachable!("without MAP_FIXED the kernel does not map address zero");
        };
        let stack = AltStack {
            mapping,
            guard,
            size,
        };
        // A guard that is a mark in the page table leaves the mapping in one piece, so it does not count against
        // vm.max_map_count. Kernels before 6.13 do not know the advice, and there the page is a mapping of its own.
        // SAFETY: the page is ours, and nothing is in it.
        let guarded = unsafe {
            (libc::madvise(mapping.as_ptr(), guard, MADV_GUARD_INSTALL) == 0
                && marks_are_kept(mapping, guard))
                || libc::mprotect(mapping.as_ptr(), guard, libc::PROT_NONE) == 0
        };
        if guarded {
            Ok(stack)
        } else {
            Err(io::Error::last_os_error())
        }
    }
    // ANCHOR_END: allocate

    /// The usable size in bytes, without the guard page.
    pub fn default_size() -> usize {
        // SAFETY: it only looks into the table that the kernel passed to the process; zero if the entry is not there.
        let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        (frame.max(libc::MINSIGSTKSZ) + HANDLER_ROOM).next_multiple_of(page_size())
    }

    /// Makes it the calling thread's stack for signal handlers, until the returned guard is dropped.
    ///
    /// # Panics
    ///
    /// If it is called from a signal handler that runs on the thread's present alternate stack, which the kernel does
    /// not allow to be exchanged. There is no other reason for which it could fail.
    pub fn install(self) -> InstalledAltStack {
        let stack = libc::stack_t {
            // SAFETY: the guard page is the first part of the mapping, so this is inside it.
            ss_sp: unsafe { self.mapping.as_ptr().byte_add(self.guard) },
            ss_flags: 0,
            ss_size: self.size,
        };
        let mut before = MaybeUninit::<libc::stack_t>::uninit();
        // SAFETY: the memory is mapped, nobody else uses it, and it stays until `InstalledAltStack` has taken it back.
        let result = unsafe { libc::sigaltstack(&stack, before.as_mut_ptr()) };
        assert_eq!(result, 0, "sigaltstack: {}", io::Error::last_os_error());
        InstalledAltStack {
            // SAFETY: the call succeeded, so the kernel has written it.
            before: unsafe { before.assume_init() },
            _stack: self,
            _this_thread: PhantomData,
        }
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        let (start, len) = (self.mapping.as_ptr(), self.guard + self.size);
        // SAFETY: the mapping is ours, and no thread has it installed.
        if unsafe { libc::munmap(start, len) } != 0 {
            // The kernel had merged it with both its neighbours, and cutting it out would make one mapping too many.
            // That takes a process at the limit. Its memory goes back all the same; the addresses stay behind.
            // SAFETY: as above.
            unsafe { libc::madvise(start, len, libc::MADV_DONTNEED) };
        }
    }
}

/// An [`AltStack`] in use by this thread. Dropping it gives the thread back what it had before, then unmaps it.
#[derive(Debug)]
pub struct InstalledAltStack {
    before: libc::stack_t,
    /// Unmapped after `drop` below: fields go after the value that they are in.
    _stack: AltStack,
    /// What was installed on this thread is taken back on this thread, so it is neither Send nor Sync.
    _this_thread: PhantomData<*mut ()>,
}

impl Drop for InstalledAltStack {
    fn drop(&mut self) {
        // SAFETY: it is what the kernel said was installed here before: another stack, which whoever installed it
        // keeps mapped, or none (SS_DISABLE).
        let result = unsafe { libc::sigaltstack(&self.before, ptr::null_mut()) };
        // Unmapping a stack that is still installed would let the next signal write into whatever is mapped there then.
        assert_eq!(result, 0, "sigaltstack: {}", io::Error::last_os_error());
    }
}

/// Whether a guard that was marked is one: asked once, with the first. qemu's user mode answers yes to all advice that it
/// does not know, and does nothing. So it is asked for the page itself, which cannot be had if it is a guard.
fn marks_are_kept(guard: NonNull<c_void>, len: usize) -> bool {
    static KEPT: OnceLock<bool> = OnceLock::new();
    // SAFETY: the caller's page, and nothing is in it; at most it is filled with zeros.
    *KEPT.get_or_init(|| unsafe {
        libc::madvise(guard.as_ptr(), len, libc::MADV_POPULATE_READ) != 0
    })
}

/// The size of a page in bytes: 4 KiB on x86-64; 4, 16 or 64 KiB on aarch64.
pub(crate) fn page_size() -> usize {
    // SAFETY: it only asks.
    let answer = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(answer).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed() -> libc::stack_t {
        let mut now = MaybeUninit::uninit();
        // SAFETY: with no new stack the call only writes the present one.
        unsafe {
            assert_eq!(libc::sigaltstack(ptr::null(), now.as_mut_ptr()), 0);
            now.assume_init()
        }
    }

    #[test]
    fn it_is_installed_and_what_was_there_comes_back() {
        let before = installed();
        let stack = AltStack::allocate().unwrap();
        let lowest = stack.mapping.as_ptr() as usize + page_size();
        let guard = stack.install();
        assert_eq!(installed().ss_sp as usize, lowest);
        assert_eq!(installed().ss_size, AltStack::default_size());
        drop(guard);
        assert_eq!(installed().ss_sp, before.ss_sp);
        assert_eq!(installed().ss_flags, before.ss_flags);
    }

    #[test]
    fn it_is_writable_down_to_its_guard_page_and_not_below() {
        let stack = AltStack::allocate().unwrap();
        let lowest = stack.mapping.as_ptr() as usize + page_size();
        assert!(readable(lowest));
        assert!(readable(lowest + AltStack::default_size() - 1));
        assert!(!readable(lowest - 1));
        assert!(!readable(stack.mapping.as_ptr() as usize));
    }

    #[test]
    fn it_has_room_for_the_kernels_frame_and_for_handlers() {
        // SAFETY: it only looks into a table.
        let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        assert!(AltStack::default_size() >= frame + HANDLER_ROOM);
        assert_eq!(AltStack::default_size() % page_size(), 0);
    }

    /// Lets the kernel touch the byte, which answers EFAULT where this process would get a signal.
    fn readable(address: usize) -> bool {
        let mut pipe = [0; 2];
        // SAFETY: write(2) checks the address itself.
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            let written = libc::write(pipe[1], address as *const c_void, 1);
            libc::close(pipe[0]);
            libc::close(pipe[1]);
            written == 1
        }
    }
}
