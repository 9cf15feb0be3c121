//! A server that this program has started, in a process (or several) of its own.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::platform::{self, Cost, Squeezed};
use super::port::{Port, until_next_look};
use super::target::with_port;
use system::{advice, is_out_of_resources, is_out_of_threads};

/// How long a server may take until it listens, unless asked otherwise. One that has to be
/// compiled first takes longer.
pub const START: Duration = Duration::from_secs(10);

/// How often it is looked whether something has happened that no event tells of: that a port
/// is listened on, or that a process has ended (std can't wait for that with a time limit).
const LOOK: Duration = Duration::from_millis(5);

/// How long a server that listens no more may take to end, and to have been heard to its last
/// word. Python needs some 10 ms to tell where it has failed, on a machine with nothing else to do.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// How much of what a server says is kept, in bytes: its last words, which may come with a
/// long list of calls.
const KEPT: usize = 16 * 1024;

/// Groups of processes that run, for [`kill_all`].
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Why a server was not started.
pub struct NotStarted {
    /// As a sentence without its full stop.
    pub why: String,
    /// Whether it is this program that lacks something for it. Then nobody knows whether the
    /// command is right.
    pub is_ours: bool,
}

impl NotStarted {
    fn ours(why: String) -> Self {
        NotStarted { why, is_ours: true }
    }

    fn theirs(why: String) -> Self {
        NotStarted { why, is_ours: false }
    }
}

/// A server in a group of processes of its own. Dropping it ends them all.
pub struct ServerProcess {
    child: Mutex<Child>,
    group: u32,
    address: SocketAddr,
    said: Said,
    /// Keeps others who start servers in this way from the port.
    _port: Port,
}

impl ServerProcess {
    /// Starts the command, and waits until it listens, for so long at most.
    ///
    /// # Errors
    ///
    /// If it can't be started, ends, or does not listen by then.
    pub fn start(words: &[String], within: Duration) -> Result<Self, NotStarted> {
        // While a port is tried, nobody may start a process here: it would inherit the socket.
        let mut running = lock(&RUNNING);
        let port = Port::take().map_err(NotStarted::ours)?;
        let words = with_port(words, port.number());
        let nothing = || NotStarted::theirs("there is no command".into());
        let (program, arguments) = words.split_first().ok_or_else(nothing)?;
        let mut command = Command::new(program);
        // Its standard input stays open as long as this program lives, so a server that stops
        // when that ends is not left behind, whatever ends this program.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        platform::in_a_group_of_its_own(&mut command);
        // The server is checked as if a user had started it in a terminal: ignored signals of
        // this program (nohup, a script's background) are none of its business.
        system::defaults_for_children();
        let mut child = command.spawn().map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::NotFound => "; is it installed, and the name right?",
                // Also if it is nowhere in PATH, and some folder there may not be looked into
                // (execvp(3), EACCES).
                io::ErrorKind::PermissionDenied => {
                    "; is it installed, the name right, and may you run it?"
                }
                _ => advice(&error),
            };
            let why = format!("`{program}` can't be started: {error}{advice}");
            NotStarted { why, is_ours: is_out_of_resources(&error) || is_out_of_threads(&error) }
        })?;
        let group = child.id();
        running.insert(group);
        drop(running);

        let said = Said::default();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let mut server =
            ServerProcess { child: Mutex::new(child), group, address: nowhere, said, _port: port };
        let hear = || -> io::Result<()> {
            stdout.map_or(Ok(()), |pipe| server.said.keep(pipe))?;
            stderr.map_or(Ok(()), |pipe| server.said.keep(pipe))
        };
        hear().map_err(|error| {
            NotStarted::ours(format!("nobody can hear it: {error}{}", advice(&error)))
        })?;
        server.address = server.wait_until_it_listens(within).map_err(NotStarted::theirs)?;
        Ok(server)
    }

    fn wait_until_it_listens(&self, within: Duration) -> Result<SocketAddr, String> {
        let port = self.address.port();
        let began = Instant::now();
        let deadline = began + within;
        loop {
            // Looked at before: it may have listened, left that to a child, and ended meanwhile.
            let ended = self.ended();
            if let Some(address) = platform::listener_on(port) {
                return Ok(address);
            }
            let last_words = || self.said.last_words();
            if let Some(status) = ended {
                let how = told(status);
                return Err(format!("it {how} before it listened on port {port}{}", last_words()));
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "it did not listen on port {port} within {within:?}{}",
                    last_words()
                ));
            }
            thread::sleep(until_next_look(began.elapsed()));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it has ended, if it has, in words, and the last of what it said.
    pub fn death(&self) -> Option<String> {
        // Who listens no more is ending, most probably, and has more to say until then.
        let listens = platform::listener_on(self.address.port()).is_some();
        let how = told(if listens { self.ended()? } else { self.wait(LAST_BREATH)? });
        Some(format!("the server {how}{}", self.said.last_words()))
    }

    /// Waits until it has ended, for so long at most.
    pub fn wait(&self, at_most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            thread::sleep(LOOK);
        }
    }

    /// Whether somebody still listens where the server did, though it has ended. Processes that
    /// end with it are given a moment for it.
    pub fn is_survived(&self) -> bool {
        let deadline = Instant::now() + LAST_BREATH;
        let listens = || platform::listener_on(self.address.port()).is_some();
        while listens() {
            if Instant::now() >= deadline {
                return true;
            }
            thread::sleep(LOOK);
        }
        false
    }

    /// What the server and its children have cost so far; `None` where nobody can tell.
    pub fn cost(&self) -> Option<Cost> {
        platform::cost(self.group)
    }

    /// How many descriptors the server and its children have open; `None` where nobody can tell.
    pub fn descriptors(&self) -> Option<u64> {
        platform::descriptors(self.group)
    }

    /// Stops all of its processes, as Ctrl-Z does, until the value is dropped; `None` where that
    /// is not possible.
    pub fn pause(&self) -> Option<Paused> {
        platform::pause(self.group).then_some(Paused { group: self.group })
    }

    /// Leaves each of its processes about `spare` descriptors besides those that are open, until
    /// the value is dropped; `None` where that is not possible.
    pub fn squeeze(&self, spare: u64) -> Option<Squeezed> {
        // Stopped meanwhile, it can't open one more between being counted and being limited.
        let _paused = self.pause()?;
        let has_stopped = platform::wait_until_paused(self.group);
        has_stopped.then(|| platform::squeeze(self.group, spare)).flatten()
    }

    /// Sends Ctrl-C. Whether that is possible here.
    pub fn interrupt(&self) -> bool {
        platform::interrupt(self.group)
    }

    fn ended(&self) -> Option<ExitStatus> {
        // It fails only for a process that is not a child of this one.
        lock(&self.child).try_wait().ok().flatten()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let mut running = lock(&RUNNING);
        // Even if the process has ended: it may have left children.
        platform::kill(self.group);
        running.remove(&self.group);
        drop(running);
        let mut child = lock(&self.child);
        // Both fail only for a process that has ended already, and then all is well.
        child.kill().ok();
        child.wait().ok();
    }
}

