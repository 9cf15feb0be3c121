//! A server that this program has started, in one or more processes.

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

/// How long a server may take to start listening, by default. One that has to be compiled first
/// takes longer.
pub const START: Duration = Duration::from_secs(10);

/// How often to check for what no event reports: that a server listens on a port, or that a process
/// has ended (std can't wait for that with a time limit).
const LOOK: Duration = Duration::from_millis(5);

/// How long a server that no longer listens may take to end, and its last output to arrive. On an
/// idle machine, Python needs some 10 ms to print where it has failed.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// How much of a server's output is kept, in bytes: the last of it, which may include a long stack
/// trace.
const KEPT: usize = 16 * 1024;

/// The process groups that are running, for [`kill_all_and_exit`].
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Why a server was not started.
pub struct NotStarted {
    /// The reason, as a sentence without its full stop.
    pub why: String,
    /// Whether this program lacks the resources. Then we don't know whether the command is right.
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

/// A server in a separate process group. Dropping it ends all of its processes.
pub struct ServerProcess {
    child: Mutex<Child>,
    group: u32,
    address: SocketAddr,
    said: Said,
    /// Keeps other programs that start servers in this way from using the port.
    _port: Port,
}

impl ServerProcess {
    /// Starts the command, and waits until the server listens, at most for this long.
    ///
    /// # Errors
    ///
    /// If it can't be started, ends, or doesn't listen by then.
    pub fn start(words: &[String], within: Duration) -> Result<Self, NotStarted> {
        // While a port is being tried, this program must not start a process, which would inherit
        // the socket.
        let mut running = lock(&RUNNING);
        let port = Port::take().map_err(NotStarted::ours)?;
        let words = with_port(words, port.number());
        let nothing = || NotStarted::theirs("there is no command".into());
        let (program, arguments) = words.split_first().ok_or_else(nothing)?;
        let mut command = Command::new(program);
        // Its standard input stays open as long as this program lives. So a server that stops at
        // the end of its input isn't left behind, however this program ends.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        platform::in_a_group_of_its_own(&mut command);
        // The server runs as if a user had started it in a terminal: it doesn't inherit signals
        // that this program ignores (under nohup, or in a script's background).
        system::defaults_for_children();
        let mut child = command.spawn().map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::NotFound => "; is it installed, and is the name right?",
                // Also if it isn't in PATH, and a folder in PATH can't be read (execvp(3), EACCES).
                io::ErrorKind::PermissionDenied => {
                    "; is it installed, is the name right, and may you run it?"
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
        let keep_output = || -> io::Result<()> {
            stdout.map_or(Ok(()), |pipe| server.said.keep(pipe))?;
            stderr.map_or(Ok(()), |pipe| server.said.keep(pipe))
        };
        keep_output().map_err(|error| {
            NotStarted::ours(format!(
                "the server's output can't be read: {error}{}",
                advice(&error)
            ))
        })?;
        server.address = server.wait_until_it_listens(within).map_err(NotStarted::theirs)?;
        Ok(server)
    }

    fn wait_until_it_listens(&self, within: Duration) -> Result<SocketAddr, String> {
        let port = self.address.port();
        let began = Instant::now();
        let deadline = began + within;
        loop {
            // Checked first, because meanwhile the server may listen, leave that to a child, and
            // end.
            let ended = self.ended();
            if let Some(address) = platform::listener_on(port) {
                return Ok(address);
            }
            let last_words = || self.said.last_words();
            if let Some(status) = ended {
                let how = describe_exit(status);
                return Err(format!(
                    "the server {how} before it listened on port {port}{}",
                    last_words()
                ));
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "the server did not listen on port {port} within {within:?}{}",
                    last_words()
                ));
            }
            thread::sleep(until_next_look(began.elapsed()));
        }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it has ended, if it has, in words, with its last output.
    pub fn death(&self) -> Option<String> {
        // A server that no longer listens is most probably about to end, and may print more until
        // then.
        let listens = platform::listener_on(self.address.port()).is_some();
        let how = describe_exit(if listens { self.ended()? } else { self.wait(LAST_BREATH)? });
        Some(format!("the server {how}{}", self.said.last_words()))
    }

    /// Waits until it has ended, at most for this long.
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

