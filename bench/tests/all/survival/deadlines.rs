//! Deadlines are kept: the idle time-out, the delay of a reply, the end of lingering and the end
//! of a stopping server, in whatever state a connection is.
//!
//! Each scene has a server and a client of its own, and all scenes of a test run side by side.
//! The reference is a timer in this process that starts with the scene and goes off after 1.2 times
//! as long: whatever happens later than that is late. On a busy machine the timer is late, too, and
//! a scene may be unlucky, so it has several tries. A time-out that is doubled, or counted from the
//! wrong moment, is late in all of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bench::Model;
use server_kit::STOP_GRACE;

use super::client::Client;
use super::server::Server;

/// How often a scene is tried, until its deadline is kept.
const TRIES: usize = 4;

const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

const DELAY: Duration = Duration::from_secs(1);

/// How long a server waits for its client to close after the last reply: as in
/// `protocol::Conversation`.
const LINGER: Duration = Duration::from_secs(5);

/// A deadline that a server has, and a timer to compare with.
struct Deadline {
    began: Instant,
    time: Duration,
    timer: JoinHandle<Instant>,
}

impl Deadline {
    /// Starts the timer; the deadline begins now, or a moment later.
    fn begin(time: Duration) -> Self {
        let timer = thread::spawn(move || {
            thread::sleep(time.mul_f64(1.2));
            Instant::now()
        });
        Deadline { began: Instant::now(), time, timer }
    }

    /// Checks that now is after the deadline and before the timer.
    fn check(self) -> Result<(), String> {
        self.check_but_for(Duration::ZERO)
    }

    /// The same, for something that takes some time in addition to the deadline.
    fn check_but_for(self, overhead: Duration) -> Result<(), String> {
        let took = self.began.elapsed();
        if took < self.time {
            return Err(format!("{took:?} instead of {:?}", self.time));
        }
        self.check_end(overhead)
    }

    /// Checks that now is before the timer. For a deadline that may have begun some time ago.
    fn check_end(self, overhead: Duration) -> Result<(), String> {
        let took = self.began.elapsed();
        let allowed = self.timer.join().unwrap() - self.began + overhead;
        if took <= allowed {
            return Ok(());
        }
        Err(format!("{took:?} instead of {:?}; the timer allows {allowed:?}", self.time))
    }
}

type Scene = fn(Model) -> Result<(), String>;

