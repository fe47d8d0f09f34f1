//! Sockets for stages without a network poller: ask again and again.
//!
//! A task must not block the thread that others run on. So the sockets are non-blocking: an operation that would have to
//! wait fails with `WouldBlock`, and then the task lets the others run and tries again. First it only yields, since the
//! answer is often there a moment later; then it sleeps for a millisecond between two tries, so that an idle connection
//! does not keep a core busy.
//!
//! Both are wrong, of course. A request that comes in finds its task asleep for half a millisecond on average, and a
//! thousand idle connections ask the kernel a million times a second. That is what this file is for: steps 2 to 4 have
//! it, and step 5 replaces it by a poller that the kernel tells who is ready.
//!
//! Name look-ups (`getaddrinfo`) block the thread, all tasks with it. Addresses that are numbers need none. What the C
//! library does to find a name, plugins and all, takes more stack than a task may have, so it is called on the thread's
//! own.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use step01::park::{self, Wait};
use step01::{Net, NetListener, NetStream};

/// So often a task yields before it begins to sleep.
const YIELDS: u32 = 3;

/// So long it sleeps between two tries.
const SLEEP: Duration = Duration::from_millis(1);

/// Sockets that ask again and again. It serves every stage whose `yield_now` it is given.
#[derive(Clone, Copy, Debug)]
pub struct PollingNet {
    yield_now: fn(),
    on_native_stack: fn(&mut dyn FnMut()),
}

impl PollingNet {
    /// Sockets for the stage that gives other tasks a turn by `yield_now`, and that calls on a large stack what
    /// `on_native_stack` is given.
    pub const fn new(yield_now: fn(), on_native_stack: fn(&mut dyn FnMut())) -> Self {
        PollingNet {
            yield_now,
            on_native_stack,
        }
    }

    /// Looks a name up. Blocks the thread, if `address` is a name.
    fn resolve<A: ToSocketAddrs>(self, address: A) -> io::Result<Vec<SocketAddr>> {
        let mut found = Err(io::ErrorKind::Other.into());
        (self.on_native_stack)(&mut || found = address.to_socket_addrs().map(Iterator::collect));
        found
    }

    // ANCHOR: retry
    /// Tries until the answer is another one than "would block".
    fn retry<T>(self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        for tries in 0.. {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                answer => return answer,
            }
            if tries < YIELDS {
                (self.yield_now)();
            } else {
                let deadline = Instant::now() + SLEEP;
                while Instant::now() < deadline {
                    park::park_as(Wait::Io, Some(deadline));
                }
            }
        }
        unreachable!("there is no last try")
    }
    // ANCHOR_END: retry

    fn stream(self, inner: TcpStream) -> io::Result<PollingStream> {
        inner.set_nonblocking(true)?;
        Ok(PollingStream { inner, net: self })
    }

    fn connect_to(self, address: SocketAddr) -> io::Result<PollingStream> {
        let (inner, connected) = begin_to_connect(address)?;
        if !connected {
            self.retry(|| is_connected(&inner))?;
        }
        self.stream(inner)
    }
}

impl Net for PollingNet {
    type Listener = PollingListener;
    type Stream = PollingStream;

    fn listen<A: ToSocketAddrs>(&self, address: A) -> io::Result<PollingListener> {
        let inner = TcpListener::bind(&*self.resolve(address)?)?;
        inner.set_nonblocking(true)?;
        Ok(PollingListener { inner, net: *self })
    }

    fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<PollingStream> {
        let mut last = None;
        for address in self.resolve(address)? {
            match self.connect_to(address) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to")
        }))
    }
}

/// A listening socket whose `accept` lets other tasks run.
#[derive(Debug)]
pub struct PollingListener {
    inner: TcpListener,
    net: PollingNet,
}

impl NetListener for PollingListener {
    type Stream = PollingStream;

    fn accept(&self) -> io::Result<(PollingStream, SocketAddr)> {
        let (inner, address) = self.net.retry(|| self.inner.accept())?;
        Ok((self.net.stream(inner)?, address))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection whose reads and writes let other tasks run.
#[derive(Debug)]
pub struct PollingStream {
    inner: TcpStream,
    net: PollingNet,
}

impl Read for PollingStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.net.retry(|| (&self.inner).read(buffer))
    }
}

impl Write for PollingStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.net.retry(|| (&self.inner).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NetStream for PollingStream {
    fn try_clone(&self) -> io::Result<Self> {
        // Both handles are one socket, so the copy is non-blocking, too.
        let inner = self.inner.try_clone()?;
        Ok(PollingStream {
            inner,
            net: self.net,
        })
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.shutdown(how)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.set_nodelay(nodelay)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }
}

// ANCHOR: connect
/// Makes a non-blocking socket and starts to connect it; std can only connect blocking ones. True if it stands already.
fn begin_to_connect(address: SocketAddr) -> io::Result<(TcpStream, bool)> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: it takes numbers.
    let descriptor = unsafe { libc::socket(family, kind, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is new, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let code = match address {
        SocketAddr::V4(address) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(address.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: the structure is alive during the call, and that is its size.
            unsafe {
                libc::connect(
                    descriptor,
                    (&raw const raw).cast(),
                    size_of_val(&raw) as u32,
                )
            }
        }
        SocketAddr::V6(address) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: as above.
            unsafe {
                libc::connect(
                    descriptor,
                    (&raw const raw).cast(),
                    size_of_val(&raw) as u32,
                )
            }
        }
    };
    let stream = TcpStream::from(socket);
    if code == 0 {
        return Ok((stream, true));
    }
    match io::Error::last_os_error() {
        // A connect that a signal interrupts goes on in the background all the same.
        error if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Ok((stream, false))
        }
        error => Err(error),
    }
}

/// Whether a connection that was begun stands: "would block" if it does not yet, or why it never will.
fn is_connected(stream: &TcpStream) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one structure, alive during the call, which does not wait.
    match unsafe { libc::poll(&mut poll, 1, 0) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        1.. => stream.take_error()?.map_or(Ok(()), Err),
        _ => Err(io::Error::last_os_error()),
    }
}
// ANCHOR_END: connect
