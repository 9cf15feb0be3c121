//! Descriptors that run out, crowds, and what nobody costs.

use std::io::ErrorKind;
#[cfg(unix)]
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bench::Model;

use crate::client::{Client, probe, wait_until};
#[cfg(unix)]
use crate::server;
use crate::server::Server;

/// Clients of which each has asked and waits for its reply.
struct Crowd {
    waiting: Vec<Client>,
    answered: Vec<Client>,
}

impl Crowd {
    fn ask(server: &Server, size: usize) -> Self {
        let mut waiting: Vec<_> = (0..size).map(|_| Client::connect(server.address())).collect();
        for client in &mut waiting {
            client.send("hello\n");
        }
        Crowd { waiting, answered: Vec::new() }
    }

    /// Notes whose reply has come.
    fn look(&mut self) -> usize {
        let waiting = std::mem::take(&mut self.waiting);
        for mut client in waiting {
            client.stream.set_nonblocking(true).unwrap();
            let heard = match client.stream.peek(&mut [0]) {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                Err(error) => panic!("{error}"),
            };
            client.stream.set_nonblocking(false).unwrap();
            if heard {
                client.expect_greetings(1);
                self.answered.push(client);
            } else {
                self.waiting.push(client);
            }
        }
        self.answered.len()
    }

    /// Waits until no more are answered, and returns how many are.
    fn settle(&mut self) -> usize {
        loop {
            let before = self.look();
            thread::sleep(Duration::from_millis(500));
            if self.look() == before {
                return before;
            }
        }
    }

    /// Whoever is answered leaves, until everybody is.
    fn leave_in_turns(mut self) {
        wait_until("all are answered", || {
            self.answered.pop();
            self.look();
            self.waiting.is_empty()
        });
    }
}

/// A server whose descriptors are limited by `ulimit` with these options. A shell sets the
/// limit, since a process can only lower its own.
#[cfg(unix)]
fn start_with_limit(model: Model, limit: &str) -> Server {
    let server = server::command(model, &["-q"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(server.get_program()).args(server.get_args());
    Server::start_as(shell)
}

#[cfg(unix)]
pub fn few_descriptors(model: Model) {
    let server = start_with_limit(model, "-n 32");
    // Twice: it is told once for as long as it lasts, and again when it comes again.
    for _ in 0..2 {
        let mut crowd = Crowd::ask(&server, 80);
        let held = crowd.settle();
        if model.serves_others_meanwhile {
            assert!((10..32).contains(&held), "{held} are held");
        } else {
            assert_eq!(held, 1);
        }
        server.expect_sleep("clients can't come in");
        // As soon as one leaves, one of those who waited is served; not only when the server
        // tries again by itself, half a second after it has failed.
        let began = Instant::now();
        for _ in 0..16 {
            crowd.answered.pop();
            let held = crowd.answered.len();
            wait_until("one is served for one who has left", || crowd.look() > held);
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "16 were served after {took:?}");
        crowd.leave_in_turns();
        probe(server.address());
    }
    let outcome = server.stop();
    let told = outcome.lines.iter().filter(|line| line.contains("no descriptor is left")).count();
    assert_eq!(told, if model.serves_others_meanwhile { 2 } else { 0 }, "{outcome:?}");
    assert_eq!(outcome.usage.unwrap().replies, 2 * 81);
}

/// Most systems allow a process more descriptors than they give it unasked.
#[cfg(unix)]
pub fn soft_limit(model: Model) {
    let server = start_with_limit(model, "-S -n 64");
    let mut crowd = Crowd::ask(&server, 100);
    assert_eq!(crowd.settle(), if model.serves_others_meanwhile { 100 } else { 1 });
    server.stop();
}

/// Clients who wait for a reply that is delayed: one has closed its sending half, and the
/// other has gone after that. There is nothing to read from either, and nothing to write.
pub fn delayed_costs_nothing(model: Model) {
    let mut server = Server::start(model, &["--delay", "1h"]);
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(server.address())).collect();
    for client in &mut clients {
        client.send("hello\n");
        client.end();
    }
    let served = if model.serves_others_meanwhile { 2 } else { 1 };
    assert!(server.has_printed(served, "getting data"));
    server.expect_sleep("replies are delayed");
    clients.remove(0).reset();
    server.expect_sleep("a client has gone that is owed a reply");
    let outcome = server.stop();
    let lost = outcome.lines.iter().any(|line| line.ends_with(" (1 reply could not be sent)"));
    assert!(lost, "{outcome:?}");
}

/// What a conversation costs, to the call: two times requests come, and then their end.
pub fn counters(model: Model) {
    let mut server = Server::start(model, &["-v"]);
    let mut client = Client::connect(server.address());
    for requests in ["one\n", "two\nthree\n"] {
        client.send(requests);
        client.expect_greetings(requests.lines().count());
    }
    client.end();
    assert_eq!(client.read_to_end(), "");
    // A loop waits for the client, for its requests twice, for their end, and for its own.
    // The blocking server waits in each accept, recv and send.
    let waits = if model.serves_others_meanwhile { 5 } else { 2 + 3 + 2 };
    assert!(server.has_printed(waits, "waiting in "));
    let outcome = server.stop();
    let usage = outcome.usage.as_ref().unwrap();
    assert_eq!((usage.connections, usage.requests, usage.replies), (1, 3, 3));
    let calls = |name: &str| usage.calls.get(name).copied().unwrap_or(0) as usize;
    for (name, times) in [("recv", 3), ("send", 2), ("close", 1)] {
        assert_eq!(calls(name), times, "{name}: {outcome:?}");
    }
    // A loop may look whether there is one more; somebody has to wake the blocking server.
    assert!((1..=2).contains(&calls("accept")), "{outcome:?}");
    let told = outcome.lines.iter().filter(|line| line.starts_with("woke up after ")).count();
    assert_eq!(told, waits, "{outcome:?}");
    match model.name {
        "sync-server" => {}
        "select-server" => assert_eq!(calls("select"), waits, "{outcome:?}"),
        _ => assert_eq!(calls("epoll_wait"), waits, "{outcome:?}"),
    }
    // Two calls of epoll_ctl(2) belong to each wait. The others let the listener and the
    // connection in, and out again.
    if model.name == "poll-server" && cfg!(target_os = "linux") {
        assert_eq!(calls("epoll_ctl"), 2 * waits + 2 * 2, "{outcome:?}");
    }
}
