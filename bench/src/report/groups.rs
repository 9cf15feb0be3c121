//! The groups of the suite: what each measures, in words, and the order of its rows.

use super::suite::Estimate;
use crate::{Interval, Model};

/// A group of the suite.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What is measured, and what is held fixed.
    pub(super) about: &'static str,
    /// What its parameter is, or nothing if it has none.
    pub(super) parameter: &'static str,
}

/// The groups of a complete set, in the order of the report.
pub(super) const GROUPS: [Group; 8] = [
    Group {
        name: "slow_clients",
        title: "A prompt visit with slow clients connected",
        about: "How long a prompt client waits that connects, sends one request and closes, while \
                the slow clients send two requests each, a byte every 2 ms.",
        parameter: "slow clients",
    },
    Group {
        name: "idle_connections",
        title: "A round trip with idle connections",
        about: "The time from a request to its reply on a connection that stays open, while the \
                others are silent.",
        parameter: "idle connections",
    },
    Group {
        name: "busy_connections",
        title: "Time per request with busy connections",
        about: "The time until all active connections have their replies, divided by the number of \
                requests. The other connections are silent.",
        parameter: "active of all connections",
    },
    Group {
        name: "processor_time",
        title: "Processor time per request with busy connections",
        about: "The user and system time of the server's process, divided by the number of \
                requests. The other connections are silent.",
        parameter: "active of all connections",
    },
    Group {
        name: "connect_and_ask",
        title: "A new connection for each request",
        about: "How long it takes to connect, send a request and receive the reply; one client at \
                a time, and no others.",
        parameter: "visits",
    },
    Group {
        name: "wait_cost",
        title: "One wait among many descriptors",
        about: "One monitoring operation: a byte is written into a random pipe, the wait finds \
                out which pipe it is, and the byte is read. Nothing sleeps, so this is processor \
                time. `byte alone` is the writing and reading without a wait.",
        parameter: "pipes",
    },
    Group {
        name: "chain",
        title: "Bytes passed on among many socket pairs",
        about: "libevent's benchmark: 100 bytes are under way among socket pairs, which are all \
                watched. A pair that gets a byte passes it on, until 1,100 bytes are read. The \
                time is that of one run with 11 waits.",
        parameter: "socket pairs",
    },
    Group {
        name: "protocol",
        title: "The protocol alone",
        about: "The state machine that replies to requests, without sockets and without waiting: \
                this part of a request's cost is not the cost of waiting.",
        parameter: "",
    },
];

/// The estimates of a group.
pub(super) fn of<'a>(suite: &'a [Estimate], group: &str) -> Vec<&'a Estimate> {
    suite.iter().filter(|estimate| estimate.group == group).collect()
}

/// The entries of the first column, each once, with servers from the simplest to the most modern.
pub(super) fn functions<'a>(estimates: &[&'a Estimate]) -> Vec<&'a str> {
    let mut functions: Vec<&str> = estimates.iter().map(|it| it.function.as_str()).collect();
    // Estimates of a function stand together, as they are read.
    functions.dedup();
    let place = |server| Model::ALL.iter().position(|model| model.label == server);
    functions.sort_by_key(|function| place(server_of(function)).unwrap_or(Model::ALL.len()));
    functions
}

/// The server that uses this way to wait. The name of a server stands for itself.
pub(super) fn server_of(way: &str) -> &str {
    match way {
        "select" => "select-server",
        "poll" => "poll2-server",
        "epoll" | THROUGH_POLLING => "poll-server",
        "io_uring" => "uring-server",
        server => server,
    }
}

/// How poll-server waits with epoll; plain `epoll` is a bare loop.
pub(super) const THROUGH_POLLING: &str = "epoll through polling";

/// Whether it is a server from outside this workspace.
pub(super) fn is_peer(label: &str) -> bool {
    Model::PEERS.iter().any(|model| model.label == label)
}

/// The headings of the other columns, each once, sorted by the total number and then by the active
/// ones: `10 of 1000` comes before `100 of 1000`, and `1000 of 1000` before `100 of 10000`.
pub(super) fn parameters<'a>(estimates: &[&'a Estimate]) -> Vec<&'a str> {
    let numbers = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_digit());
        words.filter_map(|word| word.parse().ok()).rev().collect::<Vec<u64>>()
    };
    let mut parameters: Vec<&str> = estimates.iter().map(|it| it.parameter.as_str()).collect();
    parameters.sort_by_key(|parameter| (numbers(parameter), *parameter));
    parameters.dedup();
    parameters
}

/// The table to compare `wait_cost` with: Michael Kerrisk, *The Linux Programming Interface*
/// (2010), Table 63-9, "Times taken by poll(), select(), and epoll for 100,000 monitoring
/// operations". For each number of descriptors, the processor seconds for all operations. (select
/// could watch 10,000 because of a larger FD_SETSIZE.)
const KERRISK: [(&str, [(f64, f64); 4]); 3] = [
    ("poll", [(10.0, 0.61), (100.0, 2.9), (1_000.0, 35.0), (10_000.0, 990.0)]),
    ("select", [(10.0, 0.73), (100.0, 3.0), (1_000.0, 35.0), (10_000.0, 930.0)]),
    ("epoll", [(10.0, 0.41), (100.0, 0.42), (1_000.0, 0.53), (10_000.0, 0.66)]),
];

/// That table as ways to wait, and for each number of descriptors the nanoseconds for an operation.
pub(super) fn in_2010() -> [(&'static str, [(f64, Interval); 4]); 3] {
    let exactly = |(count, seconds): (f64, f64)| {
        let time = seconds * 1e9 / 100_000.0;
        (count, Interval { low: time, median: time, high: time })
    };
    KERRISK.map(|(way, seconds)| (way, seconds.map(exactly)))
}
