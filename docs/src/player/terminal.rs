//! A terminal of a page, and what runs in it.

use std::io::{Read, Write};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocol::ADDRESS_VARIABLE;
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};

use super::command::{Stage, Translator};
use super::fit::Fitting;
use crate::console::Line;

/// So wide that no program wraps a sentence or drops a column: the pages contain the whole lines,
/// and a browser wraps them.
const COLUMNS: u16 = 1000;

/// A terminal, in which one command runs after the other.
pub(super) struct Terminal {
    patience: Duration,
    session: Option<Session>,
}

/// A command that runs, or has run.
struct Session {
    command: String,
    child: Child,
    pty: Arc<Pty>,
    screen: Arc<Screen>,
    translator: Translator,
    /// What it has printed, in lines, since the last block.
    lines: Vec<String>,
    /// Whether that block ended with a gap.
    gap: bool,
}

/// What was printed.
#[derive(Default)]
struct Screen {
    state: Mutex<Printed>,
    changed: Condvar,
}

#[derive(Default)]
struct Printed {
    /// Bytes that have not been split into lines yet.
    bytes: Vec<u8>,
    /// No process has the terminal open any more.
    ended: bool,
}

impl Terminal {
    /// A terminal in which a line may take this long to appear.
    pub(super) fn new(patience: Duration) -> Self {
        Terminal { patience, session: None }
    }

    /// Starts a command.
    pub(super) fn start(&mut self, stage: &mut Stage<'_>, command: &str) -> Result<(), String> {
        let here = stage.here(command)?;
        let session = Session::start(stage, command, &here);
        self.session = Some(session.map_err(|error| format!("can't start `{command}`: {error}"))?);
        Ok(())
    }

    /// Types, for the program that runs.
    pub(super) fn type_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let session = self.session.as_ref().ok_or("nothing runs here")?;
        (&*session.pty).write_all(bytes).map_err(|error| format!("can't type: {error}"))
    }

    /// Waits until these lines were printed, and returns them with their places in `expected`.
    pub(super) fn expect(&mut self, expected: &[Line]) -> Result<Vec<(usize, String)>, String> {
        self.session.as_mut().ok_or("nothing runs here")?.expect(expected, self.patience)
    }

    /// The state of the command, if there is one, and what it has printed, to show what went wrong.
    pub(super) fn state(&mut self) -> Option<String> {
        let session = self.session.as_mut()?;
        let screen = Arc::clone(&session.screen);
        session.take_lines(&mut screen.state());
        let state = match session.child.try_wait() {
            Ok(Some(status)) => format!("has ended ({status})"),
            _ => "is running".to_owned(),
        };
        Some(session.different(&state))
    }

    /// Waits until the command has ended, if there is one, and checks that everything it printed is
    /// in the page.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.session.take().map_or(Ok(()), |session| session.finish(self.patience))
    }
}

impl Session {
    fn start(stage: &Stage<'_>, command: &str, here: &str) -> Result<Self, pty_process::Error> {
        let (pty, pts) = open()?;
        pty.resize(Size::new(50, COLUMNS))?;
        let mut modes = tcgetattr(&pts)?;
        // What is typed is not shown, since the page has it already; LF stays LF.
        modes.local_modes.remove(LocalModes::ECHO);
        // After Ctrl-C, a terminal discards what was printed and not yet shown, although that may
        // be the program's reaction to Ctrl-C (NOFLSH, termios(3)).
        modes.local_modes.insert(LocalModes::NOFLSH);
        modes.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&pts, OptionalActions::Now, &modes)?;
        // Before the command, so that none is left behind where there is no thread for it.
        let pty = Arc::new(pty);
        let screen = Arc::new(Screen::default());
        let (from, to) = (Arc::clone(&pty), Arc::clone(&screen));
        thread::Builder::new().spawn(move || to.show(&from))?;
        // A shell can't trap a signal that it inherits as ignored, and programs below it would
        // inherit that, too: keys would do nothing.
        system::defaults_for_children();
        let child = Command::new("sh")
            .args(["-c", here])
            .current_dir(stage.workspace)
            .env("PATH", stage.search_path())
            .env(ADDRESS_VARIABLE, stage.address())
            // Neither colours nor progress bars.
            .env("TERM", "dumb")
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("RUST_BACKTRACE")
            .spawn(pts)?;
        let translator = stage.translator();
        let command = command.into();
        Ok(Session { command, child, pty, screen, translator, lines: Vec::new(), gap: false })
    }

    fn expect(
        &mut self,
        expected: &[Line],
        patience: Duration,
    ) -> Result<Vec<(usize, String)>, String> {
        let mut fitting = Fitting::new(expected, self.gap);
        let deadline = Instant::now() + patience;
        let screen = Arc::clone(&self.screen);
        let mut state = screen.state();
        loop {
            self.take_lines(&mut state);
            if fitting.fit(&self.lines).map_err(|why| self.different(&why))? {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut why = match state.ended {
                true => "it ended before all was printed".to_owned(),
                false if left.is_zero() => format!("no more came in {patience:?}"),
                false => {
                    state = screen.wait(state, left);
                    continue;
                }
            };
            if let Some(out_of_bounds) = fitting.out_of_bounds {
                why += &format!("\n{out_of_bounds}");
            }
            // Perhaps a signal has ended it, which prints nothing.
            if state.ended
                && let Ok(status) = self.child.wait()
                && !status.success()
            {
                why += &format!("\n{status}");
            }
            return Err(self.different(&why));
        }
        let pairs = fitting.pairs.iter().map(|&(of, line)| (of, self.lines[line].clone()));
        let pairs = pairs.collect();
        self.lines.drain(..fitting.line);
        self.gap = matches!(expected.last(), Some(Line::Gap));
        Ok(pairs)
    }

    fn finish(mut self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        let screen = Arc::clone(&self.screen);
        let mut state = screen.state();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("`{}` is still running", self.command));
            }
            state = screen.wait(state, left);
        }
        self.take_lines(&mut state);
        if !self.gap && !self.lines.is_empty() {
            return Err(self.different("it prints more than stands in the page"));
        }
        drop(state);
        // No process has the terminal open any more, so this does not take long.
        self.child.wait().map_err(|error| format!("can't wait for it: {error}"))?;
        Ok(())
    }

    /// Takes the lines that were printed; an incomplete line doesn't count, unless it stays
    /// incomplete.
    fn take_lines(&mut self, state: &mut Printed) {
        let end = state.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let end = if state.ended { state.bytes.len() } else { end };
        let bytes: Vec<u8> = state.bytes.drain(..end).collect();
        let text = String::from_utf8_lossy(&bytes);
        self.lines.extend(text.lines().map(|line| self.translator.translate(line)));
    }

    fn different(&self, why: &str) -> String {
        let lines = self.lines.join("\n");
        format!("`{}`: {why}\nprinted since the last block:\n{lines}\n", self.command)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Where all went well, the group is gone. Closing a terminal ends everything that runs in
        // it, but programs may ignore that.
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.child.wait().ok();
    }
}

impl Screen {
    fn state(&self) -> MutexGuard<'_, Printed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, Printed>, limit: Duration) -> MutexGuard<'a, Printed> {
        let woken = self.changed.wait_timeout(state, limit);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Reads until no process has the terminal open any more: then read(2) fails with EIO.
    fn show(&self, mut pty: &Pty) {
        let mut piece = [0; 4096];
        loop {
            let read = pty.read(&mut piece);
            let mut state = self.state();
            match read {
                Ok(count @ 1..) => state.bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => state.ended = true,
            }
            self.changed.notify_all();
            if state.ended {
                return;
            }
        }
    }
}
