//! The program: from its options to the exit status.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use load_generator::{Event, Report, flood};
use output::print;
use server_process::{addresses_of, kill_all_and_exit};
use timeline::{Picture, Recorder};

use crate::console::{self, Console, INTERRUPTED_STATUS};
use crate::hdr::{HdrFile, HdrLog};
use crate::options::{Options, Other, Server};
use crate::talk;

/// Whether Ctrl-C was pressed. The first time, the flood is cut short and the summary so far is
/// printed; the second time, the program ends without one.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs the program with the process's arguments, and returns its exit status.
///
/// Raises the process's soft limit of descriptors to its hard limit.
pub fn run() -> ExitCode {
    let mut options = Options::parse();
    match options.other.take() {
        Some(Other::Check(options)) => return judged(|| options.run()),
        Some(Other::Chaos(options)) => return judged(|| options.run()),
        Some(Other::Talk(Server { address })) => {
            let talked = talk::talk(&address);
            return talked.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS);
        }
        None => {}
    }
    if let Err(why) = options.crowd.check() {
        Options::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    // If it fails, there are fewer descriptors, and the flood reports when they run out.
    system::raise_descriptor_limit().ok();
    // If it fails, Ctrl-C ends the program without a summary.
    system::on_termination(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED_STATUS.into());
        }
    })
    .ok();
    match flood_and_report(&options) {
        Ok(_) if INTERRUPTED.load(Ordering::Relaxed) => INTERRUPTED_STATUS.into(),
        Ok(report) if report.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// The exit status of a subcommand that judges servers, or whose options make no sense together.
fn judged(run: impl FnOnce() -> Result<io::Result<bool>, String>) -> ExitCode {
    // A server that it has started must not be left running, nor stopped. If there is no handler,
    // the server still sees the end of its standard input.
    system::on_termination(|| kill_all_and_exit(INTERRUPTED_STATUS.into())).ok();
    match run() {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(error)) => failed(&error),
        Err(why) => Options::command().error(ErrorKind::ValueValidation, why).exit(),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    // A closed pipe isn't reported: the reader, such as `head`, has all it wanted.
    if error.kind() != io::ErrorKind::BrokenPipe {
        writeln!(io::stderr(), "client: {error}{}", system::advice(error)).ok();
    }
    ExitCode::FAILURE
}

fn flood_and_report(options: &Options) -> io::Result<Report> {
    let Options { server: Server { address }, crowd, output, .. } = options;
    let mut file = output.hdr.as_deref().map(HdrFile::create).transpose()?;
    if let Some(path) = &output.timeline {
        write(path, "")?; // fail now rather than after the flood
    }
    let mut audience = Audience {
        console: Console::new(crowd, output.quiet, output.json),
        log: file.as_mut().map(|file| file.begin(&format!("client {address}"))).transpose()?,
        recorder: None,
        written: Ok(()),
    };
    let report = flood_first_that_listens(options, &mut audience)?;
    let Audience { console, log, recorder, written } = audience;
    drop(console); // and with it the progress bar
    let summary = match output.json {
        true => report.json(&output.percentiles)?,
        false => report.text(&output.percentiles),
    };
    // If one of these fails, the others are still done.
    let printed = print(summary);
    let logged = log.map_or(Ok(()), |log| log.finish(&report));
    let logged = logged.and(file.map_or(Ok(()), HdrFile::finish));
    let drawn = match (&output.timeline, recorder) {
        (Some(path), Some(recorder)) => {
            let timeline = recorder.finish(Instant::now(), |client| crowd.kind(client).name());
            let name = output.name.as_deref().unwrap_or(address);
            let picture = Picture { replay: output.replay, ..Picture::of(&report, name) };
            write(path, &picture.svg(&timeline))
        }
        _ => Ok(()),
    };
    logged.and(drawn).and(written).and(printed)?;
    Ok(report)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text).map_err(|error| console::cannot_write(path, &error))
}

/// Everything that watches the flood.
struct Audience<'a> {
    console: Console,
    log: Option<HdrLog<'a>>,
    recorder: Option<Recorder>,
    /// Whether everything could be printed and logged. If not, the flood is cut short.
    written: io::Result<()>,
}

impl Audience<'_> {
    fn watch(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        if let Some(recorder) = &mut self.recorder {
            recorder.watch(event);
        }
        let logged = match (event, &mut self.log) {
            (Event::Tick(report), Some(log)) => log.tick(report),
            _ => Ok(()),
        };
        self.written = logged.and_then(|()| self.console.watch(event));
        if self.written.is_err() || INTERRUPTED.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// A name can stand for several addresses (`localhost` is often `::1` and `127.0.0.1`). If no
/// client can connect to one of them, the next is tried.
fn flood_first_that_listens(options: &Options, audience: &mut Audience<'_>) -> io::Result<Report> {
    let Options { server: Server { address }, crowd, output, .. } = options;
    let mut tried = None;
    for address in addresses_of(address)? {
        audience.recorder = output.timeline.as_ref().map(|_| Recorder::new());
        let report = flood(address, crowd, &mut |event| audience.watch(event))?;
        let goes_on = report.connected == 0 && report.stuck.is_none() && !report.ended_early;
        tried = Some(report);
        if !goes_on {
            break;
        }
    }
    tried.ok_or_else(|| io::Error::other(format!("`{address}` has no address")))
}
