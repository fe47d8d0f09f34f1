//! Just enough of epoll(7) for the load client: wait until any of many sockets can be read.
//!
//! Level-triggered, since a client that reads to the end each time gains nothing from edges. poll(2) would do as well
//! for a few connections; with a thousand it looks at all of them to find the few that are ready, and the client's own
//! cost would grow with the number of connections while the server's does not.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// A set of sockets, each with a number of the caller's.
pub(crate) struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// An empty set that tells of up to `batch` sockets at a time.
    pub(crate) fn new(batch: usize) -> io::Result<Epoll> {
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Epoll {
            // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            events: vec![libc::epoll_event { events: 0, u64: 0 }; batch.max(1)],
        })
    }

    /// Adds a socket under the number `key`. It leaves the set when it is closed.
    pub(crate) fn add(&self, socket: RawFd, key: usize) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: key as u64,
        };
        // SAFETY: `event` outlives the call, which copies it.
        let result = unsafe {
            libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, socket, &mut event)
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Waits until some sockets can be read, at most for `timeout`. Calls `each` with their numbers.
    pub(crate) fn wait(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(usize) -> Result<(), String>,
    ) -> Result<(), String> {
        // Rounded up: a timeout of less than a millisecond must not become a busy loop.
        let millis = timeout.as_micros().div_ceil(1_000).min(60_000) as libc::c_int;
        let room = self.events.len() as libc::c_int;
        // SAFETY: the buffer has room for `room` events and outlives the call.
        let n = unsafe {
            libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, millis)
        };
        if n < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                return Ok(());
            }
            return Err(format!("epoll_wait: {error}"));
        }
        for event in &self.events[..n as usize] {
            each(event.u64 as usize)?;
        }
        Ok(())
    }
}
