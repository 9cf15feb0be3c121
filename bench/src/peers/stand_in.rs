//! The process that stands in for a peer.
//!
//! It is started as `bench serve NAME`, like every server here, and talks to its parent as they do,
//! but it serves no clients. It starts the peer, waits until that listens, and ends it when its own
//! standard input ends. So it doesn't show up in what the peer costs, which is only the peer's own
//! processor time.
//!
//! The peer is in a process group of its own, so that a Ctrl-C on the terminal reaches it only
//! through the stand-in. If the stand-in is killed with a signal that can't be caught, the kernel
//! kills the peer.
//!
//! Left out: that last step on systems without `setpriv` from util-linux, which requests it from
//! Linux (PR_SET_PDEATHSIG, prctl(2)). There, such a peer keeps running.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use clap::Parser;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::Protocol;
use server_kit::{Console, Stop};
use server_process::{Port, listener_on, until_next_look};

use super::Peer;
use crate::server_process::{Message, PATIENCE};
use crate::{Meter, ProcessUsage, Usage};

/// Why a peer's calls are not in the table.
const NOT_COUNTED: &str = "any system calls, because peers don't count theirs";

/// The server's options that the stand-in accepts. The others are for things that a peer doesn't
/// have.
#[derive(Debug, Parser)]
struct Options {
    /// Listen on this address; port 0 takes any free port
    #[arg(long, value_name = "127.0.0.1:PORT", default_value = "127.0.0.1:0",
          value_parser = on_loopback)]
    address: SocketAddr,

    /// Speak this protocol; a peer speaks only `lines`
    #[arg(long, default_value_t, value_parser = spoken)]
    protocol: Protocol,

    /// Keep idle connections forever, as a peer does anyway
    #[arg(long, value_parser = ["never"])]
    idle_timeout: Option<String>,

    /// Print only errors, as a peer does anyway
    #[arg(short, long)]
    quiet: bool,
}

fn on_loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip() == Ipv4Addr::LOCALHOST => Ok(address),
        _ => Err("a peer listens only on 127.0.0.1; use for example 127.0.0.1:8686".into()),
    }
}

fn spoken(text: &str) -> Result<Protocol, String> {
    match text.parse()? {
        Protocol::Lines => Ok(Protocol::Lines),
        other => Err(format!("a peer speaks only `lines`, not `{other}`")),
    }
}

/// Runs the peer until standard input ends, Ctrl-C is pressed, or it ends by itself. The first of
/// the `arguments` stands for the program.
pub(crate) fn stand_in(peer: &Peer, arguments: Vec<OsString>) -> ExitCode {
    match run(peer, &Options::parse_from(arguments)) {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => complaint(peer, format_args!("it has ended: {status}")),
        Err(error) => complaint(peer, format_args!("{error}")),
    }
}

fn complaint(peer: &Peer, what: std::fmt::Arguments) -> ExitCode {
    Console::complain(format_args!("{}: {what}", peer.name));
    ExitCode::FAILURE
}

/// What the stand-in waits for.
enum Event {
    /// Standard input has ended.
    ParentIsDone,
    /// Ctrl-C was pressed.
    Interrupted,
    /// The peer has closed its output, which means that it has ended.
    PeerIsGone,
}

/// Returns how the peer has ended: successfully, if the parent requested it.
fn run(peer: &Peer, options: &Options) -> io::Result<ExitStatus> {
    // Kept until the peer has ended, so that the port stays reserved.
    let taken = match options.address.port() {
        0 => Some(Port::take().map_err(io::Error::other)?),
        _ => None,
    };
    let port = taken.as_ref().map_or(options.address.port(), Port::number);
    let (sender, events) = mpsc::channel();
    listen_for_the_end(sender.clone())?;
    let running = Running::start(peer, port, sender)?;
    let (event, process) = match running.wait_until_it_listens(port, &events)? {
        Some(event) => (event, None),
        None => {
            let before = running.usage();
            let event = events.recv().map_err(io::Error::other)?;
            (event, running.usage().zip(before).map(|(now, before)| now.since(before)))
        }
    };
    let status = running.end(event, &events)?;
    if status.success() {
        let calls_not_counted = Some(NOT_COUNTED.into());
        Message::Stopped(Usage { process, calls_not_counted, ..Usage::default() }).print()?;
    }
    Ok(status)
}

