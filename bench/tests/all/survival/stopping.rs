//! The end of the server: it sends the pending replies, and is gone within a second.

use std::io::Write;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use bench::{Model, ServerExit};
use server_kit::STOP_GRACE;

use super::client::{Client, GREETING};
#[cfg(target_os = "linux")]
use super::server;
use super::server::Server;
#[cfg(target_os = "linux")]
use crate::available::left_out;

/// The bound is a second. The rest is for a machine that is busy with other tests.
#[cfg(unix)]
const BOUND: Duration = Duration::from_millis(1500);

/// Five clients, of which some servers serve only the first, or four. All wait for a delayed reply,
/// and one of them would not even read it.
#[cfg(unix)]
fn stop_while_replies_are_pending(model: Model, stop: impl FnOnce(&Server)) {
    let server = Server::start(model, &["--delay", "1h"]);
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(server.address())).collect();
    for client in &mut clients {
        client.send("one\ntwo\n");
    }
    let mut non_reading = Client::with_small_receive_buffer(server.address());
    non_reading.send_until_full(&b"\n".repeat(1 << 16));
    let served = model.serves_at_once.min(5);
    assert!(server.has_printed(served, "getting data"));

    let began = Instant::now();
    stop(&server);
    let outcome = server.wait();
    let took = began.elapsed();
    assert!(took < BOUND, "it took {took:?}");
    for client in clients.iter_mut().take(served) {
        assert_eq!(client.read_to_end(), GREETING.repeat(2));
    }
    expect_goodbye(&outcome);
    drop(non_reading);
}

fn expect_goodbye(outcome: &ServerExit) {
    assert!(outcome.status.success(), "{outcome:?}");
    let position = |text: &str| outcome.lines.iter().position(|line| line.starts_with(text));
    let goodbye = position("Server stopped! Thank you for using!");
    let counters = position("connections: ");
    let calls = position("system calls: ");
    assert!(goodbye.is_some() && goodbye < counters && counters < calls, "{outcome:?}");
}

#[cfg(unix)]
pub fn ctrl_c(model: Model) {
    stop_while_replies_are_pending(model, |server| server.signal(nix::sys::signal::Signal::SIGINT));
}

#[cfg(unix)]
pub fn sigterm(model: Model) {
    stop_while_replies_are_pending(model, |server| {
        server.signal(nix::sys::signal::Signal::SIGTERM)
    });
}

/// A wrapper such as `timeout` passes on the Ctrl-C that the server gets from the terminal, too. The
/// same Ctrl-C ends the shell that runs the server at once, and then its terminal hangs up. None of
/// this counts as a second Ctrl-C.
#[cfg(unix)]
pub fn ctrl_c_and_hangup(model: Model) {
    stop_while_replies_are_pending(model, |server| {
        server.signal(nix::sys::signal::Signal::SIGINT);
        thread::sleep(Duration::from_millis(20)); // so that they don't arrive as one
        server.signal(nix::sys::signal::Signal::SIGINT);
        server.signal(nix::sys::signal::Signal::SIGHUP);
    });
}

/// A client that doesn't read can't hold up a server that sleeps in send(2) because of it.
#[cfg(unix)]
pub fn non_reading_client(model: Model) {
    stop_while_a_client_does_not_read(model, |server| {
        server.signal(nix::sys::signal::Signal::SIGINT);
        server.wait()
    });
    // A signal ends send(2) by itself. Here there is no signal.
    stop_while_a_client_does_not_read(model, Server::stop);
}

#[cfg(unix)]
fn stop_while_a_client_does_not_read(model: Model, stop: impl FnOnce(Server) -> ServerExit) {
    let server = Server::start(model, &["--backlog", "1"]);
    let mut non_reading = Client::with_small_receive_buffer(server.address());
    non_reading.send_until_full(&b"\n".repeat(1 << 16));
    // They may fill the queue, and then no other connection can wake the server.
    let neighbours = [(); 2].map(|()| Client::connect(server.address()));
    let began = Instant::now();
    let outcome = stop(server);
    let took = began.elapsed();
    assert!(took < BOUND, "it took {took:?}");
    expect_goodbye(&outcome);
    drop(neighbours);
    // No reply is lost without a message. (How much the kernel takes for a client that doesn't read
    // is up to the kernel; it may have been everything.)
    let usage = outcome.usage.as_ref().unwrap();
    let is_reported = outcome.lines.iter().any(|line| line.contains("could not be sent"));
    assert_eq!(is_reported, usage.replies < usage.requests, "{outcome:?}");
}

/// A second Ctrl-C ends the server without waiting: this server would not return from its work for
/// an hour.
#[cfg(unix)]
pub fn second_ctrl_c(model: Model) {
    use std::net::TcpStream;

    use super::client::wait_until;

    let server = Server::start(model, &["--work", "1h"]);
    let mut client = Client::connect(server.address());
    client.send("hello\n");
    assert!(server.has_printed(1, "getting data"));
    // Two signals in quick succession may arrive as one, so it is pressed again and again.
    wait_until("the server no longer listens", || {
        server.signal(nix::sys::signal::Signal::SIGINT);
        TcpStream::connect_timeout(&server.address(), BOUND).is_err()
    });
    // Some servers close their listener at the first one. If the server has ended, this one does
    // nothing; it would be part of the first one if it came sooner.
    thread::sleep(system::SAME_REQUEST);
    server.signal(nix::sys::signal::Signal::SIGINT);
    let outcome = server.wait();
    assert_eq!(outcome.status.code(), Some(130), "{outcome:?}");
}

