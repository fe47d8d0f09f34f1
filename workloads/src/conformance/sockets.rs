//! The runtime's sockets, over loopback.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use step01::{JoinHandle, Net, NetListener, NetStream, Runtime, bounded};

use super::let_others_run;

/// A server that echoes on so many connections, each in a task of its own, and then ends.
fn echo_server<R: Runtime>(rt: &R, connections: usize) -> (SocketAddr, JoinHandle<usize>) {
    let listener = rt.net().listen((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    assert_ne!(address.port(), 0, "the port that the kernel chose");
    let rt2 = rt.clone();
    let server = rt.spawn(move || {
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                rt2.spawn(move || {
                    let mut buffer = vec![0; 8 * 1_024];
                    let mut bytes = 0;
                    loop {
                        let n = stream.read(&mut buffer).unwrap();
                        if n == 0 {
                            return bytes;
                        }
                        stream.write_all(&buffer[..n]).unwrap();
                        bytes += n;
                    }
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    (address, server)
}

pub(super) fn what_is_sent_comes_back<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (address, server) = echo_server(rt, 1);
        let mut stream = rt.net().connect(address).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        stream.set_nodelay(true).unwrap();
        let mut bytes = 0;
        for i in 1..50 {
            let sent = vec![i as u8; i * 3];
            stream.write_all(&sent).unwrap();
            let mut received = vec![0; sent.len()];
            stream.read_exact(&mut received).unwrap();
            assert_eq!(received, sent);
            bytes += sent.len();
        }
        drop(stream);
        assert_eq!(server.join().unwrap(), bytes);
    });
}

pub(super) fn many_connections_at_once<R: Runtime>(rt: &R) {
    const CLIENTS: usize = 30;
    rt.run(|| {
        let (address, server) = echo_server(rt, CLIENTS);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|i| {
                let rt2 = rt.clone();
                rt.spawn(move || {
                    let mut stream = rt2.net().connect(address).unwrap();
                    for round in 0..10 {
                        let sent = [i as u8, round];
                        stream.write_all(&sent).unwrap();
                        let mut received = [0; 2];
                        stream.read_exact(&mut received).unwrap();
                        assert_eq!(received, sent);
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        assert_eq!(server.join().unwrap(), CLIENTS * 20);
    });
}

/// Bytes without a pattern that a lost or doubled buffer could hide in.
fn noise(length: usize) -> Vec<u8> {
    let mut x = 1_u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub(super) fn large_transfers_arrive_whole<R: Runtime>(rt: &R) {
    // More than the sockets' buffers hold, so that both directions fill up and have to wait.
    let sent = noise(4 << 20);
    rt.run(|| {
        let (address, server) = echo_server(rt, 1);
        let mut stream = rt.net().connect(address).unwrap();
        let mut reading = stream.try_clone().unwrap();
        let length = sent.len();
        let reader = rt.spawn(move || {
            let mut received = vec![0; length];
            reading.read_exact(&mut received).unwrap();
            received
        });
        stream.write_all(&sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(
            reader.join().unwrap() == sent,
            "what came back is not what was sent"
        );
        assert_eq!(server.join().unwrap(), length);
    });
}

pub(super) fn a_plain_client_is_served<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (address, server) = echo_server(rt, 1);
        let (tell, told) = bounded(1);
        let client = thread::spawn(move || -> io::Result<()> {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(b"from a plain thread")?;
            stream.shutdown(Shutdown::Write)?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            let _ = tell.send(text);
            Ok(())
        });
        assert_eq!(told.recv().as_deref(), Ok("from a plain thread"));
        assert_eq!(server.join().unwrap(), 19);
        client.join().unwrap().unwrap();
    });
}

pub(super) fn the_end_arrives_with_the_last_data<R: Runtime>(rt: &R) {
    // The data and the end of the connection are both there before the task looks, as one event.
    rt.run(|| {
        for _ in 0..20 {
            let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let mut stream = rt.net().connect(plain.local_addr().unwrap()).unwrap();
            let (go, wait) = bounded::<()>(0);
            let peer = thread::spawn(move || {
                let (mut peer, _) = plain.accept().unwrap();
                wait.recv().unwrap();
                peer.write_all(b"last").unwrap();
            });
            let reader = rt.spawn(move || {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).map(|_| all)
            });
            let_others_run(rt);
            go.send(()).unwrap();
            assert_eq!(reader.join().unwrap().unwrap(), b"last");
            peer.join().unwrap();
        }
    });
}

pub(super) fn one_task_reads_while_another_writes<R: Runtime>(rt: &R) {
    rt.run(|| {
        let (address, server) = echo_server(rt, 1);
        let mut writing = rt.net().connect(address).unwrap();
        let mut reading = writing.try_clone().unwrap();
        let reader = rt.spawn(move || {
            // It waits here long before the first byte is sent.
            let mut byte = [0];
            let mut count = 0;
            while reading.read(&mut byte).unwrap() == 1 {
                count += 1;
            }
            count
        });
        let_others_run(rt);
        for i in 0..100 {
            writing.write_all(&[i]).unwrap();
            rt.yield_now();
        }
        writing.shutdown(Shutdown::Write).unwrap();
        assert_eq!(reader.join().unwrap(), 100);
        assert_eq!(server.join().unwrap(), 100);
    });
}

pub(super) fn nobody_listening_is_an_error<R: Runtime>(rt: &R) {
    rt.run(|| {
        let listener = rt.net().listen((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let taken = rt.net().listen(address).err().map(|error| error.kind());
        assert_eq!(taken, Some(io::ErrorKind::AddrInUse));
        drop(listener);
        let refused = rt.net().connect(address).err().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
    });
}