fn listen_for_the_end(sender: Sender<Event>) -> io::Result<()> {
    let interrupted = sender.clone();
    // If the receiver is gone, the stand-in is about to end anyway.
    Stop::on_signals()?.wake_with(move || drop(interrupted.send(Event::Interrupted)));
    let thread = thread::Builder::new().spawn(move || {
        // Nothing is ever written there: this sleeps until the parent closes it, or is gone.
        io::stdin().read_to_end(&mut Vec::new()).ok();
        sender.send(Event::ParentIsDone).ok();
    });
    thread.map(drop)
}

/// The peer's process. Dropping it kills it.
struct Running(Child);

impl Running {
    fn start(peer: &Peer, port: u16, sender: Sender<Event>) -> io::Result<Self> {
        let mut command = ended_with_this_process(peer.command()?);
        command.arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        // It gets SIGINT only from the stand-in. In the stand-in's group, it would also get the
        // terminal's, even if the stand-in was started with SIGINT ignored.
        command.process_group(0);
        system::defaults_for_children();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let running = Running(child);
        thread::Builder::new().spawn(move || {
            // Its output is passed on. An error of that doesn't matter: there is no reader then.
            stdout.map(|mut stdout| io::copy(&mut stdout, &mut io::stderr()));
            sender.send(Event::PeerIsGone).ok();
        })?;
        Ok(running)
    }

    /// Reports to the parent as soon as the peer listens. If something else happens first, returns
    /// that.
    fn wait_until_it_listens(
        &self,
        port: u16,
        events: &Receiver<Event>,
    ) -> io::Result<Option<Event>> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(address) = listener_on(port) {
                Message::Listening { address, process: self.0.id() }.print()?;
                return Ok(None);
            }
            if let Ok(event) = events.recv_timeout(until_next_look(began.elapsed())) {
                return Ok(Some(event));
            }
        }
        Err(io::Error::other(format!("it did not listen within {PATIENCE:?}")))
    }

    /// What it has cost so far; `None` where this program doesn't know how to find out.
    fn usage(&self) -> Option<ProcessUsage> {
        let processor_seconds = Meter::of(self.0.id()).processor_time()?.as_secs_f64();
        Some(ProcessUsage { processor_seconds, sleeps: None })
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// Ends it, if it hasn't ended by itself.
    fn end(mut self, event: Event, events: &Receiver<Event>) -> io::Result<ExitStatus> {
        match event {
            Event::ParentIsDone => {
                self.0.kill()?;
                self.0.wait()?;
                return Ok(ExitStatus::default());
            }
            // How it reacts is up to the peer, as long as there is a parent to see it.
            Event::Interrupted => {
                kill(self.id(), Signal::SIGINT)?;
                let deadline = Instant::now() + PATIENCE;
                let left = || deadline.saturating_duration_since(Instant::now());
                while let Ok(Event::Interrupted) = events.recv_timeout(left()) {}
            }
            Event::PeerIsGone => {}
        }
        self.0.kill()?; // does nothing if it has ended
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that has already ended, and then there is nothing to do.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The same command, through `setpriv` where that works: then the kernel kills the process when the
/// thread that started it ends. Here that is the main thread.
fn ended_with_this_process(command: Command) -> Command {
    let through_setpriv = |program: &OsStr| {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--pdeathsig", "KILL"]).arg(program);
        setpriv
    };
    let trial = through_setpriv("true".as_ref()).stdin(Stdio::null()).output();
    if !trial.is_ok_and(|output| output.status.success()) {
        return command;
    }
    let mut setpriv = through_setpriv(command.get_program());
    setpriv.args(command.get_args());
    setpriv
}
