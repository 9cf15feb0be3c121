//! Runs a scenario: waves and rests until the time is up, and the end of the server.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::faults::inject;
use super::report::ChaosReport;
use super::rest::{Sample, growth};
use super::scenario::Scenario;
use super::wave::{Arrival, Wave};
use load_generator::Probe;
use load_generator::report::{Report, Stage};
use load_generator::{START_ONE, cannot_reach, flood};
use server_process::{ServerProcess, Target, TargetKind, resolve};

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

/// Faults end the run: what went wrong, as sentences without their full stops.
type Survived = Result<(), Vec<String>>;

/// Runs a scenario against a server.
///
/// Raises the process's soft limit of descriptors to its hard limit. A server that it starts
/// inherits it.
pub fn run(target: &Target, scenario: &Scenario, progress: &dyn Fn(Progress)) -> ChaosReport {
    let began = Instant::now();
    let (server, scenario) = (target.to_string(), scenario.clone());
    let mut report = ChaosReport { server, scenario, ..ChaosReport::default() };
    limit_clients(&mut report);
    let start_within = report.scenario.start_within;
    let reached = match &target.kind {
        TargetKind::Address(address) => resolve(address, PATIENCE).map(|address| (address, None)),
        TargetKind::Command(words) => match ServerProcess::start(words, start_within) {
            Ok(process) => Ok((process.address(), Some(process))),
            Err(not_started) => Err(not_started.why),
        },
    };
    let survived = reached.map_err(|why| vec![why]).and_then(|(address, process)| {
        Run { address, process, began, progress, report: &mut report }.run()
    });
    report.faults = survived.err().unwrap_or_default();
    report.took = began.elapsed();
    report
}

/// Allows no more clients than this process has descriptors for.
fn limit_clients(report: &mut ChaosReport) {
    // If it fails, we go on as on a system without such a limit, and the floods find out.
    let limit = system::raise_descriptor_limit().unwrap_or(u64::MAX);
    let most =
        usize::try_from(limit.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX).max(1);
    if report.scenario.connections > most {
        report.scenario.connections = most;
        report.not_tried.push(format!(
            "more than {most} clients at the same time, because this program can have only {limit} \
             descriptors (see `ulimit -n`)"
        ));
    }
}

struct Run<'a> {
    address: SocketAddr,
    process: Option<ServerProcess>,
    began: Instant,
    progress: &'a dyn Fn(Progress),
    /// Filled in up to here.
    report: &'a mut ChaosReport,
}

