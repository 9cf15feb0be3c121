//! The charts, and what each shows.

use super::Figures;
use super::costs::LoadCosts;
use super::dots::{Dot, Dots};
use super::groups::{self, THROUGH_POLLING, is_peer, server_of};
use super::kerrisk;
use super::lines::{Kind, Line, Lines};
use super::picture::Picture;
use super::suite::Estimate;
use crate::Interval;
use crate::cost::{Cost, CostPlan};
use output::figures::Quantity;

/// A finished chart.
pub(super) struct Chart {
    /// The name of its file, without the extension.
    pub(super) name: String,
    /// What it shows, in a few words.
    pub(super) title: String,
    pub(super) svg: String,
}

/// Variants of a server whose difference doesn't show in these charts.
const VARIANTS: [&str; 2] = ["busy-server --nap 20ms", "prefork-server --reuse-port"];

/// Every chart for which there are figures.
pub(super) fn charts(figures: &Figures) -> Vec<Chart> {
    let suite = &figures.suite;
    let mut charts = Vec::new();
    let grown = [slow_clients(suite), idle_connections(suite), wait_cost(suite), chain(suite)];
    for chart in grown.iter().filter(|chart| !chart.lines.is_empty()) {
        charts.push(finished(&chart.picture, chart.svg()));
    }
    let compared = [connect_and_ask(suite)].into_iter().chain(costs(&figures.costs));
    for mut chart in compared.filter(|chart| !chart.dots.is_empty()) {
        let svg = chart.svg();
        charts.push(finished(&chart.picture, svg));
    }
    charts
}

fn finished(picture: &Picture, svg: String) -> Chart {
    Chart { name: picture.id.clone(), title: picture.title.clone(), svg }
}

fn slow_clients(suite: &[Estimate]) -> Lines {
    let lines = servers(suite, "slow_clients");
    Lines {
        picture: Picture {
            id: "slow-clients".into(),
            title: "How long a prompt client waits with slow clients connected".into(),
            subtitle: "Time from connecting to the reply. The slow clients send a byte every 2 ms."
                .into(),
            notes: left_out(suite, "slow_clients"),
        },
        x: "slow clients",
        step: 2.0,
        y: "time that the prompt client waits",
        lines,
    }
}

fn idle_connections(suite: &[Estimate]) -> Lines {
    let lines = servers(suite, "idle_connections");
    Lines {
        picture: Picture {
            id: "idle-connections".into(),
            title: "How long a reply takes while other connections are silent".into(),
            subtitle: "Round trip of a request on a connection that stays open. The others send \
                       nothing."
                .into(),
            notes: left_out(suite, "idle_connections"),
        },
        x: "silent connections",
        step: 10.0,
        y: "round trip",
        lines,
    }
}

fn wait_cost(suite: &[Estimate]) -> Lines {
    let mut lines = ways(suite, "wait_cost");
    let mut notes = Vec::new();
    if !lines.is_empty() {
        lines.extend(kerrisk::SECONDS.map(|(way, seconds)| in_2010(way, &seconds)));
        notes.push(
            "Dashed: Kerrisk, The Linux Programming Interface, Table 63-9, on a machine from 2010."
                .into(),
        );
    }
    Lines {
        picture: Picture {
            id: "wait-cost".into(),
            title: "What one wait costs among many descriptors".into(),
            subtitle: "Processor time to write a byte into one of the pipes, wait to find out \
                       which, and read it."
                .into(),
            notes,
        },
        x: "pipes watched",
        step: 10.0,
        y: "processor time",
        lines,
    }
}

fn in_2010(way: &str, seconds: &[f64]) -> Line {
    let point = |(count, seconds): (u32, &f64)| {
        (f64::from(count), Interval::exactly(kerrisk::nanoseconds(*seconds)))
    };
    Line {
        name: format!("{way} in 2010"),
        server: server_of(way).into(),
        kind: Kind::Dashed,
        points: kerrisk::DESCRIPTORS.into_iter().zip(seconds).map(point).collect(),
    }
}

fn chain(suite: &[Estimate]) -> Lines {
    Lines {
        picture: Picture {
            id: "chain".into(),
            title: "Bytes passed on among many socket pairs".into(),
            subtitle:
                "libevent's benchmark: 100 pairs at a time pass on a byte, 1,100 bytes in all. The \
                       other pairs are only watched."
                    .into(),
            notes: Vec::new(),
        },
        x: "socket pairs watched",
        step: 10.0,
        y: "time of a run",
        lines: ways(suite, "chain"),
    }
}

/// A line for each server of a group, without the variants.
fn servers(suite: &[Estimate], group: &str) -> Vec<Line> {
    let line = |label: &str, points| Line {
        name: label.replacen("-server", "", 1),
        server: label.into(),
        kind: Kind::Plain,
        points,
    };
    lines(suite, group, &VARIANTS, line)
}

/// A line for each way to wait, in the colour of the server that uses it.
fn ways(suite: &[Estimate], group: &str) -> Vec<Line> {
    let line = |way: &str, points| Line {
        name: way.into(),
        server: server_of(way).into(),
        kind: if way == THROUGH_POLLING { Kind::Hollow } else { Kind::Plain },
        points,
    };
    lines(suite, group, &[], line)
}

