//! The loads of the measurements do what they say.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use bench::load::{EVERY, HeldConnections, SlowClients, kept_probe};
use bench::{MeasuredServer, Model};
use load_generator::BusyClients;
use serde_json::Value;

use crate::turns::turn;

const PATIENCE: Duration = Duration::from_secs(20);

fn start(model: Model) -> MeasuredServer {
    MeasuredServer::start(program(), model, &["--quiet"]).unwrap()
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bench"))
}

#[test]
fn each_visit_has_a_whole_wave_before_it() {
    let _turn = turn();
    let server = start(Model::SYNC);
    let mut slow_clients = SlowClients::new(server.address(), 2);
    // 27 bytes for each second request, and the server serves one client at a time.
    let at_least = EVERY * 27 * 2;
    for visit in 1..=3 {
        let waited = slow_clients.visit_beside().unwrap();
        assert!(waited >= at_least, "visit {visit} took {waited:?}");
    }
    drop(slow_clients);
    let usage = server.stop().unwrap().usage.unwrap();
    assert_eq!((usage.connections, usage.requests), (3 * (2 + 1), 3 * (2 * 2 + 1)));
}

#[test]
fn without_slow_clients_the_visitor_is_alone() {
    let server = start(Model::POLL);
    SlowClients::new(server.address(), 0).visit_beside().unwrap();
    assert_eq!(server.stop().unwrap().usage.unwrap().connections, 1);
}

#[test]
fn busy_clients_send_the_right_number_of_requests_and_silent_ones_send_none() {
    let server = start(Model::POLL);
    let silent = HeldConnections::silent(program(), server.address(), 30).unwrap();
    let mut clients = BusyClients::connect(server.address(), 7, PATIENCE).unwrap();
    clients.request(100).unwrap();
    clients.request(0).unwrap();
    clients.request(1).unwrap();
    kept_probe(server.address()).unwrap();
    drop((silent, clients));
    let usage = server.stop().unwrap().usage.unwrap();
    assert_eq!((usage.connections, usage.requests), (30 + 7 + 1, 7 * 101 + 1));
}

#[test]
fn if_a_server_ends_its_busy_clients_fail() {
    let server = start(Model::POLL);
    let mut clients = BusyClients::connect(server.address(), 3, PATIENCE).unwrap();
    clients.request(1).unwrap();
    drop(server);
    clients.request(1000).unwrap_err();
}

fn cost(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).arg("cost").args(arguments).output().unwrap()
}

const SMALL: [&str; 6] = ["--active", "5", "--idle", "10", "--rounds", "2"];

#[test]
fn what_a_request_costs_is_reported_for_each_round() {
    let _turn = turn();
    let servers = ["--server", "prefork-server", "--server", "poll-server", "--json"];
    let servers = if cfg!(unix) { &servers[..] } else { &servers[2..] };
    let output = cost(&[&SMALL[..], servers].concat());
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["active"], &json["idle"]), (&5.into(), &10.into()));
    for server in json["servers"].as_array().unwrap() {
        let mut known = vec!["requests_per_s", "calls_per_request"];
        if cfg!(target_os = "linux") {
            known.extend(["processor_us", "share_of_a_core"]);
        }
        for figure in known {
            let rounds = server[figure].as_array().unwrap();
            assert_eq!(rounds.len(), 2, "{figure} of {server}");
            assert!(rounds.iter().all(|round| round.as_f64().unwrap() > 0.0), "{figure}: {server}");
        }
        // One to read, one to write, and a wait shared by several requests. The calls for the
        // connections, which would double this, don't count.
        let calls = server["calls_per_request"][0].as_f64().unwrap();
        assert!((2.0..7.5).contains(&calls), "{server}");
    }
}

#[test]
fn a_server_that_cannot_have_that_many_is_left_out_with_a_sentence() {
    let servers = ["--server", "sync-server", "--server", "poll-server"];
    let output = cost(&[&SMALL[..], &servers].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("5 active connections and 10 idle ones"), "{text}");
    let left_out = "sync-server is left out: it serves 1 at a time, but there are 15 connections.";
    assert!(text.contains(left_out), "{text}");
    assert!(text.lines().any(|line| line.starts_with(" poll-server ")), "{text}");
}
