//! The web server over real connections: what its parser and its file finder are tested with alone, seen from outside,
//! and what only a running server has: pipelining, limits, other connections, a graceful end.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use step01::{Runtime, Threads};
use workloads::programs::web_server::{self, Server, Site, Totals};
use workloads::testing::Watchdog;

/// Runs a server for `site` while `visit` does what it wants; returns what the server counted.
fn with_server(name: &str, site: Site, visit: impl FnOnce(SocketAddr) + Send) -> Totals {
    let _watchdog = Watchdog::new(name);
    let rt = Threads::new();
    rt.run(|| {
        let server = web_server::start(&rt, site, (Ipv4Addr::LOCALHOST, 0)).unwrap();
        visit(server.address());
        server.stop()
    })
}

/// Sends `request` in one piece, says that nothing more follows, and returns all that comes back.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("no status")
}

fn body(answer: &str) -> &str {
    answer
        .split_once("\r\n\r\n")
        .map_or("no body", |(_, body)| body)
}

/// One answer of a connection that is kept.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

#[test]
fn the_demonstration_site_has_its_pages() {
    let totals = with_server("pages", Site::demonstration(), |address| {
        assert!(body(&get(address, "/")).contains("It works"));
        assert!(
            body(&get(address, "/hello/J%C3%BCrgen%20%26%20Co"))
                .contains("Hello, Jürgen &amp; Co.")
        );
        assert!(body(&get(address, "/slow")).contains("This task slept."));
        assert_eq!(status(&get(address, "/nowhere")), "404");
        assert_eq!(status(&get(address, "/hello/%ff")), "400", "no text");
        assert_eq!(
            status(&get(address, "/hello/%4")),
            "400",
            "not even an encoding"
        );
    });
    assert_eq!((totals.connections, totals.requests), (6, 6));
}

#[test]
fn a_request_may_come_in_pieces() {
    with_server("pieces", Site::demonstration(), |address| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in b"GET /hello/piecemeal HTTP/1.1\r\nHost: localhost\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
        }
        assert!(read_answer(&mut stream).contains("Hello, piecemeal."));
        // And the connection is kept for the next one.
        stream
            .write_all(b"GET /hello/again HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        assert!(read_answer(&mut stream).contains("Hello, again."));
    });
}

