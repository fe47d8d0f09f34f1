//! The web server under many clients.
//!
//! Timed, by the clients in their own process: pages asked for on many connections that are kept, in turns the front
//! page and a page made for this very request; how many a second, and how long each takes.
//! Checked: status, length and body of every answer, and that the server has counted as many requests and connections
//! as the clients. Then the server is stopped, which must end every one of its tasks.

use std::net::Ipv4Addr;

use step01::Runtime;

use super::echo::{METRICS, load, samples};
use crate::catalog::{Group, Info, Outcome, Params, StackWanted, WorkersWanted};
use crate::machine;
use crate::programs::web_server::{self, Site};
use crate::side::{self, Side, Talk};

pub(crate) const INFO: Info = Info {
    name: "web_server",
    title: "Web server, 256 clients at once",
    group: Group::Program,
    explain: "An HTTP server with a task for each connection. Clients in another process keep 256 connections open and \
              ask on each for one page after the other, in turns the front page and a page with their own name in it, \
              so that an answer which went to the wrong client is found. Every answer is checked. The clients share \
              the cores with the server, and the note says how busy they were.",
    metrics: METRICS,
    workers: WorkersWanted::All,
    stack: StackWanted::Default,
    default_reps: 3,
    cost: 0.7,
};

pub(crate) fn run<R: Runtime>(rt: &R, params: &Params) -> Result<Outcome, String> {
    let connections = params.size.pick(8, 256, 256, 256);
    // The server keeps a second handle to each connection.
    let each = if params.side == Side::Threads { 3 } else { 2 };
    if let Err(reason) = machine::allow_open_files((each * connections + 100) as u64) {
        return Ok(Outcome::Skipped { reason });
    }
    let (driven, totals) = rt.run(|| -> Result<_, String> {
        let server = web_server::start(rt, Site::demonstration(), (Ipv4Addr::LOCALHOST, 0))
            .map_err(|e| format!("cannot start the server: {e}"))?;
        let load = load(server.address(), params, connections, Talk::Web);
        let driven = side::drive(params.side, load)
            .recv()
            .map_err(|e| e.to_string())?;
        let totals = server.stop();
        Ok((driven?, totals))
    })?;
    let asked = driven.report.all_requests;
    if totals.requests != asked || totals.connections != connections as u64 {
        return Err(format!(
            "the server counted {} requests on {} connections, the clients {asked} on {connections}",
            totals.requests, totals.connections
        ));
    }
    Ok(Outcome::Measured(samples(
        METRICS,
        &driven,
        params,
        connections,
    )))
}
