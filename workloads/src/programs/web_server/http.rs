//! HTTP/1.1, as much of it as a server of pages and files needs.
//!
//! Requests are parsed by `httparse`, straight from the connection's buffer and without allocating. What is refused is
//! refused early and by name: anything but GET and HEAD, requests with a body (none of our pages takes one, and a body
//! that is not read would be taken for the next request), heads that are too long, requests without a host.
//!
//! Rejected: reading a body in order to throw it away, which lets anyone keep the server busy for nothing.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// A request's head has at most so many bytes, and the buffer of a connection as much room.
pub(crate) const LONGEST_HEAD: usize = 8 * 1_024;
/// And so many header lines.
const MOST_HEADERS: usize = 64;

/// The statuses that this server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    MovedPermanently,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    HeadTooLong,
    Overloaded,
    WrongVersion,
}

impl Status {
    pub(crate) fn code(self) -> u16 {
        match self {
            Status::Ok => 200,
            Status::MovedPermanently => 301,
            Status::BadRequest => 400,
            Status::NotFound => 404,
            Status::MethodNotAllowed => 405,
            Status::HeadTooLong => 431,
            Status::Overloaded => 503,
            Status::WrongVersion => 505,
        }
    }

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::MovedPermanently => "Moved Permanently",
            Status::BadRequest => "Bad Request",
            Status::NotFound => "Not Found",
            Status::MethodNotAllowed => "Method Not Allowed",
            Status::HeadTooLong => "Request Header Fields Too Large",
            Status::Overloaded => "Service Unavailable",
            Status::WrongVersion => "HTTP Version Not Supported",
        }
    }
}

/// What is in a connection's buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'b> {
    /// The beginning of a request.
    Incomplete,
    /// A request, and perhaps the beginning of the next.
    Request(Request<'b>),
    /// Something that is answered with this status, after which the connection is closed.
    Refused(Status),
}

/// A request that can be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'b> {
    /// The path, still percent-encoded, without the query. Begins with a slash.
    pub(crate) path: &'b str,
    /// HEAD in place of GET: the answer has no body.
    pub(crate) head_only: bool,
    /// The connection is to be kept for further requests.
    pub(crate) keep_alive: bool,
    /// The number of bytes that it takes in the buffer.
    pub(crate) length: usize,
}

/// Looks for a request at the beginning of `buffer`.
pub(crate) fn parse(buffer: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() >= LONGEST_HEAD => {
            return Parsed::Refused(Status::HeadTooLong);
        }
        Ok(httparse::Status::Partial) => return Parsed::Incomplete,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(Status::HeadTooLong),
        Err(httparse::Error::Version) => return Parsed::Refused(Status::WrongVersion),
        Err(_) => return Parsed::Refused(Status::BadRequest),
    };
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Parsed::Refused(Status::MethodNotAllowed),
    };
    let newest = request.version == Some(1);
    let mut keep_alive = newest;
    let mut hosts = 0;
    for header in request.headers.iter() {
        let is = |name| header.name.eq_ignore_ascii_case(name);
        if is("host") {
            hosts += 1;
        } else if is("connection") {
            if has_token(header.value, "close") {
                keep_alive = false;
            } else if has_token(header.value, "keep-alive") && !newest {
                keep_alive = true;
            }
        } else if is("transfer-encoding") || (is("content-length") && header.value != b"0") {
            return Parsed::Refused(Status::BadRequest);
        }
    }
    if hosts > 1 || (newest && hosts == 0) {
        return Parsed::Refused(Status::BadRequest);
    }
    let Some(path) = request.path.and_then(path_of) else {
        return Parsed::Refused(Status::BadRequest);
    };
    Parsed::Request(Request {
        path,
        head_only,
        keep_alive,
        length,
    })
}

/// The path of a request's target: `/a/b?query`, or the same with a scheme and a host before it, as proxies send it.
fn path_of(target: &str) -> Option<&str> {
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    let path = target.split(['?', '#']).next()?;
    path.starts_with('/').then_some(path)
}

