//! A web server, written the way Go programmers write one: a task for each connection, blocking reads and writes.
//!
//! # How it ends
//!
//! [`Server::stop`] ends it gracefully: first the task that accepts (a flag, and a connection to itself to wake it),
//! then the connections: each is told that there will be no more input, so a task that waits for a request sees the end
//! of the connection, and one that is busy finishes its answer first. When the last has gone, `stop` returns.
//!
//! # Limits
//!
//! A request's head is at most 8 KiB, a connection that says nothing is closed after [`Site::idle_limit`], connections
//! beyond [`Site::most_connections`] are answered with 503, and an accept that fails for want of file descriptors is
//! tried again after a pause that doubles from 5 ms to 1 s, as in Go.
//!
//! Rejected: one task that reads from all connections and hands requests to others. That is what one does where tasks
//! are expensive, and then the state of each connection lives in a table in place of a stack.

mod connection;
mod files;
mod http;
pub(crate) mod pages;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::time::{Duration, Instant};

use step01::{
    JoinHandle, Mutex, Net, NetListener, NetStream, Receiver, RecvTimeoutError, Runtime, Sender,
    WaitGroup,
};

use http::Status;

/// After an accept that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is served, and within which limits.
#[derive(Clone, Debug)]
pub struct Site {
    /// The folder whose files are served; none for the demonstration site, which makes its pages itself.
    folder: Option<PathBuf>,
    /// How long `/slow` takes.
    pub slow: Duration,
    /// A connection on which nothing is said for so long is closed.
    pub idle_limit: Duration,
    /// Connections beyond this number are turned away with 503.
    pub most_connections: usize,
}

impl Site {
    /// The demonstration site: a front page, `/hello/NAME`, and `/slow`, which takes 10 ms.
    pub fn demonstration() -> Site {
        Site {
            folder: None,
            slow: Duration::from_millis(10),
            idle_limit: Duration::from_secs(60),
            most_connections: 100_000,
        }
    }

    /// The files of a folder; the page of a folder is its `index.html`.
    ///
    /// # Errors
    ///
    /// If there is no such folder.
    pub fn folder(path: &Path) -> io::Result<Site> {
        let folder = fs::canonicalize(path)?;
        if !folder.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Site {
            folder: Some(folder),
            ..Site::demonstration()
        })
    }
}

/// What a server has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections accepted.
    pub connections: u64,
    /// Requests answered, refusals included.
    pub requests: u64,
    /// Connections turned away, because there were too many or the runtime had no further task.
    pub turned_away: u64,
    /// Connections closed because nothing was said on them.
    pub idle: u64,
}

/// A server that runs. Dropped without [`Server::stop`], it runs on.
pub struct Server<R: Runtime> {
    shared: Arc<Shared<R>>,
    address: SocketAddr,
    acceptor: JoinHandle<()>,
    reaper: JoinHandle<()>,
    /// Never sent on: dropping it ends the reaper.
    stop_reaper: Sender<()>,
}

/// What all tasks of a server share.
pub(crate) struct Shared<R: Runtime> {
    pub(crate) rt: R,
    pub(crate) site: Site,
    started: Instant,
    stopping: AtomicBool,
    connections: Mutex<HashMap<u64, Arc<Entry<R>>>>,
    open: WaitGroup,
    pub(crate) counts: Counts,
}

/// Counters; each is its own, so every access is relaxed. What `stop` reads, the wait for the connections has ordered.
#[derive(Default)]
pub(crate) struct Counts {
    connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    turned_away: AtomicU64,
    idle: AtomicU64,
}

/// An open connection, for those who may have to end it: a second handle, and when something was last said.
pub(crate) struct Entry<R: Runtime> {
    stream: <R::Net as Net>::Stream,
    /// In milliseconds since the server started.
    last: AtomicU64,
}

/// Starts a server for `site` at `address`; port 0 asks the kernel for a free one. Call it from a task.
///
/// # Errors
///
/// If the address cannot be listened on, or the runtime has no task left.
pub fn start<R: Runtime>(rt: &R, site: Site, address: impl ToSocketAddrs) -> io::Result<Server<R>> {
    let listener = rt.net().listen(address)?;
    let address = listener.local_addr()?;
    let shared = Arc::new(Shared {
        rt: rt.clone(),
        site,
        started: Instant::now(),
        stopping: AtomicBool::new(false),
        connections: Mutex::new(HashMap::new()),
        open: WaitGroup::new(),
        counts: Counts::default(),
    });
    let (stop_reaper, stopped) = step01::bounded(0);
    let for_reaper = shared.clone();
    let reaper = rt
        .try_spawn(move || for_reaper.reap(&stopped))
        .map_err(io::Error::other)?;
    let for_acceptor = shared.clone();
    let acceptor = rt
        .try_spawn(move || for_acceptor.accept(&listener))
        .map_err(io::Error::other)?;
    Ok(Server {
        shared,
        address,
        acceptor,
        reaper,
        stop_reaper,
    })
}

/// Serves the files of a folder until the process ends. `announce` is called with the address once connections are
/// accepted. To be called from a task: `rt.run(|| serve_folder(&rt, &folder, "127.0.0.1:3000", announce))`.
///
/// # Errors
///
/// If there is no such folder, or the address cannot be listened on.
pub fn serve_folder<R: Runtime>(
    rt: &R,
    folder: &Path,
    address: impl ToSocketAddrs,
    announce: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let server = start(rt, Site::folder(folder)?, address)?;
    announce(server.address());
    server.wait();
    Ok(())
}

impl<R: Runtime> fmt::Debug for Server<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("totals", &self.totals())
            .finish_non_exhaustive()
    }
}