fn expect(model: Model, scenes: &[(&'static str, Scene)]) {
    let late: Vec<_> = thread::scope(|scope| {
        let run = |&(name, scene): &(_, Scene)| {
            let tries =
                move || (1..TRIES).fold(scene(model), |result, _| result.or_else(|_| scene(model)));
            (name, scope.spawn(tries))
        };
        let running: Vec<_> = scenes.iter().map(run).collect();
        let ended = running.into_iter().map(|(name, scene)| (name, scene.join().unwrap()));
        ended
            .filter_map(|(name, result)| result.err().map(|why| format!("{name}: {why}")))
            .collect()
    });
    assert_eq!(late, [""; 0], "{}", model.label);
}

fn with_idle_timeout(model: Model) -> Server {
    Server::start(model, &["--idle-timeout", "2s"])
}

/// A client that doesn't read, so that its server can send no more.
fn blocked(server: &Server) -> Client {
    let mut client = Client::with_small_receive_buffer(server.address());
    client.send_until_full(&b"\n".repeat(1 << 16));
    client
}

/// The idle time-out since the last bytes came from the server. Although the client doesn't read,
/// its kernel takes a few bytes now and then, and then the server's kernel may take some, too.
fn last_moved(client: &mut Client, is_closed: &AtomicBool) -> Deadline {
    let mut queue = vec![0; 1 << 20];
    client.stream.set_nonblocking(true).unwrap();
    let (mut received, mut deadline) = (0, Deadline::begin(IDLE_TIMEOUT));
    while !is_closed.load(Ordering::Relaxed) {
        // An error means the end: no more bytes come after it.
        let now = client.stream.peek(&mut queue).unwrap_or(received);
        if now > received {
            (received, deadline) = (now, Deadline::begin(IDLE_TIMEOUT));
        }
        thread::sleep(Duration::from_millis(1));
    }
    deadline
}

/// A client whose request was too long, and which gets no more replies.
fn refused(server: &Server) -> Client {
    let mut client = Client::connect(server.address());
    client.send([b'x'; protocol::REQUEST_MAX + 1]);
    assert_eq!(client.read_to_end(), "Request too long!\n");
    client
}

pub fn idle(model: Model) {
    expect(
        model,
        &[
            ("a new connection", |model| {
                let server = with_idle_timeout(model);
                let deadline = Deadline::begin(IDLE_TIMEOUT);
                assert_eq!(Client::connect(server.address()).read_to_end(), "");
                deadline.check()
            }),
            ("after a reply", |model| {
                let server = with_idle_timeout(model);
                let mut client = Client::connect(server.address());
                let deadline = Deadline::begin(IDLE_TIMEOUT);
                client.send("hello\n");
                client.expect_greetings(1);
                assert_eq!(client.read_to_end(), "");
                deadline.check()
            }),
            ("after a part of a request", |model| {
                let server = with_idle_timeout(model);
                let mut client = Client::connect(server.address());
                let deadline = Deadline::begin(IDLE_TIMEOUT);
                client.send("hel");
                assert_eq!(client.read_to_end(), "");
                deadline.check()
            }),
            ("after a part of the replies", |model| {
                let server = with_idle_timeout(model);
                let mut client = blocked(&server);
                let is_closed = AtomicBool::new(false);
                thread::scope(|scope| {
                    let last_moved = scope.spawn(|| last_moved(&mut client, &is_closed));
                    assert!(server.has_printed(1, "nothing moved for too long"));
                    is_closed.store(true, Ordering::Relaxed);
                    last_moved.join().unwrap().check_end(Duration::ZERO)
                })
            }),
            ("after the last reply", |model| {
                let server = with_idle_timeout(model);
                let deadline = Deadline::begin(IDLE_TIMEOUT);
                let client = refused(&server);
                assert!(server.has_printed(1, "its request was too long"));
                drop(client);
                deadline.check()
            }),
        ],
    );
}

pub fn delayed(model: Model) {
    fn server(model: Model) -> Server {
        Server::start(model, &["-q", "--delay", "1s"])
    }
    expect(
        model,
        &[
            ("the first reply", |model| {
                let server = server(model);
                let mut client = Client::connect(server.address());
                let deadline = Deadline::begin(DELAY);
                client.send("hello\n");
                client.expect_greetings(1);
                deadline.check()
            }),
            ("the second reply", |model| {
                let server = server(model);
                let mut client = Client::connect(server.address());
                client.send("hello\n");
                client.expect_greetings(1);
                let deadline = Deadline::begin(DELAY);
                client.send("hello\n");
                client.expect_greetings(1);
                deadline.check()
            }),
            ("the reply to a client that has ended", |model| {
                let server = server(model);
                let mut client = Client::connect(server.address());
                let deadline = Deadline::begin(DELAY);
                client.send("hello");
                client.end();
                client.expect_greetings(1);
                deadline.check()
            }),
            ("a reply behind others", |model| {
                let server = server(model);
                let mut client = Client::connect(server.address());
                let deadline = Deadline::begin(DELAY);
                client.send("hello\n".repeat(10));
                client.expect_greetings(10);
                deadline.check()
            }),
        ],
    );
}

pub fn lingering(model: Model) {
    expect(
        model,
        &[
            ("for a silent client", |model| {
                let server = Server::start(model, &[]);
                let deadline = Deadline::begin(LINGER);
                let client = refused(&server);
                assert!(server.has_printed(1, "its request was too long"));
                drop(client);
                deadline.check()
            }),
            ("for a client that keeps sending", |model| {
                let server = Server::start(model, &[]);
                let deadline = Deadline::begin(LINGER);
                let mut client = refused(&server);
                thread::scope(|scope| {
                    scope.spawn(move || {
                        // Until the server has closed, and resets the connection.
                        while std::io::Write::write_all(&mut client.stream, b"x").is_ok() {
                            thread::sleep(Duration::from_millis(50));
                        }
                    });
                    assert!(server.has_printed(1, "its request was too long"));
                    let kept = deadline.check();
                    server.stop();
                    kept
                })
            }),
        ],
    );
}

pub fn stopping(model: Model) {
    /// The client stays, so the server waits for it as long as it may. Another server without a
    /// client stops at the same time, which shows how long the end of a process takes.
    fn stop(server: Server, client: Client, model: Model) -> Result<(), String> {
        let without_client = Server::start(model, &["-q"]);
        thread::scope(|scope| {
            let overhead = scope.spawn(move || {
                let began = Instant::now();
                without_client.stop();
                began.elapsed()
            });
            let deadline = Deadline::begin(STOP_GRACE);
            server.stop();
            let kept = deadline.check_but_for(overhead.join().unwrap());
            drop(client);
            kept
        })
    }
    expect(
        model,
        &[
            ("with a new connection", |model| {
                let server = Server::start(model, &[]);
                let client = Client::connect(server.address());
                assert!(server.has_printed(1, "new connection"));
                stop(server, client, model)
            }),
            ("after a reply", |model| {
                let server = Server::start(model, &[]);
                let mut client = Client::connect(server.address());
                client.send("hello\n");
                client.expect_greetings(1);
                stop(server, client, model)
            }),
            ("after a part of the replies", |model| {
                let server = Server::start(model, &["-q"]);
                let client = blocked(&server);
                stop(server, client, model)
            }),
            ("after the last reply", |model| {
                let server = Server::start(model, &[]);
                let client = refused(&server);
                stop(server, client, model)
            }),
        ],
    );
}
