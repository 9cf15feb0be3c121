//! Many connections: `cargo run --release -p bench -- many`.
//!
//! As many connections as the limit of descriptors allows are held at one server after the other.
//! Measured are: how long a probe waits meanwhile, how much memory each connection costs, whether
//! all connections still get a reply when they send another request, and how much memory the server
//! gives back after they have closed.
//!
//! The crowd runs in processes of its own ([`HeldConnections`]), one for each address that it
//! connects from: on Linux 127.0.0.2, 127.0.0.3 and so on, which all belong to this machine. (One
//! address has only about 28,000 ports.) The probe connects from 127.0.0.1. Each connection sends a
//! request and gets its reply before it falls silent, because a connection that is still pending in
//! the backlog doesn't count.
//!
//! A server's memory is what its processes have for themselves, heaps and stacks. The kernel
//! reports only what all programs together make it use, and both ends of each connection are in the
//! same kernel here. So bare connections, which no server waits for, are measured first
//! (`many/bare.rs`). Anything more is what the server's way to wait takes: threads with their
//! stacks and page tables, or what epoll remembers.
//!
//! Left out: on systems other than Linux, memory, and more than one address (there, the probe
//! connects from the same one). What would make it lie: any other program makes the kernel take
//! memory and free it meanwhile. So each figure is read twice. If the two readings differ, the
//! figure may have changed like that all the time, and this is taken as the noise.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use load_generator::json::as_seconds_if_any;
use load_generator::report::Latencies;
use serde::Serialize;

use crate::load::{HeldConnections, HolderReport, PATIENCE, kept_probe, visit};
use crate::{LeftOut, MeasuredServer, Meter, Model};
use output::figures::thousands;

mod bare;
mod kernel;
mod resource_use;
mod table;

pub use kernel::Objects;
use resource_use::Snapshot;
pub use resource_use::{Growth, PerConnection, ResourceUse};
pub use table::{introduction, table};

/// Descriptors that a process needs besides the connections: streams, pipes, a listener, what it
/// waits with; and where several processes share the connections, some for an uneven share.
const SPARE: usize = 100;

/// Descriptors below the limit that are not used by default, so that a round number remains.
const RESERVE: usize = 1000;

/// The most connections from one address: the number of ports that the system hands out (32768 to
/// 60999 on Linux, unless `ip_local_port_range` was changed, ip(7); 49152 to 65535 elsewhere),
/// minus a few for other programs.
const MOST_FROM_ONE: usize = if cfg!(target_os = "linux") { 28_000 } else { 16_000 };

/// How many connections come from one address by default. Linux hands out the ports of one parity
/// first. When they are used up, each connect(2) searches all of them in vain before it takes one
/// of the others: with 19,000 connections from one address, that took 2 ms for each.
const QUICK_FROM_ONE: usize = if cfg!(target_os = "linux") { 14_000 } else { MOST_FROM_ONE };

/// The most addresses to connect from: 127.0.0.2 to 127.0.0.255.
pub const MOST_SOURCES: usize = 254;

/// The most connections that a probe needs: its own, and the one before, if the server hasn't
/// closed that yet.
const PROBES: usize = 2;

/// Fewer connections than this are no crowd: a server that can't hold so many is left out, if the
/// plan has more.
const CROWD: usize = 100;

/// How many requests a probe sends on its kept connection, and how many visits it makes.
const REQUESTS: usize = 300;

/// How many at least, if each takes long: as many as a 99th percentile needs.
const REQUESTS_AT_LEAST: usize = 100;

/// After this time, it stops as soon as it has enough.
const ENOUGH: Duration = Duration::from_secs(2);

/// The time between two looks whether the server has closed all connections: no event says so.
const LOOK: Duration = Duration::from_millis(5);

/// How many connections, at which servers.
#[derive(Clone, Debug)]
pub struct ManyPlan {
    /// The servers.
    pub models: Vec<Model>,
    /// How many connections to hold at each of them.
    pub connections: usize,
    /// From how many addresses of this machine they come; `None`: from as few as have enough ports.
    pub sources: Option<usize>,
    /// How many descriptors a process may have.
    pub limit: usize,
}

