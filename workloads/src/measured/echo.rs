//! A TCP echo server, with a task for each connection.
//!
//! Timed, by the client in its own process: requests of 64 bytes on 64 or on 1,000 connections, each answered by the
//! same bytes; how many a second, and how long each takes. And the processor time that the server's process used
//! meanwhile.
//! Checked: every answer byte by byte, and that the server has sent back as many bytes as the client has asked for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use step01::{Net, NetListener, NetStream, Runtime};

use super::{joined, thousands};
use crate::catalog::{
    Better, Group, Info, MetricInfo, Outcome, Params, Sample, Size, StackWanted, WorkersWanted,
    detail, headline,
};
use crate::machine;
use crate::side::{self, Driven, Load, Side, Talk};

/// What any server under load is measured by.
pub(super) const METRICS: &[MetricInfo] = &[
    headline("k_per_s", "requests answered", "k req/s", Better::Higher),
    detail(
        "p50_us",
        "half are answered within",
        "\u{b5}s",
        Better::Lower,
    ),
    detail(
        "p99_us",
        "99 of 100 are answered within",
        "\u{b5}s",
        Better::Lower,
    ),
    detail(
        "cpu_us_per_request",
        "processor time of the server per request",
        "\u{b5}s",
        Better::Lower,
    ),
];

pub(crate) const FEW: Info = Info {
    name: "echo_64",
    title: "TCP echo, 64 connections",
    group: Group::Full,
    explain: "An echo server with a task for each connection; a client in another process sends 64 bytes on each of 64 \
              connections, waits for the same bytes, and sends the next. Every answer is compared. The client has as \
              many threads as there are cores, shares the cores with the server, and says in the note how busy it was; \
              its own cost is the same for every runtime. The processor time per request is the server's alone.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 3,
    cost: 0.7,
};

pub(crate) const MANY: Info = Info {
    name: "echo_1000",
    title: "TCP echo, 1,000 connections",
    explain: "The same as echo_64 with a thousand connections. More requests wait at any time, so each look at the \
              network finds more of them, and a good runtime answers more in all; one thread per connection has a \
              thousand stacks to warm and a thousand wake-ups to pay for.",
    cost: 1.0,
    ..FEW
};

const BYTES: usize = 64;

pub(crate) fn few<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    measure(rt, params, params.size.pick(4, 64, 64, 64))
}

pub(crate) fn many<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    measure(rt, params, params.size.pick(16, 1_000, 1_000, 1_000))
}

fn measure<R: Runtime>(rt: &R, params: &Params, connections: usize) -> Result<Outcome, String> {
    Ok(match drive(rt, params, connections, usual(params.size))? {
        Ok(driven) => Outcome::Measured(samples(METRICS, &driven, params, connections)),
        Err(reason) => Outcome::Skipped { reason },
    })
}

/// How long a load warms up and how long it is measured.
#[derive(Clone, Copy)]
pub(super) struct Times {
    warm_up: Duration,
    measure: Duration,
}

fn usual(size: Size) -> Times {
    let millis = Duration::from_millis;
    Times {
        warm_up: millis(size.pick(0, 50, 100, 200)),
        measure: millis(size.pick(5_000, 150, 400, 2_000)),
    }
}

/// For a number that is one of several.
pub(super) fn shorter(size: Size) -> Times {
    let millis = Duration::from_millis;
    Times {
        warm_up: millis(size.pick(0, 30, 50, 100)),
        measure: millis(size.pick(5_000, 80, 200, 1_000)),
    }
}

/// Serves so many connections and drives them. The inner error is a limit of the system.
pub(super) fn drive<R: Runtime>(
    rt: &R,
    params: &Params,
    connections: usize,
    times: Times,
) -> Result<Result<Driven, String>, String> {
    let both = if params.side == Side::Threads { 2 } else { 1 };
    if let Err(reason) = machine::allow_open_files((both * connections + 100) as u64) {
        return Ok(Err(reason));
    }
    let (driven, echoed) = rt.run(|| -> Result<_, String> {
        let listener = rt
            .net()
            .listen((Ipv4Addr::LOCALHOST, 0))
            .map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let rt2 = rt.clone();
        let server = rt.spawn(move || serve(&rt2, &listener, connections));
        let load = Load {
            warm_up: times.warm_up,
            measure: times.measure,
            ..load(address, params, connections, Talk::Echo { bytes: BYTES })
        };
        let driven = side::drive(params.side, load);
        // The client runs on a plain thread; what waits for it here is a task, on an ordinary channel.
        let driven = driven.recv().map_err(|e| e.to_string())??;
        // All clients have closed their connections, so the server ends by itself.
        let echoed = joined(server)??;
        Ok((driven, echoed))
    })?;
    let asked = driven.report.all_requests * BYTES as u64;
    if echoed != asked {
        return Err(format!(
            "the server sent {echoed} bytes back, the client asked for {asked}"
        ));
    }
    Ok(Ok(driven))
}

/// Accepts so many connections, each of which gets a task, and waits until all have been closed. Returns the number of
/// bytes that were sent back.
fn serve<R: Runtime>(
    rt: &R,
    listener: &<R::Net as Net>::Listener,
    connections: usize,
) -> Result<u64, String> {
    let echoed = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (mut stream, _) = listener.accept().map_err(|e| format!("accept: {e}"))?;
        let echoed = echoed.clone();
        let spawned = rt.try_spawn(move || {
            let result = echo(&mut stream);
            // Relaxed: a sum; the join orders it before our look at it.
            echoed.fetch_add(*result.as_ref().unwrap_or(&0), Relaxed);
            result.map_err(|e| e.to_string())
        });
        tasks.push(spawned.map_err(|e| e.to_string())?);
    }
    for task in tasks {
        joined(task)??;
    }
    Ok(echoed.load(Relaxed))
}

/// What a connection's task does.
fn echo<S: NetStream>(stream: &mut S) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1_024];
    let mut bytes = 0;
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(bytes);
        }
        stream.write_all(&buffer[..n])?;
        bytes += n as u64;
    }
}

/// The load of a server workload, by size.
pub(crate) fn load(address: SocketAddr, params: &Params, connections: usize, talk: Talk) -> Load {
    let Times { warm_up, measure } = usual(params.size);
    Load {
        address,
        connections,
        talk,
        warm_up,
        measure,
        most_requests: params
            .size
            .pick(connections as u64 * 10, u64::MAX, u64::MAX, u64::MAX),
    }
}

/// The numbers of a server workload: rate, half, 99 of 100, processor time.
pub(crate) fn samples(
    metrics: &[MetricInfo],
    driven: &Driven,
    params: &Params,
    connections: usize,
) -> Vec<Sample> {
    let report = &driven.report;
    let cpu_us = driven.processor_time.as_secs_f64() * 1e6 / report.requests.max(1) as f64;
    let cpu_us = match params.side {
        Side::Process => Sample::new(&metrics[3], cpu_us),
        Side::Threads => Sample::noted(
            &metrics[3],
            cpu_us,
            "with the client's, in the same process",
        ),
    };
    vec![
        Sample::noted(
            &metrics[0],
            report.per_second / 1e3,
            format!(
                "{} requests on {} connections; the client's threads were busy {:.0} % of the time",
                thousands(report.requests as usize),
                thousands(connections),
                report.busy * 100.0
            ),
        ),
        Sample::new(&metrics[1], report.p50_us),
        Sample::new(&metrics[2], report.p99_us),
        cpu_us,
    ]
}
