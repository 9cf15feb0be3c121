//! The charts, and what each shows.

use output::figures::Quantity;

use super::Figures;
use super::chart::{Chart, Plot};
use super::costs::LoadCosts;
use super::dots::{Dot, Dots};
use super::groups::{self, THROUGH_POLLING, is_peer, server_of};
use super::lines::{Line, LineStyle, Lines};
use super::suite::Estimate;
use crate::Interval;
use crate::cost::{Cost, CostPlan};

/// A chart of how the figures of a group of the suite grow with its parameter.
struct Growth {
    group: &'static str,
    title: &'static str,
    subtitle: &'static str,
    /// The label of the horizontal axis, and the distance between its grid lines, as a factor.
    x: (&'static str, f64),
    /// The label of the vertical axis.
    y: &'static str,
}

const GROWTHS: [Growth; 4] = [
    Growth {
        group: "slow_clients",
        title: "How long a prompt client waits with slow clients connected",
        subtitle: "Time from connecting to the reply. The slow clients send a byte every 2 ms.",
        x: ("slow clients", 2.0),
        y: "time that the prompt client waits",
    },
    Growth {
        group: "idle_connections",
        title: "How long a reply takes while other connections are silent",
        subtitle: "Round trip of a request on a connection that stays open. The others send \
                   nothing.",
        x: ("silent connections", 10.0),
        y: "round trip",
    },
    Growth {
        group: "wait_cost",
        title: "What one wait costs among many descriptors",
        subtitle: "Processor time to write a byte into one of the pipes, wait to find out which, \
                   and read it.",
        x: ("pipes watched", 10.0),
        y: "processor time",
    },
    Growth {
        group: "chain",
        title: "Bytes passed on among many socket pairs",
        subtitle: "libevent's benchmark: 100 pairs at a time pass on a byte, 1,100 bytes in all. \
                   The other pairs are only watched.",
        x: ("socket pairs watched", 10.0),
        y: "time of a run",
    },
];

/// Variants of a server whose difference doesn't show in these charts.
const VARIANTS: [&str; 2] = ["busy-server --nap 20ms", "prefork-server --reuse-port"];

/// Every chart for which there are figures.
pub(super) fn charts(Figures { suite, costs, .. }: &Figures) -> Vec<Chart> {
    let growths = GROWTHS.iter().map(|growth| growth.chart(suite));
    let times = costs.iter().map(|costs| {
        let CostPlan { active, idle, .. } = costs.plan;
        let subtitle = "User and system time of the server's process. Active connections send a \
                        request as soon as they have the last reply.";
        let time = |cost: &Cost| Interval::of(&cost.processor_us).map(|time| time.times(1e3));
        let id = format!("processor-time-{active}-{idle}");
        cost_chart(costs, id, "Processor time per request", subtitle, Quantity::Time, time)
    });
    // Under the first load all connections are active, so no call looks at idle ones.
    let calls = costs.first().map(|costs| {
        let subtitle = "Counted by the servers themselves.";
        let calls = |cost: &Cost| Interval::of(&cost.calls_per_request);
        let id = "system-calls".into();
        cost_chart(costs, id, "System calls per request", subtitle, Quantity::Number, calls)
    });
    // The second load has many connections, so what the process needs without any matters little;
    // but not so many that a thread for each is impossible.
    let memory = costs.get(1).map(|costs| {
        let subtitle =
            "Memory of the server's process, without what the kernel keeps for a socket.";
        let memory = |cost: &Cost| Interval::of(&cost.memory_per_connection);
        let id = "memory".into();
        cost_chart(costs, id, "Memory per connection", subtitle, Quantity::Memory, memory)
    });
    let compared = [connect_and_ask(suite)].into_iter().chain(times).chain(calls).chain(memory);
    growths.chain(compared).flatten().collect()
}

impl Growth {
    fn chart(&self, suite: &[Estimate]) -> Option<Chart> {
        let estimates = groups::of(suite, self.group);
        let (mut lines, mut left_out) = (Vec::new(), Vec::new());
        for function in groups::functions(&estimates) {
            let line = line(function, &estimates);
            // A line with a point only at 0 would show no growth.
            if !VARIANTS.contains(&function) && line.points.iter().any(|(x, _)| *x > 0.0) {
                lines.push(line);
            } else {
                left_out.push(function);
            }
        }
        if lines.is_empty() {
            return None;
        }
        let mut notes = Vec::new();
        if !left_out.is_empty() {
            notes.push(format!("Only in the table: {}.", left_out.join(", ")));
        }
        if self.group == "wait_cost" {
            lines.extend(groups::in_2010().map(|(way, times)| Line {
                name: format!("{way} in 2010"),
                server: server_of(way).into(),
                style: LineStyle::Dashed,
                points: times.into(),
            }));
            let dashed = "Dashed: Kerrisk, The Linux Programming Interface, Table 63-9, on a \
                          machine from 2010.";
            notes.push(dashed.into());
        }
        Some(Chart {
            id: self.group.replace('_', "-"),
            title: self.title.into(),
            subtitle: self.subtitle,
            notes,
            x: self.x.0.into(),
            plot: Plot::Lines(Lines { step: self.x.1, y: self.y, lines }),
        })
    }
}

/// The line of a server or of a way to wait, in the colour of the server that uses it.
fn line(function: &str, estimates: &[&Estimate]) -> Line {
    let drawable =
        estimates.iter().filter(|it| it.function == function && it.nanoseconds.low > 0.0);
    let point = |it: &&Estimate| Some((it.parameter.parse().ok()?, it.nanoseconds));
    let mut points: Vec<(f64, Interval)> = drawable.filter_map(point).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    Line {
        name: function.replacen("-server", "", 1),
        server: server_of(function).into(),
        style: if function == THROUGH_POLLING { LineStyle::Hollow } else { LineStyle::Plain },
        points,
    }
}

fn connect_and_ask(suite: &[Estimate]) -> Option<Chart> {
    let dot = |it: &&Estimate| {
        let (server, value) = (it.function.clone(), it.nanoseconds);
        Dot { server, at_least: false, value }
    };
    let dots: Vec<Dot> = groups::of(suite, "connect_and_ask").iter().map(dot).collect();
    (!dots.is_empty()).then(|| Chart {
        id: "connect-and-ask".into(),
        title: "A new connection for each request".into(),
        subtitle: "Time from connecting to the reply; one client at a time, and no others.",
        notes: Vec::new(),
        x: "time per visit".into(),
        plot: Plot::Dots(Dots { quantity: Quantity::Time, dots }),
    })
}

/// A chart of what each server needs for a request or a connection.
fn cost_chart(
    costs: &LoadCosts,
    id: String,
    what: &str,
    subtitle: &'static str,
    quantity: Quantity,
    figure: fn(&Cost) -> Option<Interval>,
) -> Option<Chart> {
    let (mut dots, mut notes) = (Vec::new(), Vec::new());
    let mut without: Vec<&str> = costs.left_out.iter().map(|left_out| left_out.server).collect();
    for cost in &costs.servers {
        let Some(value) = figure(cost) else {
            without.push(&cost.server);
            continue;
        };
        // The only figures without a unit are calls.
        let not_counted = cost.calls_not_counted.as_ref().filter(|_| quantity == Quantity::Number);
        notes.extend(not_counted.map(|what| format!("Not counted at {}: {what}.", cost.server)));
        let (server, at_least) = (cost.server.clone(), not_counted.is_some());
        dots.push(Dot { server, at_least, value });
    }
    if !without.is_empty() {
        notes.insert(0, format!("Without a figure (see the table): {}.", without.join(", ")));
    }
    if dots.iter().any(|dot| is_peer(&dot.server)) {
        let peers = "Hollow: peers, servers from elsewhere that speak the same protocol.";
        notes.insert(0, peers.into());
    }
    (!dots.is_empty()).then(|| Chart {
        id,
        title: format!("{what}: {}", costs.plan.load()),
        subtitle,
        notes,
        x: what.to_lowercase(),
        plot: Plot::Dots(Dots { quantity, dots }),
    })
}
