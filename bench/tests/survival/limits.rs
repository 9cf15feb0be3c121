//! Descriptors that run out, crowds, and what nobody costs.

use std::io::ErrorKind;
#[cfg(unix)]
use std::process::Command;
use std::thread;
use std::time::Duration;

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
}

/// A server that may have so many descriptors. A shell sets the limit, since a process can
/// only lower its own.
#[cfg(unix)]
fn start_with_descriptors(model: Model, limit: usize) -> Server {
    let server = server::command(model, &["-q"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(server.get_program()).args(server.get_args());
    Server::start_as(shell)
}

#[cfg(unix)]
pub fn few_descriptors(model: Model) {
    let server = start_with_descriptors(model, 32);
    let mut crowd = Crowd::ask(&server, 80);
    let held = crowd.settle();
    if model.serves_others_meanwhile {
        assert!((10..32).contains(&held), "{held} are held");
    } else {
        assert_eq!(held, 1);
    }
    let processor_time = server.processor_time();
    thread::sleep(Duration::from_millis(500));
    let spent = server.processor_time() - processor_time;
    assert!(spent <= Duration::from_millis(50), "{spent:?} spent on clients that can't come in");
    // As others leave, those who waited are served.
    wait_until("all are answered", || {
        crowd.answered.pop();
        crowd.look();
        crowd.waiting.is_empty()
    });
    drop(crowd);
    probe(server.address());
    let outcome = server.stop();
    let told = outcome.lines.iter().filter(|line| line.contains("no descriptor is left")).count();
    assert_eq!(told, usize::from(model.serves_others_meanwhile), "{outcome:?}");
    assert_eq!(outcome.usage.unwrap().replies, 81);
}

/// 1100 are more than select(2) can watch; and more than a backlog holds, so the blocking
/// server is tried with fewer.
pub fn crowd(model: Model) {
    rlimit::increase_nofile_limit(4096).unwrap();
    let server = Server::start(model, &["-q"]);
    let size = if model.serves_others_meanwhile { 1100 } else { 100 };
    let mut crowd = Crowd::ask(&server, size);
    let held = crowd.settle();
    match model.name {
        "sync-server" => assert_eq!(held, 1),
        "select-server" => assert!((1000..1024).contains(&held), "{held} are held"),
        _ => assert_eq!(held, size),
    }
    wait_until("all are answered", || {
        crowd.answered.pop();
        crowd.look();
        crowd.waiting.is_empty()
    });
    drop(crowd);
    probe(server.address());
    let outcome = server.stop();
    assert_eq!(outcome.usage.unwrap().replies, size as u64 + 1);
}

pub fn idle_costs_nothing(model: Model) {
    let server = Server::start(model, &["-q"]);
    let mut crowd = Crowd::ask(&server, 20);
    crowd.settle();
    let processor_time = server.processor_time();
    thread::sleep(Duration::from_secs(1));
    let spent = server.processor_time() - processor_time;
    assert!(spent <= Duration::from_millis(20), "{spent:?} spent on nothing");
    drop(crowd);
    server.stop();
}
