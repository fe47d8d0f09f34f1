//! What the workloads ask of the machine and of the process: cores, memory, processor time, limits.

use std::io;
use std::mem;

/// Holds the calling thread, and every thread that it starts from now on, on one core. Undone when dropped, for the
/// calling thread.
pub(crate) struct Pinned {
    before: libc::cpu_set_t,
}

impl Pinned {
    /// Pins to the core that the thread is on.
    pub(crate) fn to_one_core() -> io::Result<Pinned> {
        // SAFETY: an all-zero cpu_set_t is the empty set, and both calls get its true size.
        unsafe {
            let mut before: libc::cpu_set_t = mem::zeroed();
            if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut before) != 0 {
                return Err(io::Error::last_os_error());
            }
            let core = libc::sched_getcpu();
            if core < 0 {
                return Err(io::Error::last_os_error());
            }
            let mut one: libc::cpu_set_t = mem::zeroed();
            libc::CPU_SET(core as usize, &mut one);
            if libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &one) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Pinned { before })
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the kernel gave us. It cannot fail with that, and a measurement is over.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &self.before) };
    }
}
