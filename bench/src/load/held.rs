//! Connections that are held in processes of their own, so that they take no descriptors and no
//! time from the clients that are measured.
//!
//! [`Silent`] ones never say anything. [`Held`] ones ask once each, and are answered, before they
//! fall silent: then it is certain that the server has accepted them, and that they don't stand
//! in its backlog.
//!
//! Such a process is this program again, as `bench hold`, which is not in its `--help`. It says
//! what it has done in lines of JSON, is asked in plain lines, and ends when its standard input
//! does; so it can't outlive its parent.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use clap::Args;
use protocol::Protocol;
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;

/// What such a process has to do, as it stands on its command line.
#[derive(Args, Clone, Debug)]
pub(crate) struct Errand {
    address: SocketAddr,
    count: usize,
    /// Connect from this address of this machine
    #[arg(long)]
    from: Option<IpAddr>,
    /// Let each ask once, and again whenever a line comes; leave with a reset
    #[arg(long)]
    ask: bool,
}

impl Errand {
    /// Starts a process for it; `program` is the binary of this package.
    fn start(&self, program: &Path) -> io::Result<Holder> {
        let (address, count) = (self.address.to_string(), self.count.to_string());
        let mut command = Command::new(program);
        command.args(["hold", &address, &count]);
        if let Some(from) = self.from {
            command.args(["--from", &from.to_string()]);
        }
        command.args(self.ask.then_some("--ask"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = process.stdout.take().map(BufReader::new);
        Ok(Holder { process, said })
    }
}

/// Connections on which nothing is ever said. They are closed when this is dropped.
pub struct Silent {
    /// `None`: there are none.
    _holder: Option<Holder>,
}

impl Silent {
    /// Connects so many, one after the other; `program` is the binary of this package.
    ///
    /// # Errors
    ///
    /// If the process can't be started, or can't connect them all.
    pub fn connect(program: &Path, address: SocketAddr, count: usize) -> io::Result<Self> {
        if count == 0 {
            return Ok(Silent { _holder: None });
        }
        let errand = Errand { address, count, from: None, ask: false };
        let mut holder = errand.start(program)?;
        match holder.connect(&mut |_| {})? {
            (_, None) => Ok(Silent { _holder: Some(holder) }),
            (held, Some(why)) => Err(io::Error::other(format!(
                "{held} of {count} silent clients could be connected: {why}"
            ))),
        }
    }
}

/// Connections that have asked once each, and can do so again. When this is dropped, they are
/// reset: an orderly end would leave a TIME-WAIT of each in the kernel for a minute, in the way
/// of whatever is measured next.
pub struct Held {
    holders: Vec<Holder>,
    /// How many there are.
    pub count: usize,
    /// Why there are no more.
    pub trouble: Option<String>,
}

impl Held {
    /// Connects so many from each of these addresses of this machine (`None`: whichever the
    /// system takes), a process for each; `program` is the binary of this package. `connected` is
    /// told how many more there are.
    ///
    /// # Errors
    ///
    /// If a process can't be started, or ends. That the server does not have them all is no
    /// error here, but [`trouble`](Self::trouble).
    pub fn connect(
        program: &Path,
        address: SocketAddr,
        sources: &[(Option<IpAddr>, usize)],
        connected: &mut dyn FnMut(usize),
    ) -> io::Result<Self> {
        let mut held = Held { holders: Vec::new(), count: 0, trouble: None };
        // One source after the other, so that there are never more at the door than one of them
        // sends there.
        for &(from, count) in sources {
            let mut holder = Errand { address, count, from, ask: true }.start(program)?;
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

    /// Lets all ask once more, at the same time. Returns how many were answered, and the first
    /// reason why another one was not.
    ///
    /// # Errors
    ///
    /// If a process has ended.
    pub fn ask(&mut self) -> io::Result<(usize, Option<String>)> {
        self.holders.iter_mut().try_for_each(Holder::ask)?;
        let (mut all_answered, mut first) = (0, None);
        for holder in &mut self.holders {
            let Said::Answered { answered, trouble } = holder.listen()? else {
                return Err(io::Error::other("a process says something else than was asked"));
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
    /// What it says.
    said: Option<BufReader<ChildStdout>>,
}

/// What such a process says to its parent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// So many more are connected (and have been answered, if they ask).
    Connected(usize),
    /// These are all, or there is a reason why there are no more.
    Held { held: usize, trouble: Option<String> },
    /// So many were answered, and the first of the others was not for this reason.
    Answered { answered: usize, trouble: Option<String> },
}

impl Said {
    fn print(&self) -> io::Result<()> {
        writeln!(io::stdout(), "{}", serde_json::to_string(self)?)
    }
}

impl Holder {
    /// Waits until it has connected all, or can't; returns how many, and why there are no more.
    fn connect(&mut self, connected: &mut dyn FnMut(usize)) -> io::Result<(usize, Option<String>)> {
        loop {
            match self.listen()? {
                Said::Connected(more) => connected(more),
                Said::Held { held, trouble } => return Ok((held, trouble)),
                Said::Answered { .. } => return Err(io::Error::other("nobody was asked yet")),
            }
        }
    }

    fn ask(&mut self) -> io::Result<()> {
        let stdin = self.process.stdin.as_mut();
        stdin.map_or(Ok(()), |stdin| writeln!(stdin, "ask"))
    }

    fn listen(&mut self) -> io::Result<Said> {
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
        // It fails only for a process that has ended already, and then all is well.
        self.process.wait().ok();
    }
}

/// How many are connected before the first of them is waited for: few enough for the backlog of
/// every server here (1024), and so many that a server whose turn takes long, or that naps, has
/// work for many turns.
const AT_ONCE: usize = 256;

/// That process: holds connections until its standard input ends.
pub(crate) fn hold(errand: &Errand) -> io::Result<()> {
    system::raise_descriptor_limit()?;
    let mut connections = Vec::with_capacity(errand.count);
    let trouble = connect_all(errand, &mut connections).err().map(|error| error.to_string());
    Said::Held { held: connections.len(), trouble }.print()?;
    for line in io::stdin().lines() {
        line?;
        ask_all(&connections).print()?;
    }
    if errand.ask {
        // socket(7): with no time to linger, close(2) resets the connection.
        let no_time = Some(Duration::ZERO);
        connections.iter().try_for_each(|stream| SockRef::from(stream).set_linger(no_time))?;
    }
    Ok(())
}

/// Leaves those in `connections` that were connected, and answered, before something went wrong.
fn connect_all(errand: &Errand, connections: &mut Vec<TcpStream>) -> io::Result<()> {
    while connections.len() < errand.count {
        let before = connections.len();
        let more = AT_ONCE.min(errand.count - before);
        // An error after some were connected: those are to be heard first.
        let mut trouble = Ok(());
        for _ in 0..more {
            match connect(errand) {
                Ok(stream) => connections.push(stream),
                Err(error) => {
                    trouble = Err(error);
                    break;
                }
            }
        }
        if errand.ask {
            for place in before..connections.len() {
                if let Err(error) = hear(&connections[place]) {
                    connections.truncate(place);
                    return Err(error);
                }
            }
        }
        trouble?;
        Said::Connected(more).print()?;
    }
    Ok(())
}

fn connect(errand: &Errand) -> io::Result<TcpStream> {
    let stream = match errand.from {
        None => TcpStream::connect_timeout(&errand.address, PATIENCE)?,
        Some(from) => connect_from(from, errand.address)?,
    };
    if errand.ask {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        ask(&stream)?;
    }
    Ok(stream)
}

fn connect_from(from: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // ip(7): bind(2) would take a port that nobody else at this address has, whomever they call.
    // connect(2) knows whom, and takes one that is free for that.
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    Ok(socket.into())
}

/// All ask, then all are heard.
fn ask_all(connections: &[TcpStream]) -> Said {
    let asked: Vec<io::Result<()>> = connections.iter().map(ask).collect();
    let (mut answered, mut trouble) = (0, None);
    for (stream, asked) in connections.iter().zip(asked) {
        match asked.and_then(|()| hear(stream)) {
            Ok(()) => answered += 1,
            Err(error) => {
                trouble.get_or_insert(error.to_string());
                if error.kind() == ErrorKind::TimedOut {
                    break; // to wait as long for each of the others would take for ever
                }
            }
        }
    }
    Said::Answered { answered, trouble }
}

fn ask(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(&Protocol::Lines.request("hello from one of many"))
}

/// Reads one reply.
fn hear(mut stream: &TcpStream) -> io::Result<()> {
    let due = Protocol::Lines.reply();
    let mut reply = vec![0; due.len()];
    stream.read_exact(&mut reply).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => {
            io::Error::new(ErrorKind::UnexpectedEof, "the server has closed the connection")
        }
        // Unix tells a time-out as WouldBlock, Windows as TimedOut.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            let what = format!("no reply came within {}", humantime::format_duration(PATIENCE));
            io::Error::new(ErrorKind::TimedOut, what)
        }
        _ => error,
    })?;
    if reply != due {
        let came = String::from_utf8_lossy(&reply).into_owned();
        return Err(io::Error::new(ErrorKind::InvalidData, format!("{came:?} is no reply")));
    }
    Ok(())
}
