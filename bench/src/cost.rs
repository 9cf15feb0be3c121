//! What a request costs: `cargo run --release -p bench -- cost`.
//!
//! The comparison (`compare`) shows servers under a light load, with slow clients. Here each server
//! is under full load: clients that send a request as soon as they have the reply to the last one,
//! and perhaps many that send nothing. The servers are compared by the processor time that a
//! request takes, because that is what a server costs, and because it depends less than the time on
//! the clock on what else the machine does.
//!
//! All servers run at the same time, each with connections of its own, but only one gets requests
//! at a time. They take turns of a few hundredths of a second, in an order that is reversed after
//! each pass. So the two figures of a ratio are measured shortly after each other, and a change on
//! the machine affects both. A server that works even without requests would disturb the others, so
//! it is left out.
//!
//! After ten turns each, all servers are restarted. Where a process and its sockets happen to lie
//! in memory can make it a few percent quicker or slower as long as it lives, and more turns would
//! not show that. Each such round is one sample.
//!
//! What would make it lie: over loopback, a server's send(2) also does the work of receiving in
//! the client's kernel, the same for every server, so ratios are nearer to 1 than they would be
//! between machines. With fewer than two processors, client and server are in each other's way.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use load_generator::BusyClients;
use serde::Serialize;

use crate::load::{PATIENCE, Silent, visit};
use crate::{Interval, MeasuredServer, Meter, Model, Usage};
use output::figures::thousands;

mod table;

pub use table::{doubts, table};

/// How long a server is kept busy to find out how quick it is.
const TRIAL: Duration = Duration::from_millis(30);

/// How long each turn of a server is measured: many times as long as a time slice of the scheduler,
/// and so short that twenty servers have their turns within a second.
const MEASURED: Duration = Duration::from_millis(40);

/// How many turns each server has in a round.
const TURNS: usize = 10;

/// Before each turn, this fraction of it (1 / 8) runs unmeasured, because the server's data has to
/// get back into the processor's caches.
const WARM_UP: u64 = 8;

/// Which load each server gets, and how often.
#[derive(Clone, Debug, Serialize)]
pub struct CostPlan {
    /// The servers.
    #[serde(skip)]
    pub models: Vec<Model>,
    /// How many connections are busy: each sends a request as soon as it has the last reply.
    pub active: usize,
    /// How many more connections there are, which send nothing.
    pub idle: usize,
    /// How many times all servers are started and measured in turns.
    pub rounds: usize,
}

impl CostPlan {
    /// The load in words: `100 active connections and 900 idle ones`.
    pub fn load(&self) -> String {
        let active = match self.active {
            1 => "1 active connection".into(),
            active => format!("{} active connections", thousands(active as f64)),
        };
        match self.idle {
            0 => active,
            1 => format!("{active} and an idle one"),
            idle => format!("{active} and {} idle ones", thousands(idle as f64)),
        }
    }

    /// Takes out the servers that can't be measured under this load.
    pub fn leave_out_unfit(&mut self) -> Vec<LeftOut> {
        let here = self.connections();
        let (mut fit, mut left_out) = (Vec::new(), Vec::new());
        for &model in &self.models {
            let (server, most) = (model.label, model.most_clients());
            if most < here {
                let why = format!("it serves {most} at a time, but there are {here} connections");
                left_out.push(LeftOut { server, why });
            } else if !model.rests {
                let why = "it works even without requests, which takes time from the others".into();
                left_out.push(LeftOut { server, why });
            } else {
                fit.push(model);
            }
        }
        self.models = fit;
        left_out
    }

    fn connections(&self) -> usize {
        self.active + self.idle
    }
}

/// A server that can't be measured under a load. Displayed as a sentence.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// Its label.
    pub server: &'static str,
    /// Why not.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is left out: {}.", self.server, self.why)
    }
}

/// The result of one server. Each list has a figure for each round, in the order of the rounds, so
/// that those of two servers can be compared pair by pair. If a figure is unknown, its list is
/// empty.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cost {
    /// The server's label.
    pub server: String,
    /// Processor time of the server per request, in microseconds.
    pub processor_us: Vec<f64>,
    /// Requests per second that got their replies.
    pub requests_per_s: Vec<f64>,
    /// The share of one core that the server used. If it is well below 1, the server had to wait
    /// for the clients.
    pub share_of_a_core: Vec<f64>,
    /// System calls per request, where the server counts them.
    pub calls_per_request: Vec<f64>,
    /// Which calls it can't count.
    pub calls_not_counted: Option<String>,
    /// Memory of the server's process per connection, in bytes.
    pub memory_per_connection: Vec<f64>,
    /// Why figures are missing.
    pub trouble: Option<String>,
}

