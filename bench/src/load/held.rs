//! Connections that are held in processes of their own, so that they take no descriptors and no
//! time from the clients that are measured.
//!
//! [`Silent`] connections never send anything. Each [`Held`] connection sends a request and gets
//! the reply before it falls silent, so it is certain that the server has accepted it and that it
//! isn't pending in the backlog.
//!
//! Such a process is this program again, started as `bench hold`, which is not in its `--help`. It
//! reports what it has done in lines of JSON, gets its commands in plain lines, and ends when its
//! standard input ends, so it can't outlive its parent.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use clap::Args;
use load_generator::Probe;
use protocol::Protocol;
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;

/// What such a process has to do: its command line.
#[derive(Args, Clone, Debug)]
pub(crate) struct HoldTask {
    address: SocketAddr,
    count: usize,
    /// Connect from this address of this machine
    #[arg(long)]
    from: Option<IpAddr>,
    /// Send a request on each, and again for each line of input; reset them at the end
    #[arg(long)]
    requests: bool,
}

impl HoldTask {
    /// Starts a process for this task; `program` is the binary of this package.
    fn start(&self, program: &Path) -> io::Result<Holder> {
        let (address, count) = (self.address.to_string(), self.count.to_string());
        let mut command = Command::new(program);
        command.args(["hold", &address, &count]);
        if let Some(from) = self.from {
            command.args(["--from", &from.to_string()]);
        }
        command.args(self.requests.then_some("--requests"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = process.stdout.take().map(BufReader::new);
        Ok(Holder { process, said })
    }
}

/// Connections on which nothing is ever sent. They are closed when this is dropped.
pub struct Silent {
    /// `None` if there are no connections.
    _holder: Option<Holder>,
}

impl Silent {
    /// Opens `count` connections, one after the other; `program` is the binary of this package.
    ///
    /// # Errors
    ///
    /// If the process can't be started, or can't open all of them.
    pub fn connect(program: &Path, address: SocketAddr, count: usize) -> io::Result<Self> {
        if count == 0 {
            return Ok(Silent { _holder: None });
        }
        let task = HoldTask { address, count, from: None, requests: false };
        let mut holder = task.start(program)?;
        match holder.connect(&mut |_| {})? {
            (_, None) => Ok(Silent { _holder: Some(holder) }),
            (held, Some(why)) => Err(io::Error::other(format!(
                "only {held} of {count} silent clients could connect: {why}"
            ))),
        }
    }
}

/// Connections that have each sent a request, and can send another. When this is dropped, they are
/// reset: if they were closed normally, each would stay in TIME-WAIT in the kernel for a minute,
/// and disturb the next measurement.
pub struct Held {
    holders: Vec<Holder>,
    /// How many there are.
    pub count: usize,
    /// Why there are no more.
    pub trouble: Option<String>,
}

impl Held {
    /// Opens this many connections from each of these addresses of this machine (`None`: the system
    /// chooses), with a process for each address; `program` is the binary of this package.
    /// `connected` is called with the number of new connections.
    ///
    /// # Errors
    ///
    /// If a process can't be started, or ends. If the server doesn't serve them all, this isn't an
    /// error but [`trouble`](Self::trouble).
    pub fn connect(
        program: &Path,
        address: SocketAddr,
        sources: &[(Option<IpAddr>, usize)],
        connected: &mut dyn FnMut(usize),
    ) -> io::Result<Self> {
        let mut held = Held { holders: Vec::new(), count: 0, trouble: None };
        // One source after the other, so that never more connections are pending than one of them
        // opens.
        for &(from, count) in sources {
            let mut holder = HoldTask { address, count, from, requests: true }.start(program)?;
            let (connected, trouble) = holder.connect(connected)?;
            held.holders.push(holder);
            held.count += connected;
            if trouble.is_some() {
                held.trouble = trouble;
                break;
            }
        }
        Ok(held)
    }

    /// Sends another request on all of them at the same time. Returns how many got a reply, and the
    /// first reason why another one did not.
    ///
    /// # Errors
    ///
    /// If a process has ended.
    pub fn request_all(&mut self) -> io::Result<(usize, Option<String>)> {
        self.holders.iter_mut().try_for_each(Holder::request_all)?;
        let (mut all_answered, mut first) = (0, None);
        for holder in &mut self.holders {
            let HolderMessage::Answered { answered, trouble } = holder.listen()? else {
                let what = "a process that holds connections sent an unexpected message";
                return Err(io::Error::other(what));
            };
            all_answered += answered;
            first = first.or(trouble);
        }
        Ok((all_answered, first))
    }
}

/// A process that holds connections, until this is dropped.
struct Holder {
    process: Child,
    /// Its standard output.
    said: Option<BufReader<ChildStdout>>,
}

/// What such a process reports to its parent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HolderMessage {
    /// This many more are connected (and have got a reply, if they send requests).
    Connected(usize),
    /// Connecting is over: how many there are, and the reason if these are not all.
    Held { held: usize, trouble: Option<String> },
    /// How many got a reply, and the reason why the first of the others did not.
    Answered { answered: usize, trouble: Option<String> },
}

impl HolderMessage {
    fn print(&self) -> io::Result<()> {
        writeln!(io::stdout(), "{}", serde_json::to_string(self)?)
    }
}

impl Holder {
    /// Waits until it has connected all, or can't; returns how many, and why there are no more.
    fn connect(&mut self, connected: &mut dyn FnMut(usize)) -> io::Result<(usize, Option<String>)> {
        loop {
            match self.listen()? {
                HolderMessage::Connected(more) => connected(more),
                HolderMessage::Held { held, trouble } => return Ok((held, trouble)),
                HolderMessage::Answered { .. } => {
                    let what = "a process that holds connections reported replies too early";
                    return Err(io::Error::other(what));
                }
            }
        }
    }

