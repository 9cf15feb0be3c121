//! What the program prints while the flood goes on.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use load_generator::{Crowd, Event, Kind, Shown};

/// The shell's status for a program that Ctrl-C has ended: 128 plus the number of SIGINT.
pub(crate) const INTERRUPTED_STATUS: u8 = 130;

/// With more connections than this, the replies aren't worth printing.
const MOST_CONNECTIONS: usize = 50;

/// A run that is shorter than this needs no progress bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows the progress of a flood on the terminal.
pub(crate) struct Console {
    /// The clients whose replies are printed.
    printed: Vec<usize>,
    draws_bar: bool,
    bar: Option<ProgressBar>,
    began: Instant,
    asked: u64,
    /// How long the crowd sends requests, if it isn't a fixed number of them.
    duration: Option<Duration>,
    connections: usize,
    connected: usize,
    answered: u64,
    failed: usize,
    /// Printing failed, so the flood was cut short.
    trouble: Option<io::Error>,
}

impl Console {
    pub(crate) fn new(crowd: &Crowd, quiet: bool, json: bool) -> Self {
        let prints_no_reply =
            quiet || json || crowd.connections > MOST_CONNECTIONS || crowd.duration.is_some();
        let clients = 0..if prints_no_reply { 0 } else { crowd.connections };
        Console {
            // A non-reading client gets thousands of replies.
            printed: clients.filter(|&client| crowd.kind(client) != Kind::NonReading).collect(),
            draws_bar: !quiet && io::stderr().is_terminal(),
            bar: None,
            began: Instant::now(),
            asked: crowd.asked(),
            duration: crowd.duration.map(|duration| duration.saturating_add(crowd.warm_up)),
            connections: crowd.connections,
            connected: 0,
            answered: 0,
            failed: 0,
            trouble: None,
        }
    }

    /// Ends the flood when printing fails, since nothing reads the output any more.
    pub(crate) fn watch(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        match *event {
            Event::Connected { .. } => self.connected += 1,
            Event::Answered { .. } => self.answered += 1,
            Event::Failed { .. } => self.failed += 1,
            Event::Received { client, bytes } if self.printed.contains(&client) => {
                if let Err(error) = self.print_reply(client, bytes) {
                    self.trouble = Some(error);
                    return ControlFlow::Break(());
                }
            }
            Event::Tick => self.draw(),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Removes the progress bar; an error if something could not be printed.
    pub(crate) fn finish(self) -> io::Result<()> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.trouble.map_or(Ok(()), Err)
    }

    fn print_reply(&self, client: usize, bytes: &[u8]) -> io::Result<()> {
        let print = || output::print(format_args!("client number {client} got {}", Shown(bytes)));
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn draw(&mut self) {
        if self.draws_bar && self.bar.is_none() && self.began.elapsed() >= PATIENCE {
            let (template, length) = match self.duration {
                None => ("{elapsed} {wide_bar} {pos} of {len} {msg}", self.asked),
                Some(duration) => ("{elapsed} {wide_bar} {msg}", milliseconds(duration)),
            };
            let bar = progress_bar(template, length, false);
            self.bar = Some(bar.with_elapsed(self.began.elapsed()));
        }
        if let Some(bar) = &self.bar {
            let (connected, connections) = (self.connected, self.connections);
            let mut message = format!("answered, {connected} of {connections} connected");
            if self.duration.is_none() {
                bar.set_position(self.answered);
            } else {
                bar.set_position(milliseconds(self.began.elapsed()));
                message = format!("{} {message}", self.answered);
            }
            if self.failed > 0 {
                message += &format!(", {} failed", self.failed);
            }
            bar.set_message(message);
        }
    }
}

/// A progress bar on standard error, unless that isn't a terminal.
pub(crate) fn progress_bar(template: &str, length: u64, quiet: bool) -> ProgressBar {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(length) };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is right"))
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Adds the file's name to an error.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't write {}: {error}", path.display()))
}