impl<R: Runtime> Server<R> {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Something that can stop the server from anywhere, while a task is in [`Server::wait`].
    pub fn stopper(&self) -> Stopper {
        let (shared, address) = (self.shared.clone(), self.address);
        Stopper(Arc::new(move || shared.ask_to_stop(address)))
    }

    /// What it has done so far.
    pub fn totals(&self) -> Totals {
        self.shared.counts.totals()
    }

    /// Stops it gracefully: no new connections, the requests that are being answered are finished, every task ends.
    pub fn stop(self) -> Totals {
        self.shared.ask_to_stop(self.address);
        self.wait()
    }

    /// Waits until somebody stops it.
    ///
    /// # Panics
    ///
    /// If one of the server's own tasks has.
    pub fn wait(self) -> Totals {
        let accepted = self.acceptor.join();
        self.shared.end_connections();
        self.shared.open.wait();
        drop(self.stop_reaper);
        if let Err(error) = accepted.and(self.reaper.join()) {
            error.resume();
        }
        self.shared.counts.totals()
    }
}

/// Stops a server from anywhere.
#[derive(Clone)]
pub struct Stopper(Arc<dyn Fn() + Send + Sync>);

impl Stopper {
    /// Asks the server to stop, and does not wait until it has.
    pub fn stop(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

impl<R: Runtime> Shared<R> {
    /// The task that accepts.
    fn accept(self: &Arc<Self>, listener: &<R::Net as Net>::Listener) {
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = listener.accept();
            // Acquire: pairs with `ask_to_stop`. What was accepted then is what woke us, or came too late.
            if self.stopping.load(Acquire) {
                return;
            }
            match accepted {
                Ok((stream, _)) => {
                    pause = FIRST_PAUSE;
                    self.admit(stream);
                }
                Err(_) => {
                    // Too many open files, most likely. Trying again at once would only heat the core.
                    self.rt.sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Gives a connection its task.
    fn admit(self: &Arc<Self>, mut stream: <R::Net as Net>::Stream) {
        // Only this task adds entries, so ids need no atomic and the limit no reservation.
        let id = self.counts.connections.fetch_add(1, Relaxed);
        let second = match stream.try_clone() {
            Ok(second) if self.connections.lock().len() < self.site.most_connections => second,
            _ => return self.turn_away(&mut stream),
        };
        let entry = Arc::new(Entry {
            stream: second,
            last: AtomicU64::new(self.now()),
        });
        self.connections.lock().insert(id, entry.clone());
        self.open.add(1);
        let leaving = Leaving {
            shared: self.clone(),
            entry: entry.clone(),
            id,
        };
        let spawned = self.rt.try_spawn(move || {
            let leaving = leaving;
            // An error means that the client has gone, or broke the rules and has been told so.
            let _ = connection::converse(&leaving.shared, &leaving.entry, &mut stream);
        });
        if spawned.is_err() {
            // The task was dropped, and `leaving` with it; the connection is closed for reading and writing.
            self.counts.turned_away.fetch_add(1, Relaxed);
        }
    }

    /// Answers 503 and closes.
    fn turn_away(&self, stream: &mut <R::Net as Net>::Stream) {
        self.counts.turned_away.fetch_add(1, Relaxed);
        let mut answer = Vec::new();
        connection::trouble(Status::Overloaded, &mut answer);
        // A fresh connection takes these few bytes without waiting; if it does not, its client has gone.
        let _ = stream.write_all(&answer);
    }

    /// The task that closes connections on which nothing is said.
    fn reap(&self, stopped: &Receiver<()>) {
        let period = (self.site.idle_limit / 4).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let limit = self.site.idle_limit.as_millis() as u64;
        while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            let now = self.now();
            for entry in self.connections.lock().values() {
                if now.saturating_sub(entry.last.load(Relaxed)) > limit
                    && entry.stream.shutdown(Shutdown::Both).is_ok()
                {
                    self.counts.idle.fetch_add(1, Relaxed);
                    // Its task will be gone in a moment; until then it does not count again.
                    entry.last.store(u64::MAX, Relaxed);
                }
            }
        }
    }

    /// Sets the flag and wakes the task that accepts, by a connection that says nothing.
    fn ask_to_stop(&self, address: SocketAddr) {
        // Release: pairs with the Acquire in `accept`.
        self.stopping.store(true, Release);
        let address = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
            IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
            _ => address,
        };
        // It fails if there are no descriptors left. Then accept fails as well, sleeps, and looks at the flag.
        let _ = TcpStream::connect_timeout(&address, LONGEST_PAUSE);
    }

    /// Lets every connection see its end once it has answered what it has received.
    fn end_connections(&self) {
        for entry in self.connections.lock().values() {
            // It fails if the client has gone already.
            let _ = entry.stream.shutdown(Shutdown::Read);
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Notes that something was said on a connection.
    pub(crate) fn touch(&self, entry: &Entry<R>) {
        entry.last.store(self.now(), Relaxed);
    }
}

/// Strikes a connection off when its task ends, however it ends.
struct Leaving<R: Runtime> {
    shared: Arc<Shared<R>>,
    entry: Arc<Entry<R>>,
    id: u64,
}

impl<R: Runtime> Drop for Leaving<R> {
    fn drop(&mut self) {
        // Explicit, since the entry is a second handle that would keep the connection open. It fails if the client
        // has closed it already.
        let _ = self.entry.stream.shutdown(Shutdown::Both);
        self.shared.connections.lock().remove(&self.id);
        self.shared.open.done();
    }
}

impl Counts {
    fn totals(&self) -> Totals {
        Totals {
            connections: self.connections.load(Relaxed),
            requests: self.requests.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            idle: self.idle.load(Relaxed),
        }
    }
}
