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

use std::io;
use std::mem;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use load_generator::BusyClients;
use output::figures::thousands;
use serde::Serialize;
use server_kit::whole_number;

use crate::load::{HeldConnections, PATIENCE, visit};
use crate::{Interval, LeftOut, MeasuredServer, Meter, Model, Usage};

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

/// The most connections of a kind: one address has at least this many ports to connect from, on
/// every system.
const MOST: usize = 16_000;

/// Which load each server gets, and how often.
#[derive(Args, Clone, Debug, Serialize)]
pub struct CostPlan {
    /// The servers.
    #[arg(skip)]
    #[serde(skip)]
    pub models: Vec<Model>,

    /// Keep this many connections busy: each sends a request as soon as it has the last reply
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole_number(1..=MOST))]
    pub active: usize,

    /// Hold this many more connections that send nothing
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole_number(0..=MOST))]
    pub idle: usize,

    /// Start all servers this many times; each has ten turns per start
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = whole_number(1..=usize::from(u16::MAX)))]
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
        LeftOut::take_out(&mut self.models, |model| match model.most_clients() {
            most if most < here => {
                Some(format!("it serves {most} at a time, but there are {here} connections"))
            }
            _ if model.rests => None,
            _ => Some("it works even without requests, which takes time from the others".into()),
        })
    }

    fn connections(&self) -> usize {
        self.active + self.idle
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
            candidate.attempt(|it| it.start(plan, program));
            progress.inc(START as u64);
        }
        progress.set_message(of_all("turns".into()));
        for turn in 0..TURNS {
            let mut in_order: Vec<&mut Candidate> = candidates.iter_mut().collect();
            if turn % 2 == 1 {
                in_order.reverse();
            }
            for candidate in in_order {
                candidate.attempt(Candidate::take_turn);
                progress.inc(1);
            }
        }
        candidates.iter_mut().for_each(|candidate| candidate.attempt(Candidate::stop));
    }
    Ok(candidates.into_iter().map(|candidate| candidate.cost).collect())
}

/// How much progress the start of a server is, in turns: it takes about as long.
const START: usize = 5;

/// The active clients of all servers are in this process. (The idle ones are in another process
/// for each server.) A server has descriptors for both kinds, and the same limit as this process,
/// which starts it.
fn enough_descriptors(plan: &CostPlan) -> io::Result<()> {
    // Besides the connections, a server needs some for standard streams, listener, poller and
    // pipes, and this process for its standard streams and three pipes per server.
    let [for_each, for_all] =
        [plan.connections() + 50, plan.models.len() * (plan.active + 10) + 10];
    let limit = system::raise_descriptor_limit()?;
    let too_many = |needed: usize, whose: &str, fix: &str| {
        let what = format!("{whose} {needed} descriptors, but the limit is {limit}; {fix}");
        (limit < needed as u64).then(|| io::Error::other(what))
    };
    let of_server = too_many(for_each, "each server needs", "lower `--active` or `--idle`");
    let whose = "the clients of all servers together need";
    let of_all = too_many(for_all, whose, "lower `--active`, or choose fewer servers");
    of_server.or(of_all).map_or(Ok(()), Err)
}

/// A server that is measured, until something goes wrong.
struct Candidate {
    model: Model,
    /// What such a server does for its connections and the first request on each; anything more is
    /// for the other requests.
    base: Option<Usage>,
    /// While it runs.
    scene: Option<Scene>,
    /// How many requests each client sends in a turn.
    times: u64,
    /// For each turn of this round: requests per second, processor time per request in
    /// microseconds, share of a core.
    turns: Vec<[Option<f64>; 3]>,
    cost: Cost,
}

impl Candidate {
    fn new(&model: &Model) -> Self {
        let cost = Cost { server: model.label.to_owned(), ..Cost::default() };
        Candidate { model, base: None, scene: None, times: 0, turns: Vec::new(), cost }
    }

    /// Takes this step, unless an earlier one went wrong.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.cost.trouble.is_none()
            && let Err(error) = step(self)
        {
            self.scene = None;
            self.cost.trouble = Some(error.to_string());
        }
    }

    fn start(&mut self, plan: &CostPlan, program: &Path) -> io::Result<()> {
        if self.base.is_none() {
            self.base = Some(Scene::new(self.model, plan, program)?.stop()?);
        }
        let scene = self.scene.insert(Scene::new(self.model, plan, program)?);
        self.times = MEASURED.div_duration_f64(scene.time_per_request()?).ceil() as u64;
        Ok(())
    }

    fn take_turn(&mut self) -> io::Result<()> {
        let Some(Scene { clients, meter, .. }) = &mut self.scene else { return Ok(()) };
        clients.request(self.times.div_ceil(WARM_UP))?;
        let (began, used_before) = (Instant::now(), meter.processor_time());
        clients.request(self.times)?;
        let (took, used) = (began.elapsed().as_secs_f64(), meter.processor_time());
        let used = used.zip(used_before).map(|(now, before)| (now - before).as_secs_f64());
        let requests = (self.times * clients.count() as u64) as f64;
        let per_request = used.map(|used| 1e6 * used / requests);
        self.turns.push([Some(requests / took), per_request, used.map(|used| used / took)]);
        Ok(())
    }

    /// Stops the server, and adds the round's figures: the medians of its turns.
    fn stop(&mut self) -> io::Result<()> {
        let Some(scene) = self.scene.take() else { return Ok(()) };
        let cost = &mut self.cost;
        cost.memory_per_connection.extend(scene.memory_per_connection);
        let (usage, turns) = (scene.stop()?, mem::take(&mut self.turns));
        let lists = [&mut cost.requests_per_s, &mut cost.processor_us, &mut cost.share_of_a_core];
        for (figure, list) in lists.into_iter().enumerate() {
            let samples: Option<Vec<f64>> = turns.iter().map(|turn| turn[figure]).collect();
            list.extend(samples.and_then(|samples| Interval::of(&samples)).map(|it| it.median));
        }
        if let Some(base) = self.base.as_ref().filter(|base| !base.calls.is_empty()) {
            let more = |count: fn(&Usage) -> u64| count(&usage) as f64 - count(base) as f64;
            let calls = more(|usage| usage.calls.values().sum());
            cost.calls_per_request.push(calls / more(|usage| usage.requests));
        }
        cost.calls_not_counted = usage.calls_not_counted;
        Ok(())
    }
}

/// A server and its clients, all connected.
struct Scene {
    clients: BusyClients,
    _idle: Vec<HeldConnections>,
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
        self.server.finish()
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
) -> io::Result<Vec<HeldConnections>> {
    let mut idle = Vec::new();
    for first in (0..count).step_by(AT_ONCE) {
        {
            let _paused = meter.pause();
            let more = AT_ONCE.min(count - first);
            idle.push(HeldConnections::silent(program, server.address(), more)?);
        }
        visit(server.address())?; // so that these are accepted before the next ones connect
    }
    Ok(idle)
}