impl Run<'_> {
    fn run(&mut self) -> Survived {
        if self.process.is_none() {
            self.not_tried(
                "stops, descriptors, memory and Ctrl-C, which need the server's process: give its \
                 command instead of its address",
            );
        }
        self.visit("before the first wave")?;
        self.announce("first sample");
        if let Some(process) = &self.process {
            self.report.fresh = Sample::settled(process, self.began);
            if self.report.fresh.is_none() {
                self.not_tried(
                    "memory and descriptors, because this system doesn't report what a process \
                     uses",
                );
            }
        }
        // The others are compared with the first sample, so it is taken after the largest wave that
        // there is: by then, the server's tables and buffers have their final size.
        let zoo = Wave::zoo(&self.report.scenario);
        self.wave(&zoo, "the first wave, which is always the same")?;
        self.rest();
        self.waves()?;
        self.wave(&zoo, "the last wave, which is the same as the first")?;
        self.rest();
        let growth = growth(&self.report.samples);
        if !growth.is_empty() {
            return Err(self.with_death(growth));
        }
        self.visit("after the last wave")?;
        if self.report.requests == 0 {
            let fault = "this machine had no port or descriptor left for any client that sends a \
                         request: try again in a minute, or with fewer `--connections`";
            return Err(vec![fault.into()]);
        }
        match self.process.take() {
            Some(process) if self.report.scenario.ctrl_c => self.end(&process),
            _ => Ok(()),
        }
    }

    /// Sends waves until the time is up, but at least one.
    fn waves(&mut self) -> Survived {
        let mut rested = Instant::now();
        for count in 0.. {
            let number = self.report.scenario.wave.unwrap_or(count);
            let wave = Wave::draw(&self.report.scenario, number);
            self.report.waves += 1;
            let what = format!("wave {number}, {} clients", wave.clients());
            if let Err(faults) = self.wave(&wave, &what) {
                self.report.failed_wave = Some(wave);
                return Err(faults);
            }
            if self.began.elapsed() >= self.report.scenario.time {
                break;
            }
            if rested.elapsed() >= BETWEEN_RESTS {
                self.rest();
                rested = Instant::now();
            }
        }
        Ok(())
    }

    fn wave(&mut self, wave: &Wave, what: &str) -> Survived {
        self.announce(what);
        let (address, process) = (self.address, self.process.as_ref());
        let flooded = thread::scope(|scope| -> io::Result<_> {
            let (goes_on, is_over) = mpsc::channel::<()>();
            let mut floods = Vec::new();
            for &Arrival { after, ref crowd } in &wave.arrivals {
                let goes_on = goes_on.clone();
                let flood = move || {
                    let _goes_on = goes_on; // until this thread ends
                    thread::sleep(after);
                    flood(address, crowd, &mut |_| ControlFlow::Continue(()))
                };
                floods.push(thread::Builder::new().spawn_scoped(scope, flood)?);
            }
            drop(goes_on);
            let injected = process.map(|process| inject(process, &wave.faults, &is_over));
            // If a thread has panicked, this one panics too.
            let joined = floods.into_iter().map(|flood| {
                flood.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
            });
            Ok((joined.collect::<io::Result<Vec<Report>>>()?, injected.unwrap_or_default()))
        });
        let (floods, injected) = flooded.or_else(|error| {
            let why = format!("the client can't go on: {error}{}", system::advice(&error));
            self.failed(wave, what, vec![why])
        })?;
        self.report.stops += injected.stops;
        self.report.squeezes += injected.squeezes;
        let mut ours = 0;
        let mut faults = Vec::new();
        for flood in floods {
            self.report.clients += flood.crowd.connections as u64;
            self.report.requests += flood.requests;
            self.report.answered += flood.answered;
            ours += flood.errors.ours() as u64;
            faults.extend(faults_of(&flood, injected.squeezes > 0));
        }
        if ours > 0 {
            self.report.ours += ours;
            self.announce("waiting for ports");
            thread::sleep(NEW_PORTS);
        }
        if !faults.is_empty() {
            return self.failed(wave, what, faults);
        }
        // After a fault, the reason may be that the server is gone.
        injected.not_tried.into_iter().for_each(|sentence| self.not_tried(sentence));
        Ok(())
    }

    fn failed<T>(&self, wave: &Wave, what: &str, faults: Vec<String>) -> Result<T, Vec<String>> {
        let which = format!("in {what}: {}", wave.description());
        Err([vec![which], self.with_death(faults)].concat())
    }

    /// Records once that something could not be tried.
    fn not_tried(&mut self, sentence: &str) {
        if !self.report.not_tried.iter().any(|known| known == sentence) {
            self.report.not_tried.push(sentence.into());
        }
    }

    fn rest(&mut self) {
        self.announce("rest");
        let (Some(process), Some(fresh)) = (&self.process, self.report.fresh) else { return };
        // At the start, it may not yet have opened everything that it needs for clients.
        let before = self.report.samples.first().unwrap_or(&fresh);
        let is_at_rest = |sample: &Sample| sample.descriptors <= before.descriptors;
        let sample = Sample::take(process, self.began, is_at_rest);
        self.report.samples.extend(sample);
    }

    /// Makes sure that a single client is served, and that the process that was started is still
    /// there.
    fn visit(&self, when: &str) -> Survived {
        let protocol = self.report.scenario.protocol;
        let visit = || {
            let mut probe = Probe::connect(self.address, protocol, PATIENCE)
                .map_err(|error| cannot_reach(&error, &self.address))?;
            // In one-shot, the client is done: some servers close the connection now, and some send
            // another reply.
            let is_over = protocol == Protocol::OneShot;
            let served = probe.request().and_then(|_| if is_over { Ok(()) } else { probe.end() });
            served.map_err(|error| error.to_string())
        };
        visit().map_err(|why| {
            self.with_death(vec![format!("a single client, {when}, was not served: {why}")])
        })?;
        // If it has ended, another process serves the clients, which can't be stopped, squeezed,
        // measured or ended.
        let Some(death) = self.process.as_ref().and_then(ServerProcess::death) else {
            return Ok(());
        };
        Err(vec![format!(
            "a process still replies on its port, but the one that was started is gone; it has to \
             stay in the foreground until Ctrl-C ({death})"
        )])
    }

    /// Sends Ctrl-C while silent clients are connected.
    fn end(&mut self, process: &ServerProcess) -> Survived {
        self.announce("Ctrl-C");
        let connect = |_| TcpStream::connect_timeout(&self.address, PATIENCE);
        let idle: io::Result<Vec<TcpStream>> = (0..IDLE).map(connect).collect();
        let _idle =
            idle.map_err(|error| vec![format!("at the end, no client can connect: {error}")])?;
        match process.end(LAST_PATIENCE) {
            Some(Ok(after)) => self.report.ended_after = Some(after),
            Some(Err(why)) => return Err(vec![format!("after Ctrl-C, {why}")]),
            None => self.not_tried("Ctrl-C, because on this system a program can't send it"),
        }
        Ok(())
    }

    /// If the server has died, that comes before what its clients have seen.
    fn with_death(&self, mut faults: Vec<String>) -> Vec<String> {
        const MOMENT: Duration = Duration::from_millis(200);
        if let Some(process) = &self.process {
            process.wait(MOMENT); // if it is about to end, it gets a moment for that
            faults.splice(..0, process.death());
        }
        faults
    }

    fn announce(&self, doing: &str) {
        (self.progress)(Progress { elapsed: self.began.elapsed(), doing: doing.into() });
    }
}

/// What is wrong with a flood, in words.
fn faults_of(report: &Report, lacked_descriptors: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for stage in Stage::ALL {
        let errors = report.errors.of(stage);
        let ours = if stage == Stage::Connect { report.errors.ours() } else { 0 };
        let (count, all) = (errors.count - ours, report.crowd.connections);
        if let Some(first) = errors.first.as_ref().filter(|_| count > 0) {
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
