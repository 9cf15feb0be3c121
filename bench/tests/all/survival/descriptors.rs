//! What servers do when descriptors run out, and clients wait meanwhile.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use bench::Model;
use protocol::Protocol;

use super::client::{Client, wait_until};
use super::server::{self, Server, one_loop};

/// Clients that have each sent a request, and wait for the reply.
pub struct Crowd {
    waiting: Vec<Client>,
    answered: Vec<Client>,
}

impl Crowd {
    pub fn new(server: &Server, size: usize) -> Self {
        // Many crowds share this process, and macOS gives it 256 descriptors by default. (If the
        // limit can't be raised, connecting fails, and says so.)
        system::raise_descriptor_limit().ok();
        let mut waiting: Vec<_> = (0..size).map(|_| Client::connect(server.address())).collect();
        for client in &mut waiting {
            client.send("hello\n");
        }
        Crowd { waiting, answered: Vec::new() }
    }

    /// Checks which replies have come; returns how many.
    fn look(&mut self) -> usize {
        let waiting = std::mem::take(&mut self.waiting);
        for mut client in waiting {
            client.stream.set_nonblocking(true).unwrap();
            let has_reply = match client.stream.peek(&mut [0]) {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                Err(error) => panic!("{error}"),
            };
            client.stream.set_nonblocking(false).unwrap();
            if has_reply {
                client.expect_greetings(1);
                self.answered.push(client);
            } else {
                self.waiting.push(client);
            }
        }
        self.answered.len()
    }

    /// Waits until no more replies come, and returns how many have come.
    pub fn settle(&mut self) -> usize {
        loop {
            let before = self.look();
            thread::sleep(Duration::from_millis(500));
            if self.look() == before {
                return before;
            }
        }
    }

    /// Closes a client that has its reply, and waits until another one is served instead.
    fn one_leaves(&mut self) {
        self.answered.pop();
        let held = self.answered.len();
        wait_until("one is served for one who has left", || self.look() > held);
    }

    /// Closes the clients one after the other, until all have their replies.
    pub fn leave_in_turns(mut self) {
        while !self.waiting.is_empty() {
            self.one_leaves();
        }
    }
}

/// A server whose descriptors are limited by `ulimit` with these options. A shell sets the
/// limit, since a process can only lower its own.
fn start_with_limit(model: Model, limit: &str) -> Server {
    let server = server::command(model, &[&["-q"], one_loop(model)].concat());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(server.get_program()).args(server.get_args());
    Server::start_as(model, &shell)
}

pub fn few_descriptors(model: Model) {
    let server = start_with_limit(model, "-n 32");
    probe(server.address());
    let at_rest = server.threads_and_descriptors() + 1; // a thread may be there for the next client
    // Twice: a lack of descriptors is reported once while it lasts, and again when it comes again.
    for _ in 0..2 {
        let mut crowd = Crowd::new(&server, 80);
        let held = crowd.settle();
        // A server that serves few at once doesn't run out.
        let runs_out = model.serves_at_once >= 32;
        let expected =
            if runs_out { 10..32 } else { model.serves_at_once..model.serves_at_once + 1 };
        assert!(expected.contains(&held), "{held} are held");
        server.expect_sleep(model, "clients can't come in");
        // As soon as one leaves, one of those that wait is served, and not only when the server
        // tries again by itself half a second later.
        let began = Instant::now();
        for _ in 0..16 {
            crowd.one_leaves();
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(4), "16 were served after {took:?}");
        crowd.leave_in_turns();
        // Until then there is not enough room.
        wait_until("all is given back", || server.threads_and_descriptors() <= at_rest);
        probe(server.address());
    }
    let outcome = server.stop();
    let reports =
        outcome.lines.iter().filter(|line| line.contains("no descriptor is left")).count();
    let expected = match model.name() {
        _ if model.serves_at_once < 32 => 0..=0,
        // It needs a second descriptor for a moment, so the probe may also find too few.
        "async-server" => 2..=4,
        _ => 2..=2,
    };
    assert!(expected.contains(&reports), "{outcome:?}");
    assert_eq!(outcome.usage.unwrap().replies, 1 + 2 * 81);
}

/// The limit is lowered from outside (prlimit(2)) to the three descriptors that every process has,
/// and raised again, twice. It is reported each time, and the client that has come meanwhile is
/// served.
#[cfg(target_os = "linux")]
pub fn taken_away_for_a_while(model: Model) {
    if model.name() == "uring-server" {
        // The kernel read the limit when it got the one accept operation for all clients.
        return;
    }
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    use super::client::GREETING;

    let server = Server::start(model, one_loop(model));
    let limit = |server: &Server, limit: Rlimit| {
        for process in server.processes() {
            prlimit(Pid::from_raw(process), Resource::Nofile, limit).unwrap();
        }
    };
    // The server has raised its soft limit to the hard one.
    let hard = getrlimit(Resource::Nofile).maximum;
    let before = Rlimit { current: hard, maximum: hard };
    let few = Rlimit { current: Some(3), ..before };
    for round in 1..=2 {
        probe(server.address()); // so that all of its processes are running, and have room
        limit(&server, few);
        let mut client = Client::connect(server.address());
        client.send("hello\n");
        client.end();
        // A server that sleeps in accept(2) has already reserved a descriptor for this client.
        assert!(server.has_printed(round, "no descriptor is left"));
        limit(&server, before);
        assert_eq!(client.read_to_end(), GREETING);
    }
    server.stop();
}

/// Most systems allow a process more descriptors than they give it by default.
pub fn soft_limit(model: Model) {
    let server = start_with_limit(model, "-S -n 64");
    let mut crowd = Crowd::new(&server, 100);
    assert_eq!(crowd.settle(), model.serves_at_once.min(100));
    server.stop();
}

/// What counts as `at once` on a machine that is busy with other tests. A client that has to wait
/// for a slow one waits longer.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Runs a well-behaved client from its connect to its close; it has to be served at once.
pub fn probe(address: SocketAddr) {
    let began = Instant::now();
    let mut client = Client::connect(address);
    client.send(Protocol::Lines.request("hello from the probe"));
    client.expect_greetings(1);
    let waited = began.elapsed();
    assert!(waited < AT_ONCE, "the probe waited {waited:?}");
    client.end();
    assert_eq!(client.read_to_end(), "");
}
