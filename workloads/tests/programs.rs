//! The pipeline and the concurrent calls where something goes wrong: a file that is no text, a service that is not
//! there, one that never answers, one that answers nonsense.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use step01::{Runtime, Threads};
use workloads::programs::fan_out::{self, CallError, Service};
use workloads::programs::pipeline::{self, Width};
use workloads::testing::Watchdog;

#[test]
fn a_pipeline_of_any_width_counts_the_same() {
    let _watchdog = Watchdog::new("widths");
    let folder = tempfile::tempdir().unwrap();
    for i in 0..40 {
        let text = format!("file {i}\n\nsome words, and some more\n").repeat(i);
        fs::write(folder.path().join(format!("{i}.md")), text).unwrap();
    }
    let files = pipeline::texts_below(folder.path()).unwrap();
    assert_eq!(files.len(), 40);
    let expected = pipeline::sequentially(&files, 3).unwrap();
    assert_eq!((expected.files, expected.lines), (120, 3 * 3 * 780));
    let rt = Threads::new();
    for (readers, counters) in [(1, 1), (4, 1), (1, 4), (7, 7)] {
        let width = Width { readers, counters };
        let counted = rt.run(|| pipeline::run(&rt, &files, 3, width)).unwrap();
        assert_eq!(counted, expected, "{width:?}");
    }
    let nothing = rt
        .run(|| pipeline::run(&rt, &[], 3, Width::for_workers(2)))
        .unwrap();
    assert_eq!(nothing, pipeline::Statistics::default());
}

#[test]
fn a_file_that_is_no_text_ends_the_pipeline_with_its_error() {
    let _watchdog = Watchdog::new("no text");
    let folder = tempfile::tempdir().unwrap();
    for i in 0..100 {
        fs::write(folder.path().join(format!("{i:03}.md")), "text").unwrap();
    }
    fs::write(folder.path().join("050.md"), b"\xff\xfe").unwrap();
    let files = pipeline::texts_below(folder.path()).unwrap();
    let rt = Threads::new();
    for _ in 0..20 {
        let error = rt
            .run(|| pipeline::run(&rt, &files, 5, Width::for_workers(2)))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    let mut files = files;
    files[50] = folder.path().join("missing.md");
    let error = rt
        .run(|| pipeline::run(&rt, &files, 1, Width::for_workers(2)))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn hidden_and_built_files_are_not_part_of_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "text").unwrap();
    };
    for path in [
        "b.rs",
        "a/c.md",
        "book/src/d.md",
        "a/e.txt",
        "target/f.rs",
        "x/target/g.rs",
        ".git/h.md",
        "book/book/i.md",
    ] {
        write(path);
    }
    let found: Vec<_> = pipeline::texts_below(folder.path())
        .unwrap()
        .iter()
        .map(|file| {
            file.strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    assert_eq!(found, ["a/c.md", "b.rs", "book/src/d.md"]);
    let empty = tempfile::tempdir().unwrap();
    let error = pipeline::texts_below(empty.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// A service that reads a request and then does `then` with the connection.
fn service(name: &str, then: impl Fn(std::net::TcpStream) + Send + 'static) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 1_024];
            if stream.read(&mut request).is_ok() {
                then(stream);
            }
        }
    });
    Service {
        name: name.to_owned(),
        address,
    }
}

#[test]
fn answers_come_in_the_order_of_the_services_whatever_becomes_of_them() {
    let _watchdog = Watchdog::new("calls");
    let answer = |text: &'static str| {
        move |mut stream: std::net::TcpStream| {
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
        }
    };
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        Service {
            name: "gone".to_owned(),
            address,
        }
    };
    let services = [
        service("first", answer("one")),
        gone,
        service("nonsense", |mut stream| drop(stream.write_all(b"what?"))),
        service("cut off", |mut stream| {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
        }),
        service("last", answer("two")),
    ];
    let rt = Threads::new();
    rt.run(|| {
        let far = Instant::now() + Duration::from_secs(3_600);
        let answers = fan_out::ask_all(&rt, &services, "anything", far);
        let kinds: Vec<_> = answers.iter().map(kind).collect();
        assert_eq!(kinds, ["one", "refused", "invalid", "invalid", "two"]);
        assert!(fan_out::ask_all(&rt, &[], "nobody", far).is_empty());
    });
}

fn kind(answer: &Result<String, CallError>) -> &str {
    match answer {
        Ok(text) => text,
        Err(CallError::TooLate) => "too late",
        Err(CallError::Failed(error)) => match error.kind() {
            ErrorKind::ConnectionRefused => "refused",
            ErrorKind::InvalidData => "invalid",
            _ => panic!("{error}"),
        },
    }
}

#[test]
fn who_does_not_answer_by_the_deadline_is_left_behind() {
    let _watchdog = Watchdog::new("deadline");
    // They keep the connection and say nothing until the test is over.
    let (hold, held) = std::sync::mpsc::channel();
    let silent = |name| {
        let hold = hold.clone();
        service(name, move |stream| drop(hold.send(stream)))
    };
    let services = [silent("a"), silent("b")];
    let rt = Threads::new();
    rt.run(|| {
        let deadline = Instant::now() + Duration::from_millis(20);
        let answers = fan_out::ask_all(&rt, &services, "anything", deadline);
        assert!(Instant::now() >= deadline);
        let kinds: Vec<_> = answers.iter().map(kind).collect();
        assert_eq!(kinds, ["too late", "too late"]);
    });
    drop(held);
}