impl Cost {
    /// Its processor time per request as a multiple of another server's, round by round.
    pub fn ratio_to(&self, other: &Cost) -> Option<Interval> {
        let pairs = self.processor_us.iter().zip(&other.processor_us);
        Interval::of(&pairs.map(|(one, other)| one / other).collect::<Vec<_>>())
    }
}

/// Measures all servers of the plan; `program` is the binary of this package. The progress is in
/// turns of a server.
///
/// # Errors
///
/// If there are not enough descriptors for all servers. What goes wrong with one server is reported
/// in its result.
pub fn measure(plan: &CostPlan, program: &Path, progress: &ProgressBar) -> io::Result<Vec<Cost>> {
    enough_descriptors(plan)?;
    progress.set_length((plan.models.len() * plan.rounds * (START + TURNS)) as u64);
    let mut candidates: Vec<Candidate> = plan.models.iter().map(Candidate::new).collect();
    for round in 1..=plan.rounds {
        let of_all = |what| format!("round {round} of {}: {what}", plan.rounds);
        for candidate in &mut candidates {
            progress.set_message(of_all(format!("{:?} starts", candidate.model)));
            candidate.start(plan, program);
            progress.inc(START as u64);
        }
        progress.set_message(of_all("turns".into()));
        for turn in 0..TURNS {
            let mut in_order: Vec<&mut Candidate> = candidates.iter_mut().collect();
            if turn % 2 == 1 {
                in_order.reverse();
            }
            for candidate in in_order {
                candidate.take_turn();
                progress.inc(1);
            }
        }
        candidates.iter_mut().for_each(Candidate::stop);
    }
    Ok(candidates.into_iter().map(|candidate| candidate.cost).collect())
}

/// How much progress the start of a server is, in turns: it takes about as long.
const START: usize = 5;

/// The active clients of all servers are in this process. (The idle ones are in another process
/// for each server.) A server has descriptors for both kinds, and the same limit as this process,
/// which starts it.
fn enough_descriptors(plan: &CostPlan) -> io::Result<()> {
    // The rest is for three pipes per server, and for this process's standard streams.
    let by_clients = plan.models.len() * (plan.active + 10) + 10;
    // The rest is for the server's standard streams, listener, poller and pipes.
    let by_server = plan.connections() + 50;
    let limit = system::raise_descriptor_limit()?;
    let too_many = |needed: usize, which: &str, fix: &str| {
        let what = format!("{which} {needed} descriptors, but the limit is {limit}; {fix}");
        Err(io::Error::other(what))
    };
    if limit < by_server as u64 {
        return too_many(by_server, "each server needs", "lower `--active` or `--idle`");
    }
    if limit < by_clients as u64 {
        let which = "the clients of all servers together need";
        return too_many(by_clients, which, "lower `--active`, or choose fewer servers");
    }
    Ok(())
}

/// A server that is measured, until something goes wrong.
struct Candidate {
    model: Model,
    /// What such a server does for its connections and the first request on each; anything more is
    /// for the other requests.
    base: Option<Usage>,
    /// While it runs.
    running: Option<Running>,
    cost: Cost,
}

struct Running {
    scene: Scene,
    /// How many requests each client sends in a turn.
    times: u64,
    turns: Vec<Turn>,
}

/// What is known of one turn.
struct Turn {
    requests: f64,
    took: Duration,
    processor_time: Option<Duration>,
}

impl Candidate {
    fn new(&model: &Model) -> Self {
        let cost = Cost { server: model.label.to_owned(), ..Cost::default() };
        Candidate { model, base: None, running: None, cost }
    }

    fn start(&mut self, plan: &CostPlan, program: &Path) {
        if self.cost.trouble.is_none() {
            let running = self.try_to_start(plan, program);
            self.running = running.map_err(|error| self.fail(&error)).ok();
        }
    }

    fn try_to_start(&mut self, plan: &CostPlan, program: &Path) -> io::Result<Running> {
        if self.base.is_none() {
            self.base = Some(Scene::new(self.model, plan, program)?.stop()?);
        }
        let mut scene = Scene::new(self.model, plan, program)?;
        let each = scene.time_per_request()?;
        let times = MEASURED.div_duration_f64(each).ceil() as u64;
        Ok(Running { scene, times, turns: Vec::new() })
    }

    fn take_turn(&mut self) {
        if let Some(Err(error)) = self.running.as_mut().map(Running::take_turn) {
            self.fail(&error);
        }
    }