    fn request_all(&mut self) -> io::Result<()> {
        let stdin = self.process.stdin.as_mut();
        stdin.map_or(Ok(()), |stdin| writeln!(stdin, "request"))
    }

    fn listen(&mut self) -> io::Result<HolderMessage> {
        let mut line = String::new();
        if let Some(said) = &mut self.said {
            said.read_line(&mut line)?;
        }
        if line.is_empty() {
            return Err(io::Error::other("a process that holds connections has ended"));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // This fails only for a process that has already ended, and then there is nothing to do.
        self.process.wait().ok();
    }
}

/// How many connect before the first of them waits for its reply: few enough for the backlog of
/// every server here (1024), and so many that a server with long turns, or with naps, has work for
/// many turns.
const AT_ONCE: usize = 256;

/// The process itself: holds connections until its standard input ends.
pub(crate) fn hold(task: &HoldTask) -> io::Result<()> {
    system::raise_descriptor_limit()?;
    let mut connections = Vec::with_capacity(task.count);
    let trouble = connect_all(task, &mut connections).err().map(|error| error.to_string());
    HolderMessage::Held { held: connections.len(), trouble }.print()?;
    for line in io::stdin().lines() {
        line?;
        request_on_all(&mut connections).print()?;
    }
    if task.requests {
        // socket(7): with no time to linger, close(2) resets the connection.
        let no_time = Some(Duration::ZERO);
        let reset = |connection: &Probe| SockRef::from(connection.stream()).set_linger(no_time);
        connections.iter().try_for_each(reset)?;
    }
    Ok(())
}

/// If something goes wrong, `connections` has those that were connected, and got a reply, before.
fn connect_all(task: &HoldTask, connections: &mut Vec<Probe>) -> io::Result<()> {
    while connections.len() < task.count {
        let before = connections.len();
        let more = AT_ONCE.min(task.count - before);
        // After an error, those that are connected get their replies first.
        let mut trouble = Ok(());
        for _ in 0..more {
            match connect(task) {
                Ok(connection) => connections.push(connection),
                Err(error) => {
                    trouble = Err(error);
                    break;
                }
            }
        }
        for place in before..connections.len() {
            if let Err(error) = receive(&mut connections[place]) {
                connections.truncate(place);
                return Err(error);
            }
        }
        trouble?;
        HolderMessage::Connected(more).print()?;
    }
    Ok(())
}

fn connect(task: &HoldTask) -> io::Result<Probe> {
    let stream = match task.from {
        None => TcpStream::connect_timeout(&task.address, PATIENCE),
        Some(from) => connect_from(from, task.address),
    };
    let mut connection = Probe::over(stream?, Protocol::Lines, PATIENCE)?;
    if task.requests {
        connection.send()?;
    }
    Ok(connection)
}

fn connect_from(from: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // ip(7): bind(2) would need a port that no other socket at this address has. connect(2) knows
    // the server's address, and takes any port that is free for connections to it.
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    Ok(socket.into())
}

/// Sends a request on all connections, and then receives all replies.
fn request_on_all(connections: &mut [Probe]) -> HolderMessage {
    let sent: Vec<io::Result<()>> = connections.iter_mut().map(Probe::send).collect();
    let (mut answered, mut trouble) = (0, None);
    for (connection, sent) in connections.iter_mut().zip(sent) {
        match sent.and_then(|()| receive(connection)) {
            Ok(()) => answered += 1,
            Err(error) => {
                trouble.get_or_insert(error.to_string());
                if error.kind() == ErrorKind::TimedOut {
                    break; // it would take too long to wait as long for each of the others
                }
            }
        }
    }
    HolderMessage::Answered { answered, trouble }
}

/// Reads the reply, if a request was sent.
fn receive(connection: &mut Probe) -> io::Result<()> {
    connection.receive().map_err(|error| match error.kind() {
        ErrorKind::TimedOut => {
            let what = format!("no reply came within {}", humantime::format_duration(PATIENCE));
            io::Error::new(ErrorKind::TimedOut, what)
        }
        _ => error,
    })
}
