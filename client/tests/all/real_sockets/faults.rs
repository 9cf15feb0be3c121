//! Whatever a server does wrong is found, and reported with its stage.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use load_generator::report::Stage;
use load_generator::{Crowd, Kind};
use protocol::Protocol;

use super::floods::{assert_good, flood};
use super::servers::{for_each_line, read_once, reset, server};

/// Five clients against this server all fail at one stage; returns the words of the first.
fn fails(
    stage: Stage,
    answered: u64,
    serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> String {
    fails_at(stage, answered, server(serve))
}

fn fails_at(stage: Stage, answered: u64, address: SocketAddr) -> String {
    let crowd = Crowd { connections: 5, timeout: Duration::from_secs(2), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert!(!report.is_good());
    assert_eq!(report.answered, answered, "{report}");
    assert_eq!(report.errors.of(stage).count, 5, "{report}");
    assert_eq!((report.errors.count(), report.kinds[0].failed), (5, 5), "{report}");
    report.errors.of(stage).first.clone().unwrap()
}

#[test]
fn a_surplus_byte() {
    let why = fails(Stage::Reply, 5, |stream| {
        for_each_line(stream, |stream| stream.write_all(b"Hello from server!\n\n"))
    });
    assert!(why.ends_with(r#"got unexpected bytes: "\n""#), "{why}");
}

#[test]
fn a_surplus_byte_long_after_the_reply() {
    fails(Stage::Reply, 5, |mut stream| {
        for_each_line(stream.try_clone()?, |stream| stream.write_all(Protocol::Lines.reply()))?;
        // The client has closed its sending half, so it has read, or soon will.
        thread::sleep(Duration::from_millis(20));
        stream.write_all(b"!")
    });
}

#[test]
fn a_wrong_byte() {
    let why = fails(Stage::Reply, 0, |stream| {
        for_each_line(stream, |stream| stream.write_all(b"Hello from s_rver!\n"))
    });
    let words = r#"got "Hello from s_rver!\n" instead of "Hello from server!\n""#;
    assert!(why.ends_with(words), "{why}");
}

#[test]
fn a_greeting_before_the_question() {
    let address = server(|mut stream| {
        stream.write_all(Protocol::Lines.reply())?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    // Only a slow client can notice that it came early: its request isn't sent yet.
    let crowd = Crowd { connections: 5, mix: [(Kind::Dribbling, 5)].into(), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_eq!(report.answered, 0, "{report}");
    let trouble = report.errors.of(Stage::Reply);
    assert_eq!(trouble.count, 5, "{report}");
    let why = trouble.first.as_deref().unwrap();
    assert!(why.contains("unexpected bytes"), "{why}");
}

#[test]
fn closed_without_a_reply() {
    let why = fails(Stage::ClosedEarly, 0, |stream| for_each_line(stream, |_| Ok(())));
    assert!(why.ends_with("closed the connection before the whole reply had come"), "{why}");
}

#[test]
fn closed_within_the_reply() {
    fails(Stage::ClosedEarly, 0, |stream| {
        for_each_line(stream, |stream| stream.write_all(b"Hello from server!"))
    });
}

#[test]
fn closed_before_the_second_reply() {
    let address = server(|mut stream| {
        read_once(&stream)?;
        stream.write_all(Protocol::Lines.reply())
    });
    let crowd = Crowd { requests: 2, ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_eq!((report.requests, report.answered), (40, 20), "{report}");
    assert_eq!(report.errors.count(), 20, "{report}");
}

#[test]
fn a_reset_instead_of_a_reply() {
    let why = fails(Stage::ClosedEarly, 0, |stream| {
        read_once(&stream)?;
        reset(stream)
    });
    assert!(why.contains("reset the connection"), "{why}");
}

#[test]
fn a_reset_instead_of_the_end() {
    let why = fails(Stage::ClosedEarly, 5, |stream| {
        for_each_line(stream.try_clone()?, |stream| stream.write_all(Protocol::Lines.reply()))?;
        // A reset may destroy a reply that isn't read yet, and no event reports when it is.
        thread::sleep(Duration::from_millis(300));
        reset(stream)
    });
    assert!(why.ends_with("after the last reply, instead of closing it"), "{why}");
}

#[test]
fn no_reply_at_all() {
    let why = fails(Stage::TimedOut, 0, |stream| {
        read_once(&stream)?;
        thread::park();
        Ok(())
    });
    assert!(why.ends_with("no reply has come"), "{why}");
}

#[test]
fn a_server_that_does_not_notice_the_end() {
    let why = fails(Stage::TimedOut, 5, |mut stream| {
        read_once(&stream)?;
        stream.write_all(Protocol::Lines.reply())?;
        thread::park();
        Ok(())
    });
    assert!(why.ends_with("the server doesn't close the connection"), "{why}");
}

#[test]
fn no_server_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let why = fails_at(Stage::Connect, 0, address);
    assert!(why.contains("cargo run -p sync-server"), "{why}");
}

#[test]
fn without_a_server_no_client_waits_for_a_reply() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let crowd =
        Crowd { rate: Some(100.0), duration: Some(Duration::from_secs(1)), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_eq!((report.requests, report.errors.of(Stage::Connect).count), (0, 20), "{report}");
    assert_eq!(report.open_loop.as_ref().unwrap().reply_since_due.count(), 0, "{report}");
}

#[test]
fn replies_in_pieces_are_not_a_fault() {
    let address = server(|stream| {
        stream.set_nodelay(true)?;
        for_each_line(stream, |stream| {
            let mut bytes = Protocol::Lines.reply().iter();
            bytes.try_for_each(|&byte| stream.write_all(&[byte]))
        })
    });
    assert_good(&flood(address, &Crowd::default()));
}
