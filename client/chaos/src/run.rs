//! Runs a scenario: waves and rests until the time is up, and the end of the server.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::faults::{Injected, fault};
use super::report::ChaosReport;
use super::rest::{Sample, growth};
use super::scenario::Scenario;
use super::wave::{Arrival, Wave};
use load_generator::Probe;
use load_generator::report::{Report, Stage};
use load_generator::{START_ONE, cannot_reach, flood};
use server_process::{NotStarted, describe_exit};
use server_process::{ServerProcess, Target, TargetKind, resolve};
use system::advice;

/// After waves for this long, there is a rest.
const BETWEEN_RESTS: Duration = Duration::from_secs(20);

/// How long a visitor waits for a reply when no other client is connected.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the server may take to end after Ctrl-C: ours take at most a second, but this machine
/// may be busy.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// How many silent clients are connected when Ctrl-C comes.
const IDLE: usize = 3;

/// After this time, the ports of closed connections are free again (Linux keeps a loopback port for
/// a second, tcp_tw_reuse in ip-sysctl.rst; other systems keep it for a minute).
const NEW_PORTS: Duration = Duration::from_secs(2);

/// How many descriptors this program needs in addition to one for each client.
const SPARE_DESCRIPTORS: u64 = 100;

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How much of the time is over.
    pub elapsed: Duration,
    /// What is going on, in a few words.
    pub doing: String,
}

/// The run has ended early; the report is filled in up to here.
struct Ended;

/// Runs a scenario against a server.
///
/// Raises the process's soft limit of descriptors to its hard limit. A server that it starts
/// inherits it.
pub fn run(target: &Target, scenario: &Scenario, progress: &dyn Fn(Progress)) -> ChaosReport {
    let mut report = ChaosReport::new(target.to_string(), scenario);
    let began = Instant::now();
    report.scenario = fitting(scenario, &mut report);
    let scenario = &report.scenario.clone();
    let (address, process) = match &target.kind {
        TargetKind::Address(address) => (resolve(address, PATIENCE), None),
        TargetKind::Command(words) => match ServerProcess::start(words, scenario.start_within) {
            Ok(process) => (Ok(process.address()), Some(process)),
            Err(NotStarted { why, .. }) => (Err(why), None),
        },
    };
    match address {
        Ok(address) => {
            let mut this_run = Run { scenario, address, process, began, progress, report };
            let ended = this_run.run();
            report = this_run.report;
            debug_assert_eq!(ended.is_err(), !report.faults.is_empty());
        }
        Err(why) => report.faults.push(why),
    }
    report.took = began.elapsed();
    report
}

/// The scenario, with no more clients than this process has descriptors for.
fn fitting(scenario: &Scenario, report: &mut ChaosReport) -> Scenario {
    // If it fails, we go on as on a system without such a limit, and the floods find out.
    let limit = system::raise_descriptor_limit().unwrap_or(u64::MAX);
    let most =
        usize::try_from(limit.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX).max(1);
    if scenario.connections > most {
        report.not_tried.push(format!(
            "more than {most} clients at the same time, because this program can have only {limit} \
             descriptors (see `ulimit -n`)"
        ));
    }
    Scenario { connections: scenario.connections.min(most), ..scenario.clone() }
}

struct Run<'a> {
    scenario: &'a Scenario,
    address: SocketAddr,
    process: Option<ServerProcess>,
    began: Instant,
    progress: &'a dyn Fn(Progress),
    report: ChaosReport,
}

