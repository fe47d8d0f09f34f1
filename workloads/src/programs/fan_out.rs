//! Concurrent calls: one question to several slow services at once, and all answers awaited together.
//!
//! Asked one after the other, the services take the sum of their times; asked at once, the longest of them. With a task
//! for each call, that difference is one `spawn`. What is not answered by a deadline is left behind: its task ends when
//! its answer comes at last, and finds nobody who wants it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use step01::{Net, NetStream, Runtime, bounded};

/// An answer longer than this is refused.
const LONGEST_ANSWER: usize = 64 * 1_024;

/// A service that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, for people.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum CallError {
    /// The call failed.
    Failed(io::Error),
    /// The deadline came first.
    TooLate,
}

// ANCHOR: fan_out
/// Asks all `services` the same `question` at once. Returns their answers in the order of the services, as soon as the
/// last one is there, or at the deadline. To be called from a task.
pub fn ask_all<R: Runtime>(
    rt: &R,
    services: &[Service],
    question: &str,
    deadline: Instant,
) -> Vec<Result<String, CallError>> {
    // There is room for every answer, so that no call ever waits for us, not even one that is too late.
    let (answers_in, answers) = bounded(services.len());
    for (i, service) in services.iter().enumerate() {
        let (rt2, service, question) = (rt.clone(), service.clone(), question.to_owned());
        let (answer, refused) = (answers_in.clone(), answers_in.clone());
        let spawned = rt.try_spawn(move || {
            // Nobody may be waiting any more; then the answer is dropped with the channel.
            let _ = answer.send((i, ask(&rt2, &service, &question)));
        });
        if let Err(error) = spawned {
            // There is room, and `answers` is still ours.
            let _ = refused.send((i, Err(io::Error::other(error))));
        }
    }
    drop(answers_in);

    let mut collected: Vec<_> = services.iter().map(|_| Err(CallError::TooLate)).collect();
    // Ends when all calls have ended, since then the channel is closed, or at the deadline.
    while let Ok((i, answer)) = answers.recv_deadline(deadline) {
        collected[i] = answer.map_err(CallError::Failed);
    }
    collected
}
// ANCHOR_END: fan_out

/// Asks one service, and waits for its answer. To be called from a task.
///
/// # Errors
///
/// If it cannot be reached, or what it says is not an answer.
pub fn ask<R: Runtime>(rt: &R, service: &Service, question: &str) -> io::Result<String> {
    let mut stream = rt.net().connect(service.address)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /ask/{question} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        service.address
    );
    stream.write_all(request.as_bytes())?;
    // "Connection: close": the answer ends where the connection does.
    let mut answer = Vec::new();
    (&mut stream)
        .take(LONGEST_ANSWER as u64 + 1)
        .read_to_end(&mut answer)?;
    body_of(&answer)
}

/// The body of a complete answer with status 200.
fn body_of(answer: &[u8]) -> io::Result<String> {
    let bad = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Err(bad("the answer is cut off".to_owned())),
        Err(error) => return Err(bad(error.to_string())),
    };
    if response.code != Some(200) {
        return Err(bad(format!("status {}", response.code.unwrap_or(0))));
    }
    let announced = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| {
            std::str::from_utf8(header.value)
                .ok()?
                .parse::<usize>()
                .ok()
        });
    let body = &answer[head..];
    if announced.is_some_and(|length| length != body.len()) {
        return Err(bad(format!("{} bytes of another number", body.len())));
    }
    String::from_utf8(body.to_vec()).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_has_a_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";
        assert_eq!(body_of(answer).unwrap(), "well");
        assert_eq!(
            body_of(b"HTTP/1.1 200 OK\r\n\r\nopen end").unwrap(),
            "open end"
        );
    }

    #[test]
    fn anything_else_is_an_error() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";
        for cut in 0..answer.len() {
            assert!(body_of(&answer[..cut]).is_err(), "cut at {cut}");
        }
        assert!(body_of(b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nwell").is_err());
        assert!(body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff").is_err());
    }
}
