//! A server that is measured, in a process of its own.
//!
//! Cargo tells a package where its own binaries are, but not where those of other packages are. So
//! the servers that are measured and tested run in the binary of *this* package, as `bench serve
//! NAME`, which is not in its `--help`. [`serve_for_parent`] is the child's side of it,
//! [`MeasuredServer`] the parent's.
//!
//! The child prints a line of JSON when it listens and another when it has stopped; between them
//! are the lines of the server's console. When its standard input ends, it stops, so it can't
//! outlive its parent, however that ends.
//!
//! A peer prints no such lines. Its child process becomes the peer (execve(2)), so nothing of this
//! program shows up in what the peer costs. It listens on the port that the parent has chosen, and
//! the parent ends it and measures its processor time.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::iter;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{self, ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use server_kit::{Console, Counters, NoOptions, OwnOptions, Serve, Settings, Stop};
use server_process::ServerProcess;

use crate::{Model, ProcessUsage, Usage};

/// How long a server may take to start or to stop before it counts as hung: far more than any
/// server needs, because the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a peer's calls are not in the table.
const NOT_COUNTED: &str = "any system calls, because peers don't count theirs";

/// What the child reports to its parent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    Listening(SocketAddr),
    Stopped(Usage),
}

impl Message {
    fn print(&self) -> io::Result<()> {
        writeln!(io::stdout(), "{}", serde_json::to_string(self)?)
    }

    /// The address, if this line reports it.
    fn address_in(line: &str) -> Option<SocketAddr> {
        match serde_json::from_str(line) {
            Ok(Message::Listening(address)) => Some(address),
            _ => None,
        }
    }

    /// What the server has counted, if this line reports it.
    fn usage_in(line: &str) -> Option<Usage> {
        match serde_json::from_str(line) {
            Ok(Message::Stopped(usage)) => Some(usage),
            _ => None,
        }
    }
}

/// The child: serves as `model` until standard input ends or Ctrl-C is pressed. The `arguments` are
/// the server's; the first of them stands for the program.
pub fn serve_for_parent(model: Model, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    (model.serve)(ChildServer { name: model.name(), arguments: arguments.into_iter().collect() })
}

/// A server to run in this process.
pub(crate) struct ChildServer {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<OsString>,
}

impl ChildServer {
    pub(crate) fn serve(self, serve: Serve) -> ExitCode {
        self.serve_with(|listener, settings, _: &NoOptions, stop| serve(listener, settings, stop))
    }

    /// For a server that has options of its own.
    pub(crate) fn serve_with<Own: OwnOptions>(
        self,
        serve: impl FnOnce(TcpListener, &Settings, &Own, &Stop) -> io::Result<Counters>,
    ) -> ExitCode {
        let about = "A server for its parent process; it stops when its standard input ends";
        let reporting = |listener: TcpListener, settings: &Settings, own: &Own, stop: &Stop| {
            stop_with_parent(stop.clone())?;
            Message::Listening(listener.local_addr()?).print()?;
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
        Console::print_error(format_args!("the server did not stop in time, so its process ends"));
        process::exit(1);
    });
    thread.map(drop)
}

/// A server that runs in a process of its own. Dropping it kills it.
pub struct MeasuredServer {
    process: ServerProcess,
    /// For a peer: what it had cost when it began to listen, if that is known.
    peer: Option<Option<ProcessUsage>>,
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

impl MeasuredServer {
    /// The command that runs `model` on a free port of 127.0.0.1. `program` is the binary of
    /// this package.
    pub fn command(program: &Path, model: Model, options: &[&str]) -> Vec<String> {
        let address = if model.is_peer { "127.0.0.1:{port}" } else { "127.0.0.1:0" };
        MeasuredServer::command_at(address, program, model, options)
    }

    /// The command that runs `model` at this address.
    pub(crate) fn command_at(
        address: &str,
        program: &Path,
        model: Model,
        options: &[&str],
    ) -> Vec<String> {
        let serve = ["serve", model.name(), "--address", address].map(str::to_owned);
        let options = options.iter().map(|&option| option.to_owned());
        // If an option is given twice, the last one counts: the model's own.
        let words = serve.into_iter().chain(options).chain(model.options().map(str::to_owned));
        iter::once(program.to_string_lossy().into_owned()).chain(words).collect()
    }

    /// Starts `model` with these options, and waits until it listens.
    ///
    /// # Errors
    ///
    /// If the process can't be started, or ends, or doesn't listen within half a minute; the error
    /// includes what it printed.
    pub fn start(program: &Path, model: Model, options: &[&str]) -> io::Result<Self> {
        MeasuredServer::start_command(model, &MeasuredServer::command(program, model, options))
    }

    /// Starts `model` by such a command, or one that ends in it.
    ///
    /// The server ignores the same signals as this program, because it is a part of it and has to
    /// survive them as well. A caller that sends it such a signal has to call
    /// [`system::defaults_for_children`] before it starts it.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn start_command(model: Model, words: &[String]) -> io::Result<Self> {
        let started = match model.is_peer {
            true => ServerProcess::start(words, PATIENCE),
            false => ServerProcess::start_announced(words, PATIENCE, Message::address_in),
        };
        let process = started.map_err(|not_started| io::Error::other(not_started.why))?;
        let peer = model.is_peer.then(|| ProcessUsage::of_peer(process.id()));
        Ok(MeasuredServer { process, peer })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// The id of the process that serves.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the server has printed `count` lines that contain `text`; returns whether it did
    /// so before it ended and within half a minute.
    pub fn has_printed(&self, count: usize, text: &str) -> bool {
        self.process.has_printed(count, text, PATIENCE)
    }

    /// Requests the server to stop, and waits until it has. A peer is killed.
    ///
    /// # Errors
    ///
    /// If it hasn't stopped after half a minute; then it is killed.
    pub fn stop(self) -> io::Result<ServerExit> {
        let Some(before) = self.peer.filter(|_| self.process.wait(Duration::ZERO).is_none()) else {
            self.process.close_input();
            return self.wait();
        };
        let now = ProcessUsage::of_peer(self.id());
        let process = now.zip(before).map(|(now, before)| now.since(before));
        let calls_not_counted = Some(NOT_COUNTED.into());
        let usage = Some(Usage { process, calls_not_counted, ..Usage::default() });
        Ok(ServerExit { status: ExitStatus::default(), lines: Vec::new(), usage })
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
    pub fn wait(self) -> io::Result<ServerExit> {
        let output = self.process.output(PATIENCE);
        let status = self
            .process
            .wait(PATIENCE)
            .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "the server did not stop"))?;
        let lines: Vec<String> = output.lines().map(str::to_owned).collect();
        let usage = lines.iter().rev().find_map(|line| Message::usage_in(line));
        Ok(ServerExit { status, lines, usage })
    }
}
