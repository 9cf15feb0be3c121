//! The course of a run: waves and rests until the time is up, and the end of the server.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::outcome::Outcome;
use super::plan::Plan;
use super::rest::{Sample, growth};
use super::torment::{Endured, torment};
use super::wave::{Arrival, Wave};
use load_generator::Probe;
use load_generator::report::{Report, Stage};
use load_generator::{START_ONE, cannot_reach, flood};
use server_process::{NotStarted, told};
use server_process::{ServerProcess, Target, TargetKind, resolve};
use system::advice;

/// After so long a time of waves comes a rest.
const BETWEEN_RESTS: Duration = Duration::from_secs(20);

/// How long a visitor waits for an answer, when nobody else is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the server may take to end after Ctrl-C: ours take a second at most, and this
/// machine may be busy.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// How many say nothing when Ctrl-C comes.
const IDLE: usize = 3;

/// After so long, ports of connections that are over can be had again (Linux keeps a loopback
/// port for a second, tcp_tw_reuse in ip-sysctl.rst; others do for a minute).
const NEW_PORTS: Duration = Duration::from_secs(2);

/// How many descriptors this program needs besides one for each client.
const SPARE_DESCRIPTORS: u64 = 100;

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How much of the time is over.
    pub elapsed: Duration,
    /// What goes on, in a few words.
    pub doing: String,
}

/// What ends a run early: the rest of the outcome stands.
struct Ended;

/// Lets chaos loose on a server, as planned.
///
/// Raises the process's soft limit of descriptors to the hard one, and so that of the server that
/// it starts.
pub fn run(subject: &Target, plan: &Plan, progress: &dyn Fn(Progress)) -> Outcome {
    let mut outcome = Outcome::new(subject.to_string(), plan);
    let began = Instant::now();
    outcome.plan = fitting(plan, &mut outcome);
    let plan = &outcome.plan.clone();
    let (address, process) = match &subject.kind {
        TargetKind::Address(address) => (resolve(address, PATIENCE), None),
        TargetKind::Command(words) => match ServerProcess::start(words, plan.start_within) {
            Ok(process) => (Ok(process.address()), Some(process)),
            Err(NotStarted { why, .. }) => (Err(why), None),
        },
    };
    match address {
        Ok(address) => {
            let mut course = Course { plan, address, process, began, progress, outcome };
            let ended = course.run();
            outcome = course.outcome;
            debug_assert_eq!(ended.is_err(), !outcome.faults.is_empty());
        }
        Err(why) => outcome.faults.push(why),
    }
    outcome.took = began.elapsed();
    outcome
}

/// The plan as far as this process has descriptors for its clients.
fn fitting(plan: &Plan, outcome: &mut Outcome) -> Plan {
    // Should it fail, it is as on a system without such a limit, and the floods find out.
    let limit = system::raise_descriptor_limit().unwrap_or(u64::MAX);
    let most =
        usize::try_from(limit.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX).max(1);
    if plan.connections > most {
        outcome.not_tried.push(format!(
            "more than {most} clients at the same time: this program may have {limit} descriptors \
             (see `ulimit -n`)"
        ));
    }
    Plan { connections: plan.connections.min(most), ..plan.clone() }
}

struct Course<'a> {
    plan: &'a Plan,
    address: SocketAddr,
    process: Option<ServerProcess>,
    began: Instant,
    progress: &'a dyn Fn(Progress),
    outcome: Outcome,
}

