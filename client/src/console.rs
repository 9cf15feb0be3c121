//! What the program prints while the flood goes on.

use std::io;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use load_generator::{Crowd, Event, Kind, Report, Shown};
use output::print_within;

/// The shell's status for a program that Ctrl-C has ended: 128 plus the number of SIGINT.
pub(crate) const INTERRUPTED_STATUS: u8 = 130;

/// With more connections than this, the replies aren't worth printing.
const MOST_PRINTED: usize = 50;

/// A run that is shorter than this needs no progress bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows the progress of a flood on the terminal.
pub(crate) struct Console {
    /// The clients whose replies are printed.
    printed: Vec<usize>,
    /// How many characters fit into a line of them; asking for each reply would cost a call each.
    width: Option<usize>,
    /// Hidden at first. It is cleared when it is dropped.
    bar: ProgressBar,
    draws_bar: bool,
}

impl Console {
    pub(crate) fn new(crowd: &Crowd, quiet: bool, json: bool) -> Self {
        let prints_no_reply =
            quiet || json || crowd.connections > MOST_PRINTED || crowd.duration.is_some();
        let clients = 0..if prints_no_reply { 0 } else { crowd.connections };
        // The bar shows the requests, or the time if they aren't a fixed number.
        let (template, length) = match crowd.duration {
            None => ("{elapsed} {wide_bar} {pos} of {len} {msg}", crowd.total_requests()),
            Some(duration) => {
                ("{elapsed} {wide_bar} {msg}", milliseconds(duration.saturating_add(crowd.warm_up)))
            }
        };
        Console {
            // A non-reading client gets thousands of replies.
            printed: clients.filter(|&client| crowd.kind(client) != Kind::NonReading).collect(),
            width: output::width(),
            bar: progress_bar(template, length, true),
            draws_bar: !quiet,
        }
    }

    /// # Errors
    ///
    /// If a reply can't be printed, since nothing reads the output any more.
    pub(crate) fn watch(&mut self, event: &Event<'_>) -> io::Result<()> {
        match *event {
            Event::Received { client, bytes } if self.printed.contains(&client) => {
                return self.bar.suspend(|| {
                    let bytes = Shown(bytes);
                    print_within(self.width, format_args!("client number {client} got {bytes}"))
                });
            }
            Event::Tick(report) => {
                self.width = output::width();
                self.draw(report);
            }
            _ => {}
        }
        Ok(())
    }

    fn draw(&self, report: &Report) {
        if self.draws_bar && self.bar.is_hidden() && self.bar.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let Report { ref crowd, connected, answered, .. } = *report;
        let mut message = format!("answered, {connected} of {} connected", crowd.connections);
        if crowd.duration.is_none() {
            self.bar.set_position(answered);
        } else {
            self.bar.set_position(milliseconds(self.bar.elapsed()));
            message = format!("{answered} {message}");
        }
        if report.errors.count() > 0 {
            message += &format!(", {} failed", report.errors.count());
        }
        self.bar.set_message(message);
    }
}

/// A progress bar on standard error, if that is a terminal and the bar isn't hidden.
pub(crate) fn progress_bar(template: &str, length: u64, is_hidden: bool) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is right");
    let target =
        if is_hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    ProgressBar::with_draw_target(Some(length), target).with_style(style)
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Adds the file's name to an error.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't write {}: {error}", path.display()))
}
