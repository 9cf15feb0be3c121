//! Many connections: `cargo run --release -p bench -- many`.
//!
//! As many as the limit of descriptors allows, held at once on one server after the other: how
//! long somebody waits beside them, what each of them costs in memory, whether all are still
//! there when they ask again, and what comes back when they have gone.
//!
//! The crowd is in processes of its own ([`Held`]), one for each address that it comes from: on
//! Linux 127.0.0.2, 127.0.0.3 and so on, which all are this machine, since one address has some
//! 28,000 ports only. The probe comes from 127.0.0.1. Each connection asks once and is answered
//! before it falls silent: who only stands in the backlog does not count.
//!
//! Memory of the server is what it has for itself, heaps and stacks, with all its processes.
//! The kernel tells only what all programs together make it use, and both ends of each
//! connection are in the same kernel here. So two bare ends, which nobody waits for, are
//! measured first (`many/bare.rs`): what there is more is what the server's way to wait takes,
//! its threads and their stacks and page tables, or what epoll remembers.
//!
//! Left out: on systems other than Linux, memory, and more addresses than one, from which the
//! probe comes, too. What would make it lie: whatever else runs makes the kernel take memory and
//! give it back meanwhile. So it is looked at twice each time; if the two differ, it may have
//! gone on like that all the time, and that is the noise.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use load_generator::report::Latencies;
use serde::{Serialize, Serializer};

use crate::cost::LeftOut;
use crate::figures::thousands;
use crate::load::{Held, PATIENCE, kept_probe, visit};
use crate::{Meter, Model, ServerProcess};

mod bare;
mod growth;
mod kernel;
mod look;
mod table;

pub use growth::{Course, Growth};
pub use kernel::ObjectsForEach;
use look::Look;
pub use table::{findings, introduction, table};

/// Descriptors that a process needs besides the connections: streams, pipes, a listener, what it
/// waits with; and, where several share the connections, for one that gets more than its share.
const SPARE: usize = 100;

/// Descriptors below the limit that nobody uses unless asked to: a round number remains.
const RESERVE: usize = 1000;

/// How many connections come from one address at most: as many as the system has ports to give
/// away (32768 to 60999 on Linux, unless somebody has changed `ip_local_port_range`, ip(7); 49152
/// to 65535 elsewhere), but for some that others need.
const MOST_FROM_ONE: usize = if cfg!(target_os = "linux") { 28_000 } else { 16_000 };

/// How many come from one address unless asked otherwise. Linux gives away the ports of one
/// parity first. When they are used up, each connect(2) looks through all of them in vain before
/// it takes one of the others: with 19,000 connections from one address, that was 2 ms for each.
const QUICK_FROM_ONE: usize = if cfg!(target_os = "linux") { 14_000 } else { MOST_FROM_ONE };

/// From how many addresses they can come: 127.0.0.2 to 127.0.0.255.
pub const MOST_SOURCES: u8 = 254;

/// Connections that a probe needs at most: its own, and for a server that is still busy with the
/// end of the one before.
const PROBES: usize = 2;

/// Fewer than this are no crowd: whoever can't have so many is left out, if more were asked for.
const CROWD: usize = 100;

/// How often a probe asks, and how often it visits.
const ASKS: usize = 300;

/// How often at least, if each takes long: as many as tell a 99th percentile.
const ASKS_AT_LEAST: usize = 100;

/// When it has been often enough.
const ENOUGH: Duration = Duration::from_secs(2);

/// How often it is looked whether the server has closed all, of which no event tells.
const LOOK: Duration = Duration::from_millis(5);

/// How many connections, at which servers.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The servers.
    pub models: Vec<Model>,
    /// How many connections are to be held at each of them.
    pub connections: usize,
    /// From how many addresses of this machine they come; `None`: as few as have ports enough.
    pub sources: Option<usize>,
    /// How many descriptors a process may have.
    pub limit: usize,
}

/// As many as a process can have; and where it can have millions, as many as one address has
/// ports, for which the kernel takes a quarter of a gigabyte.
pub fn most_connections(limit: usize) -> usize {
    limit.saturating_sub(RESERVE).clamp(1, MOST_FROM_ONE)
}