/// `nohup` ignores SIGHUP, and background jobs of a script ignore SIGINT, so that the server
/// survives them.
#[cfg(unix)]
pub fn ignored_at_the_start(model: Model) {
    survive_what_was_ignored(model, "INT HUP");
}

/// The owner of such a server ends it with SIGTERM, so that works all the same.
#[cfg(unix)]
pub fn sigterm_ignored_at_the_start(model: Model) {
    survive_what_was_ignored(model, "INT HUP TERM");
}

#[cfg(unix)]
fn survive_what_was_ignored(model: Model, ignored: &str) {
    use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};

    use super::server::command;
    use crate::ignoring::ignoring;

    // A server that stops sends pending replies at once and closes. So with two delayed replies,
    // one after the other, there is enough time for a signal to take effect.
    let command = ignoring(ignored, &command(model, &["--delay", "50ms"]));
    let server = Server::start_as(model, &command);
    let mut client = Client::connect(server.address());
    for signal in [SIGINT, SIGHUP] {
        server.signal(signal);
        client.send("hello\n");
        client.expect_greetings(1);
    }
    drop(client);
    let mut client = Client::connect(server.address());
    client.send("hello\n");
    client.expect_greetings(1);
    drop(client); // a server that stops would wait for it to leave
    server.signal(SIGTERM);
    expect_goodbye(&server.wait());
}

/// Half a request counts as a request if the client ends after it, but not if the server stops.
pub fn half_sent_at_the_end(model: Model) {
    let server = Server::start(model, &["-v"]);
    let mut client = Client::connect(server.address());
    client.send("one\ntw"); // small enough to arrive in one piece
    client.expect_greetings(1);
    // It waits for the client, for the request, and for more. Blocking servers wait for each in a
    // different call; the busy one may have found everything in one round.
    let (waits, what_for) = match model.name() {
        "sync-server" | "thread-server" => (2, "waiting in recv(2)"),
        "async-server" => (2, "waiting in read().await"),
        "busy-server" => (1, "waiting in "),
        _ => (3, "waiting in "),
    };
    assert!(server.has_printed(waits, what_for));
    let outcome = server.stop();
    assert_eq!(client.read_to_end(), "");
    let is_reported = outcome.lines.iter().any(|line| line.ends_with(": the server is stopping"));
    assert!(is_reported, "{outcome:?}");
}

/// A client that keeps sending while the server stops gets every reply that the server has sent,
/// and then the end, even if it reads them a little later. If the server closed at once, the unread
/// bytes would reset the connection, and replies in the server's kernel would be lost.
pub fn still_sending(model: Model) {
    let server = Server::start(model, &["-q"]);
    let mut client = Client::with_small_receive_buffer(server.address());
    client.send("hello\n".repeat(2000));
    client.expect_greetings(1);
    let mut sender = client.stream.try_clone().unwrap();
    let is_over = AtomicBool::new(false);
    let (outcome, received) = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) && sender.write_all(b"hello\n").is_ok() {
                thread::sleep(Duration::from_micros(100));
            }
        });
        let received = scope.spawn(|| {
            thread::sleep(STOP_GRACE / 4);
            let received = client.read_to_end();
            is_over.store(true, Ordering::Relaxed);
            drop(client);
            received
        });
        let outcome = server.stop();
        (outcome, received.join().unwrap())
    });
    let replies = outcome.usage.unwrap().replies;
    assert_eq!(received.len(), (replies as usize - 1) * GREETING.len());
}

/// A server can be stopped where nothing can connect to it: in a network without a loopback
/// interface.
#[cfg(target_os = "linux")]
pub fn without_loopback(model: Model) {
    let alone = ["--map-root-user", "--net"];
    let trial = Command::new("unshare").args(alone).arg("true").output();
    if !trial.as_ref().is_ok_and(|trial| trial.status.success()) {
        return left_out(format!("no network of its own can be made here: {trial:?}"));
    }
    let server = server::command(model, &["-v", "--address", "0.0.0.0:0"]);
    let mut unshare = Command::new("unshare");
    unshare.args(alone).arg(server.get_program()).args(server.get_args());
    let server = Server::start_as(model, &unshare);
    assert!(server.has_printed(1, "waiting in "));
    let began = Instant::now();
    expect_goodbye(&server.stop());
    let took = began.elapsed();
    assert!(took < BOUND, "it took {took:?}");
}

/// Without a signal, which would interrupt most system calls, the server wakes up all the same.
pub fn parent_gone(model: Model) {
    let server = Server::start(model, &["--delay", "1h"]);
    let mut client = Client::connect(server.address());
    client.send("hello\n");
    assert!(server.has_printed(1, "getting data"));
    let outcome = server.stop(); // this closes the server's standard input, and waits
    assert_eq!(client.read_to_end(), GREETING);
    expect_goodbye(&outcome);
    // An event loop waits for the client to close, too, but it sleeps meanwhile.
    if model.can_keep("idle-cost")
        && let Some(process) = outcome.usage.and_then(|usage| usage.process)
    {
        let spent = process.processor_seconds;
        assert!(spent < 0.15, "{spent} s spent on waiting for the end");
    }
}
