//! One connection, from its first byte to its last: what a connection's task does.
//!
//! It reads until a request is complete, answers it, and goes on with what is left in the buffer, which may be the next
//! request already (*pipelining*). There is one buffer for input, which grows from 1 KiB to the longest head that is
//! allowed, and one for output, so that an answer is one write.

use std::io::{self, Read};
use std::net::Shutdown;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use step01::{NetStream, Runtime};

use super::files::{self, Found};
use super::http::{self, Head, LONGEST_HEAD, Parsed, Request, Status};
use super::{Entry, Shared, pages};

const HTML: &str = "text/html; charset=utf-8";

/// A file is sent in pieces of this many bytes.
const PIECE: usize = 64 * 1_024;

/// So many bytes are read and thrown away after a refusal, so that the client gets to read it.
const LINGER: usize = 64 * 1_024;

/// Answers the requests of a connection until it ends.
pub(crate) fn converse<R: Runtime, S: NetStream>(
    shared: &Shared<R>,
    entry: &Entry<R>,
    stream: &mut S,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = vec![0; 1_024];
    let mut filled = 0;
    let mut output = Vec::with_capacity(1_024);
    loop {
        let mut used = 0;
        loop {
            match http::parse(&input[used..filled]) {
                Parsed::Incomplete => break,
                Parsed::Request(request) => {
                    output.clear();
                    answer(shared, &request, stream, &mut output)?;
                    shared.counts.requests.fetch_add(1, Relaxed);
                    shared.touch(entry);
                    if !request.keep_alive {
                        return Ok(());
                    }
                    used += request.length;
                }
                Parsed::Refused(status) => {
                    output.clear();
                    trouble(status, &mut output);
                    stream.write_all(&output)?;
                    shared.counts.requests.fetch_add(1, Relaxed);
                    return linger(stream);
                }
            }
        }
        input.copy_within(used..filled, 0);
        filled -= used;
        if filled == input.len() {
            // Still below LONGEST_HEAD, or the beginning would have been refused.
            input.resize((2 * filled).min(LONGEST_HEAD), 0);
        }
        let n = stream.read(&mut input[filled..])?;
        if n == 0 {
            return Ok(());
        }
        filled += n;
        shared.touch(entry);
    }
}

/// Closes in such a way that the client can still read the last answer: input that nobody reads would make the kernel
/// reset the connection, and the answer with it.
fn linger<S: NetStream>(stream: &mut S) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut waste = vec![0; 4_096];
    let mut left = LINGER;
    while left > 0 {
        let n = stream.read(&mut waste)?;
        if n == 0 {
            break;
        }
        left = left.saturating_sub(n);
    }
    Ok(())
}

fn answer<R: Runtime, S: NetStream>(
    shared: &Shared<R>,
    request: &Request<'_>,
    stream: &mut S,
    output: &mut Vec<u8>,
) -> io::Result<()> {
    if let Some(folder) = &shared.site.folder {
        return file(&shared.rt, folder, request, stream, output);
    }
    let mut body = Vec::new();
    let mut status = Status::Ok;
    match request.path {
        "/" => body.extend_from_slice(pages::FRONT.as_bytes()),
        "/slow" => {
            shared.rt.sleep(shared.site.slow);
            body.extend_from_slice(pages::SLOW.as_bytes());
        }
        path => match path.strip_prefix("/hello/").map(decoded) {
            Some(Some(name)) => pages::hello(&name, &mut body),
            Some(None) => status = Status::BadRequest,
            None => status = Status::NotFound,
        },
    }
    if status != Status::Ok {
        pages::trouble(status, &mut body);
    }
    page(request, status, None, &body, output);
    stream.write_all(output)
}

fn decoded(name: &str) -> Option<String> {
    String::from_utf8(files::percent_decode(name)?).ok()
}

/// Head and body of a page that is in memory.
fn page(
    request: &Request<'_>,
    status: Status,
    location: Option<&str>,
    body: &[u8],
    output: &mut Vec<u8>,
) {
    let head = Head {
        status,
        content_type: HTML,
        length: body.len() as u64,
        keep_alive: request.keep_alive,
        location,
    };
    head.write(SystemTime::now(), output);
    if !request.head_only {
        output.extend_from_slice(body);
    }
}

/// The whole answer that refuses a request and ends the connection.
pub(crate) fn trouble(status: Status, output: &mut Vec<u8>) {
    let mut body = Vec::new();
    pages::trouble(status, &mut body);
    let request = Request {
        path: "",
        head_only: false,
        keep_alive: false,
        length: 0,
    };
    page(&request, status, None, &body, output);
}

/// Answers with a file of `folder`.
fn file<R: Runtime, S: NetStream>(
    rt: &R,
    folder: &Path,
    request: &Request<'_>,
    stream: &mut S,
    output: &mut Vec<u8>,
) -> io::Result<()> {
    let refuse = |status, location: Option<&str>, output: &mut Vec<u8>| {
        let mut body = Vec::new();
        pages::trouble(status, &mut body);
        page(request, status, location, &body, output);
    };
    // The file system may make us wait for a disk.
    let (mut file, length, content_type) = match rt.blocking(|| files::find(folder, request.path)) {
        Found::File(file, length, content_type) => (file, length, content_type),
        Found::Elsewhere(location) => {
            refuse(Status::MovedPermanently, Some(&location), output);
            return stream.write_all(output);
        }
        Found::Nothing => {
            refuse(Status::NotFound, None, output);
            return stream.write_all(output);
        }
    };
    let head = Head {
        status: Status::Ok,
        content_type,
        length,
        keep_alive: request.keep_alive,
        location: None,
    };
    head.write(SystemTime::now(), output);
    let mut left = if request.head_only { 0 } else { length };
    // The head goes out together with the first piece.
    loop {
        let piece = left.min(PIECE as u64);
        let got = rt.blocking(|| (&mut file).take(piece).read_to_end(output))?;
        if (got as u64) < piece {
            // It has become shorter than the head has announced. All we can do is to end the connection.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        stream.write_all(output)?;
        output.clear();
        left -= piece;
        if left == 0 {
            return Ok(());
        }
    }
}
