//! Connections that are held in processes of their own, so that they take no descriptors and no
//! time from the clients that are measured.
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

/// What such a process reports to its parent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HolderMessage {
    /// This many more are connected (and have got a reply, if they send requests).
    Connected(usize),
    /// It has connected all, or has sent a request on each.
    Done(HolderReport),
}

impl HolderMessage {
    fn print(&self) -> io::Result<()> {
        writeln!(io::stdout(), "{}", serde_json::to_string(self)?)
    }
}

/// How many connections could be opened, or got a reply.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct HolderReport {
    /// How many.
    pub count: usize,
    /// The first reason why these are not all.
    pub trouble: Option<String>,
}

impl HolderReport {
    fn add(&mut self, other: HolderReport) {
        self.count += other.count;
        self.trouble = self.trouble.take().or(other.trouble);
    }
}

/// Connections that are held until this is dropped.
pub struct HeldConnections(Vec<Holder>);

impl HeldConnections {
    /// Opens `count` connections on which nothing is ever sent; `program` is the binary of this
    /// package.
    ///
    /// # Errors
    ///
    /// If the process can't be started, or can't open all of them.
    pub fn silent(program: &Path, address: SocketAddr, count: usize) -> io::Result<Self> {
        let task = HoldTask { address, count, from: None, requests: false };
        let (held, HolderReport { count: opened, trouble }) = open(program, [task], &mut |_| {})?;
        let failed = |why| format!("only {opened} of {count} silent clients could connect: {why}");
        trouble.map_or(Ok(held), |why| Err(io::Error::other(failed(why))))
    }

    /// Opens this many connections from each of these addresses of this machine (`None`: the system
    /// chooses). Each sends a request and gets the reply before it falls silent, so it is certain
    /// that the server has accepted it and that it isn't pending in the backlog. `connected` is
    /// called with the number of new connections.
    ///
    /// When this is dropped, they are reset: if they were closed normally, each would stay in
    /// TIME-WAIT in the kernel for a minute, and disturb the next measurement.
    ///
    /// # Errors
    ///
    /// If a process can't be started, or ends. If the server doesn't serve them all, this isn't an
    /// error but the report's [`trouble`](HolderReport::trouble).
    pub fn with_requests(
        program: &Path,
        address: SocketAddr,
        sources: &[(Option<IpAddr>, usize)],
        connected: &mut dyn FnMut(usize),
    ) -> io::Result<(Self, HolderReport)> {
        let task = |&(from, count)| HoldTask { address, count, from, requests: true };
        open(program, sources.iter().map(task), connected)
    }

    /// Sends another request on all of them at the same time. Reports how many got a reply.
    ///
    /// # Errors
    ///
    /// If a process has ended.
    pub fn request_all(&mut self) -> io::Result<HolderReport> {
        let mut stdin = self.0.iter_mut().filter_map(|holder| holder.process.stdin.as_mut());
        stdin.try_for_each(|stdin| writeln!(stdin, "request"))?;
        let mut answered = HolderReport::default();
        for holder in &mut self.0 {
            answered.add(holder.wait(&mut |_| {})?);
        }
        Ok(answered)
    }
}

/// Starts a process for each task, one after the other, so that never more connections are pending
/// than one of them opens.
fn open(
    program: &Path,
    tasks: impl IntoIterator<Item = HoldTask>,
    connected: &mut dyn FnMut(usize),
) -> io::Result<(HeldConnections, HolderReport)> {
    let (mut held, mut report) = (HeldConnections(Vec::new()), HolderReport::default());
    for task in tasks.into_iter().filter(|task| task.count > 0) {
        let mut holder = Holder::start(program, &task)?;
        report.add(holder.wait(connected)?);
        held.0.push(holder);
        if report.trouble.is_some() {
            break;
        }
    }
    Ok((held, report))
}

/// A process that holds connections, until this is dropped.
struct Holder {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(program: &Path, task: &HoldTask) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["hold", &task.address.to_string(), &task.count.to_string()]);
        command.args(task.from.map(|from| format!("--from={from}")));
        command.args(task.requests.then_some("--requests"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        Ok(Holder { process, output })
    }

    /// Waits until it has done what it was started for, or requested to do.
    fn wait(&mut self, connected: &mut dyn FnMut(usize)) -> io::Result<HolderReport> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err(io::Error::other("a process that holds connections has ended"));
            }
            match serde_json::from_str(&line)? {
                HolderMessage::Connected(more) => connected(more),
                HolderMessage::Done(report) => return Ok(report),
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // This closes its standard input first. It fails only for a process that has already ended,
        // and then there is nothing to do.
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
    HolderMessage::Done(HolderReport { count: connections.len(), trouble }).print()?;
    for line in io::stdin().lines() {
        line?;
        HolderMessage::Done(request_on_all(&mut connections)).print()?;
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
        let connected = (0..more).try_for_each(|_| connect(task).map(|it| connections.push(it)));
        for place in before..connections.len() {
            let received = receive(&mut connections[place]);
            received.inspect_err(|_| connections.truncate(place))?;
        }
        connected?;
        HolderMessage::Connected(more).print()?;
    }
    Ok(())
}

fn connect(task: &HoldTask) -> io::Result<Probe> {
    let mut connection = Probe::over(open_socket(task)?, Protocol::Lines, PATIENCE)?;
    if task.requests {
        connection.send()?;
    }
    Ok(connection)
}

fn open_socket(task: &HoldTask) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(task.address), Type::STREAM, None)?;
    if let Some(from) = task.from {
        // ip(7): bind(2) would need a port that no other socket at this address has. connect(2)
        // knows the server's address, and takes any port that is free for connections to it.
        #[cfg(target_os = "linux")]
        {
            use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
            setsockopt(&socket, IpBindAddressNoPort, &true)?;
        }
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&task.address.into(), PATIENCE)?;
    Ok(socket.into())
}

/// Sends a request on all connections, and then receives all replies.
fn request_on_all(connections: &mut [Probe]) -> HolderReport {
    let sent: Vec<io::Result<()>> = connections.iter_mut().map(Probe::send).collect();
    let mut report = HolderReport::default();
    for (connection, sent) in connections.iter_mut().zip(sent) {
        match sent.and_then(|()| receive(connection)) {
            Ok(()) => report.count += 1,
            Err(error) => {
                report.trouble.get_or_insert(error.to_string());
                if error.kind() == ErrorKind::TimedOut {
                    break; // it would take too long to wait as long for each of the others
                }
            }
        }
    }
    report
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
