//! A worker: the process that serves clients, and what its parent keeps of it.
//!
//! Between the two is the *lifeline*, a pair of Unix sockets. The worker's end is its standard
//! input. From there, the worker first receives its listening socket; the next byte tells it to
//! stop; and before it ends, it writes its counters there. When a process ends for any reason, the
//! kernel closes its sockets, so the other one sees the end of the lifeline.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command, ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use server_kit::{Console, STOP_GRACE, Settings, Stop};
use system::advice;

use crate::Options;
use crate::handover::{receive_listener, send_listener};

/// The environment variable that turns a process into a worker. Its value doesn't matter.
const MARK: &str = "PREFORK_SERVER_WORKER";

/// How long a worker that has to stop may take before it is killed: the time to send replies that
/// are owed and a little more, but less than the second within which the server has to end.
pub(crate) const PATIENCE: Duration = STOP_GRACE.saturating_add(Duration::from_millis(400));

/// Whether this process was started as a worker.
pub(crate) fn is_worker() -> bool {
    env::var_os(MARK).is_some()
}

/// Serves as a worker, if this process was started as one; otherwise returns `None` at once. A
/// program that calls [`serve`](crate::serve) has to call this first, with the `arguments` of its
/// server, the first of which stands for the program.
pub fn worker(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    if !is_worker() {
        return None;
    }
    let (name, about) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"));
    let (settings, _) = Settings::from_command_line::<Options>(name, about, arguments);
    match serve_for_parent(&settings) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            Console::print_error(format_args!("{name}, a worker: {error}{}", advice(&error)));
            Some(ExitCode::FAILURE)
        }
    }
}

fn serve_for_parent(settings: &Settings) -> io::Result<()> {
    let stop = Stop::on_signals()?;
    let mut lifeline = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let listener = receive_listener(&lifeline)?;
    let parent = lifeline.try_clone()?;
    let follower = stop.clone();
    thread::Builder::new().spawn(move || stop_with_parent(parent, &follower))?;
    let counters = poll_server::serve(listener, settings, &stop)?;
    // In one piece, so that the parent reads all or nothing. It fails if the parent has ended, and
    // then the counters are of no use.
    lifeline.write_all(counters.to_string().as_bytes()).ok();
    Ok(())
}

/// Stops the worker when the parent tells it to, or when the parent has ended without doing so. If
/// the parent ends after that (Ctrl-C was pressed twice), the worker ends at once.
fn stop_with_parent(mut lifeline: UnixStream, stop: &Stop) -> ! {
    let is_requested = lifeline.read_exact(&mut [0]).is_ok();
    stop.request();
    if is_requested {
        // The parent writes nothing more, so this sleeps until the parent has ended.
        lifeline.read_to_end(&mut Vec::new()).ok();
    } else {
        thread::sleep(PATIENCE);
        Console::print_error(format_args!("a worker did not stop in time, so it is ended"));
    }
    process::exit(1);
}

/// A worker as its parent sees it. Dropping it kills it.
pub(crate) struct Worker {
    process: Child,
    lifeline: UnixStream,
    started: Instant,
}

impl Worker {
    /// Starts a worker on this listener: the same program with the same arguments.
    ///
    /// # Errors
    ///
    /// If the system has no process, no descriptor or no memory for it, or if the program's file is
    /// gone.
    pub(crate) fn start(listener: &TcpListener) -> io::Result<Self> {
        let (lifeline, other_end) = UnixStream::pair()?;
        // The message waits in the socket for the worker.
        send_listener(&lifeline, listener)?;
        // Left out: if this program is built again while it runs, the next worker is the new
        // program.
        let process = Command::new(env::current_exe()?)
            .arg0("prefork-server: worker") // for ps(1) and pkill(1)
            .args(env::args_os().skip(1))
            .env(MARK, "1")
            .stdin(OwnedFd::from(other_end))
            .spawn()?;
        Ok(Worker { process, lifeline, started: Instant::now() })
    }

    /// Its process ID.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Waits until it ends, in a thread of its own, and then calls `tell` with its last words.
    pub(crate) fn when_it_ends(
        &self,
        report: impl FnOnce(String) + Send + 'static,
    ) -> io::Result<()> {
        let mut lifeline = self.lifeline.try_clone()?;
        thread::Builder::new().spawn(move || {
            let mut last_words = String::new();
            // An error is an end, too (ECONNRESET: the worker has not read all that was sent to
            // it).
            lifeline.read_to_string(&mut last_words).ok();
            report(last_words);
        })?;
        Ok(())
    }

    /// Tells it to stop.
    pub(crate) fn stop(&mut self) {
        // It fails if the worker has already ended, because Ctrl-C in a terminal reaches it, too.
        self.lifeline.write_all(&[0]).ok();
    }

    /// How it has ended. Without wait(2), it would stay in the list of processes as a zombie.
    ///
    /// When its lifeline has ended, it is exiting, and a signal changes nothing. But if the
    /// lifeline has failed (recv(2), ENOMEM), it may live on, and nothing would report its end.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.kill()?;
        self.process.wait()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both only fail for a process that has ended already, which is what we want.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_outlives_its_lifeline_is_not_waited_for() {
        let process = Command::new("sleep").arg("1000").spawn().unwrap();
        let (lifeline, _) = UnixStream::pair().unwrap();
        let mut worker = Worker { process, lifeline, started: Instant::now() };
        assert!(!worker.wait().unwrap().success());
    }
}