#[test]
fn requests_may_be_sent_before_the_last_is_answered() {
    let totals = with_server("pipelining", Site::demonstration(), |address| {
        let request = |i| format!("GET /hello/number-{i} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        // More than fits into the buffer at once, so that some are cut in two.
        let all: String = (0..300).map(request).collect();
        assert!(all.len() > 10_000);
        let answers = ask(address, &all);
        let names: Vec<_> = answers
            .lines()
            .filter_map(|line| line.split_once("Hello, "))
            .map(|(_, rest)| rest.split('.').next().unwrap().to_owned())
            .collect();
        let expected: Vec<_> = (0..300).map(|i| format!("number-{i}")).collect();
        assert_eq!(names, expected, "each is answered, in order");
    });
    assert_eq!((totals.connections, totals.requests), (1, 300));
}

#[test]
fn what_is_refused_is_refused_by_name_and_ends_the_connection() {
    with_server("refusals", Site::demonstration(), |address| {
        let host = "Host: localhost\r\n";
        let long = format!(
            "GET / HTTP/1.1\r\n{host}X-Long: {}\r\n\r\n",
            "x".repeat(9_000)
        );
        for (request, expected) in [
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
                "405",
            ),
            ("GET / HTTP/1.1\r\n\r\n", "400"),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nsomething",
                "400",
            ),
            ("hello\r\n\r\n", "400"),
            ("GET / HTTP/2.5\r\nHost: h\r\n\r\n", "505"),
            (&long, "431"),
        ] {
            // What follows must not be taken for a request.
            let answer = ask(address, &format!("{request}GET / HTTP/1.1\r\n{host}\r\n"));
            assert_eq!(status(&answer), expected, "{request}");
            assert!(answer.contains("Connection: close\r\n"), "{answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
        let answer = ask(address, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(answer.contains("Allow: GET, HEAD\r\n"), "{answer}");
    });
}

#[test]
fn a_connection_is_kept_or_closed_as_the_client_says() {
    with_server("keep-alive", Site::demonstration(), |address| {
        let twice = |head: &str| ask(address, &head.repeat(2)).matches("200 OK").count();
        assert_eq!(twice("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 2);
        assert_eq!(
            twice("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            1
        );
        assert_eq!(twice("GET / HTTP/1.0\r\n\r\n"), 1);
        assert_eq!(twice("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 2);
    });
}

#[test]
fn head_is_get_without_the_body() {
    with_server("head", Site::demonstration(), |address| {
        let whole = get(address, "/");
        let head = ask(address, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(body(&head), "");
        let length = |answer: &str| {
            answer
                .lines()
                .find(|line| line.starts_with("Content-Length"))
                .map(str::to_owned)
        };
        assert_eq!(length(&head), length(&whole));
        assert_eq!(
            length(&head),
            Some(format!("Content-Length: {}", body(&whole).len()))
        );
    });
}

/// A folder with a page, a large file, and something beside it that nobody may see.
fn folder() -> tempfile::TempDir {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("site");
    fs::create_dir_all(root.join("guide")).unwrap();
    fs::write(outer.path().join("secret.txt"), "secret").unwrap();
    fs::write(root.join("index.html"), "front").unwrap();
    fs::write(root.join("guide/index.html"), "guide").unwrap();
    fs::write(root.join("empty.css"), "").unwrap();
    fs::write(root.join("large.txt"), "0123456789".repeat(50_000)).unwrap();
    outer
}

fn site_of(outer: &Path) -> Site {
    Site::folder(&outer.join("site")).unwrap()
}

#[test]
fn files_are_served_whole_and_with_their_types() {
    let outer = folder();
    with_server("files", site_of(outer.path()), |address| {
        assert_eq!(body(&get(address, "/")), "front");
        assert_eq!(body(&get(address, "/guide/")), "guide");
        let large = get(address, "/large.txt");
        assert_eq!(body(&large), "0123456789".repeat(50_000));
        assert!(large.contains("Content-Type: text/plain; charset=utf-8\r\n"));
        let empty = get(address, "/empty.css?version=3");
        assert_eq!((status(&empty), body(&empty)), ("200", ""));
        assert!(empty.contains("Content-Type: text/css; charset=utf-8\r\n"));
        let moved = get(address, "/guide");
        assert_eq!(status(&moved), "301");
        assert!(moved.contains("Location: ./guide/\r\n"), "{moved}");
        let head = ask(address, "HEAD /large.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(head.contains("Content-Length: 500000\r\n") && body(&head).is_empty());
        // On a connection that is kept, the next answer begins where the file ends.
        let both = "GET /large.txt HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
        assert!(ask(address, both).ends_with("\r\n\r\nfront"));
    });
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let outer = folder();
    with_server("traversal", site_of(outer.path()), |address| {
        for path in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/%2e%2e%2fsecret.txt",
            "/guide/../../secret.txt",
            "/guide/..%2f..%2fsecret.txt",
            "//secret.txt",
        ] {
            let answer = get(address, path);
            assert_eq!(status(&answer), "404", "{path}");
            assert!(!answer.contains("secret"), "{path}");
        }
    });
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let outer = folder();
    let missing = Site::folder(&outer.path().join("nothing")).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let file = Site::folder(&outer.path().join("secret.txt")).unwrap_err();
    assert_eq!(file.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let mut site = Site::demonstration();
    site.most_connections = 2;
    let totals = with_server("limit", site, |address| {
        let mut kept: Vec<_> = (0..2)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for stream in &mut kept {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                .unwrap();
            assert_eq!(status(&read_answer(stream)), "200");
        }
        let mut third = TcpStream::connect(address).unwrap();
        let mut answer = String::new();
        third.read_to_string(&mut answer).unwrap();
        assert_eq!(status(&answer), "503");
        // The others are served as before.
        kept[0]
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        assert_eq!(status(&read_answer(&mut kept[0])), "200");
    });
    assert_eq!((totals.connections, totals.turned_away), (3, 1));
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let mut site = Site::demonstration();
    site.idle_limit = Duration::from_millis(20);
    let totals = with_server("idle", site, |address| {
        let mut silent = TcpStream::connect(address).unwrap();
        let mut half = TcpStream::connect(address).unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
        for stream in [&mut silent, &mut half] {
            let mut nothing = Vec::new();
            stream.read_to_end(&mut nothing).unwrap(); // returns when the server closes it
            assert!(nothing.is_empty());
        }
    });
    assert_eq!((totals.connections, totals.idle), (2, 2));
}

#[test]
fn a_stop_lets_the_answers_be_finished() {
    let _watchdog = Watchdog::new("stop");
    let rt = Threads::new();
    let mut site = Site::demonstration();
    site.slow = Duration::from_millis(50);
    rt.run(|| {
        let server: Server<Threads> =
            web_server::start(&rt, site, (Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.address();
        // One that is idle, and one whose request is on the way when the server is stopped.
        let mut idle = TcpStream::connect(address).unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        assert_eq!(status(&read_answer(&mut idle)), "200");
        let mut busy = TcpStream::connect(address).unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        // With this answer, the server has the second request as well.
        assert_eq!(status(&read_answer(&mut busy)), "200");
        let stopper = server.stopper();
        let stopping = thread::spawn(move || stopper.stop());
        let totals = server.wait();
        stopping.join().unwrap();
        assert_eq!((totals.connections, totals.requests), (2, 3));
        let mut last = String::new();
        busy.read_to_string(&mut last).unwrap();
        assert!(last.contains("This task slept."), "{last}");
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "the idle one sees the end");
        assert!(
            TcpStream::connect(address).is_err(),
            "and nobody listens any more"
        );
    });
}
