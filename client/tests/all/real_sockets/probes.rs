//! The probe.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use load_generator::Probe;
use protocol::Protocol;

use super::servers::{for_each_line, polite_server, read_once, server};

const PATIENCE: Duration = Duration::from_secs(20);

fn probe(address: SocketAddr) -> Probe {
    Probe::connect(address, Protocol::Lines, PATIENCE).unwrap()
}

#[test]
fn it_sends_many_requests() {
    let mut probe = probe(polite_server());
    for _ in 0..10 {
        assert!(probe.request().unwrap() > Duration::ZERO);
    }
    probe.end().unwrap();
}

#[test]
fn it_measures_until_the_last_byte() {
    const PAUSE: Duration = Duration::from_millis(50);
    let address = server(|stream| {
        for_each_line(stream, |stream| {
            let (last, first) = Protocol::Lines.reply().split_last().unwrap();
            stream.write_all(first)?;
            thread::sleep(PAUSE);
            stream.write_all(&[*last])
        })
    });
    assert!(probe(address).request().unwrap() >= PAUSE);
}

#[test]
fn it_does_not_wait_for_ever() {
    let address = server(|stream| {
        while read_once(&stream)? > 0 {}
        thread::park();
        Ok(())
    });
    let patience = Duration::from_millis(100);
    let mut probe = Probe::connect(address, Protocol::Lines, patience).unwrap();
    assert_eq!(probe.request().unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(probe.end().unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn a_trickle_does_not_stretch_its_patience() {
    let address = server(|mut stream| {
        stream.set_nodelay(true)?;
        read_once(&stream)?;
        for byte in Protocol::Lines.reply() {
            stream.write_all(&[*byte])?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    });
    let patience = Duration::from_millis(200);
    let mut probe = Probe::connect(address, Protocol::Lines, patience).unwrap();
    assert_eq!(probe.request().unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn it_reports_what_a_server_does_wrong() {
    let early = server(|stream| read_once(&stream).map(drop));
    assert_eq!(probe(early).request().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    let wrong = server(|stream| for_each_line(stream, |stream| stream.write_all(b"Bye!\n")));
    let error = probe(wrong).request().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("Bye!"), "{error}");
}
