//! What can happen to workers and their parent, seen from outside.
//!
//! The time limits are wide: these tests check what happens, not how fast.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use system::SAME_REQUEST;

#[path = "../../../client/tests/all/ignoring.rs"]
mod ignoring;

const GREETING: &str = "Hello from server!\n";

/// How long to wait for something that must happen. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The limit is a second. The rest is for a machine that is busy with other tests.
const BOUND: Duration = Duration::from_millis(1500);

/// A parent and its workers, in a group of processes of their own, so that none of them
/// outlives the test.
struct Server {
    parent: Child,
    address: SocketAddr,
    /// What all of them print. It ends when the last of them has ended.
    lines: Receiver<String>,
    seen: Vec<String>,
}

fn command(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prefork-server"));
    command.args(["--address", "127.0.0.1:0"]).args(options);
    command
}

impl Server {
    fn start(options: &[&str]) -> Self {
        // They get signals, which this test may have inherited as ignored.
        system::defaults_for_children();
        Server::start_as(command(options))
    }

    fn start_as(mut command: Command) -> Self {
        let mut parent =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout: Box<dyn Read + Send> = Box::new(parent.stdout.take().unwrap());
        let stderr: Box<dyn Read + Send> = Box::new(parent.stderr.take().unwrap());
        for pipe in [stdout, stderr] {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(pipe).lines().map_while(Result::ok);
                lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
            });
        }
        let address = SocketAddr::from(([0; 4], 0));
        let mut server = Server { parent, address, lines, seen: Vec::new() };
        let line = server.line("server is running on ");
        server.address = line.split([' ', ',']).find_map(|word| word.parse().ok()).unwrap();
        server
    }

    /// The next line that begins like this.
    fn line(&mut self, begin: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(begin) => return line,
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no `{begin}` ({error}) after {:?}", self.seen),
            }
        }
    }

    /// The process of the worker that starts next, which must have this number.
    fn worker(&mut self, number: usize) -> Pid {
        let line = self.line(&format!("worker {number} is process "));
        Pid::from_raw(line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.parent.id().cast_signed())
    }

    /// Waits until all processes have ended. Returns the parent's status, and the lines not seen
    /// before.
    fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("a process is left ({error}) after {lines:?}"),
            }
        }
        (self.parent.wait().unwrap(), lines)
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both only fail if all processes have ended, which is what we want.
        killpg(self.id(), Signal::SIGKILL).ok();
        self.parent.wait().ok();
    }
}

struct Client(TcpStream);

impl Client {
    fn ask(&mut self) {
        self.0.write_all(b"hello\n").unwrap();
    }

    fn is_answered(&mut self) -> bool {
        let mut reply = [0; GREETING.len()];
        self.0.read_exact(&mut reply).is_ok() && reply == GREETING.as_bytes()
    }

    fn expect_answer(&mut self) {
        self.ask();
        assert!(self.is_answered());
    }
}

#[test]
fn as_many_workers_serve_as_asked_for_and_their_counters_are_added_up() {
    let mut server = Server::start(&["--workers", "3"]);
    let workers = [1, 2, 3].map(|number| server.worker(number));
    // One worker after the other is the only one that can accept.
    for worker in workers {
        workers.iter().for_each(|&other| kill(other, Signal::SIGSTOP).unwrap());
        kill(worker, Signal::SIGCONT).unwrap();
        server.connect().expect_answer();
    }
    workers.iter().for_each(|&worker| kill(worker, Signal::SIGCONT).unwrap());
    kill(server.id(), Signal::SIGINT).unwrap();
    let (status, lines) = server.wait();
    assert!(status.success(), "{lines:?}");
    let count = "connections: 3, requests: 3, replies: 3";
    assert!(lines.iter().any(|line| line == count), "{lines:?}");
}

/// Under `nohup`, or in a script's background, the workers have to survive with their parent.
#[test]
fn what_was_ignored_at_the_start_is_ignored_by_the_workers_too() {
    let command = command(&["--workers", "2", "--delay", "50ms", "-v"]);
    let mut server = Server::start_as(ignoring::ignoring("INT HUP", &command));
    let workers = [1, 2].map(|number| server.worker(number));
    let mut client = server.connect();
    // A worker that stops sends what it owes at once and closes.
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        killpg(server.id(), signal).unwrap();
        client.ask();
        client.expect_answer();
    }
    for worker in workers {
        kill(worker, None).unwrap(); // it is still there
    }
    kill(server.id(), Signal::SIGTERM).unwrap();
    let (status, lines) = server.wait();
    assert!(status.success(), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(" is process ")), "{lines:?}");
}

/// In a terminal, Ctrl-C reaches all processes.
#[test]
fn ctrl_c_ends_all_in_order_and_starts_nobody() {
    let mut server = Server::start(&["--workers", "3", "--delay", "1h", "-v"]);
    // Each worker has started: before that, the signal would kill it.
    (0..3).for_each(|_| drop(server.line("waiting in ")));
    let mut client = server.connect();
    client.ask();
    server.line("getting data");
    killpg(server.id(), Signal::SIGINT).unwrap();
    assert!(client.is_answered());
    let (status, lines) = server.wait();
    assert!(status.success(), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(" is process ")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("not counted")), "{lines:?}");
}