/// The default: as many connections as a process can have; and where it can have millions, as many
/// as one address has ports, for which the kernel takes a quarter of a gigabyte.
pub fn most_connections(limit: usize) -> usize {
    limit.saturating_sub(RESERVE).clamp(1, MOST_FROM_ONE)
}

impl ManyPlan {
    /// Whether it can be carried out.
    ///
    /// # Errors
    ///
    /// A sentence that says why not.
    pub fn check(&self) -> Result<(), String> {
        let connections = self.connections;
        let sources = self.sources.unwrap_or(1);
        if connections == 0 {
            return Err("`--connections` has to be at least 1".into());
        }
        if sources > 1 && !cfg!(target_os = "linux") {
            return Err("127.0.0.2 and so on belong to this machine only on Linux; leave \
                        `--sources` out"
                .into());
        }
        if self.sources.is_some() && connections.div_ceil(sources) > self.most_from_one() {
            let least = connections.div_ceil(self.most_from_one());
            let way_out = match least <= MOST_SOURCES {
                true => format!("take `--sources {least}`"),
                false => "take fewer connections".into(),
            };
            return Err(format!("{}; {way_out}", self.can_hold()));
        }
        Ok(())
    }

    /// For how many connections one address has ports, and its process has descriptors.
    fn most_from_one(&self) -> usize {
        MOST_FROM_ONE.min(self.limit.saturating_sub(SPARE)).max(1)
    }

    /// From which addresses this many connections come, and how many from each; an address of
    /// `None` is the system's choice.
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

    fn can_hold(&self) -> String {
        let most = thousands(self.most_from_one() as f64);
        format!("one address, and one process, can hold {most} connections here")
    }

    /// How many connections this server can hold besides the probe's, and why not all.
    fn room_at(&self, model: &Model) -> (usize, Option<String>) {
        let [most, limit] = [model.most_clients(), self.limit].map(|count| thousands(count as f64));
        let each = match model.processes() {
            1 => "a process".to_owned(),
            many => format!("each of its {many} processes"),
        };
        let bounds = [
            (
                model.most_clients().saturating_sub(PROBES),
                format!("it serves at most {most} clients, and the probe needs room, too"),
            ),
            (
                self.limit.saturating_sub(SPARE).saturating_mul(model.processes()),
                format!("{each} may have {limit} descriptors"),
            ),
            match cfg!(target_os = "linux") {
                true => (usize::MAX, String::new()),
                false => (self.most_from_one(), self.can_hold()),
            },
            (self.connections, String::new()),
        ];
        let (room, why) = bounds.into_iter().min_by_key(|(room, _)| *room).unwrap_or_default();
        (room, (room < self.connections).then_some(why))
    }

    /// Takes out the servers that can't hold a crowd.
    pub fn leave_out_unfit(&mut self) -> Vec<LeftOut> {
        let mut models = mem::take(&mut self.models);
        let left_out = LeftOut::take_out(&mut models, |model| {
            let (room, bound) = self.room_at(model);
            match model.serves_at_once {
                _ if room >= CROWD.min(self.connections) => None,
                usize::MAX => Some(bound.unwrap_or_default()),
                few => Some(format!(
                    "it serves {few} at a time, so silent clients keep all others out"
                )),
            }
        });
        self.models = models;
        left_out
    }
}

/// How long a probe waited. In JSON in microseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Waits {
    /// For each reply on a connection that it keeps.
    #[serde(rename = "kept_us")]
    pub kept: Latencies,
    /// For each reply on a new connection, from before the connect.
    #[serde(rename = "visit_us")]
    pub visit: Latencies,
}

impl Waits {
    /// Sends the requests of a probe to this address.
    fn of_probe(address: SocketAddr) -> io::Result<Self> {
        let mut probe = kept_probe(address)?;
        let kept = repeated(|| probe.request())?;
        probe.end()?;
        let visit = repeated(|| visit(address))?;
        Ok(Waits { kept, visit })
    }
}

fn repeated(mut request: impl FnMut() -> io::Result<Duration>) -> io::Result<Latencies> {
    let mut latencies = Latencies::default();
    let began = Instant::now();
    for number in 0..REQUESTS {
        if number >= REQUESTS_AT_LEAST && began.elapsed() > ENOUGH {
            break;
        }
        latencies.record(request()?);
    }
    Ok(latencies)
}