    fn stop(&mut self) {
        let Some(Running { scene, turns, .. }) = self.running.take() else { return };
        self.cost.memory_per_connection.extend(scene.memory_per_connection);
        match scene.stop() {
            Ok(usage) => self.add(&turns, usage),
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.running = None;
        self.cost.trouble.get_or_insert(error.to_string());
    }

    /// Adds a round's figures: the medians of its turns.
    fn add(&mut self, turns: &[Turn], usage: Usage) {
        let median = |figure: &dyn Fn(&Turn) -> Option<f64>| {
            let samples: Option<Vec<f64>> = turns.iter().map(figure).collect();
            Some(Interval::of(&samples?)?.median)
        };
        let cost = &mut self.cost;
        cost.requests_per_s.extend(median(&|turn| Some(turn.requests / turn.took.as_secs_f64())));
        cost.processor_us
            .extend(median(&|turn| Some(1e6 * turn.processor_time?.as_secs_f64() / turn.requests)));
        cost.share_of_a_core
            .extend(median(&|turn| Some(turn.processor_time?.div_duration_f64(turn.took))));
        if let Some(base) = self.base.as_ref().filter(|base| !base.calls.is_empty()) {
            let more = |count: fn(&Usage) -> u64| count(&usage) as f64 - count(base) as f64;
            let calls = more(|usage| usage.calls.values().sum());
            cost.calls_per_request.push(calls / more(|usage| usage.requests));
        }
        cost.calls_not_counted = usage.calls_not_counted;
    }
}

impl Running {
    fn take_turn(&mut self) -> io::Result<()> {
        let Scene { clients, meter, .. } = &mut self.scene;
        clients.request(self.times.div_ceil(WARM_UP))?;
        let (began, used_before) = (Instant::now(), meter.processor_time());
        clients.request(self.times)?;
        let (took, used) = (began.elapsed(), meter.processor_time());
        self.turns.push(Turn {
            requests: (self.times * clients.count() as u64) as f64,
            took,
            processor_time: used.zip(used_before).map(|(after, before)| after - before),
        });
        Ok(())
    }
}

/// A server and its clients, all connected.
struct Scene {
    clients: BusyClients,
    _idle: Vec<Silent>,
    meter: Meter,
    memory_per_connection: Option<f64>,
    server: MeasuredServer,
}

impl Scene {
    /// Starts a server and connects all clients. The active ones have sent one request each.
    fn new(model: Model, plan: &CostPlan, program: &Path) -> io::Result<Self> {
        let options = ["--quiet", "--idle-timeout", "never"];
        let server = MeasuredServer::start(program, model, &options)?;
        visit(server.address())?; // so that all its threads and processes are running
        let before = Meter::of(server.id());
        let memory_before = before.memory();
        let idle = connect_idle(plan.idle, &server, &before, program)?;
        let mut clients = BusyClients::connect(server.address(), plan.active, PATIENCE)?;
        clients.request(1)?;
        let meter = Meter::of(server.id());
        let memory = meter.memory().zip(memory_before).filter(|_| meter == before);
        let memory_per_connection = memory
            .map(|(with, without)| (with as f64 - without as f64) / plan.connections() as f64);
        Ok(Scene { clients, _idle: idle, meter, memory_per_connection, server })
    }

    /// How long it takes until each client has the reply to one request, under full load.
    fn time_per_request(&mut self) -> io::Result<Duration> {
        let began = Instant::now();
        let mut times = 1;
        loop {
            let before = Instant::now();
            self.clients.request(times)?;
            if began.elapsed() >= TRIAL {
                return Ok(before.elapsed().div_f64(times as f64));
            }
            times *= 2;
        }
    }

    /// Stops the server while all clients are still connected, and returns what it has done. (If
    /// they closed first, it would be chance how many of them it noticed, and so how many calls it
    /// made.)
    fn stop(self) -> io::Result<Usage> {
        let outcome = self.server.stop()?;
        outcome.usage.ok_or_else(|| io::Error::other("the server died"))
    }
}

/// How many clients connect while a server is paused: they have to fit into its backlog (1024 at
/// the servers here).
const AT_ONCE: usize = 500;

/// Connects clients that send nothing, in such a way that the server accepts as many of them as it
/// can in each turn of its loop. If it accepted them while they connect, the number of turns, and
/// so of calls, would be chance.
fn connect_idle(
    count: usize,
    server: &MeasuredServer,
    meter: &Meter,
    program: &Path,
) -> io::Result<Vec<Silent>> {
    let mut idle = Vec::new();
    for first in (0..count).step_by(AT_ONCE) {
        {
            let _paused = meter.pause();
            idle.push(Silent::connect(program, server.address(), AT_ONCE.min(count - first))?);
        }
        visit(server.address())?; // so that these are accepted before the next ones connect
    }
    Ok(idle)
}