impl Course<'_> {
    fn run(&mut self) -> Result<(), Ended> {
        if self.process.is_none() {
            self.outcome.not_tried.push(
                "stops, descriptors, memory and the end by Ctrl-C: give the server's command \
                 instead of its address"
                    .into(),
            );
        }
        self.visit("before all this")?;
        self.still_there()?;
        self.tell("first look".into());
        let process = self.process.as_ref();
        self.outcome.fresh = process.and_then(|process| Sample::settled(process, self.began));
        if self.process.is_some() && self.outcome.fresh.is_none() {
            let sentence = "memory and descriptors: this system does not tell what a process has";
            self.cannot(true, sentence);
        }
        // The first sample is what the others are held against, so it comes after as much as
        // will ever come: by then the server's tables and buffers have their size.
        let zoo = Wave::zoo(self.plan);
        self.wave(&zoo, "the first wave, which is always the same")?;
        self.rest();
        self.waves()?;
        self.wave(&zoo, "the last wave, which is the same as the first")?;
        self.rest();
        self.judge_rests()?;
        self.visit("after all this")?;
        self.still_there()?;
        if self.outcome.asked == 0 {
            let fault = "this machine had no port or no descriptor for anybody who asks: try again \
                         in a minute, or with fewer `--connections`";
            self.outcome.faults.push(fault.into());
            return Err(Ended);
        }
        self.end()
    }

    /// Until the time is up; at least one wave.
    fn waves(&mut self) -> Result<(), Ended> {
        let mut rested = Instant::now();
        for count in 0.. {
            let number = self.plan.wave.unwrap_or(count);
            let wave = Wave::draw(self.plan, number);
            let what = format!("wave {number}, {} clients", wave.clients());
            self.outcome.waves += 1;
            if let Err(ended) = self.wave(&wave, &what) {
                self.outcome.failed_wave = Some(wave);
                return Err(ended);
            }
            if self.began.elapsed() >= self.plan.time {
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
        self.tell(what.into());
        let (over, is_over) = mpsc::channel();
        let (address, process) = (self.address, self.process.as_ref());
        let (reports, endured) = thread::scope(|scope| {
            let torments = process.map(|process| {
                let torment = move || torment(process, &wave.torments, &is_over);
                thread::Builder::new().spawn_scoped(scope, torment)
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
            (reports, torments.map_or(Ok(Endured::default()), |torment| torment.map(joined)))
        });
        let mut faults = Vec::new();
        let cannot_go_on =
            |error: io::Error| format!("the client can't go on: {error}{}", advice(&error));
        let endured = endured.unwrap_or_else(|error| {
            faults.push(cannot_go_on(error));
            Endured::default()
        });
        self.outcome.stops += endured.stops;
        self.outcome.squeezes += endured.squeezes;
        let mut ours = 0;
        for report in reports {
            match report {
                Ok(report) => {
                    self.outcome.clients += report.crowd.connections as u64;
                    self.outcome.asked += report.asked;
                    self.outcome.answered += report.answered;
                    ours += report.errors.ours();
                    faults.extend(faults_of(&report, endured.squeezes > 0));
                }
                Err(error) => faults.push(cannot_go_on(error)),
            }
        }
        if ours > 0 {
            self.outcome.ours += ours as u64;
            self.tell("waiting for ports".into());
            thread::sleep(NEW_PORTS);
        }
        if faults.is_empty() {
            // Otherwise the reason may well be that the server is gone.
            self.cannot(endured.no_stops, "stops: this system can't stop a process");
            let sentence = "descriptors that run out: nobody can set this server's limits from \
                            outside";
            self.cannot(endured.no_squeezes, sentence);
            return Ok(());
        }
        self.outcome.faults.push(format!("in {what}: {}", wave.told()));
        self.outcome.faults.extend(faults);
        self.fails()
    }

    /// Says once that something could not be tried.
    fn cannot(&mut self, is_so: bool, sentence: &str) {
        if is_so && !self.outcome.not_tried.iter().any(|told| told == sentence) {
            self.outcome.not_tried.push(sentence.into());
        }
    }

    fn rest(&mut self) {
        self.tell("rest".into());
        let (Some(process), Some(fresh)) = (&self.process, self.outcome.fresh) else { return };
        // At first it may have opened less than it needs for clients.
        let before = self.outcome.samples.first().unwrap_or(&fresh);
        let sample = Sample::at_rest(process, self.began, before.descriptors);
        self.outcome.samples.extend(sample);
    }

    fn judge_rests(&mut self) -> Result<(), Ended> {
        let samples = &self.outcome.samples;
        let mut faults: Vec<String> = growth(samples).into_iter().collect();
        if let (Some(first), Some(last)) = (samples.first(), samples.last())
            && last.descriptors > first.descriptors
        {
            faults.push(format!(
                "{} descriptors are open though nobody is there; after the first wave there were \
                 {}",
                last.descriptors, first.descriptors
            ));
        }
        if faults.is_empty() {
            return Ok(());
        }
        self.outcome.faults.extend(faults);
        self.fails()
    }

    /// Somebody who does nothing special is answered.
    fn visit(&mut self, when: &str) -> Result<(), Ended> {
        let visit = || {
            let mut probe = Probe::connect(self.address, self.plan.protocol, PATIENCE)
                .map_err(|error| cannot_reach(&error, &self.address))?;
            // Who speaks one-shot is through: some servers close then, and some greet again.
            let is_over = self.plan.protocol == Protocol::OneShot;
            let asked = probe.ask().and_then(|_| if is_over { Ok(()) } else { probe.end() });
            asked.map_err(|error| error.to_string())
        };
        match visit() {
            Ok(()) => Ok(()),
            Err(why) => {
                let fault = format!("a single client, {when}, was not served: {why}");
                self.outcome.faults.push(fault);
                self.fails()
            }
        }
    }

    /// Somebody is served; but if the process that was started has ended, it is not known by
    /// whom, and nobody can be stopped, squeezed, looked at or ended.
    fn still_there(&mut self) -> Result<(), Ended> {
        let death = self.process.as_ref().and_then(ServerProcess::death);
        let Some(death) = death else { return Ok(()) };
        self.outcome.faults.push(format!(
            "somebody still answers on its port, but what was started is gone; it must stay in the \
             foreground until Ctrl-C ({death})"
        ));
        Err(Ended)
    }

    /// Ctrl-C, while some are there who say nothing.
    fn end(&mut self) -> Result<(), Ended> {
        let Some(process) = self.process.take() else { return Ok(()) };
        if !self.plan.ctrl_c {
            return Ok(());
        }
        self.tell("Ctrl-C".into());
        let come = |_| TcpStream::connect_timeout(&self.address, PATIENCE);
        let idle: io::Result<Vec<TcpStream>> = (0..IDLE).map(come).collect();
        let _idle = match idle {
            Ok(idle) => idle,
            Err(error) => {
                self.outcome.faults.push(format!("at the end nobody can connect: {error}"));
                return Err(Ended);
            }
        };
        let began = Instant::now();
        if !process.interrupt() {
            let why = "the end: this system has no Ctrl-C that a program could send";
            self.cannot(true, why);
            return Ok(());
        }
        match process.wait(LAST_PATIENCE) {
            None => {
                let fault = format!("it was still there {LAST_PATIENCE:?} after Ctrl-C");
                self.outcome.faults.push(fault);
                Err(Ended)
            }
            Some(status) if !status.success() => {
                let how = process.death().unwrap_or_else(|| format!("the server {}", told(status)));
                self.outcome.faults.push(format!("after Ctrl-C, {how}"));
                Err(Ended)
            }
            Some(_) => {
                let after = began.elapsed();
                if process.is_survived() {
                    let fault = "after Ctrl-C, the server ended with status 0, but somebody still \
                                 listens on its port: one of its processes, most likely";
                    self.outcome.faults.push(fault.into());
                    return Err(Ended);
                }
                self.outcome.ended_after = Some(after);
                Ok(())
            }
        }
    }

    /// Ends the run. If the server has died, that is told, too.
    fn fails<T>(&mut self) -> Result<T, Ended> {
        const MOMENT: Duration = Duration::from_millis(200);
        if let Some(process) = &self.process {
            process.wait(MOMENT); // who is about to end is given a moment for it
            // Before what its clients have seen of it.
            let at = usize::from(self.outcome.faults.len() > 1);
            process.death().into_iter().for_each(|death| self.outcome.faults.insert(at, death));
        }
        Err(Ended)
    }

    fn tell(&self, doing: String) {
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
            "nothing has moved for {:?}, though there are descriptors again: most likely the server \
             has stopped accepting when there were none, and waits for one of its own connections \
             to be closed; let it try again after a while, too",
            report.crowd.timeout
        ),
        _ => stuck.explanation(&report.crowd),
    }));
    if faults.is_empty() && report.errors.ours() == 0 && report.answered != report.asked {
        let Report { answered, asked, .. } = report;
        faults.push(format!("only {answered} of {asked} requests were answered"));
    }
    faults
}

/// What a thread has returned; if it has panicked, so does this one.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
