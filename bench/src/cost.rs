//! What a request costs: `cargo run --release -p bench -- cost`.
//!
//! The comparison (`compare`) shows servers at leisure, beside slow clients. Here each has as
//! much to do as it can: clients that ask again as soon as they are answered, and perhaps many
//! that say nothing. What is compared is the processor time that a request takes, because that
//! is what a server costs, and because it depends less on what else the machine does than
//! the time on the clock.
//!
//! The servers take turns, round by round, and each round has them in the opposite order of
//! the one before. So a ratio of two of them is that of neighbours in time, and what changes
//! slowly on the machine is in both.
//!
//! What would make it lie: over loopback, a server's send(2) also does the work of receiving in
//! the client's kernel, the same for every server, so ratios are nearer to 1 than they would be
//! between machines. With fewer than two processors, client and server are in each other's way.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use client::Askers;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::figures::{Quantity, calls_told, grouped, percent, thousands};
use crate::load::{PATIENCE, Silent, visit};
use crate::{Interval, Meter, Model, ServerProcess, Usage};

/// How long a server is kept busy before it is measured, and how long it is measured. Long
/// enough that the clocks are exact, and short enough that a turn of all servers takes seconds.
const WARM_UP: Duration = Duration::from_millis(50);
const MEASURED: Duration = Duration::from_millis(400);

/// Which load each server gets, and how often.
#[derive(Clone, Debug, Serialize)]
pub struct CostPlan {
    /// The servers.
    #[serde(skip)]
    pub models: Vec<Model>,
    /// How many connections ask, each again as soon as it is answered.
    pub active: usize,
    /// How many are there besides and say nothing.
    pub idle: usize,
    /// How many times each server is measured, in turns.
    pub rounds: usize,
}

impl CostPlan {
    /// The load in words: `100 active connections beside 900 idle ones`.
    pub fn load(&self) -> String {
        let active = thousands(self.active as f64);
        match self.idle {
            0 => format!("{active} active connections"),
            idle => {
                format!("{active} active connections beside {} idle ones", thousands(idle as f64))
            }
        }
    }

    /// Takes the servers out that don't serve so many clients at a time, with a sentence for
    /// each.
    pub fn leave_out_the_unfit(&mut self) -> Vec<String> {
        let here = self.connections();
        let (fit, unfit): (Vec<_>, Vec<_>) =
            self.models.iter().partition(|model| model.most_clients() >= here);
        self.models = fit;
        let told = |Model { label, serves_at_once, .. }: &Model| {
            format!(
                "{label} is left out: it serves {serves_at_once} at a time, and here are {here}."
            )
        };
        unfit.iter().map(told).collect()
    }

    fn connections(&self) -> usize {
        self.active + self.idle
    }
}

/// What came of one server; each list has a figure for each round, in the order of the rounds,
/// so that those of two servers can be compared pair by pair. The list is empty where the
/// figure is not known.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cost {
    /// The server's label.
    pub server: String,
    /// Processor time of the server for each request, in microseconds.
    pub processor_us: Vec<f64>,
    /// Requests answered in a second.
    pub requests_per_s: Vec<f64>,
    /// The share of one core that the server used. If it is well below 1, then the server had
    /// to wait for the clients.
    pub share_of_a_core: Vec<f64>,
    /// System calls for each request, where the server counts them.
    pub calls_per_request: Vec<f64>,
    /// Which of them it can't count.
    pub calls_not_counted: Option<String>,
    /// Memory of the server's process for each connection, in bytes.
    pub memory_per_connection: Vec<f64>,
    /// Why there are no figures.
    pub trouble: Option<String>,
}

impl Cost {
    /// Its processor time for each request as a multiple of another server's, round by round.
    pub fn ratio_to(&self, other: &Cost) -> Option<Interval> {
        let pairs = self.processor_us.iter().zip(&other.processor_us);
        Interval::of(&pairs.map(|(one, other)| one / other).collect::<Vec<_>>())
    }