impl Plan {
    /// Whether it can be carried out.
    ///
    /// # Errors
    ///
    /// A sentence that says why not.
    pub fn check(&self) -> Result<(), String> {
        let connections = self.connections;
        let sources = self.sources.unwrap_or(1);
        if connections == 0 {
            return Err("somebody has to come: `--connections` is at least 1".into());
        }
        if sources > 1 && !cfg!(target_os = "linux") {
            return Err(
                "only on Linux is each 127.x.y.z this machine: leave `--sources` out".into()
            );
        }
        if self.sources.is_some() && connections.div_ceil(sources) > self.most_from_one() {
            let least = connections.div_ceil(self.most_from_one());
            let most = thousands(self.most_from_one() as f64);
            let way_out = match least <= MOST_SOURCES.into() {
                true => format!("take `--sources {least}`"),
                false => "take fewer".into(),
            };
            return Err(format!(
                "one address and one process hold {most} connections here: {way_out}"
            ));
        }
        Ok(())
    }

    /// How many connections one address has ports for, and its process descriptors.
    fn most_from_one(&self) -> usize {
        MOST_FROM_ONE.min(self.limit.saturating_sub(SPARE)).max(1)
    }

    /// How many of so many connections come from which address; `None` is the system's choice.
    fn sources(&self, connections: usize) -> Vec<(Option<IpAddr>, usize)> {
        if !cfg!(target_os = "linux") {
            return vec![(None, connections)];
        }
        let needed = connections.div_ceil(QUICK_FROM_ONE.min(self.most_from_one()));
        let sources = self.sources.unwrap_or(needed).clamp(1, connections);
        let until = |number: usize| connections * number / sources;
        let source = |number: usize| {
            let address = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + number as u32);
            (Some(address.into()), until(number + 1) - until(number))
        };
        (0..sources).map(source).collect()
    }

    /// How many this server can hold beside the probe, and what keeps it from holding all.
    fn room_at(&self, model: &Model) -> (usize, Option<String>) {
        let by_model = model.most_clients().saturating_sub(PROBES);
        let by_descriptors = self.limit.saturating_sub(SPARE).saturating_mul(model.processes());
        let by_sources = match cfg!(target_os = "linux") {
            true => usize::MAX,
            false => self.most_from_one(),
        };
        let room = by_model.min(by_descriptors).min(by_sources);
        if room >= self.connections {
            return (self.connections, None);
        }
        let limit = thousands(self.limit as f64);
        let why = if room == by_model {
            let most = thousands(model.most_clients() as f64);
            format!("it has {most} clients at most, and the probe needs room, too")
        } else if room == by_descriptors {
            match model.processes() {
                1 => format!("a process may have {limit} descriptors"),
                many => format!("each of its {many} processes may have {limit} descriptors"),
            }
        } else {
            format!("one address and one process hold {} here", thousands(room as f64))
        };
        (room, Some(why))
    }

    /// Takes the servers out that can't hold a crowd.
    pub fn leave_out_the_unfit(&mut self) -> Vec<LeftOut> {
        let (mut fit, mut left_out) = (Vec::new(), Vec::new());
        for &model in &self.models {
            let (room, bound) = self.room_at(&model);
            if room >= CROWD.min(self.connections) {
                fit.push(model);
                continue;
            }
            let why = match model.serves_at_once {
                usize::MAX => bound.unwrap_or_default(),
                few => format!("it serves {few} at a time, and silent ones keep all others out"),
            };
            left_out.push(LeftOut { server: model.label, why });
        }
        self.models = fit;
        left_out
    }
}

/// How long a probe waited. In JSON in microseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Waits {
    /// For each answer on a connection that it keeps.
    #[serde(rename = "kept_us")]
    pub kept: Latencies,
    /// For each answer on a connection of its own, from before the connect.
    #[serde(rename = "visit_us")]
    pub visit: Latencies,
}

impl Waits {
    /// A probe at this address.
    fn of_probe(address: SocketAddr) -> io::Result<Self> {
        let mut probe = kept_probe(address)?;
        let kept = often(|| probe.ask())?;
        probe.end()?;
        let visit = often(|| visit(address))?;
        Ok(Waits { kept, visit })
    }
}

fn often(mut ask: impl FnMut() -> io::Result<Duration>) -> io::Result<Latencies> {
    let mut latencies = Latencies::default();
    let began = Instant::now();
    for number in 0..ASKS {
        if number >= ASKS_AT_LEAST && began.elapsed() > ENOUGH {
            break;
        }
        latencies.record(ask()?);
    }
    Ok(latencies)
}

