//! A server in a process of its own.
//!
//! Cargo tells a package where its own binaries are, but not where those of other packages are. So
//! the servers that are measured and tested run in the binary of *this* package, as `bench serve
//! NAME`, which is not in its `--help`. [`serve_for_parent`] is the child's side of it,
//! [`ServerProcess`] the parent's. For a peer, which isn't a library, that process only stands in:
//! it starts the peer's own process.
//!
//! The two talk over the child's standard streams. The child prints a line of JSON when it listens
//! and another when it has stopped; between them are the lines of the server's console. When its
//! standard input ends, it stops, so it can't outlive its parent, however that ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{self, Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use output::figures::format_calls;
use serde::{Deserialize, Serialize};
use server_kit::{Console, Counters, NoOptions, OwnOptions, Serve, ServeWith, Settings, Stop};

use crate::Model;

/// How long a server may take to start or to stop before it counts as hung: far more than any
/// server needs, because the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a server has done, and what it cost. A peer doesn't count what it does, so for peers this
/// is what their clients have seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Connections accepted.
    pub connections: u64,
    /// Requests received in full.
    pub requests: u64,
    /// Replies handed to the kernel.
    pub replies: u64,
    /// System calls by name.
    pub calls: BTreeMap<String, u64>,
    /// Which system calls are not included, because other code than the server's makes them;
    /// `None`: all are included.
    pub calls_not_counted: Option<String>,
    /// What the kernel reports about the process; `None` where this program doesn't know how to
    /// find out.
    pub process: Option<ProcessUsage>,
}

/// What the kernel reports about a process from when it listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// Processor time in user and kernel mode, in seconds.
    #[serde(rename = "processor_s")]
    pub processor_seconds: f64,
    /// How often it went to sleep (voluntary context switches); `None` for a peer, where it is
    /// unknown.
    pub sleeps: Option<u64>,
}

impl Usage {
    fn of(counters: &Counters, process: Option<ProcessUsage>) -> Self {
        Usage {
            connections: counters.connections,
            requests: counters.requests,
            replies: counters.replies,
            calls: counters.calls().map(|(call, times)| (call.name().to_owned(), times)).collect(),
            calls_not_counted: counters.not_counted.map(str::to_owned),
            process,
        }
    }

    /// Adds what it did and what it cost in another run.
    pub(crate) fn add(&mut self, other: &Usage) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.replies += other.replies;
        for (name, times) in &other.calls {
            *self.calls.entry(name.clone()).or_default() += times;
        }
        self.calls_not_counted = self.calls_not_counted.take().or(other.calls_not_counted.clone());
        self.process = match (self.process, other.process) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
    }

    /// Processor time per request; `None` without requests.
    pub fn processor_time_per_request(&self) -> Option<Duration> {
        let seconds = self.process?.processor_seconds / self.requests as f64;
        (self.requests > 0).then(|| Duration::from_secs_f64(seconds))
    }

    /// System calls of all kinds per request; `None` without requests, or where no calls are
    /// counted. If some are not counted, the true number is higher.
    pub fn calls_per_request(&self) -> Option<f64> {
        let calls: u64 = self.calls.values().sum();
        let is_known = self.requests > 0 && !self.calls.is_empty();
        is_known.then(|| calls as f64 / self.requests as f64)
    }

    /// The same, as people read it.
    pub fn format_calls_per_request(&self) -> Option<String> {
        let at_least = if self.calls_not_counted.is_some() { "≥ " } else { "" };
        Some(format!("{at_least}{}", format_calls(self.calls_per_request()?)))
    }
}

impl ProcessUsage {
    /// What this process has used so far, and its children that have ended, from getrusage(2),
    /// which counts in microseconds.
    fn so_far() -> Option<Self> {
        #[cfg(unix)]
        {
            use nix::sys::resource::{UsageWho, getrusage};
            use nix::sys::time::TimeValLike;
            let of = |who| {
                let usage = getrusage(who).ok()?;
                let time = usage.user_time() + usage.system_time();
                Some(ProcessUsage {
                    processor_seconds: time.num_microseconds() as f64 / 1e6,
                    // It has as many bits as a pointer.
                    sleeps: usage.voluntary_context_switches().try_into().ok(),
                })
            };
            Some(of(UsageWho::RUSAGE_SELF)?.and(of(UsageWho::RUSAGE_CHILDREN)?))
        }
        #[cfg(not(unix))]
        None // Left out: GetProcessTimes
    }