/// A server that is stopped. Dropping this lets it go on.
pub struct Paused {
    group: u32,
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It fails only if nobody is left who could go on.
        platform::resume(self.group);
    }
}

/// Ends every server that runs, and then this process with `status`. For whoever is
/// interrupted: nothing is dropped then.
pub fn kill_all_and_exit(status: i32) -> ! {
    // As long as this is locked, nobody starts one more.
    let running = lock(&RUNNING);
    running.iter().for_each(|&group| platform::kill(group));
    process::exit(status)
}

/// How a process has ended, in words: `ended with status 1`.
pub fn told(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(number) = status.signal() {
            let name = nix::sys::signal::Signal::try_from(number).map_or("?", |it| it.as_str());
            return format!("was ended by signal {number} ({name})");
        }
    }
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => format!("ended with {status}"),
    }
}

/// The last that a server has said, to standard output and standard error.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<VecDeque<u8>>>);

impl Said {
    /// Reads to the end, in a thread, so that the server can go on talking.
    fn keep(&self, mut pipe: impl Read + Send + 'static) -> io::Result<()> {
        let Said(said) = self.clone();
        thread::Builder::new().spawn(move || {
            let mut buffer = [0; 16 * 1024];
            // An error is as good as the end: nothing more will come.
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut said = lock(&said);
                said.extend(&buffer[..count]);
                let surplus = said.len().saturating_sub(KEPT);
                said.drain(..surplus);
            }
        })?;
        Ok(())
    }

    /// Its last words, as the end of a sentence; nothing if it said nothing. For a server that has
    /// ended: what it has said by then may not have been read to the end.
    fn last_words(&self) -> String {
        // As long as a thread reads, it has its own share. Children of the server may talk on.
        let deadline = Instant::now() + LAST_BREATH;
        while Arc::strong_count(&self.0) > 1 && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        let said: Vec<u8> = lock(&self.0).iter().copied().collect();
        match telling_line(&String::from_utf8_lossy(&said)) {
            Some(line) => format!("; it said: {line}"),
            None => String::new(),
        }
    }
}

/// The line that says why a program has ended, among many that say where: the last that names
/// an error and is not indented, as lists of calls are; otherwise the last.
fn telling_line(said: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let names_an_error =
        |line: &&str| ["Error", "Exception", "error:", "panic"].iter().any(|it| line.contains(it));
    let is_indented = |line: &&str| line.starts_with([' ', '\t']);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let telling = lines.iter().rposition(|line| names_an_error(line) && !is_indented(line));
    let position = telling.or(lines.len().checked_sub(1))?;
    let mut line = lines[position].trim().to_owned();
    // Rust says where it has panicked, and why in the next line.
    if let Some(next) = lines.get(position + 1).filter(|_| line.ends_with(':')) {
        line = format!("{line} {}", next.trim());
    }
    Some(line.chars().take(LONGEST).collect())
}

/// A thread that has panicked has left nothing behind that could not be used.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_say_why() {
        for (said, why) in [
            ("", None),
            ("listening\n\n", Some("listening")),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 7\n    x()\nValueError: no\n",
                Some("ValueError: no"),
            ),
            (
                "      throw er; // Unhandled 'error' event\n\nError: read ECONNRESET\n    at TCP\nEmitted 'error' event at:\n    at emit\n\nNode.js v20\n",
                Some("Error: read ECONNRESET"),
            ),
            (
                "thread 'main' panicked at src/main.rs:1:\nno\nstack backtrace:\n   0: panic\nnote: all\n",
                Some("thread 'main' panicked at src/main.rs:1: no"),
            ),
        ] {
            assert_eq!(telling_line(said).as_deref(), why);
        }
    }
}