/// What came of one server. What is not known, because the system does not tell or because
/// something went wrong before, is `None`. In JSON, `_s` are seconds, and memory is in bytes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The server's label.
    pub server: &'static str,
    /// How many connections were to be held.
    pub wanted: usize,
    /// Why that is less than what was asked for.
    pub bound: Option<String>,
    /// How many had asked once, had been answered, and were held.
    pub held: usize,
    /// How long it took to get there.
    #[serde(rename = "connected_s", serialize_with = "as_seconds")]
    pub connected: Option<Duration>,
    /// A probe before the crowd came.
    pub alone: Option<Waits>,
    /// A probe beside the crowd.
    pub beside: Option<Waits>,
    /// The share of a core that the server used while everybody was silent.
    pub idle_share_of_a_core: Option<f64>,
    /// Memory of the server's own, all its processes together.
    pub process: Option<Course>,
    /// The server's descriptors, all its processes together.
    pub descriptors: Option<Course>,
    /// Memory of the kernel, for both ends.
    pub kernel: Option<Growth>,
    /// How many were answered when all asked once more.
    pub answered_again: usize,
    /// How long that took.
    #[serde(rename = "answered_again_s", serialize_with = "as_seconds")]
    pub all_asked: Option<Duration>,
    /// What went wrong, in words.
    pub trouble: Vec<String>,
}

fn as_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

impl Row {
    /// Whether all were held and answered, and nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.held == self.wanted && self.answered_again == self.held && self.trouble.is_empty()
    }
}

/// What came of all of them.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// What two ends cost the kernel that nobody waits for.
    pub bare: Option<Growth>,
    /// The servers, in the order of the plan.
    pub servers: Vec<Row>,
}

/// Holds the crowd at each server of the plan; `program` is the binary of this package. The
/// progress is in connections.
///
/// # Errors
///
/// If not even sockets that nobody waits for can be had. What goes wrong with a server stands in
/// its row.
pub fn measure(plan: &Plan, program: &Path, progress: &ProgressBar) -> io::Result<Measured> {
    let rooms: Vec<_> = plan.models.iter().map(|model| plan.room_at(model)).collect();
    progress.set_length(rooms.iter().map(|(room, _)| *room as u64).sum());
    progress.set_message("sockets that nobody waits for");
    let most = plan.connections.min(plan.most_from_one());
    let bare = bare::bare(most, program)?;
    let mut servers = Vec::new();
    for (&model, (wanted, bound)) in plan.models.iter().zip(rooms) {
        let mut row = Row { server: model.label, wanted, bound, ..Row::default() };
        if let Err(error) = hold_at(model, plan, program, progress, &mut row) {
            row.trouble.push(error.to_string());
        }
        servers.push(row);
    }
    Ok(Measured { bare, servers })
}

/// What goes wrong besides stands in the row.
fn hold_at(
    model: Model,
    plan: &Plan,
    program: &Path,
    progress: &ProgressBar,
    row: &mut Row,
) -> io::Result<()> {
    let server = ServerProcess::start(ServerProcess::command(program, model, options(model)))?;
    if let Err(error) = measure_at(&server, plan, program, progress, row) {
        row.trouble.push(error.to_string());
    }
    let outcome = server.stop()?;
    if !outcome.status.success() {
        row.trouble.push(format!("the server died ({}): {}", outcome.status, outcome.last_words()));
    }
    Ok(())
}

fn measure_at(
    server: &ServerProcess,
    plan: &Plan,
    program: &Path,
    progress: &ProgressBar,
    row: &mut Row,
) -> io::Result<()> {
    let label = row.server;
    let tell = |what: &str| progress.set_message(format!("{label}: {what}"));
    tell("alone");
    let address = server.address();
    row.alone = Some(Waits::of_probe(address)?);
    let meter = Meter::of(server.id());
    let before = Look::settled(Some(&meter));

    tell("they come");
    let began = Instant::now();
    let sources = plan.sources(row.wanted);
    let mut held =
        Held::connect(program, address, &sources, &mut |more| progress.inc(more as u64))?;
    row.connected = Some(began.elapsed());
    row.held = held.count;
    row.trouble.extend(held.trouble.take().map(|why| not_all(row.held, row.wanted, "held", &why)));
    tell("beside them");
    row.beside = Some(Waits::of_probe(address)?);
    tell("memory");
    let with = Look::settled(Some(&meter));
    row.idle_share_of_a_core = with.share_of_a_core;

    tell("all ask again");
    let began = Instant::now();
    let (answered, trouble) = held.ask()?;
    row.all_asked = Some(began.elapsed());
    row.answered_again = answered;
    row.trouble.extend(trouble.map(|why| not_all(answered, row.held, "answered again", &why)));
    tell("they leave");
    drop(held);
    row.trouble.extend(has_closed_all(&meter, before.descriptors).err());
    let after = Look::settled(Some(&meter));

    if meter != Meter::of(server.id()) {
        row.trouble.push("some of its processes have ended, and others taken their places".into());
    }
    row.process = Course::of_memory([&before, &with, &after], row.held);
    row.descriptors = Course::of_descriptors([&before, &with, &after], row.held);
    let kernel = before.kernel.as_ref().zip(with.kernel.as_ref()).filter(|_| row.held > 0);
    row.kernel = kernel.map(|(before, with)| Growth::of(before, with, row.held));
    Ok(())
}

