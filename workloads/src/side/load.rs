//! The load client: a few threads, each with many connections, and on every connection one request after the other.
//!
//! It must not be what limits the server. Therefore: as many threads as the machine has cores, so that the kernel can
//! give it whatever share of the machine it needs; one read and one write for a request, and one epoll_wait for as many
//! answers as have come; no allocation in the loop. And it says how busy it was. On a machine where client and server
//! share the cores the client's processor time is part of every number; it is the same part for every stage.
//!
//! It is a *closed loop*: a connection sends its next request when the last one is answered. So a server that stalls is
//! asked less, and the latencies are those of a load that adapts, not of one that keeps coming. The number of
//! connections says how many requests wait at once.
//!
//! What is said on a connection, and how answers are checked, is in `talk.rs`.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::Link;
use super::epoll::Epoll;
use super::talk::{Connection, Talk};
use crate::machine;

/// How many connections may wait to be accepted. The kernel keeps 128 for std's listeners; when there are more it drops
/// the request to connect, and the client tries again a second later.
const WAITING_CONNECTIONS: usize = 64;

/// How long answers may take to arrive after the end of the measurement, before the server is said to hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) talk: Talk,
    /// Answers that come in this time are checked and not counted.
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    /// Ends earlier when so many requests have been sent.
    pub(crate) most_requests: u64,
}

/// What came of a load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoadReport {
    /// All requests, warm-up included. Each was answered rightly.
    pub(crate) all_requests: u64,
    /// Those answered after the warm-up.
    pub(crate) requests: u64,
    /// Those answered after the warm-up and before the end, divided by the time between.
    pub(crate) per_second: f64,
    /// Half of those were answered within this time, in microseconds.
    pub(crate) p50_us: f64,
    /// 99 of a hundred.
    pub(crate) p99_us: f64,
    /// All of them.
    pub(crate) max_us: f64,
    /// The share of the time that the client's threads were running and not waiting, 0 to 1.
    pub(crate) busy: f64,
}

/// When what happens; the same for all threads.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    measure_from: Instant,
    end: Instant,
}

/// What one thread counted.
struct Tally {
    all: u64,
    after_warm_up: u64,
    in_time: u64,
    last: Instant,
    latencies: Histogram<u64>,
    processor_time: Duration,
}

impl Load {
    /// Plays the role: connects, waits for the order to go, drives the load, reports.
    pub(crate) fn run(self, link: &mut Link) -> Result<LoadReport, String> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(8).min(self.connections).max(1);
        machine::allow_open_files(self.connections as u64 + 64)?;

        let (connected, all_connected) = mpsc::channel();
        let mut clients = Vec::new();
        for thread in 0..threads {
            let numbers: Vec<usize> = (thread..self.connections).step_by(threads).collect();
            let quota = (self.most_requests / threads as u64).max(numbers.len() as u64);
            let (load, connected) = (self.clone(), connected.clone());
            let (schedule, wait_for_schedule) = mpsc::channel::<Schedule>();
            let handle = thread::spawn(move || -> Result<Option<Tally>, String> {
                let connections = open_all(&load, &numbers, WAITING_CONNECTIONS / threads);
                // The main thread counts the answers and gives no schedule if one of them is a failure.
                let (result, connections) = match connections {
                    Ok(connections) => (Ok(()), connections),
                    Err(reason) => (Err(reason), Vec::new()),
                };
                if connected.send(result).is_err() {
                    return Ok(None);
                }
                match wait_for_schedule.recv() {
                    Ok(schedule) => drive(connections, quota, schedule).map(Some),
                    Err(_) => Ok(None),
                }
            });
            clients.push((schedule, handle));
        }
        for _ in 0..threads {
            all_connected.recv().map_err(|e| e.to_string())??;
        }
        link.ready(Vec::new())?;

        let measure_from = Instant::now() + self.warm_up;
        let schedule = Schedule {
            measure_from,
            end: measure_from + self.measure,
        };
        for (give, _) in &clients {
            give.send(schedule).map_err(|e| e.to_string())?;
        }
        thread::sleep(measure_from.saturating_duration_since(Instant::now()));
        link.started()?;
        let mut tallies = Vec::new();
        for (_, handle) in clients {
            let tally = handle.join().map_err(|_| "a client thread panicked")?;
            tallies.extend(tally?);
        }
        summary(&tallies, schedule)
    }
}

