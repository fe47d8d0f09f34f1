//! The suite has teeth: runtimes that break one promise each, and the case that must notice.
//!
//! Each is one OS thread per task with one thing done wrong. A suite that let one of them pass would prove nothing
//! about those that it passes. (Runtimes that hang are left out: the watchdog ends the process.)

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use step01::net::StdNet;
use step01::{Job, Net, NetListener, NetStream, Runtime, SpawnError, Threads};
use workloads::conformance;

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing: the suite must pass.
    None,
    /// Sleeps end at once. (A little early would be found out as well, unless the machine is late by as much.)
    SleepsShort,
    /// Every tenth task is dropped in place of being run.
    LosesTasks,
    /// A read forgets the last byte that came, if there were many.
    LosesBytes,
    /// The end of a connection is reported as an error.
    MistakesTheEnd,
}

#[derive(Clone)]
struct Broken {
    inner: Threads,
    net: BrokenNet,
    fault: Fault,
    started: Arc<AtomicUsize>,
}

impl Broken {
    fn with(fault: Fault) -> Broken {
        Broken {
            inner: Threads::new(),
            net: BrokenNet(fault),
            fault,
            started: Arc::default(),
        }
    }
}

impl Runtime for Broken {
    type Net = BrokenNet;

    fn name(&self) -> &'static str {
        "broken"
    }

    fn run<T, F>(&self, main: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        self.inner.run(main)
    }

    fn start(&self, job: Job) -> Result<(), SpawnError> {
        let number = self.started.fetch_add(1, Relaxed);
        if self.fault == Fault::LosesTasks && number % 10 == 9 {
            return Ok(());
        }
        self.inner.start(job)
    }

    fn yield_now(&self) {
        self.inner.yield_now();
    }

    fn sleep(&self, duration: Duration) {
        if self.fault != Fault::SleepsShort {
            self.inner.sleep(duration);
        }
    }

    fn blocking<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        self.inner.blocking(f)
    }

    fn net(&self) -> &BrokenNet {
        &self.net
    }
}

#[derive(Clone)]
struct BrokenNet(Fault);
struct BrokenListener(TcpListener, Fault);
struct BrokenStream(TcpStream, Fault);

impl Net for BrokenNet {
    type Listener = BrokenListener;
    type Stream = BrokenStream;

    fn listen<A: ToSocketAddrs>(&self, address: A) -> io::Result<BrokenListener> {
        Ok(BrokenListener(StdNet.listen(address)?, self.0))
    }

    fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<BrokenStream> {
        Ok(BrokenStream(StdNet.connect(address)?, self.0))
    }
}

impl NetListener for BrokenListener {
    type Stream = BrokenStream;

    fn accept(&self) -> io::Result<(BrokenStream, SocketAddr)> {
        let (stream, peer) = self.0.accept()?;
        Ok((BrokenStream(stream, self.1), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl NetStream for BrokenStream {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(BrokenStream(self.0.try_clone()?, self.1))
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl Read for BrokenStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.0.read(buffer)?, self.1) {
            (0, Fault::MistakesTheEnd) => Err(io::ErrorKind::ConnectionReset.into()),
            // Only where it does not make anyone wait for ever: the peer echoes until it sees the end.
            (n, Fault::LosesBytes) if n >= 19 => Ok(n - 1),
            (n, _) => Ok(n),
        }
    }
}

impl Write for BrokenStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether the runtime passes the case.
fn passes(fault: Fault, case: &str) -> bool {
    let rt = Broken::with(fault);
    // Only one test here, so nobody else's panics are hushed up.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = panic::catch_unwind(AssertUnwindSafe(|| conformance::check(&rt, case)));
    panic::set_hook(hook);
    result.is_ok()
}

#[test]
fn each_broken_promise_is_noticed() {
    for (fault, case) in [
        (
            Fault::SleepsShort,
            "parking::a_sleep_lasts_at_least_as_long_as_it_should",
        ),
        (Fault::SleepsShort, "parking::many_sleep_at_once"),
        (
            Fault::SleepsShort,
            "parking::stray_unparks_shorten_no_other_wait",
        ),
        (
            Fault::LosesTasks,
            "tasks::a_join_returns_what_the_task_returned",
        ),
        (
            Fault::LosesTasks,
            "tasks::a_task_that_is_not_joined_runs_all_the_same",
        ),
        (Fault::LosesTasks, "tasks::tasks_spawn_tasks"),
        (Fault::LosesBytes, "sockets::a_plain_client_is_served"),
        (
            Fault::MistakesTheEnd,
            "sockets::the_end_arrives_with_the_last_data",
        ),
        (Fault::MistakesTheEnd, "sockets::what_is_sent_comes_back"),
    ] {
        assert!(passes(Fault::None, case), "{case} with nothing broken");
        assert!(!passes(fault, case), "{fault:?} goes unnoticed by {case}");
    }
}