/// What a server is told besides what its label says. Silence is no fault here, unless it is
/// asked for.
fn options(model: Model) -> &'static [&'static str] {
    match model.options().any(|option| option == "--idle-timeout") {
        true => &["--quiet"],
        false => &["--quiet", "--idle-timeout", "never"],
    }
}

fn not_all(some: usize, all: usize, what: &str, why: &str) -> String {
    let [some, all] = [some, all].map(|count| thousands(count as f64));
    format!("{some} of {all} were {what}: {why}")
}

/// Waits until the server has no more descriptors than before anybody came.
fn has_closed_all(meter: &Meter, before: Option<usize>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while let Some((before, now)) = before.zip(meter.descriptors()) {
        if now <= before {
            break;
        }
        if Instant::now() > deadline {
            return Err(format!("{} descriptors more than before stay open", now - before));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(connections: usize) -> Plan {
        Plan { models: Model::ALL.to_vec(), connections, sources: None, limit: 20_000 }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_crowd_comes_from_as_few_addresses_as_have_room_and_not_from_the_probes() {
        let [second, third] = [2, 3].map(|last| Some(Ipv4Addr::new(127, 0, 0, last).into()));
        assert_eq!(plan(14_000).sources(14_000), [(second, 14_000)]);
        assert_eq!(plan(19_001).sources(19_001), [(second, 9_500), (third, 9_501)]);
        let asked = Plan { sources: Some(2), ..plan(3) };
        assert_eq!(asked.sources(3), [(second, 1), (third, 2)]);
        assert_eq!(Plan { sources: Some(9), ..plan(2) }.sources(2).len(), 2);
    }

    #[test]
    fn nobody_is_asked_to_hold_more_than_fit() {
        let plan = plan(30_000);
        let room = |label: &str| plan.room_at(&label.parse().unwrap()).0;
        assert_eq!(room("thread-server"), 1998);
        assert_eq!(room("thread-server --max-threads 7"), 5);
        assert_eq!(room("sync-server"), 0);
        if cfg!(target_os = "linux") {
            assert_eq!(room("poll-server"), 19_900);
            assert_eq!(room("prefork-server --workers 2"), 30_000);
        } else {
            assert_eq!(room("poll-server"), 16_000);
        }
    }

    #[test]
    fn who_serves_a_few_is_left_out_unless_few_are_asked_for() {
        let left_out = |connections| {
            let mut plan = plan(connections);
            let left_out = plan.leave_out_the_unfit();
            left_out.iter().map(|left_out| left_out.server).collect::<Vec<_>>()
        };
        assert_eq!(left_out(19_000), ["sync-server", "thread-server --pool 4"]);
        assert_eq!(left_out(2), ["sync-server"]);
    }

    #[test]
    fn where_descriptors_are_few_it_is_not_for_the_servers_that_nobody_comes() {
        let mut plan = Plan { models: vec![Model::POLL], limit: 64, ..plan(200) };
        let left_out = plan.leave_out_the_unfit();
        assert_eq!(left_out[0].why, "a process may have 64 descriptors");
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused_with_a_sentence() {
        let one = Plan { sources: Some(1), ..plan(38_000) };
        let mut refused = vec![(plan(0), "somebody")];
        refused.extend(cfg!(target_os = "linux").then_some((one, "--sources 2")));
        for (plan, advice) in refused {
            let sentence = plan.check().unwrap_err();
            assert!(sentence.contains(advice), "{sentence}");
        }
    }
}
