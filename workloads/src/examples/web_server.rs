//! The web server, with clients that put it under load, or kept running for a browser.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use step01::{Net, Runtime, WaitGroup, scope};

use super::Stop;
use super::options::Options;
use crate::machine;
use crate::measured::{ms, thousands};
use crate::programs::web_server::{self, Server, Site};
use crate::side::{self, Load, Side, Talk};

pub(super) const USAGE: &str = "\
A web server with a task for each connection. Without options it is put under load for two seconds, and ends.

  --clients N    so many connections at once (256)
  --seconds N    for so long (2)
  --serve PORT   run until Ctrl-C, for a browser, at http://127.0.0.1:PORT/
  --folder PATH  with --serve: serve the files of this folder";

/// So many ask for the slow page at the same time.
const PATIENT_VISITORS: usize = 100;

pub(super) fn run<R: Runtime>(rt: &R, options: &Options) -> Result<(), Stop> {
    if let Some(port) = options.text("--serve") {
        let port = port
            .parse::<u16>()
            .map_err(|_| format!("{port:?} is not a port"))?;
        return Ok(rt.run(|| serve(rt, options.text("--folder").map(Path::new), port))?);
    }
    let clients = options.number("--clients", 256)?;
    let seconds = options.number("--seconds", 2)?;
    machine::allow_open_files(3 * clients as u64 + 500)?;
    rt.run(|| demonstrate(rt, clients, Duration::from_secs(seconds as u64)))
}

fn serve<R: Runtime>(rt: &R, folder: Option<&Path>, port: u16) -> io::Result<()> {
    let site = match folder {
        Some(folder) => Site::folder(folder)?,
        None => Site::demonstration(),
    };
    let server = web_server::start(rt, site, (Ipv4Addr::LOCALHOST, port))?;
    println!(
        "Serving http://{}/ on {}; Ctrl-C ends it.",
        server.address(),
        rt.name()
    );
    server.wait();
    Ok(())
}

fn demonstrate<R: Runtime>(rt: &R, clients: usize, time: Duration) -> Result<(), Stop> {
    let server = web_server::start(rt, Site::demonstration(), (Ipv4Addr::LOCALHOST, 0))?;
    println!(
        "A web server on {}: a task for each connection.\n",
        rt.name()
    );
    under_load(&server, clients, time)?;
    slow_page(rt, server.address())?;
    let totals = server.stop();
    println!(
        "Stopped. It had {} connections and answered {} requests; every task has ended.\n\n\
         To look at it with a browser, add:  -- --serve 8080",
        thousands(totals.connections as usize),
        thousands(totals.requests as usize)
    );
    Ok(())
}

/// Many clients, each of which asks for one page after the other.
fn under_load<R: Runtime>(server: &Server<R>, clients: usize, time: Duration) -> Result<(), Stop> {
    println!(
        "{} clients in another process ask it for pages for {} s, each for the next one as soon as it has the last.",
        thousands(clients),
        time.as_secs()
    );
    let load = Load {
        address: server.address(),
        connections: clients,
        talk: Talk::Web,
        warm_up: Duration::from_millis(100),
        measure: time,
        most_requests: u64::MAX,
    };
    let driven = side::drive(Side::Process, load).recv()??;
    let report = driven.report;
    println!(
        "  {} pages, {} a second, every one checked.\n  \
         Half came within {:.1} ms, 99 of 100 within {:.1} ms.\n  \
         A page cost the server {:.1} \u{b5}s of processor time.\n",
        thousands(report.requests as usize),
        thousands(report.per_second as usize),
        report.p50_us / 1e3,
        report.p99_us / 1e3,
        driven.processor_time.as_secs_f64() * 1e6 / report.requests.max(1) as f64,
    );
    Ok(())
}

/// Many tasks ask for a page that takes its time, all at the same moment.
fn slow_page<R: Runtime>(rt: &R, address: SocketAddr) -> Result<(), Stop> {
    let slow = Site::demonstration().slow;
    println!(
        "{PATIENT_VISITORS} visitors ask at the same time for a page that takes {} ms.",
        slow.as_millis()
    );
    let together = WaitGroup::new();
    together.add(PATIENT_VISITORS);
    let start = Instant::now();
    let results = scope(rt, |s| {
        let visitors: Vec<_> = (0..PATIENT_VISITORS)
            .map(|_| {
                s.spawn(|| {
                    let connection = rt.net().connect(address);
                    together.done();
                    together.wait();
                    get(connection?, "/slow")
                })
            })
            .collect();
        let join = |visitor: step01::ScopedJoinHandle<'_, io::Result<String>>| visitor.join();
        visitors.into_iter().map(join).collect::<Vec<_>>()
    });
    let elapsed = start.elapsed();
    for result in results {
        let page = result.map_err(|error| error.to_string())??;
        if !page.contains("This task slept.") {
            return Err(format!("the slow page was {page:?}").into());
        }
    }
    println!(
        "  All were served after {:.0} ms; one after the other it would have been {:.0} ms.\n",
        ms(elapsed),
        ms(slow * PATIENT_VISITORS as u32)
    );
    Ok(())
}

/// One request on a connection of its own. Returns the whole answer.
fn get(mut stream: impl Read + Write, path: &str) -> io::Result<String> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
