//! What several threads are good for: work that blocks one of them doesn't block the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use async_server::{Options, serve};
use clap::Parser;
use server_kit::{Settings, Stop, listen};

const CLIENTS: u32 = 4;
const WORK: Duration = Duration::from_millis(250);

/// How long a server with this many workers takes to reply to all clients, which send one request
/// each.
fn all_answered(workers: u16) -> Duration {
    let arguments = ["server", "--quiet", "--address", "127.0.0.1:0", "--work", "250ms"];
    let settings = Settings::try_parse_from(arguments).unwrap();
    let options = Options { workers };
    let listener = listen(&settings).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Stop::new();
    let request_stop = stop.clone();
    let server = thread::spawn(move || serve(listener, &settings, &options, &stop).unwrap());

    let mut clients: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect(address).unwrap()).collect();
    let began = Instant::now();
    for client in &mut clients {
        client.write_all(b"hello\n").unwrap();
    }
    for client in &mut clients {
        client.read_exact(&mut [0; b"Hello from server!\n".len()]).unwrap();
    }
    let took = began.elapsed();
    drop(clients);
    request_stop.request();
    let counters = server.join().unwrap();
    assert_eq!(counters.connections, u64::from(CLIENTS));
    assert_eq!(counters.requests, u64::from(CLIENTS));
    assert_eq!(counters.replies, u64::from(CLIENTS));
    took
}

#[test]
fn work_blocks_the_worker_that_does_it_and_no_other() {
    let took = all_answered(1);
    assert!(took >= CLIENTS * WORK, "one worker took only {took:?}");
    let took = all_answered(4);
    assert!(took < CLIENTS * WORK, "four workers took {took:?}");
}