    /// Whether another process still listens on the server's port although it has ended. Processes
    /// that end with it get a moment for that.
    fn is_survived(&self) -> bool {
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

    /// What the server and its children have cost so far; `None` if the system can't say.
    pub fn cost(&self) -> Option<Cost> {
        platform::cost(self.group)
    }

    /// How many descriptors the server and its children have open; `None` if the system can't say.
    pub fn descriptors(&self) -> Option<u64> {
        platform::descriptors(self.group)
    }

    /// Stops all of its processes, as Ctrl-Z does, until the value is dropped; `None` if that isn't
    /// possible.
    pub fn pause(&self) -> Option<Paused> {
        platform::pause(self.group).then_some(Paused { group: self.group })
    }

    /// Leaves each of its processes about `spare` descriptors in addition to those that are open,
    /// until the value is dropped; `None` if that isn't possible.
    pub fn squeeze(&self, spare: u64) -> Option<Squeezed> {
        // It is stopped meanwhile, so that it can't open another one between counting and limiting
        // them.
        let _paused = self.pause()?;
        let has_stopped = platform::wait_until_paused(self.group);
        has_stopped.then(|| platform::squeeze(self.group, spare)).flatten()
    }

    /// Sends Ctrl-C, and waits until the server has ended, at most for this long. Returns how long
    /// that took, or what happened if it hasn't ended in order, with all its processes; `None` if a
    /// program can't send Ctrl-C on this system.
    pub fn end(&self, within: Duration) -> Option<Result<Duration, String>> {
        let began = Instant::now();
        if !platform::interrupt(self.group) {
            return None;
        }
        Some(match self.wait(within) {
            None => Err(format!("the server was still running after {within:?}")),
            Some(status) if !status.success() => {
                let death = self.death();
                Err(death.unwrap_or_else(|| format!("the server {}", describe_exit(status))))
            }
            Some(_) => {
                let after = began.elapsed();
                let why = "the server ended, but another process still listens on its port, most \
                           likely one of its children";
                if self.is_survived() { Err(why.into()) } else { Ok(after) }
            }
        })
    }

    fn ended(&self) -> Option<ExitStatus> {
        // It fails only for a process that isn't a child of this one.
        lock(&self.child).try_wait().ok().flatten()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let mut running = lock(&RUNNING);
        // Even if the process has ended, it may have left children.
        platform::kill(self.group);
        running.remove(&self.group);
        drop(running);
        let mut child = lock(&self.child);
        // Both fail only for a process that has already ended, and then all is well.
        child.kill().ok();
        child.wait().ok();
    }
}

/// A server that is stopped. Dropping this resumes it.
pub struct Paused {
    group: u32,
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It fails only if no process is left to resume.
        platform::resume(self.group);
    }
}

/// Ends every running server, and then this process with `status`. It is for the handler of Ctrl-C,
/// since values are not dropped then.
pub fn kill_all_and_exit(status: i32) -> ! {
    // As long as this is locked, no other server is started.
    let running = lock(&RUNNING);
    running.iter().for_each(|&group| platform::kill(group));
    process::exit(status)
}

/// How a process has ended, in words: `ended with status 1`.
fn describe_exit(status: ExitStatus) -> String {
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

/// The last output of a server, to standard output and standard error.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<VecDeque<u8>>>);

impl Said {
    /// Reads to the end, in a thread, so that the server never blocks on its output.
    fn keep(&self, mut pipe: impl Read + Send + 'static) -> io::Result<()> {
        let Said(said) = self.clone();
        thread::Builder::new().spawn(move || {
            let mut buffer = [0; 16 * 1024];
            // After an error, nothing more will come, as at the end.
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                let mut said = lock(&said);
                said.extend(&buffer[..count]);
                let surplus = said.len().saturating_sub(KEPT);
                said.drain(..surplus);
            }
        })?;
        Ok(())
    }

    /// The server's last output, as the end of a sentence; empty if there is none. It is for a
    /// server that has ended, whose output may not have been read to the end.
    fn last_words(&self) -> String {
        // A thread that still reads has its own reference. Children of the server may go on
        // printing.
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

/// The line that says why a program has ended, among many that say where: the last one that names
/// an error and isn't indented, as stack traces are; otherwise the last line.
fn telling_line(said: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let names_an_error =
        |line: &&str| ["Error", "Exception", "error:", "panic"].iter().any(|it| line.contains(it));
    let is_indented = |line: &&str| line.starts_with([' ', '\t']);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let telling = lines.iter().rposition(|line| names_an_error(line) && !is_indented(line));
    let position = telling.or(lines.len().checked_sub(1))?;
    let mut line = lines[position].trim().to_owned();
    // Rust prints where it has panicked, and why in the next line.
    if let Some(next) = lines.get(position + 1).filter(|_| line.ends_with(':')) {
        line = format!("{line} {}", next.trim());
    }
    Some(line.chars().take(LONGEST).collect())
}

/// Locks a mutex. If a thread has panicked while it held the lock, the data are still usable.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_output_says_why() {
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