    pub(crate) fn since(self, before: Self) -> Self {
        ProcessUsage {
            processor_seconds: self.processor_seconds - before.processor_seconds,
            sleeps: self.sleeps.zip(before.sleeps).map(|(now, before)| now - before),
        }
    }

    /// The sum of both.
    fn and(self, other: Self) -> Self {
        ProcessUsage {
            processor_seconds: self.processor_seconds + other.processor_seconds,
            sleeps: self.sleeps.zip(other.sleeps).map(|(one, other)| one + other),
        }
    }
}

/// What the child reports to its parent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The address, and the id of the process that serves.
    Listening {
        address: SocketAddr,
        process: u32,
    },
    Stopped(Usage),
}

impl Message {
    pub(crate) fn print(&self) -> io::Result<()> {
        writeln!(io::stdout(), "{}", serde_json::to_string(self)?)
    }
}

/// The child: serves as `model` until standard input ends or Ctrl-C is pressed. The `arguments` are
/// the server's; the first of them stands for the program.
pub fn serve_for_parent(model: Model, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    (model.serve)(ChildServer { name: model.name(), arguments: arguments.into_iter().collect() })
}

/// A server to run in this process.
pub(crate) struct ChildServer {
    name: &'static str,
    pub(crate) arguments: Vec<OsString>,
}

impl ChildServer {
    pub(crate) fn serve(self, serve: Serve) -> ExitCode {
        self.run(|listener, settings, _: &NoOptions, stop| serve(listener, settings, stop))
    }

    /// For a server that has options of its own.
    pub(crate) fn serve_with<Own: OwnOptions>(self, serve: ServeWith<Own>) -> ExitCode {
        self.run(serve)
    }

    fn run<Own: OwnOptions>(
        self,
        serve: impl FnOnce(TcpListener, &Settings, &Own, &Stop) -> io::Result<Counters>,
    ) -> ExitCode {
        let about = "A server for its parent process; it stops when its standard input ends";
        let reporting = |listener: TcpListener, settings: &Settings, own: &Own, stop: &Stop| {
            stop_with_parent(stop.clone())?;
            Message::Listening { address: listener.local_addr()?, process: process::id() }
                .print()?;
            let before = ProcessUsage::so_far();
            let counters = serve(listener, settings, own, stop)?;
            let process = ProcessUsage::so_far().zip(before).map(|(now, before)| now.since(before));
            Message::Stopped(Usage::of(&counters, process)).print()?;
            Ok(counters)
        };
        server_kit::run_with_arguments(self.name, about, self.arguments, reporting)
    }
}

fn stop_with_parent(stop: Stop) -> io::Result<()> {
    let thread = thread::Builder::new().spawn(move || {
        // Nothing is ever written there: this sleeps until the parent closes it, or is gone.
        io::stdin().read_to_end(&mut Vec::new()).ok();
        stop.request();
        thread::sleep(PATIENCE);
        // The parent and its pipes may be gone, so nothing here may panic.
        Console::complain(format_args!("the server did not stop in time, so its process ends"));
        process::exit(1);
    });
    thread.map(drop)
}

/// A server that runs in a process of its own. Dropping it kills it.
pub struct ServerProcess {
    child: Child,
    /// The id of the process that serves.
    id: u32,
    address: SocketAddr,
    output: Output,
}

/// How a server ended.
#[derive(Debug)]
pub struct ServerExit {
    /// The status of the process.
    pub status: ExitStatus,
    /// Every line that it printed, to standard output or standard error.
    pub lines: Vec<String>,
    /// What it counted, if it lived to report it.
    pub usage: Option<Usage>,
}

impl ServerExit {
    /// The last line that was meant for people.
    pub fn last_words(&self) -> &str {
        let is_for_people = |line: &&String| serde_json::from_str::<Message>(line).is_err();
        self.lines.iter().rev().find(is_for_people).map_or("it printed nothing", String::as_str)
    }
}

impl ServerProcess {
    /// The command that runs `model` on a free port of 127.0.0.1. `program` is the binary of
    /// this package.
    pub fn command(program: &Path, model: Model, options: &[&str]) -> Command {
        ServerProcess::command_at("127.0.0.1:0", program, model, options)
    }