/// The result of one server. A figure is `None` if it is unknown, because the system doesn't report
/// it or because something went wrong before. In JSON, `_s` are seconds, and memory is in bytes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ManyResult {
    /// The server's label.
    pub server: &'static str,
    /// How many connections it was given to hold.
    pub wanted: usize,
    /// Why these are fewer than in the plan.
    pub bound: Option<String>,
    /// How many got a reply to their first request, and were held.
    pub held: usize,
    /// How long it took to connect them.
    #[serde(rename = "connected_s", serialize_with = "as_seconds_if_any")]
    pub connected: Option<Duration>,
    /// How long a probe waited before the crowd came.
    pub alone: Option<Waits>,
    /// How long a probe waited while the crowd was connected.
    pub beside: Option<Waits>,
    /// The share of a core that the server used while all connections were silent.
    pub idle_share_of_a_core: Option<f64>,
    /// The server's own memory, all its processes together.
    pub process: Option<ResourceUse>,
    /// The server's descriptors, all its processes together.
    pub descriptors: Option<ResourceUse>,
    /// Memory of the kernel, for both ends.
    pub kernel: Option<Growth>,
    /// How many got a reply when all of them sent another request.
    pub answered_again: usize,
    /// How long that took.
    #[serde(rename = "answered_again_s", serialize_with = "as_seconds_if_any")]
    pub answered_again_after: Option<Duration>,
    /// What went wrong, in words.
    pub trouble: Vec<String>,
}

impl ManyResult {
    /// Whether all connections were held and got their replies, and nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.held == self.wanted && self.answered_again == self.held && self.trouble.is_empty()
    }
}

/// The results of all servers, as in JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// How many connections the plan has for each server.
    pub connections: usize,
    /// What a connection costs the kernel if no server waits for it.
    pub bare: Option<Growth>,
    /// The servers, in the order of the plan.
    pub servers: Vec<ManyResult>,
    /// What these figures show, one sentence each, and which of them say less than they seem to.
    pub findings: Vec<String>,
}

/// Holds the crowd at each server of the plan; `program` is the binary of this package. The
/// progress is in connections.
///
/// # Errors
///
/// If even bare connections fail. What goes wrong with a server is reported in its row.
pub fn measure(plan: &ManyPlan, program: &Path, progress: &ProgressBar) -> io::Result<Measured> {
    let rooms: Vec<_> = plan.models.iter().map(|model| plan.room_at(model)).collect();
    progress.set_length(rooms.iter().map(|(room, _)| *room as u64).sum());
    progress.set_message("bare connections");
    let most = plan.connections.min(plan.most_from_one());
    let bare = bare::bare(most, program)?;
    let mut servers = Vec::new();
    for (&model, (wanted, bound)) in plan.models.iter().zip(rooms) {
        let mut row = ManyResult { server: model.label, wanted, bound, ..ManyResult::default() };
        // Silent connections are kept, unless the model's label says otherwise.
        let options = ["--quiet", "--idle-timeout", "never"];
        let server = MeasuredServer::start(program, model, &options);
        let end = server.and_then(|server| {
            let measured = measure_at(&server, plan, program, progress, &mut row);
            row.trouble.extend(measured.err().map(|error| error.to_string()));
            server.finish()
        });
        row.trouble.extend(end.err().map(|error| error.to_string()));
        servers.push(row);
    }
    let findings = table::findings(bare.as_ref(), &servers);
    Ok(Measured { connections: plan.connections, bare, servers, findings })
}

