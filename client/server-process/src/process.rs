//! A server that this program has started, in one or more processes.

use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::output::{Output, telling_line};
use super::platform::{self, Cost, Owner, Squeezed};
use super::port::{Port, until_next_look};
use super::target::with_port;
use system::{advice, is_out_of_resources, is_out_of_threads};

/// How long a server may take to start listening, by default. One that has to be compiled first
/// takes longer.
pub const START: Duration = Duration::from_secs(10);

/// How often to check for what no event reports: that a server listens on a port, or that a process
/// has ended (std can't wait for that with a time limit).
const LOOK: Duration = Duration::from_millis(5);

/// How long a daemon may take to start listening after the command that has started it has ended.
const LAUNCH: Duration = Duration::from_secs(1);

/// How long a server that no longer listens may take to end, and its last output to arrive. On an
/// idle machine, Python needs some 10 ms to print where it has failed.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// How much of the output is kept of a server that isn't ours, in bytes: the last of it, which may
/// include a long stack trace.
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
    /// The group of the process that was started, or that of a daemon that has left it.
    group: u32,
    /// Which process listens.
    owner: Owner,
    address: SocketAddr,
    output: Output,
    /// Keeps other programs that start servers in this way from using the port; `None` if the
    /// server has chosen its port itself.
    port: Option<Port>,
}

impl ServerProcess {
    /// Starts the command on the port that replaces `{port}`, and waits until the server listens
    /// there, at most for this long. The server doesn't ignore the signals that this program
    /// ignores.
    ///
    /// # Errors
    ///
    /// If it can't be started, ends, or doesn't listen by then.
    pub fn start(words: &[String], within: Duration) -> Result<Self, NotStarted> {
        // While a port is being tried, this program must not start a process, which would inherit
        // the socket.
        let mut running = lock(&RUNNING);
        let port = Port::take().map_err(NotStarted::ours)?;
        let number = port.number();
        // The server runs as if a user had started it in a terminal: it doesn't inherit signals
        // that this program ignores (under nohup, or in a script's background).
        system::defaults_for_children();
        let words = with_port(words, number);
        let mut server = ServerProcess::spawn(&words, &mut running, Some(port))?;
        drop(running);
        server.wait_until_it_listens(within, &format!(" on port {number}"), |waited| {
            let address = platform::listener_on(number);
            if address.is_none() {
                thread::sleep(until_next_look(waited));
            }
            address
        })?;
        server.owner = platform::owner(number, server.group);
        if let Owner::Daemon { group, .. } = server.owner {
            // What is left in the first group doesn't serve.
            let left = mem::replace(&mut server.group, group);
            let mut running = lock(&RUNNING);
            platform::kill(left);
            running.remove(&left);
            running.insert(group);
        }
        Ok(server)
    }

    /// Starts a command whose server chooses its port itself, and waits until it has printed where
    /// it listens, at most for this long: `address_in` finds the address in a line. The server
    /// ignores the signals that this program ignores, unless
    /// [`defaults_for_children`](system::defaults_for_children) was called.
    ///
    /// # Errors
    ///
    /// If it can't be started, ends, or doesn't print an address by then.
    pub fn start_announced(
        words: &[String],
        within: Duration,
        address_in: impl Fn(&str) -> Option<SocketAddr>,
    ) -> Result<Self, NotStarted> {
        let mut server = ServerProcess::spawn(words, &mut lock(&RUNNING), None)?;
        let output = server.output.clone();
        server.wait_until_it_listens(within, "", |_| output.find(LOOK, &address_in))?;
        Ok(server)
    }

    /// Starts the command in a group among those that are `running`.
    fn spawn(
        words: &[String],
        running: &mut BTreeSet<u32>,
        port: Option<Port>,
    ) -> Result<Self, NotStarted> {
        let nothing = || NotStarted::theirs("there is no command".into());
        let (program, arguments) = words.split_first().ok_or_else(nothing)?;
        let mut command = Command::new(program);
        // Its standard input stays open as long as this program lives. So a server that stops at
        // the end of its input isn't left behind, however this program ends.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        platform::in_a_group_of_its_own(&mut command);
        if let Some(port) = &port {
            platform::set_mark(&mut command, port.number());
        }
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
        let output = Output::new(if port.is_some() { KEPT } else { usize::MAX });
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let child = Mutex::new(child);
        let owner = Owner::Child;
        let server = ServerProcess { child, group, owner, address: nowhere, output, port };
        let keep_output = || -> io::Result<()> {
            stdout.map_or(Ok(()), |pipe| server.output.keep(pipe))?;
            stderr.map_or(Ok(()), |pipe| server.output.keep(pipe))
        };
        match keep_output() {
            Ok(()) => Ok(server),
            Err(error) => Err(NotStarted::ours(format!(
                "the server's output can't be read: {error}{}",
                advice(&error)
            ))),
        }
    }