    /// Adds a round's figures. `base` is what the server did in a run in which hardly anything
    /// was asked: the rest was for the requests, and not for the connections.
    fn add(&mut self, run: &Run, base: &Usage) {
        let requests = run.requests as f64;
        self.requests_per_s.push(requests / run.took.as_secs_f64());
        if let Some(time) = run.processor_time {
            self.processor_us.push(1e6 * time.as_secs_f64() / requests);
            self.share_of_a_core.push(time.div_duration_f64(run.took));
        }
        self.memory_per_connection.extend(run.memory_per_connection);
        self.calls_not_counted.clone_from(&run.usage.calls_not_counted);
        if !run.usage.calls.is_empty() {
            let more = |count: fn(&Usage) -> u64| count(&run.usage) as f64 - count(base) as f64;
            let calls = more(|usage| usage.calls.values().sum());
            self.calls_per_request.push(calls / more(|usage| usage.requests));
        }
    }
}

/// Measures all servers of the plan; `program` is the binary of this package. The progress is in
/// runs of a server. What goes wrong stands in what came of the server.
pub fn measure(plan: &CostPlan, program: &Path, progress: &ProgressBar) -> Vec<Cost> {
    progress.set_length((plan.models.len() * (1 + plan.rounds)) as u64);
    let mut servers: Vec<_> = plan.models.iter().map(|&model| Measured::new(model)).collect();
    for round in 0..=plan.rounds {
        let mut in_turn: Vec<&mut Measured> = servers.iter_mut().collect();
        if round % 2 == 0 {
            in_turn.reverse();
        }
        for server in in_turn {
            let name = server.model.label;
            progress.set_message(format!("round {round} of {}: {name}", plan.rounds));
            if server.cost.trouble.is_none() {
                let result = server.measure_once(plan, program);
                server.cost.trouble = result.err().map(|error| error.to_string());
            }
            progress.inc(1);
        }
    }
    servers.into_iter().map(|server| server.cost).collect()
}

/// A server, and what is known of it so far.
struct Measured {
    model: Model,
    /// What it did in its first run, in which hardly anything was asked.
    base: Option<Usage>,
    cost: Cost,
}

impl Measured {
    fn new(model: Model) -> Self {
        let cost = Cost { server: model.label.to_owned(), ..Cost::default() };
        Measured { model, base: None, cost }
    }

    fn measure_once(&mut self, plan: &CostPlan, program: &Path) -> io::Result<()> {
        match &self.base {
            None => self.base = Some(Run::of(self.model, plan, Duration::ZERO, program)?.usage),
            Some(base) => self.cost.add(&Run::of(self.model, plan, MEASURED, program)?, base),
        }
        Ok(())
    }
}

/// One run of a server, from its start to its end.
struct Run {
    /// How many requests were answered while it was measured, and how long that took.
    requests: u64,
    took: Duration,
    /// What the server used meanwhile.
    processor_time: Option<Duration>,
    memory_per_connection: Option<f64>,
    /// What it did from its start to its end.
    usage: Usage,
}

impl Run {
    /// Keeps the server busy for the warm-up, and then for about as long as told.
    fn of(model: Model, plan: &CostPlan, measured: Duration, program: &Path) -> io::Result<Self> {
        let server = ServerProcess::start(ServerProcess::command(program, model, &["--quiet"]))?;
        visit(server.address())?; // so that it has started whatever it starts
        let before = Meter::of(server.id());
        let memory_before = before.memory();
        let _silent = Silent::connect(server.address(), plan.idle)?;
        let mut askers = Askers::connect(server.address(), plan.active, PATIENCE)?;
        let each = warm_up(&mut askers)?;
        // Once at least, and for a run that is not measured not much more often.
        let times = measured.div_duration_f64(each).ceil().max(1.0) as u64;
        let meter = Meter::of(server.id());
        let memory = meter.memory().zip(memory_before).filter(|_| meter == before);

        let (began, used_before) = (Instant::now(), meter.processor_time());
        askers.ask(times)?;
        let (took, used) = (began.elapsed(), meter.processor_time());

        let outcome = server.stop()?;
        let usage = outcome.usage.ok_or_else(|| io::Error::other("the server died"))?;
        Ok(Run {
            requests: times * askers.count() as u64,
            took,
            processor_time: used.zip(used_before).map(|(after, before)| after - before),
            memory_per_connection: memory
                .map(|(with, without)| (with as f64 - without as f64) / plan.connections() as f64),
            usage,
        })
    }
}