impl Run<'_> {
    fn run(&mut self) -> Result<(), Ended> {
        if self.process.is_none() {
            self.report.not_tried.push(
                "stops, descriptors, memory and Ctrl-C, which need the server's process: give its \
                 command instead of its address"
                    .into(),
            );
        }
        self.visit("before the first wave")?;
        self.still_there()?;
        self.announce("first sample".into());
        let process = self.process.as_ref();
        self.report.fresh = process.and_then(|process| Sample::settled(process, self.began));
        if self.process.is_some() && self.report.fresh.is_none() {
            let sentence = "memory and descriptors, because this system doesn't report what a \
                            process uses";
            self.cannot(true, sentence);
        }
        // The others are compared with the first sample, so it is taken after the largest wave that
        // there is: by then, the server's tables and buffers have their final size.
        let zoo = Wave::zoo(self.scenario);
        self.wave(&zoo, "the first wave, which is always the same")?;
        self.rest();
        self.waves()?;
        self.wave(&zoo, "the last wave, which is the same as the first")?;
        self.rest();
        self.judge_rests()?;
        self.visit("after the last wave")?;
        self.still_there()?;
        if self.report.asked == 0 {
            let fault = "this machine had no port or descriptor left for any client that sends a \
                         request: try again in a minute, or with fewer `--connections`";
            self.report.faults.push(fault.into());
            return Err(Ended);
        }
        self.end()
    }

    /// Sends waves until the time is up, but at least one.
    fn waves(&mut self) -> Result<(), Ended> {
        let mut rested = Instant::now();
        for count in 0.. {
            let number = self.scenario.wave.unwrap_or(count);
            let wave = Wave::draw(self.scenario, number);
            let what = format!("wave {number}, {} clients", wave.clients());
            self.report.waves += 1;
            if let Err(ended) = self.wave(&wave, &what) {
                self.report.failed_wave = Some(wave);
                return Err(ended);
            }
            if self.began.elapsed() >= self.scenario.time {
                break;
            }
            if rested.elapsed() >= BETWEEN_RESTS {
                self.rest();
                rested = Instant::now();
            }
        }
        Ok(())
    }

    fn wave(&mut self, wave: &Wave, what: &str) -> Result<(), Ended> {
        self.announce(what.into());
        let (over, is_over) = mpsc::channel();
        let (address, process) = (self.address, self.process.as_ref());
        let (reports, injected) = thread::scope(|scope| {
            let faults = process.map(|process| {
                let fault = move || fault(process, &wave.faults, &is_over);
                thread::Builder::new().spawn_scoped(scope, fault)
            });
            let flood = |&Arrival { after, ref crowd }| {
                let flood = move || {
                    thread::sleep(after);
                    flood(address, crowd, &mut |_| ControlFlow::Continue(()))
                };
                thread::Builder::new().spawn_scoped(scope, flood)
            };
            let floods: Vec<_> = wave.arrivals.iter().map(flood).collect();
            let reports = floods.into_iter().map(|flood| flood.and_then(joined));
            let reports: Vec<io::Result<Report>> = reports.collect();
            drop(over);
            (reports, faults.map_or(Ok(Injected::default()), |fault| fault.map(joined)))
        });
        let mut faults = Vec::new();
        let cannot_go_on =
            |error: io::Error| format!("the client can't go on: {error}{}", advice(&error));
        let injected = injected.unwrap_or_else(|error| {
            faults.push(cannot_go_on(error));
            Injected::default()
        });
        self.report.stops += injected.stops;
        self.report.squeezes += injected.squeezes;
        let mut ours = 0;
        for flood in reports {
            match flood {
                Ok(flood) => {
                    self.report.clients += flood.crowd.connections as u64;
                    self.report.asked += flood.requests;
                    self.report.answered += flood.answered;
                    ours += flood.errors.ours();
                    faults.extend(faults_of(&flood, injected.squeezes > 0));
                }
                Err(error) => faults.push(cannot_go_on(error)),
            }
        }
        if ours > 0 {
            self.report.ours += ours as u64;
            self.announce("waiting for ports".into());
            thread::sleep(NEW_PORTS);
        }
        if faults.is_empty() {
            // Otherwise the reason may be that the server is gone.
            self.cannot(injected.no_stops, "stops, because this system can't stop a process");
            let sentence = "running out of descriptors, because this server's limits can't be set \
                            from outside";
            self.cannot(injected.no_squeezes, sentence);
            return Ok(());
        }
        self.report.faults.push(format!("in {what}: {}", wave.description()));
        self.report.faults.extend(faults);
        self.fails()
    }

    /// Records once that something could not be tried.
    fn cannot(&mut self, is_so: bool, sentence: &str) {
        if is_so && !self.report.not_tried.iter().any(|known| known == sentence) {
            self.report.not_tried.push(sentence.into());
        }
    }

    fn rest(&mut self) {
        self.announce("rest".into());
        let (Some(process), Some(fresh)) = (&self.process, self.report.fresh) else { return };
        // At the start, it may not yet have opened everything that it needs for clients.
        let before = self.report.samples.first().unwrap_or(&fresh);
        let sample = Sample::at_rest(process, self.began, before.descriptors);
        self.report.samples.extend(sample);
    }

    fn judge_rests(&mut self) -> Result<(), Ended> {
        let samples = &self.report.samples;
        let mut faults: Vec<String> = growth(samples).into_iter().collect();
        if let (Some(first), Some(last)) = (samples.first(), samples.last())
            && last.descriptors > first.descriptors
        {
            faults.push(format!(
                "{} descriptors are open although no client is connected; after the first wave \
                 there were {}",
                last.descriptors, first.descriptors
            ));
        }
        if faults.is_empty() {
            return Ok(());
        }
        self.report.faults.extend(faults);
        self.fails()
    }

    /// Makes sure that a single client is served.
    fn visit(&mut self, when: &str) -> Result<(), Ended> {
        let visit = || {
            let mut probe = Probe::connect(self.address, self.scenario.protocol, PATIENCE)
                .map_err(|error| cannot_reach(&error, &self.address))?;
            // In one-shot, the client is done: some servers close the connection now, and some send
            // another reply.
            let is_over = self.scenario.protocol == Protocol::OneShot;
            let asked = probe.request().and_then(|_| if is_over { Ok(()) } else { probe.end() });
            asked.map_err(|error| error.to_string())
        };
        match visit() {
            Ok(()) => Ok(()),
            Err(why) => {
                let fault = format!("a single client, {when}, was not served: {why}");
                self.report.faults.push(fault);
                self.fails()
            }
        }
    }

    /// Makes sure that the process that was started is still there. If it has ended, another
    /// process serves the clients, which can't be stopped, squeezed, measured or ended.
    fn still_there(&mut self) -> Result<(), Ended> {
        let death = self.process.as_ref().and_then(ServerProcess::death);
        let Some(death) = death else { return Ok(()) };
        self.report.faults.push(format!(
            "a process still replies on its port, but the one that was started is gone; it has to \
             stay in the foreground until Ctrl-C ({death})"
        ));
        Err(Ended)
    }

    /// Sends Ctrl-C while silent clients are connected.
    fn end(&mut self) -> Result<(), Ended> {
        let Some(process) = self.process.take() else { return Ok(()) };
        if !self.scenario.ctrl_c {
            return Ok(());
        }
        self.announce("Ctrl-C".into());
        let come = |_| TcpStream::connect_timeout(&self.address, PATIENCE);
        let idle: io::Result<Vec<TcpStream>> = (0..IDLE).map(come).collect();
        let _idle = match idle {
            Ok(idle) => idle,
            Err(error) => {
                self.report.faults.push(format!("at the end, no client can connect: {error}"));
                return Err(Ended);
            }
        };
        let began = Instant::now();
        if !process.interrupt() {
            let why = "Ctrl-C, because on this system a program can't send it";
            self.cannot(true, why);
            return Ok(());
        }
        match process.wait(LAST_PATIENCE) {
            None => {
                let fault = format!("it was still running {LAST_PATIENCE:?} after Ctrl-C");
                self.report.faults.push(fault);
                Err(Ended)
            }
            Some(status) if !status.success() => {
                let how = process
                    .death()
                    .unwrap_or_else(|| format!("the server {}", describe_exit(status)));
                self.report.faults.push(format!("after Ctrl-C, {how}"));
                Err(Ended)
            }
            Some(_) => {
                let after = began.elapsed();
                if process.is_survived() {
                    let fault = "after Ctrl-C, the server ended with status 0, but another process \
                                 still listens on its port, most likely one of its children";
                    self.report.faults.push(fault.into());
                    return Err(Ended);
                }
                self.report.ended_after = Some(after);
                Ok(())
            }
        }
    }

    /// Ends the run. If the server has died, the report says so.
    fn fails<T>(&mut self) -> Result<T, Ended> {
        const MOMENT: Duration = Duration::from_millis(200);
        if let Some(process) = &self.process {
            process.wait(MOMENT); // if it is about to end, it gets a moment for that
            // The report says that before what the clients have seen.
            let at = usize::from(self.report.faults.len() > 1);
            process.death().into_iter().for_each(|death| self.report.faults.insert(at, death));
        }
        Err(Ended)
    }

    fn announce(&self, doing: String) {
        (self.progress)(Progress { elapsed: self.began.elapsed(), doing });
    }
}

