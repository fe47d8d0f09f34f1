//! One connection of the load client: what is asked on it, and how the answers are checked.
//!
//! No two requests of a load are alike, so an answer that went to the wrong connection, or came a second time, is
//! found. An answer is compared byte for byte; of a page, the body.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::programs::web_server::pages;
use crate::work;

/// What is said on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Talk {
    /// So many bytes, different each time, and the same come back.
    Echo { bytes: usize },
    /// GET of the front page and of a page made for this very request, in turns, on a connection that is kept.
    Web,
}

/// A connection with at most one request on the way.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    talk: Talk,
    /// Which connection this is, and which of its requests.
    number: usize,
    pub(super) request: u64,
    pub(super) sent_at: Instant,
    name: String,
    outgoing: Vec<u8>,
    expected: Vec<u8>,
    incoming: Vec<u8>,
    filled: usize,
}

impl Connection {
    /// Connects. Reading blocks until the caller says otherwise, and at most for `patience`.
    pub(super) fn open(
        address: SocketAddr,
        talk: Talk,
        number: usize,
        patience: Duration,
    ) -> Result<Connection, String> {
        let stream = TcpStream::connect(address)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .and_then(|stream| stream.set_read_timeout(Some(patience)).map(|()| stream))
            .map_err(|e| format!("connection {number} to {address}: {e}"))?;
        let room = match talk {
            Talk::Echo { bytes } => bytes + 1, // one more than may come
            Talk::Web => 8_192,
        };
        Ok(Connection {
            stream,
            talk,
            number,
            request: 0,
            sent_at: Instant::now(),
            name: String::new(),
            outgoing: Vec::new(),
            expected: Vec::new(),
            incoming: vec![0; room],
            filled: 0,
        })
    }

    /// Sends the next request.
    pub(super) fn send(&mut self, now: Instant) -> Result<(), String> {
        self.request += 1;
        self.filled = 0;
        self.outgoing.clear();
        self.expected.clear();
        match self.talk {
            Talk::Echo { bytes } => {
                let seed = (self.number as u64 + 1) << 32 | self.request;
                echo_bytes(seed, bytes, &mut self.outgoing);
            }
            Talk::Web => {
                web_request(
                    self.number,
                    self.request,
                    &mut self.name,
                    &mut self.outgoing,
                    &mut self.expected,
                );
            }
        }
        self.sent_at = now;
        // Nothing else is on the way, and a request is smaller than any socket's buffer: the kernel takes it whole.
        match self.stream.write(&self.outgoing) {
            Ok(n) if n == self.outgoing.len() => Ok(()),
            Ok(n) => Err(format!(
                "connection {} took {n} of {} bytes",
                self.number,
                self.outgoing.len()
            )),
            Err(e) => Err(format!("connection {} cannot send: {e}", self.number)),
        }
    }

    /// Takes what has come. True when the answer is complete and right.
    pub(super) fn receive(&mut self) -> Result<bool, String> {
        if self.filled == self.incoming.len() {
            return Err(self.wrong("the answer is too long"));
        }
        match self.stream.read(&mut self.incoming[self.filled..]) {
            Ok(0) => return Err(self.wrong("the server closed the connection")),
            Ok(n) => self.filled += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(self.wrong(&e.to_string())),
        }
        let received = &self.incoming[..self.filled];
        match self.talk {
            Talk::Echo { bytes } if received.len() < bytes => Ok(false),
            Talk::Echo { .. } if received == self.outgoing => Ok(true),
            Talk::Echo { .. } => Err(self.wrong("what came back is not what was sent")),
            Talk::Web => check_page(received, &self.expected).map_err(|reason| self.wrong(&reason)),
        }
    }

    pub(super) fn wrong(&self, reason: &str) -> String {
        format!(
            "request {} of connection {}: {reason}",
            self.request, self.number
        )
    }
}

/// Bytes that no other request of this load has.
fn echo_bytes(seed: u64, bytes: usize, into: &mut Vec<u8>) {
    let mut word = seed;
    while into.len() < bytes {
        let left = bytes - into.len();
        into.extend_from_slice(&word.to_le_bytes()[..left.min(8)]);
        word = work::chain(word, 1);
    }
}

/// A request for a page, and the body that must come.
fn web_request(
    connection: usize,
    request: u64,
    name: &mut String,
    outgoing: &mut Vec<u8>,
    expected: &mut Vec<u8>,
) {
    // Writing to a Vec or a String cannot fail.
    let _ = if request % 2 == 1 {
        expected.extend_from_slice(pages::FRONT.as_bytes());
        write!(outgoing, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    } else {
        name.clear();
        let _ = fmt::Write::write_fmt(name, format_args!("client-{connection}-request-{request}"));
        pages::hello(name, expected);
        write!(
            outgoing,
            "GET /hello/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
    };
}

/// True if `received` is one whole answer: status 200, the length it announces, and the expected body.
fn check_page(received: &[u8], expected: &[u8]) -> Result<bool, String> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(received) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(false),
        Err(error) => return Err(format!("not an HTTP answer: {error}")),
    };
    if response.code != Some(200) {
        return Err(format!("status {:?}", response.code));
    }
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| {
            std::str::from_utf8(header.value)
                .ok()?
                .parse::<usize>()
                .ok()
        })
        .ok_or("no Content-Length")?;
    if length != expected.len() {
        return Err(format!(
            "{length} bytes announced, {} expected",
            expected.len()
        ));
    }
    let body = &received[head..];
    if body.len() < length {
        return Ok(false);
    }
    if body != expected {
        return Err("the body is not the page that was asked for".to_owned());
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_echo_request_is_unlike_the_others() {
        let bytes = |seed| {
            let mut into = Vec::new();
            echo_bytes(seed, 61, &mut into);
            into
        };
        assert_eq!(bytes(7).len(), 61);
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }

    #[test]
    fn a_page_is_complete_only_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 0..answer.len() {
            assert_eq!(
                check_page(&answer[..cut], b"hello"),
                Ok(false),
                "cut at {cut}"
            );
        }
        assert_eq!(check_page(answer, b"hello"), Ok(true));
    }

    #[test]
    fn a_wrong_page_is_found() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert!(check_page(answer, b"world").is_err(), "another body");
        assert!(check_page(answer, b"hello!").is_err(), "another length");
        assert!(
            check_page(&[&answer[..], b"x"].concat(), b"hello").is_err(),
            "too much"
        );
        assert!(
            check_page(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello",
                b"hello"
            )
            .is_err()
        );
        assert!(
            check_page(b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello").is_err(),
            "no length"
        );
        assert!(check_page(b"garbage\r\n\r\n", b"hello").is_err());
    }
}