/// Asks until it is warm; returns how long the clients take to ask once each.
fn warm_up(askers: &mut Askers) -> io::Result<Duration> {
    let began = Instant::now();
    let mut times = 1;
    loop {
        let before = Instant::now();
        askers.ask(times)?;
        if began.elapsed() >= WARM_UP {
            return Ok(before.elapsed().div_f64(times as f64));
        }
        times *= 2;
    }
}

/// What stands above the columns of the table.
const COLUMNS: [&str; 7] = [
    "server",
    "requests/s",
    "of a core",
    "time/request",
    "to poll-server",
    "calls/request",
    "memory/connection",
];

/// The costs as a table for people; medians of all rounds, in brackets the bounds between which
/// the true ones lie, see [`Interval`].
pub fn table(costs: &[Cost]) -> String {
    let base = costs.iter().find(|cost| cost.server == Model::POLL.label);
    let rows = costs.iter().map(|cost| cells(cost, base));
    let mut text = crate::table::aligned(COLUMNS, rows);
    for cost in costs {
        if let Some(trouble) = &cost.trouble {
            text += &format!("\n{}: {trouble}.", cost.server);
        }
    }
    text
}

fn cells(cost: &Cost, base: Option<&Cost>) -> [String; COLUMNS.len()] {
    let median = |samples: &[f64], told: &dyn Fn(f64) -> String| {
        Interval::of(samples).map(|interval| told(interval.median))
    };
    let at_least = if cost.calls_not_counted.is_some() { "≥ " } else { "" };
    let ratio = base.and_then(|base| cost.ratio_to(base));
    let time = Interval::of(&nanoseconds(&cost.processor_us));
    let cells = [
        Some(cost.server.clone()),
        median(&cost.requests_per_s, &grouped),
        median(&cost.share_of_a_core, &percent),
        time.map(|time| Quantity::Time.told_with_bounds(time)),
        ratio.map(|ratio| Quantity::Number.told_with_bounds(ratio)),
        median(&cost.calls_per_request, &|calls| format!("{at_least}{}", calls_told(calls))),
        median(&cost.memory_per_connection, &|bytes| Quantity::Memory.told(bytes)),
    ];
    cells.map(|cell| cell.unwrap_or_else(|| UNKNOWN.into()))
}

fn nanoseconds(microseconds: &[f64]) -> Vec<f64> {
    microseconds.iter().map(|time| 1000.0 * time).collect()
}

/// Stands for a figure that is not known.
const UNKNOWN: &str = "–";

/// A server that used less of a core than this was not kept busy.
const BUSY: f64 = 0.9;

/// Where the figures bear less than they seem to, a sentence each.
pub fn doubts(costs: &[Cost]) -> Vec<String> {
    let idle = costs.iter().filter_map(|cost| {
        let share = Interval::of(&cost.share_of_a_core)?.median;
        (share < BUSY).then(|| {
            format!(
                "{} used {} of a core only: it waited for the clients or for its own threads, and \
                 to wait costs, too.",
                cost.server,
                percent(share)
            )
        })
    });
    // Where none are counted, nothing is to be mistaken.
    let counting = costs.iter().filter(|cost| !cost.calls_per_request.is_empty());
    let not_counted = counting.filter_map(|cost| {
        let what = cost.calls_not_counted.as_ref()?;
        Some(format!("Not counted at {}: {what}.", cost.server))
    });
    idle.chain(not_counted).collect()
}