/// If this ends early, the row has the figures that are known by then.
fn measure_at(
    server: &MeasuredServer,
    plan: &ManyPlan,
    program: &Path,
    progress: &ProgressBar,
    row: &mut ManyResult,
) -> io::Result<()> {
    let label = row.server;
    let step = |what: &str| progress.set_message(format!("{label}: {what}"));
    step("the probe alone");
    let address = server.address();
    row.alone = Some(Waits::of_probe(address)?);
    let meter = Meter::of(server.id());
    let before = Snapshot::settled(Some(&meter));

    step("connecting");
    let began = Instant::now();
    let sources = plan.sources(row.wanted);
    let mut connected = |more| progress.inc(more as u64);
    let (mut connections, held) =
        HeldConnections::with_requests(program, address, &sources, &mut connected)?;
    row.connected = Some(began.elapsed());
    row.held = held.count;
    row.trouble.extend(not_all(&held, row.wanted, "were held"));
    step("the probe with the crowd");
    row.beside = Some(Waits::of_probe(address)?);
    step("memory");
    let with = Snapshot::settled(Some(&meter));
    row.idle_share_of_a_core = with.share_of_a_core;

    step("all send a request");
    let began = Instant::now();
    let answered = connections.request_all()?;
    row.answered_again_after = Some(began.elapsed());
    row.answered_again = answered.count;
    row.trouble.extend(not_all(&answered, row.held, "got a second reply"));
    step("closing");
    drop(connections);
    row.trouble.extend(left_open(&meter, before.descriptors));
    let after = Snapshot::settled(Some(&meter));

    if meter != Meter::of(server.id()) {
        row.trouble.push("some of its processes have ended and were replaced".into());
    }
    let snapshots = [&before, &with, &after];
    row.process = ResourceUse::of(snapshots, |it| it.process, |it| it.process_change, row.held);
    row.descriptors = ResourceUse::of(snapshots, |it| it.descriptors, |_| 0, row.held);
    row.kernel = Growth::of(&before, &with, row.held);
    Ok(())
}

fn not_all(some: &HolderReport, all: usize, what: &str) -> Option<String> {
    let why = some.trouble.as_ref()?;
    let [some, all] = [some.count, all].map(|count| thousands(count as f64));
    Some(format!("{some} of {all} connections {what}: {why}"))
}

/// Waits until the server has no more descriptors than before the crowd came. If it takes too long,
/// returns how many more it has.
fn left_open(meter: &Meter, before: Option<u64>) -> Option<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (now, before) = (meter.descriptors()? as u64, before?);
        let more = now.checked_sub(before).filter(|more| *more > 0)?;
        if Instant::now() > deadline {
            return Some(format!("{more} more descriptors are open than before"));
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(connections: usize) -> ManyPlan {
        ManyPlan { models: Model::ALL.to_vec(), connections, sources: None, limit: 20_000 }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_crowd_comes_from_as_few_addresses_as_have_room_and_not_from_the_probes() {
        let [second, third] = [2, 3].map(|last| Some(Ipv4Addr::new(127, 0, 0, last).into()));
        assert_eq!(plan(14_000).sources(14_000), [(second, 14_000)]);
        assert_eq!(plan(19_001).sources(19_001), [(second, 9_500), (third, 9_501)]);
        let two = ManyPlan { sources: Some(2), ..plan(3) };
        assert_eq!(two.sources(3), [(second, 1), (third, 2)]);
        assert_eq!(ManyPlan { sources: Some(9), ..plan(2) }.sources(2).len(), 2);
    }

    #[test]
    fn no_server_is_given_more_than_fit() {
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
    fn a_server_that_serves_few_is_left_out_unless_few_are_wanted() {
        let left_out = |connections| {
            let mut plan = plan(connections);
            let left_out = plan.leave_out_unfit();
            left_out.iter().map(|left_out| left_out.server).collect::<Vec<_>>()
        };
        assert_eq!(left_out(19_000), ["sync-server", "thread-server --pool 4"]);
        assert_eq!(left_out(2), ["sync-server"]);
    }

    #[test]
    fn too_few_descriptors_are_named_as_the_reason() {
        let mut plan = ManyPlan { models: vec![Model::POLL], limit: 64, ..plan(200) };
        let left_out = plan.leave_out_unfit();
        assert_eq!(left_out[0].why, "a process may have 64 descriptors");
    }

    #[test]
    fn an_impossible_plan_is_rejected_with_a_sentence() {
        let one = ManyPlan { sources: Some(1), ..plan(38_000) };
        let mut refused = vec![(plan(0), "at least 1")];
        refused.extend(cfg!(target_os = "linux").then_some((one, "--sources 2")));
        for (plan, advice) in refused {
            let sentence = plan.check().unwrap_err();
            assert!(sentence.contains(advice), "{sentence}");
        }
    }
}