    /// Calls `find` with the time that it has waited so far, until the address is found.
    fn wait_until_it_listens(
        &mut self,
        within: Duration,
        place: &str,
        find: impl Fn(Duration) -> Option<SocketAddr>,
    ) -> Result<(), NotStarted> {
        let began = Instant::now();
        let mut launched = None;
        loop {
            // Checked first, because meanwhile the server may listen, leave that to a child, and
            // end.
            let ended = self.ended();
            if let Some(address) = find(began.elapsed()) {
                self.address = address;
                return Ok(());
            }
            let why = match ended {
                // It may have started a daemon.
                Some(status)
                    if status.success()
                        && self.port.is_some()
                        && launched.get_or_insert_with(Instant::now).elapsed() < LAUNCH =>
                {
                    continue;
                }
                Some(status) => format!("{} before it listened{place}", describe_exit(status)),
                None if began.elapsed() >= within => {
                    format!("did not listen{place} within {within:?}")
                }
                None => continue,
            };
            return Err(NotStarted::theirs(format!("the server {why}{}", self.last_words())));
        }
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of the process that was started, or of a daemon's group.
    pub fn id(&self) -> u32 {
        self.group
    }

    /// Which process listens. If it is a [stranger](Owner::Stranger), what is measured isn't the
    /// server, and ending what was started doesn't end it.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// What it has printed, to standard output and standard error: all of it, or of a server that
    /// got a port the last 16 KiB. Waits until all of its processes have closed these, at most for
    /// this long.
    pub fn output(&self, within: Duration) -> String {
        self.output.find(within, |_| None::<()>);
        self.output.text()
    }

    /// Its last output, as the end of a sentence; empty if there is none. It is for a server that
    /// has ended, whose children may go on printing.
    fn last_words(&self) -> String {
        match telling_line(&self.output(LAST_BREATH)) {
            Some(line) => format!("; it said: {line}"),
            None => String::new(),
        }
    }

    /// Waits, at most for this long, until it has printed `count` lines that contain `text`, and
    /// returns whether it has.
    pub fn has_printed(&self, count: usize, text: &str, within: Duration) -> bool {
        let mut found = 0;
        let is_last = |line: &str| {
            found += usize::from(line.contains(text));
            (found >= count).then_some(())
        };
        self.output.find(within, is_last).is_some()
    }

    /// Closes its standard input.
    pub fn close_input(&self) {
        lock(&self.child).stdin.take();
    }

    /// How it has ended, if it has, in words, with its last output.
    pub fn death(&self) -> Option<String> {
        // A server that no longer listens is most probably about to end, and may print more until
        // then.
        let listens = platform::listener_on(self.address.port()).is_some();
        if let Owner::Daemon { .. } | Owner::Stranger { .. } = self.owner {
            return (!listens)
                .then(|| format!("the server no longer listens{}", self.last_words()));
        }
        let how = describe_exit(if listens { self.ended()? } else { self.wait(LAST_BREATH)? });
        Some(format!("the server {how}{}", self.last_words()))
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

    /// What the server and its children have cost so far; `None` if the system can't say, or the
    /// server is a [stranger](Owner::Stranger).
    pub fn cost(&self) -> Option<Cost> {
        if let Owner::Stranger { .. } = self.owner {
            return None;
        }
        platform::cost(self.group)
    }

    /// How many descriptors the server and its children have open; `None` if the system can't say.
    pub fn descriptors(&self) -> Option<u64> {
        if let Owner::Stranger { .. } = self.owner {
            return None;
        }
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

/// Locks a mutex. If a thread has panicked while it held the lock, the data are still usable.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
