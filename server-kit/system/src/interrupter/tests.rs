use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::*;

/// The two ends of a connection.
fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Starts a thread that blocks in a call, interrupts it until the call has ended, and
/// returns how it ended.
fn interrupted(call: impl FnOnce() -> io::Result<usize> + Send + 'static) -> io::Error {
    let (sender, started) = mpsc::channel();
    let (ended, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        sender.send(Interrupter::of_this_thread().unwrap()).unwrap();
        ended.send(call()).unwrap();
    });
    let interrupter = started.recv().unwrap();
    let result = loop {
        // Repeated, because the first one may come before the thread is asleep.
        interrupter.interrupt();
        match end.recv_timeout(Duration::from_millis(1)) {
            Ok(result) => break result,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the thread has panicked"),
        }
    };
    thread.join().unwrap();
    assert!(!interrupter.interrupt(), "a thread that has ended is interrupted");
    result.unwrap_err()
}

#[test]
fn a_thread_that_sleeps_in_recv_is_interrupted() {
    let (_client, mut server) = connected();
    let error = interrupted(move || server.read(&mut [0]));
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn a_thread_that_sleeps_in_send_is_interrupted() {
    let (_client, mut server) = connected();
    // The client doesn't read, so the thread sleeps as soon as the buffers of both sides are
    // full.
    let error = interrupted(move || {
        loop {
            assert_ne!(server.write(&[0; 64 * 1024])?, 0);
        }
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn a_thread_that_is_never_interrupted_sleeps_on_in_another_ones_interruption() {
    let (mut client, mut server) = connected();
    let (sender, started) = mpsc::channel();
    let other = thread::spawn(move || {
        sender.send(Interrupter::of_this_thread().unwrap()).unwrap();
        server.read(&mut [0])
    });
    let not_used = started.recv().unwrap();
    let (_client, mut server) = connected();
    interrupted(move || server.read(&mut [0]));
    client.write_all(b"!").unwrap();
    assert_eq!(other.join().unwrap().unwrap(), 1);
    assert!(!not_used.interrupt());
}
