//! Some seconds of chaos at every model, several of them side by side.
//!
//! `.ci/long` takes twenty: `cargo test -p bench --test all chaos -- --ignored`. The seeds are
//! fixed, so that a failed run can be repeated, here or with the command that it prints. Try new
//! seeds by hand: `cargo run --release -p bench -- chaos --all --time 10m`.

use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use bench::Model;
use bench::chaos::{chaos, table, troubles};
use chaos::{ChaosReport, Scenario};
use protocol::Protocol;

use crate::available::available;
use crate::turns::turn;

/// How many servers are tried at the same time: most of the time they wait, or are paused.
const SIDE_BY_SIDE: usize = 6;

/// The most clients at each of them, so that two cores can serve them all.
const CLIENTS: usize = 200;

fn text(reports: &[ChaosReport]) -> String {
    format!("{}\n{}", table(reports).text(None), troubles(reports).join("\n"))
}

/// All of them survive; each has a seed of its own.
fn survive(models: &[Model], scenario: &Scenario) -> Vec<ChaosReport> {
    let _turn = turn();
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    let models = available(models);
    let next = Mutex::new(models.iter().zip(1..));
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                // Locked for no longer than it takes to get the next one.
                let next = || next.lock().unwrap().next();
                while let Some((&model, seed)) = next() {
                    let scenario = Scenario { seed, ..scenario.clone() };
                    let outcome = chaos(model, &scenario, program, &|_| {}).unwrap();
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), models.len());
    let all_survive = outcomes.iter().all(ChaosReport::is_good);
    assert!(all_survive, "{}", text(&outcomes));
    outcomes
}

fn every_model_survives(time: Duration) -> Vec<ChaosReport> {
    let outcomes =
        survive(Model::ALL, &Scenario { time, connections: CLIENTS, ..Scenario::default() });
    for outcome in &outcomes {
        assert!(outcome.waves > 0 && outcome.requests > 0, "{}", text(&outcomes));
        assert_eq!(outcome.answered, outcome.requests, "{}", text(&outcomes));
        if cfg!(target_os = "linux") {
            let is_looked_at = outcome.samples.len() > 1 && outcome.not_tried.is_empty();
            assert!(is_looked_at, "{}", text(&outcomes));
        }
    }
    outcomes
}

/// Whether several waves came, and the server was paused by a signal and left with too few
/// descriptors.
fn is_disturbed(outcome: &ChaosReport) -> bool {
    outcome.waves > 1 && (!cfg!(target_os = "linux") || (outcome.stops > 0 && outcome.squeezes > 0))
}

#[test]
fn every_model_survives_chaos() {
    let outcomes = every_model_survives(Duration::from_secs(5));
    // In such a short time, not all of this happens to each of them.
    assert!(outcomes.iter().any(is_disturbed), "{}", text(&outcomes));
}

#[test]
#[ignore = "a minute: 20 seconds for each server; `.ci/long` takes them"]
fn every_model_survives_chaos_for_longer() {
    let outcomes = every_model_survives(Duration::from_secs(20));
    assert!(outcomes.iter().all(is_disturbed), "{}", text(&outcomes));
}

#[test]
fn every_model_survives_in_the_protocol_of_the_article_too() {
    let time = Duration::from_secs(3);
    let protocol = Protocol::OneShot;
    survive(Model::ALL, &Scenario { time, connections: CLIENTS, protocol, ..Scenario::default() });
}
