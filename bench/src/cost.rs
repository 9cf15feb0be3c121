//! What a request costs: `cargo run --release -p bench -- cost`.

use serde::Serialize;

use crate::{Interval, Model};

/// Which load each server gets, and how often.
#[derive(Clone, Debug)]
pub struct CostPlan {
    /// The servers.
    pub models: Vec<Model>,
    /// How many connections ask, each again as soon as it is answered.
    pub active: usize,
    /// How many are there besides and say nothing.
    pub idle: usize,
    /// How many times each server is measured, in turns.
    pub rounds: usize,
}

/// What came of one server; each list has a figure for each round, in the order of the rounds,
/// so that those of two servers can be compared pair by pair.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cost {
    /// The server's label.
    pub server: String,
    /// Processor time of the server for each request, in microseconds.
    pub processor_us: Vec<f64>,
    /// Requests answered in a second.
    pub requests_per_s: Vec<f64>,
    /// The share of one core that the server used.
    pub share_of_a_core: Vec<f64>,
    /// System calls for each request, where the server counts them.
    pub calls_per_request: Vec<f64>,
    /// Which of them it can't count.
    pub calls_not_counted: Option<String>,
    /// Memory of the server's process for each connection, in bytes.
    pub memory_per_connection: Vec<f64>,
    /// What went wrong, in words.
    pub trouble: Vec<String>,
}

impl Cost {
    /// Its processor time for each request as a multiple of another server's, round by round.
    pub fn ratio_to(&self, other: &Cost) -> Option<Interval> {
        let pairs = self.processor_us.iter().zip(&other.processor_us);
        Interval::of(&pairs.map(|(one, other)| one / other).collect::<Vec<_>>())
    }
}