fn summary(tallies: &[Tally], schedule: Schedule) -> Result<LoadReport, String> {
    let mut latencies = histogram();
    for tally in tallies {
        latencies.add(&tally.latencies).map_err(|e| e.to_string())?;
    }
    let sum = |field: fn(&Tally) -> u64| tallies.iter().map(field).sum::<u64>();
    // It ends early when all requests were sent before the time was up.
    let last = tallies.iter().map(|tally| tally.last).max();
    let end = last.map_or(schedule.end, |last| last.min(schedule.end));
    let seconds = end
        .saturating_duration_since(schedule.measure_from)
        .as_secs_f64();
    let running: Duration = tallies.iter().map(|tally| tally.processor_time).sum();
    let us = |nanos: u64| nanos as f64 / 1_000.0;
    Ok(LoadReport {
        all_requests: sum(|tally| tally.all),
        requests: sum(|tally| tally.after_warm_up),
        per_second: sum(|tally| tally.in_time) as f64 / seconds.max(1e-9),
        p50_us: us(latencies.value_at_quantile(0.50)),
        p99_us: us(latencies.value_at_quantile(0.99)),
        max_us: us(latencies.max()),
        busy: running.as_secs_f64() / (seconds.max(1e-9) * tallies.len().max(1) as f64),
    })
}

/// Nanoseconds up to a minute, to three digits.
fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 60_000_000_000, 3) {
        Ok(histogram) => histogram,
        Err(error) => unreachable!("the bounds are constants and in order: {error}"),
    }
}

/// Opens connections, no more than `at_once` before the server has accepted them: a server accepts in order, so when it
/// answers on one it has accepted those before it.
fn open_all(load: &Load, numbers: &[usize], at_once: usize) -> Result<Vec<Connection>, String> {
    let mut connections = Vec::with_capacity(numbers.len());
    for some in numbers.chunks(at_once.max(1)) {
        for number in some {
            connections.push(Connection::open(
                load.address,
                load.talk,
                *number,
                PATIENCE,
            )?);
        }
        if let Some(last) = connections.last_mut() {
            last.send(Instant::now())?;
            // These still block, at most for as long as the patience lasts.
            while !last.receive()? {
                if last.sent_at.elapsed() >= PATIENCE {
                    return Err(last.wrong("no answer"));
                }
            }
        }
    }
    for connection in &connections {
        connection
            .stream
            .set_nonblocking(true)
            .map_err(|e| connection.wrong(&e.to_string()))?;
    }
    Ok(connections)
}

/// One thread's part: keeps one request on the way on each connection until the end.
fn drive(
    mut connections: Vec<Connection>,
    quota: u64,
    schedule: Schedule,
) -> Result<Tally, String> {
    let mut epoll = Epoll::new(connections.len()).map_err(|e| format!("epoll: {e}"))?;
    let mut sent = 0;
    for (key, connection) in connections.iter_mut().enumerate() {
        epoll
            .add(connection.stream.as_raw_fd(), key)
            .map_err(|e| format!("epoll: {e}"))?;
        connection.send(Instant::now())?;
        sent += 1;
    }
    let mut open = connections.len();
    let mut tally = Tally {
        // What was asked while the connections were opened.
        all: connections.iter().map(|c| c.request - 1).sum(),
        after_warm_up: 0,
        in_time: 0,
        last: schedule.measure_from,
        latencies: histogram(),
        processor_time: Duration::ZERO,
    };
    // A connection is dropped, and so closed, and so out of the epoll set, after its last answer.
    let mut connections: Vec<_> = connections.into_iter().map(Some).collect();
    let mut running_from = None;
    while open > 0 {
        epoll.wait(Duration::from_millis(100), |key| {
            let Some(connection) = &mut connections[key] else {
                return Ok(());
            };
            if !connection.receive()? {
                return Ok(());
            }
            let now = Instant::now();
            tally.all += 1;
            if now >= schedule.measure_from {
                tally.after_warm_up += 1;
                if now <= schedule.end {
                    tally.in_time += 1;
                    tally.last = now;
                    if connection.sent_at >= schedule.measure_from {
                        let nanos = (now - connection.sent_at).as_nanos() as u64;
                        tally.latencies.saturating_record(nanos);
                    }
                }
            }
            if now < schedule.end && sent < quota {
                sent += 1;
                connection.send(now)
            } else {
                open -= 1;
                connections[key] = None;
                Ok(())
            }
        })?;
        let now = Instant::now();
        if running_from.is_none() && now >= schedule.measure_from {
            running_from = Some(thread_time());
        }
        if now <= schedule.end {
            tally.processor_time = running_from.map_or(Duration::ZERO, |from| thread_time() - from);
        }
        if now > schedule.end + PATIENCE {
            return Err(format!(
                "{open} requests were not answered within {} s",
                PATIENCE.as_secs()
            ));
        }
    }
    Ok(tally)
}

/// The processor time of the calling thread.
fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec. It cannot fail for the calling thread's own clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
