//! The program: from its options to the exit status.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use load_generator::report::{PERCENTILES, Report};
use load_generator::{Crowd, Event, flood};
use output::print;
use server_process::{addresses_of, kill_all_and_exit};
use timeline::{Picture, Recorder};

use crate::console::{self, Console, INTERRUPTED_STATUS};
use crate::hdr::{HdrFile, HdrLog};
use crate::options::{Options, Other, OutputOptions, Server};
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
    let crowd = options.crowd();
    if let Err(why) = crowd.check() {
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
    match flood_and_report(&options, &crowd) {
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

fn flood_and_report(options: &Options, crowd: &Crowd) -> io::Result<Report> {
    let Options { server: Server { address }, output, .. } = options;
    let mut file = output.hdr.as_deref().map(HdrFile::create).transpose()?;
    if let Some(path) = &output.timeline {
        write(path, "")?; // fail now rather than after the flood
    }
    let mut audience = Audience {
        console: Console::new(crowd, output.quiet, output.json),
        log: file
            .as_mut()
            .map(|file| file.begin(&format!("client {address}"), crowd.rate.is_some()))
            .transpose()?,
        recorder: None,
        trouble: None,
    };
    let report = flood_first_that_listens(options, crowd, &mut audience)?;
    let Audience { console, log, recorder, .. } = audience;
    // If one of these fails, the others are still done.
    let replies_printed = console.finish();
    let summary =
        if output.json { report.json(&output.percentiles)? } else { text(&report, output) };
    let printed = replies_printed.and_then(|()| print(summary));
    let logged = log.map_or(Ok(()), HdrLog::finish).and(file.map_or(Ok(()), HdrFile::finish));
    let drawn = match (&output.timeline, recorder) {
        (Some(path), Some(recorder)) => {
            let timeline = recorder.finish(Instant::now(), |client| crowd.kind(client).name());
            let name = output.name.as_deref().unwrap_or(address);
            let picture = Picture { replay: output.replay, ..Picture::of(&report, name) };
            write(path, &picture.svg(&timeline))
        }
        _ => Ok(()),
    };
    logged.and(drawn).and(printed)?;
    Ok(report)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text).map_err(|error| console::cannot_write(path, &error))
}

fn text(report: &Report, output: &OutputOptions) -> String {
    if output.percentiles.is_empty() {
        return report.text(&PERCENTILES);
    }
    let mut text = report.text(&output.percentiles);
    if let Some(doubt) = report.too_few_for(&output.percentiles) {
        text += &format!("\n\nCaution: {doubt}");
    }
    text
}

/// Everything that watches the flood.
struct Audience<'a> {
    console: Console,
    log: Option<HdrLog<'a>>,
    recorder: Option<Recorder>,
    /// Something could not be written, so the flood was cut short.
    trouble: Option<io::Error>,
}

impl Audience<'_> {
    fn watch(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        if let Some(recorder) = &mut self.recorder {
            recorder.watch(event);
        }
        if let Some(log) = &mut self.log
            && let Err(error) = log.watch(event)
        {
            self.trouble = Some(error);
            return ControlFlow::Break(());
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        self.console.watch(event)
    }
}

/// A name can stand for several addresses (`localhost` is often `::1` and `127.0.0.1`). If no
/// client can connect to one of them, the next is tried.
fn flood_first_that_listens(
    options: &Options,
    crowd: &Crowd,
    audience: &mut Audience<'_>,
) -> io::Result<Report> {
    let Options { server: Server { address }, output, .. } = options;
    let mut tried = None;
    for address in addresses_of(address)? {
        audience.recorder = output.timeline.as_ref().map(|_| Recorder::new());
        let report = flood(address, crowd, &mut |event| audience.watch(event))?;
        audience.trouble.take().map_or(Ok(()), Err)?;
        let goes_on = report.connected == 0 && report.stuck.is_none() && !report.ended_early;
        tried = Some(report);
        if !goes_on {
            break;
        }
    }
    tried.ok_or_else(|| io::Error::other(format!("`{address}` has no address")))
}