#[test]
fn a_killed_worker_is_replaced_and_clients_of_others_do_not_notice() {
    let mut server = Server::start(&["--workers", "2"]);
    let (first, second) = (server.worker(1), server.worker(2));
    kill(second, Signal::SIGSTOP).unwrap();
    let mut of_first = server.connect();
    of_first.expect_answer();
    kill(first, Signal::SIGSTOP).unwrap();
    kill(second, Signal::SIGCONT).unwrap();
    let mut of_second = server.connect();
    of_second.expect_answer();

    kill(first, Signal::SIGKILL).unwrap();
    assert!(!of_first.is_answered());
    of_second.expect_answer();
    let told = server.line("worker 1 ");
    assert_eq!(told, format!("worker 1 (process {first}) has ended: signal: 9 (SIGKILL)"));
    let successor = server.worker(1);
    assert_ne!(successor, first);
    kill(second, Signal::SIGSTOP).unwrap();
    server.connect().expect_answer();
    kill(second, Signal::SIGCONT).unwrap();
    of_second.expect_answer();

    kill(server.id(), Signal::SIGINT).unwrap();
    let (status, lines) = server.wait();
    assert!(status.success(), "{lines:?}");
    // The counters of the first worker are lost, and that is reported.
    let count = "connections: 2, requests: 4, replies: 4";
    assert!(lines.iter().any(|line| line == count), "{lines:?}");
    assert!(lines.last().unwrap().ends_with("not counted: the calls of workers that were killed"));
}

/// Clients wait in the queue of the listening socket, which outlives the worker.
#[test]
fn whoever_waits_in_the_queue_of_a_killed_worker_is_served_by_its_successor() {
    for options in [&["--workers", "1"][..], &["--workers", "1", "--reuse-port"]] {
        if options.len() > 2 && !cfg!(any(target_os = "linux", target_os = "freebsd")) {
            continue;
        }
        let mut server = Server::start(options);
        let worker = server.worker(1);
        kill(worker, Signal::SIGSTOP).unwrap();
        let mut client = server.connect();
        client.ask();
        kill(worker, Signal::SIGKILL).unwrap();
        assert!(client.is_answered());
    }
}

#[test]
fn a_worker_that_dies_as_soon_as_it_lives_is_not_started_all_the_time() {
    let mut server = Server::start(&["--workers", "1"]);
    let began = Instant::now();
    for _ in 0..3 {
        let worker = server.worker(1);
        kill(worker, Signal::SIGKILL).unwrap();
    }
    let took = began.elapsed();
    assert!(took > BOUND, "three were started within {took:?}");
}

/// A worker may be stopped alone; then it sends the replies that it owes.
#[test]
fn a_worker_that_is_told_to_stop_does_so_in_order_and_is_replaced() {
    let mut server = Server::start(&["--workers", "1", "--delay", "1h"]);
    let worker = server.worker(1);
    let mut client = server.connect();
    client.ask();
    server.line("getting data");
    kill(worker, Signal::SIGTERM).unwrap();
    assert!(client.is_answered());
    drop(client);
    server.line(&format!("worker 1 (process {worker}) has ended: exit status: 0"));
    server.worker(1);
    kill(server.id(), Signal::SIGTERM).unwrap();
    let (status, lines) = server.wait();
    assert!(status.success(), "{lines:?}");
    let count = "connections: 1, requests: 1, replies: 1";
    assert!(lines.iter().any(|line| line == count), "{lines:?}");
}

#[test]
fn a_killed_parent_leaves_nobody_behind_and_no_reply_owed() {
    let mut server = Server::start(&["--workers", "2", "--delay", "1h"]);
    server.worker(2);
    let mut client = server.connect();
    client.ask();
    server.line("getting data");
    let began = Instant::now();
    kill(server.id(), Signal::SIGKILL).unwrap();
    assert!(client.is_answered());
    let (status, lines) = server.wait();
    let took = began.elapsed();
    assert_eq!(status.signal(), Some(9), "{lines:?}");
    assert!(took < BOUND, "it took {took:?}: {lines:?}");
}

/// A server with one worker that is busy with a request for an hour.
fn busy_server() -> Server {
    let mut server = Server::start(&["--workers", "2", "--work", "1h"]);
    server.worker(2);
    server.connect().ask();
    server.line("getting data");
    server
}

#[test]
fn a_worker_that_does_not_stop_is_killed() {
    let server = busy_server();
    let began = Instant::now();
    kill(server.id(), Signal::SIGINT).unwrap();
    let (status, lines) = server.wait();
    let took = began.elapsed();
    assert!(status.success(), "{lines:?}");
    assert!(took < BOUND, "it took {took:?}: {lines:?}");
    let told = lines.iter().filter(|line| line.ends_with(" so it is killed")).count();
    assert_eq!(told, 1, "{lines:?}");
}

/// The parent ends at once, and the workers with it, although they did not receive the signals.
#[test]
fn a_second_ctrl_c_ends_everybody_at_once() {
    let mut server = busy_server();
    kill(server.id(), Signal::SIGINT).unwrap();
    server.line("worker "); // the idle one has stopped, so the first signal has arrived
    thread::sleep(SAME_REQUEST); // sooner, the second one would be part of the same request
    let began = Instant::now();
    kill(server.id(), Signal::SIGINT).unwrap();
    let (status, lines) = server.wait();
    let took = began.elapsed();
    assert_eq!(status.code(), Some(130), "{lines:?}");
    assert!(took < BOUND, "it took {took:?}: {lines:?}");
    assert!(!lines.iter().any(|line| line.contains("did not stop")), "{lines:?}");
}
