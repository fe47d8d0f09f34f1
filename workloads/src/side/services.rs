//! Slow services: each answers what it is asked, and takes its time.
//!
//! They stand for the databases and remote programs that real programs wait for. Each has a port of its own, a name and
//! a delay, and answers `GET /ask/QUESTION` after that delay with a text that only this service gives to this
//! question, so that a caller can be sure whose answer it holds. Plain threads, one for each connection: this is the
//! part of the world that is not being measured.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Link;
use crate::machine;

/// A request is at most this long.
const LONGEST_REQUEST: usize = 4_096;

/// Some services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Services {
    pub(crate) services: Vec<ServiceSpec>,
    /// They end after this time even if nobody stops them.
    pub(crate) limit: Duration,
    /// No more connections than this are served at a time; further ones wait.
    pub(crate) most_connections: usize,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceSpec {
    pub(crate) name: String,
    pub(crate) delay: Duration,
}

/// What they did.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ServicesReport {
    /// The number of answers given.
    pub(crate) answered: usize,
}

struct Shared {
    stopping: AtomicBool,
    active: AtomicUsize,
    answered: AtomicUsize,
    most_connections: usize,
}

impl Services {
    /// Plays the role: binds a port for each service, serves until told to stop, reports.
    pub(crate) fn run(self, link: &mut Link) -> Result<ServicesReport, String> {
        machine::allow_open_files((self.most_connections + self.services.len()) as u64 + 64)?;
        let shared = Arc::new(Shared {
            stopping: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            most_connections: self.most_connections,
        });
        let mut addresses = Vec::new();
        let mut acceptors = Vec::new();
        for spec in self.services {
            let listener =
                TcpListener::bind("127.0.0.1:0").map_err(|e| format!("cannot listen: {e}"))?;
            addresses.push(listener.local_addr().map_err(|e| e.to_string())?);
            let shared = shared.clone();
            acceptors.push(thread::spawn(move || {
                accept(&listener, &Arc::new(spec), &shared)
            }));
        }
        link.ready(addresses.iter().map(SocketAddr::port).collect())?;
        link.started()?;
        link.stopped(self.limit);
        shared.stopping.store(true, SeqCst);
        for address in addresses {
            // Only to let the acceptor look at the flag; if it cannot be reached it is gone already.
            let _ = TcpStream::connect(address);
        }
        for acceptor in acceptors {
            acceptor.join().map_err(|_| "a service panicked")?;
        }
        while shared.active.load(SeqCst) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(ServicesReport {
            answered: shared.answered.load(SeqCst),
        })
    }
}

fn accept(listener: &TcpListener, spec: &Arc<ServiceSpec>, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stopping.load(SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            continue; // the caller has gone again
        };
        while shared.active.load(SeqCst) >= shared.most_connections {
            thread::sleep(Duration::from_millis(1));
        }
        shared.active.fetch_add(1, SeqCst);
        let (spec, theirs) = (spec.clone(), shared.clone());
        let answerer = thread::Builder::new().stack_size(64 * 1024).spawn(move || {
            if serve(stream, &spec).is_ok() {
                theirs.answered.fetch_add(1, SeqCst);
            }
            theirs.active.fetch_sub(1, SeqCst);
        });
        if answerer.is_err() {
            // No thread to be had: the connection is closed, and its caller sees that.
            shared.active.fetch_sub(1, SeqCst);
        }
    }
}

fn serve(mut stream: TcpStream, spec: &ServiceSpec) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = Vec::new();
    let mut buffer = [0; 1_024];
    let question = loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(&buffer[..n]);
        if let Some(question) = question_in(&request)? {
            break question;
        }
        if request.len() > LONGEST_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    };
    thread::sleep(spec.delay);
    let body = answer_of(&spec.name, &question);
    let mut answer = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes())
}

/// The question in a request, once the request is complete.
fn question_in(request: &[u8]) -> io::Result<Option<String>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed
        .parse(request)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    if status.is_partial() {
        return Ok(None);
    }
    let question = parsed.path.and_then(|path| path.strip_prefix("/ask/"));
    match question {
        Some(question) => Ok(Some(question.to_owned())),
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// What the service of this name answers to this question.
pub(crate) fn answer_of(service: &str, question: &str) -> String {
    // FNV-1a over both, so that no two services agree by accident.
    let bytes = service.bytes().chain([0]).chain(question.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{service} on {question}: {}", hash % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_differ_by_service_and_question() {
        assert_eq!(answer_of("weather", "oslo"), answer_of("weather", "oslo"));
        assert_ne!(answer_of("weather", "oslo"), answer_of("weather", "rome"));
        assert_ne!(answer_of("weather", "oslo"), answer_of("news", "oslo"));
    }

    #[test]
    fn a_question_is_read_from_a_complete_request_only() {
        let request = b"GET /ask/oslo HTTP/1.1\r\nHost: x\r\n\r\n";
        for cut in 0..request.len() {
            assert_eq!(question_in(&request[..cut]).unwrap(), None, "cut at {cut}");
        }
        assert_eq!(question_in(request).unwrap().as_deref(), Some("oslo"));
        assert!(question_in(b"GET /other HTTP/1.1\r\n\r\n").is_err());
        assert!(question_in(b"no request at all\r\n\r\n").is_err());
    }
}
