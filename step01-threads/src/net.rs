//! Sockets, as far as programs that run on every stage need them.
//!
//! A stage's sockets block the *task*, whatever that takes: here the kernel does it, since a task is a thread; the
//! stages in the middle ask again and again; the last one has a network poller. The traits are small on purpose. They
//! carry plain `Read + Write` streams, so that libraries written for std's sockets run on all stages.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};

// ANCHOR: net
/// Makes sockets whose operations block the calling task and not more than that.
pub trait Net: Clone + Send + Sync + 'static {
    /// A listening socket.
    type Listener: NetListener<Stream = Self::Stream>;
    /// A connection.
    type Stream: NetStream;

    /// Binds a TCP listener to `address`; port 0 asks the kernel for a free one.
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2), and of the name look-up.
    fn listen<A: ToSocketAddrs>(&self, address: A) -> io::Result<Self::Listener>;

    /// Connects to `address`. Blocks the task until the connection stands.
    ///
    /// # Errors
    ///
    /// Those of connect(2), and of the name look-up.
    fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<Self::Stream>;
}
// ANCHOR_END: net

/// A listening TCP socket.
pub trait NetListener: Send + Sync + 'static {
    /// The connections it accepts.
    type Stream: NetStream;

    /// Waits for a connection. Blocks the task until there is one.
    ///
    /// # Errors
    ///
    /// Those of accept(2).
    fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)>;

    /// The address it is bound to, with the port that the kernel chose.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A TCP connection. Reading and writing block the task.
pub trait NetStream: Read + Write + Send + Sync + Sized + 'static {
    /// A second handle to the same connection, so that one task can read while another writes.
    ///
    /// # Errors
    ///
    /// Those of dup(2), such as too many open files.
    fn try_clone(&self) -> io::Result<Self>;

    /// Ends one direction of the connection, or both.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2).
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// Those of getpeername(2).
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

/// std's sockets: the calling thread sleeps in the kernel until there is something to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdNet;

impl Net for StdNet {
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn listen<A: ToSocketAddrs>(&self, address: A) -> io::Result<TcpListener> {
        TcpListener::bind(address)
    }

    fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<TcpStream> {
        TcpStream::connect(address)
    }
}

impl NetListener for TcpListener {
    type Stream = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

impl NetStream for TcpStream {
    fn try_clone(&self) -> io::Result<Self> {
        TcpStream::try_clone(self)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        TcpStream::shutdown(self, how)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        TcpStream::set_nodelay(self, nodelay)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        TcpStream::peer_addr(self)
    }
}