/// What is wrong with a flood, in words.
fn faults_of(report: &Report, lacked_descriptors: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for stage in Stage::ALL {
        let trouble = report.errors.of(stage);
        let ours = if stage == Stage::Connect { report.errors.ours() } else { 0 };
        let (count, all) = (trouble.count - ours, report.crowd.connections);
        if let Some(first) = trouble.first.as_ref().filter(|_| count > 0) {
            let first = first.strip_suffix(START_ONE).unwrap_or(first);
            let stage = stage.name();
            faults.push(format!("{count} of {all} clients: {stage}; the first was {first}"));
        }
    }
    faults.extend(report.stuck.map(|stuck| match stuck.connecting {
        1.. if lacked_descriptors => format!(
            "nothing has moved for {:?}, although there are descriptors again: most likely the \
             server stopped accepting when there were none, and waits until one of its connections \
             is closed; it should also try again after a while",
            report.crowd.timeout
        ),
        _ => stuck.explanation(&report.crowd),
    }));
    if faults.is_empty() && report.errors.ours() == 0 && report.answered != report.requests {
        let Report { answered, requests, .. } = report;
        faults.push(format!("only {answered} of {requests} requests were answered"));
    }
    faults
}

/// What a thread has returned; if that thread has panicked, this one panics too.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