    /// The command that runs `model` at this address.
    pub fn command_at(address: &str, program: &Path, model: Model, options: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["serve", model.name(), "--address", address]);
        // If an option is given twice, the last one counts: the model's own.
        command.args(options).args(model.options());
        command
    }

    /// Runs such a command, and waits until the server listens.
    ///
    /// The server ignores the same signals as this program, because it is a part of it and has to
    /// survive them as well. A caller that sends it such a signal has to call
    /// [`system::defaults_for_children`] before it starts it.
    ///
    /// # Errors
    ///
    /// If the process can't be started, or ends, or doesn't listen within half a minute; the error
    /// includes what it printed.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, receiver) = mpsc::channel();
        let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let mut server = ServerProcess {
            id: child.id(),
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            output: Output { receiver, lines: Vec::new(), closed: false },
        };
        for pipe in [stdout, stderr].into_iter().flatten() {
            let sender = sender.clone();
            thread::Builder::new().spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break; // the receiver is gone
                    }
                }
            })?;
        }
        // Now only the threads have senders, which are dropped when the server ends.
        drop(sender);
        let listening = server.output.wait_for(PATIENCE, |line| match serde_json::from_str(line) {
            Ok(Message::Listening { address, process }) => Some((address, process)),
            _ => None,
        });
        match listening {
            Some((address, process)) => {
                (server.address, server.id) = (address, process);
                Ok(server)
            }
            None => {
                // The lines after the first explain a command line that the user has not typed.
                let lines = &server.output.lines;
                let said = lines.first().map_or("it printed nothing", String::as_str);
                Err(io::Error::other(format!("the server did not start: {said}")))
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of the process that serves; for a peer, that of the peer itself.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits until the server has printed `count` lines that contain `text`; returns whether it did
    /// so before it ended and within half a minute.
    pub fn has_printed(&mut self, count: usize, text: &str) -> bool {
        let mut found = 0;
        let deadline = Instant::now() + PATIENCE;
        for line in &self.output.lines {
            found += usize::from(line.contains(text));
        }
        while found < count {
            let wait = deadline.saturating_duration_since(Instant::now());
            if self.output.wait_for(wait, |line| line.contains(text).then_some(())).is_none() {
                return false;
            }
            found += 1;
        }
        true
    }

    /// Requests the server to stop, and waits until it has.
    ///
    /// # Errors
    ///
    /// If it hasn't stopped after half a minute; then it is killed.
    pub fn stop(mut self) -> io::Result<ServerExit> {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Stops the server; returns what it has done.
    ///
    /// # Errors
    ///
    /// Those of [`stop`](Self::stop); and if it died, how, and its last words.
    pub(crate) fn finish(self) -> io::Result<Usage> {
        match self.stop()? {
            ServerExit { status, usage: Some(usage), .. } if status.success() => Ok(usage),
            exit => {
                let what = format!("the server died ({}): {}", exit.status, exit.last_words());
                Err(io::Error::other(what))
            }
        }
    }

    /// Waits until the server ends for another reason.
    ///
    /// # Errors
    ///
    /// If it hasn't ended after half a minute; then it is killed.
    pub fn wait(mut self) -> io::Result<ServerExit> {
        // The process has ended when both of its output pipes are closed.
        self.output.wait_for(PATIENCE, |_| None::<()>);
        if !self.output.closed {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not stop"));
        }
        let status = self.child.wait()?;
        let lines = std::mem::take(&mut self.output.lines);
        let usage = lines.iter().rev().find_map(|line| match serde_json::from_str(line) {
            Ok(Message::Stopped(usage)) => Some(usage),
            _ => None,
        });
        Ok(ServerExit { status, lines, usage })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail only for a process that has already ended, and then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the child prints, line by line.
struct Output {
    receiver: Receiver<String>,
    /// The lines that have been read so far.
    lines: Vec<String>,
    /// Whether the child has closed its ends, which means that it has ended.
    closed: bool,
}

impl Output {
    /// Reads lines until `find` finds something in one; `None` if the output, or the time, ends
    /// before.
    fn wait_for<T>(&mut self, patience: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + patience;
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(wait) {
                Ok(line) => {
                    let found = find(&line);
                    self.lines.push(line);
                    if found.is_some() {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.closed = true;
                    return None;
                }
            }
        }
    }
}