/// Whether a comma-separated header value has this token, in upper or lower case.
fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) status: Status,
    pub(crate) content_type: &'a str,
    pub(crate) length: u64,
    pub(crate) keep_alive: bool,
    /// Where to look instead.
    pub(crate) location: Option<&'a str>,
}

impl Head<'_> {
    /// Writes it, up to and including the empty line.
    pub(crate) fn write(&self, now: SystemTime, into: &mut Vec<u8>) {
        let (code, reason) = (self.status.code(), self.status.reason());
        // Writing to a Vec cannot fail.
        let _ = write!(into, "HTTP/1.1 {code} {reason}\r\nDate: ");
        date(now, into);
        let _ = write!(
            into,
            "\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Content-Type-Options: nosniff\r\n",
            self.content_type, self.length
        );
        if self.status == Status::MethodNotAllowed {
            into.extend_from_slice(b"Allow: GET, HEAD\r\n");
        }
        if let Some(location) = self.location {
            let _ = write!(into, "Location: {location}\r\n");
        }
        if !self.keep_alive {
            into.extend_from_slice(b"Connection: close\r\n");
        }
        into.extend_from_slice(b"\r\n");
    }
}

/// The time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(time: SystemTime, into: &mut Vec<u8>) {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // A clock before 1970 is broken; then it is 1970.
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar from a count of days, in years that begin in March, so that the leap day is a year's last
    // (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    // Writing to a Vec cannot fail.
    let _ = write!(
        into,
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[(days % 7) as usize],
        MONTHS[month as usize],
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn get(path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
    }

    fn refused(request: &[u8]) -> Status {
        match parse(request) {
            Parsed::Refused(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn accepted(request: &[u8]) -> Request<'_> {
        match parse(request) {
            Parsed::Request(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_incomplete_until_its_last_byte() {
        let request = get("/page");
        for cut in 0..request.len() {
            assert_eq!(parse(&request[..cut]), Parsed::Incomplete, "cut at {cut}");
        }
        let whole = accepted(&request);
        assert_eq!((whole.path, whole.length), ("/page", request.len()));
        assert!(whole.keep_alive && !whole.head_only);
    }

    #[test]
    fn what_follows_a_request_is_left_for_the_next() {
        let both = [get("/first"), get("/second")].concat();
        let first = accepted(&both);
        assert_eq!(first.path, "/first");
        assert_eq!(accepted(&both[first.length..]).path, "/second");
    }

    #[test]
    fn a_target_loses_its_query_and_its_host() {
        assert_eq!(accepted(&get("/a/b?c=/d")).path, "/a/b");
        assert_eq!(accepted(&get("http://example.org/a?b")).path, "/a");
        assert_eq!(accepted(&get("http://example.org")).path, "/");
        assert_eq!(refused(&get("*")), Status::BadRequest);
        assert_eq!(refused(&get("example.org")), Status::BadRequest);
    }

    #[test]
    fn the_connection_is_kept_as_its_version_and_header_say() {
        let keeps = |version: &str, header: &str| {
            accepted(format!("GET / HTTP/{version}\r\nHost: h\r\n{header}\r\n").as_bytes())
                .keep_alive
        };
        assert!(keeps("1.1", ""));
        assert!(!keeps("1.1", "Connection: close\r\n"));
        assert!(!keeps("1.1", "connection: Upgrade, Close\r\n"));
        assert!(!keeps("1.0", ""));
        assert!(keeps("1.0", "Connection: Keep-Alive\r\n"));
        // In a list, "close" wins, whichever comes first.
        assert!(!keeps("1.0", "Connection: keep-alive, close\r\n"));
    }

    #[test]
    fn methods_other_than_get_and_head_are_refused_by_name() {
        assert!(accepted(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").head_only);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let request = format!("{method} / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
            assert_eq!(refused(request.as_bytes()), Status::MethodNotAllowed);
        }
    }

    #[test]
    fn a_request_with_a_body_is_refused_so_that_the_body_is_not_taken_for_a_request() {
        let with = |header: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n");
        assert_eq!(
            refused(with("Content-Length: 5").as_bytes()),
            Status::BadRequest
        );
        assert_eq!(
            refused(with("Content-Length: 00").as_bytes()),
            Status::BadRequest
        );
        assert_eq!(
            refused(with("Transfer-Encoding: chunked").as_bytes()),
            Status::BadRequest
        );
        assert!(accepted(with("Content-Length: 0").as_bytes()).keep_alive);
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        assert_eq!(refused(b"GET / HTTP/1.1\r\n\r\n"), Status::BadRequest);
        let two = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
        assert_eq!(refused(two), Status::BadRequest);
        assert_eq!(accepted(b"GET / HTTP/1.0\r\n\r\n").path, "/");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(refused(b"\x16\x03\x01 hello\r\n\r\n"), Status::BadRequest);
        assert_eq!(refused(b"GET /\r\n\r\n"), Status::BadRequest);
        assert_eq!(
            refused(b"GET / HTTP/3.7\r\nHost: h\r\n\r\n"),
            Status::WrongVersion
        );
        assert_eq!(
            refused(b"GET / HTTP/1.1\r\nHost h\r\n\r\n"),
            Status::BadRequest
        );
    }

    #[test]
    fn no_single_wrong_byte_confuses_the_parser() {
        let request = b"GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let mut accepted = 0;
        for at in 0..request.len() {
            for byte in 0..=255 {
                let mut wrong = request.to_vec();
                wrong[at] = byte;
                match parse(&wrong) {
                    // It ends with the first empty line (a line may end without the carriage return); one that ended
                    // elsewhere would smuggle in another request, or swallow a part of it.
                    Parsed::Request(parsed) => {
                        let mut ends = (1..wrong.len()).filter(|i| wrong[*i] == b'\n');
                        let empty = |i: &usize| {
                            let line = wrong[..*i].strip_suffix(b"\r").unwrap_or(&wrong[..*i]);
                            line.ends_with(b"\n")
                        };
                        let end = ends.find(empty).unwrap() + 1;
                        assert_eq!(parsed.length, end, "byte {byte} at {at}");
                        assert!(parsed.path.starts_with('/'), "byte {byte} at {at}");
                        accepted += 1;
                    }
                    Parsed::Incomplete | Parsed::Refused(_) => {}
                }
            }
        }
        assert!(
            accepted > request.len(),
            "many changes make another good request"
        );
    }

    #[test]
    fn a_head_that_is_too_long_is_refused() {
        let mut request = b"GET / HTTP/1.1\r\nHost: h\r\nX: ".to_vec();
        request.resize(LONGEST_HEAD - 1, b'x');
        assert_eq!(parse(&request), Parsed::Incomplete);
        request.push(b'x');
        assert_eq!(refused(&request), Status::HeadTooLong);

        let lines = "X: y\r\n".repeat(MOST_HEADERS);
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        assert_eq!(refused(request.as_bytes()), Status::HeadTooLong);
    }

    #[test]
    fn a_head_is_written_as_the_standard_wants_it() {
        let head = Head {
            status: Status::MethodNotAllowed,
            content_type: "text/plain",
            length: 3,
            keep_alive: false,
            location: Some("./x/"),
        };
        let mut bytes = Vec::new();
        head.write(UNIX_EPOCH, &mut bytes);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "HTTP/1.1 405 Method Not Allowed\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Type: text/plain\r\nContent-Length: 3\r\nX-Content-Type-Options: nosniff\r\n\
             Allow: GET, HEAD\r\nLocation: ./x/\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        let at = |seconds| {
            let mut text = Vec::new();
            date(UNIX_EPOCH + Duration::from_secs(seconds), &mut text);
            String::from_utf8(text).unwrap()
        };
        // Checked with `date -u -d @SECONDS`.
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(951_782_399), "Mon, 28 Feb 2000 23:59:59 GMT");
        assert_eq!(at(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(at(951_868_800), "Wed, 01 Mar 2000 00:00:00 GMT");
        assert_eq!(at(1_767_225_599), "Wed, 31 Dec 2025 23:59:59 GMT");
        assert_eq!(at(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(at(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
    }
}
