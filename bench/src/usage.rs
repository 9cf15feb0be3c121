//! What a server has done while it ran, and what that cost.

use std::collections::BTreeMap;
use std::time::Duration;

use output::figures::format_calls;
use serde::{Deserialize, Serialize};
use server_kit::Counters;

use crate::Meter;

/// What a server has done, and what it cost. A peer doesn't count what it does, so for peers this
/// is what their clients have seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Connections accepted.
    pub connections: u64,
    /// Requests received in full.
    pub requests: u64,
    /// Replies handed to the kernel.
    pub replies: u64,
    /// System calls by name.
    pub calls: BTreeMap<String, u64>,
    /// Which system calls are not included, because other code than the server's makes them;
    /// `None`: all are included.
    pub calls_not_counted: Option<String>,
    /// What the kernel reports about the process; `None` where this program doesn't know how to
    /// find out.
    pub process: Option<ProcessUsage>,
}

/// What the kernel reports about a process from when it listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// Processor time in user and kernel mode, in seconds.
    #[serde(rename = "processor_s")]
    pub processor_seconds: f64,
    /// How often it went to sleep (voluntary context switches); `None` for a peer, where it is
    /// unknown.
    pub sleeps: Option<u64>,
}

impl Usage {
    pub(crate) fn of(counters: &Counters, process: Option<ProcessUsage>) -> Self {
        Usage {
            connections: counters.connections,
            requests: counters.requests,
            replies: counters.replies,
            calls: counters.calls().map(|(call, times)| (call.name().to_owned(), times)).collect(),
            calls_not_counted: counters.not_counted.map(str::to_owned),
            process,
        }
    }

    /// Adds what it did and what it cost in another run.
    pub(crate) fn add(&mut self, other: &Usage) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.replies += other.replies;
        for (name, times) in &other.calls {
            *self.calls.entry(name.clone()).or_default() += times;
        }
        self.calls_not_counted = self.calls_not_counted.take().or(other.calls_not_counted.clone());
        self.process = match (self.process, other.process) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
    }

    /// Processor time per request; `None` without requests.
    pub fn processor_time_per_request(&self) -> Option<Duration> {
        let seconds = self.process?.processor_seconds / self.requests as f64;
        (self.requests > 0).then(|| Duration::from_secs_f64(seconds))
    }

    /// System calls of all kinds per request; `None` without requests, or where no calls are
    /// counted. If some are not counted, the true number is higher.
    pub fn calls_per_request(&self) -> Option<f64> {
        let calls: u64 = self.calls.values().sum();
        let is_known = self.requests > 0 && !self.calls.is_empty();
        is_known.then(|| calls as f64 / self.requests as f64)
    }

    /// The same, as people read it.
    pub fn format_calls_per_request(&self) -> Option<String> {
        let at_least = if self.calls_not_counted.is_some() { "≥ " } else { "" };
        Some(format!("{at_least}{}", format_calls(self.calls_per_request()?)))
    }
}

impl ProcessUsage {
    /// What this process has used so far, and its children that have ended, from getrusage(2),
    /// which counts in microseconds.
    pub(crate) fn so_far() -> Option<Self> {
        #[cfg(unix)]
        {
            use nix::sys::resource::{UsageWho, getrusage};
            use nix::sys::time::TimeValLike;
            let of = |who| {
                let usage = getrusage(who).ok()?;
                let time = usage.user_time() + usage.system_time();
                Some(ProcessUsage {
                    processor_seconds: time.num_microseconds() as f64 / 1e6,
                    // It has as many bits as a pointer.
                    sleeps: usage.voluntary_context_switches().try_into().ok(),
                })
            };
            Some(of(UsageWho::RUSAGE_SELF)?.and(of(UsageWho::RUSAGE_CHILDREN)?))
        }
        #[cfg(not(unix))]
        None // Left out: GetProcessTimes
    }

    /// What a peer has used so far; `None` where this program doesn't know how to find out.
    pub(crate) fn of_peer(process: u32) -> Option<Self> {
        let processor_seconds = Meter::of(process).processor_time()?.as_secs_f64();
        Some(ProcessUsage { processor_seconds, sleeps: None })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        ProcessUsage {
            processor_seconds: self.processor_seconds - before.processor_seconds,
            sleeps: self.sleeps.zip(before.sleeps).map(|(now, before)| now - before),
        }
    }

    /// The sum of both.
    fn and(self, other: Self) -> Self {
        ProcessUsage {
            processor_seconds: self.processor_seconds + other.processor_seconds,
            sleeps: self.sleeps.zip(other.sleeps).map(|(one, other)| one + other),
        }
    }
}