fn lines(
    suite: &[Estimate],
    group: &str,
    without: &[&str],
    line: impl Fn(&str, Vec<(f64, Interval)>) -> Line,
) -> Vec<Line> {
    let estimates = groups::of(suite, group);
    let functions = groups::functions(&estimates).into_iter();
    let lines = functions.filter(|function| !without.contains(function)).map(|function| {
        let of_function = estimates.iter().filter(|it| it.function == function);
        let point = |it: &&Estimate| {
            let is_drawable = it.nanoseconds.low > 0.0;
            Some((it.parameter.parse().ok()?, it.nanoseconds)).filter(|_| is_drawable)
        };
        let mut points: Vec<(f64, Interval)> = of_function.filter_map(point).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        line(function, points)
    });
    // A line with a point only at 0 would show no growth.
    lines.filter(|line| line.points.iter().any(|(x, _)| *x > 0.0)).collect()
}

/// Says which servers have figures but no line.
fn left_out(suite: &[Estimate], group: &str) -> Vec<String> {
    let estimates = groups::of(suite, group);
    let drawn = servers(suite, group);
    let is_drawn = |label: &&str| drawn.iter().any(|line| line.server == **label);
    let missing: Vec<&str> =
        groups::functions(&estimates).into_iter().filter(|label| !is_drawn(label)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    vec![format!("Only in the table: {}.", missing.join(", "))]
}

fn connect_and_ask(suite: &[Estimate]) -> Dots {
    let dot = |it: &&Estimate| dot(&it.function, it.nanoseconds);
    Dots {
        picture: Picture {
            id: "connect-and-ask".into(),
            title: "A new connection for each request".into(),
            subtitle: "Time from connecting to the reply; one client at a time, and no others."
                .into(),
            notes: Vec::new(),
        },
        x: "time per visit",
        quantity: Quantity::Time,
        dots: groups::of(suite, "connect_and_ask").iter().map(dot).collect(),
    }
}

fn dot(server: &str, value: Interval) -> Dot {
    Dot { server: server.into(), is_peer: is_peer(server), at_least: false, value }
}

/// The charts of what a request costs: processor time for each load, the others for one.
fn costs(costs: &[LoadCosts]) -> Vec<Dots> {
    let mut charts: Vec<Dots> = costs.iter().map(processor_time).collect();
    // Under the first load all connections are active, so no call looks at idle ones.
    charts.extend(costs.first().map(system_calls));
    // The second load has many connections, so what the process needs without any matters little;
    // but not so many that a thread for each is impossible.
    charts.extend(costs.get(1).map(memory));
    charts
}

fn processor_time(costs: &LoadCosts) -> Dots {
    let CostPlan { active, idle, .. } = costs.plan;
    let time = |cost: &Cost| Interval::of(&cost.processor_us).map(|time| time.times(1e3));
    Dots {
        picture: Picture {
            id: format!("processor-time-{active}-{idle}"),
            title: format!("Processor time per request: {}", costs.plan.load()),
            subtitle:
                "User and system time of the server's process. Active connections send a request \
                       as soon as they have the last reply."
                    .into(),
            notes: notes(costs, time),
        },
        x: "processor time per request",
        quantity: Quantity::Time,
        dots: dots(costs, time),
    }
}

fn system_calls(costs: &LoadCosts) -> Dots {
    let calls = |cost: &Cost| Interval::of(&cost.calls_per_request);
    let mut notes = notes(costs, calls);
    let counting = costs.servers.iter().filter(|cost| calls(cost).is_some());
    for (cost, what) in counting.filter_map(|cost| Some((cost, cost.calls_not_counted.as_ref()?))) {
        notes.push(format!("Not counted at {}: {what}.", cost.server));
    }
    let mut dots = dots(costs, calls);
    for dot in &mut dots {
        let mut servers = costs.servers.iter();
        dot.at_least =
            servers.any(|cost| cost.server == dot.server && cost.calls_not_counted.is_some());
    }
    Dots {
        picture: Picture {
            id: "system-calls".into(),
            title: format!("System calls per request: {}", costs.plan.load()),
            subtitle: "Counted by the servers themselves.".into(),
            notes,
        },
        x: "system calls per request",
        quantity: Quantity::Number,
        dots,
    }
}

fn memory(costs: &LoadCosts) -> Dots {
    let memory = |cost: &Cost| Interval::of(&cost.memory_per_connection);
    Dots {
        picture: Picture {
            id: "memory".into(),
            title: format!("Memory per connection: {}", costs.plan.load()),
            subtitle: "Memory of the server's process, without what the kernel keeps for a socket."
                .into(),
            notes: notes(costs, memory),
        },
        x: "memory per connection",
        quantity: Quantity::Memory,
        dots: dots(costs, memory),
    }
}

/// A dot for each server that has this figure.
fn dots(costs: &LoadCosts, figure: impl Fn(&Cost) -> Option<Interval>) -> Vec<Dot> {
    let of_server = |cost: &Cost| Some(dot(&cost.server, figure(cost)?));
    costs.servers.iter().filter_map(of_server).collect()
}

/// What the marks mean, and which servers have no figure.
fn notes(costs: &LoadCosts, figure: impl Fn(&Cost) -> Option<Interval>) -> Vec<String> {
    let (with, without): (Vec<&Cost>, Vec<&Cost>) =
        costs.servers.iter().partition(|cost| figure(cost).is_some());
    let mut notes = Vec::new();
    if with.iter().any(|cost| is_peer(&cost.server)) {
        notes.push("Hollow: peers, servers from elsewhere that speak the same protocol.".into());
    }
    let without = without.iter().map(|cost| cost.server.as_str());
    let left_out = costs.left_out.iter().map(|left_out| left_out.server);
    let names: Vec<&str> = left_out.chain(without).collect();
    if !names.is_empty() {
        notes.push(format!("Without a figure (see the table): {}.", names.join(", ")));
    }
    notes
}
