//! The loads of the measurements do to a server what they say.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use bench::load::{Dribblers, EVERY, Silent, kept_probe};
use bench::{Model, ServerProcess};
use load_generator::Askers;
use serde_json::Value;

use crate::turns::turn;

const PATIENCE: Duration = Duration::from_secs(20);

fn start(model: Model) -> ServerProcess {
    ServerProcess::start(ServerProcess::command(program(), model, &["--quiet"])).unwrap()
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bench"))
}

#[test]
fn each_visit_has_a_whole_wave_before_it() {
    let _turn = turn();
    let server = start(Model::SYNC);
    let mut dribblers = Dribblers::new(server.address(), 2);
    // 27 bytes for each second request, and the server is there for one client at a time.
    let at_least = EVERY * 27 * 2;
    for visit in 1..=3 {
        let waited = dribblers.visit_beside().unwrap();
        assert!(waited >= at_least, "visit {visit} took {waited:?}");
    }
    drop(dribblers);
    let usage = server.stop().unwrap().usage.unwrap();
    assert_eq!((usage.connections, usage.requests), (3 * (2 + 1), 3 * (2 * 2 + 1)));
}

#[test]
fn without_slow_clients_there_is_nobody_but_the_visitor() {
    let server = start(Model::POLL);
    Dribblers::new(server.address(), 0).visit_beside().unwrap();
    assert_eq!(server.stop().unwrap().usage.unwrap().connections, 1);
}

#[test]
fn everybody_asks_as_often_as_told_and_the_silent_say_nothing() {
    let server = start(Model::POLL);
    let silent = Silent::connect(program(), server.address(), 30).unwrap();
    let mut askers = Askers::connect(server.address(), 7, PATIENCE).unwrap();
    askers.ask(100).unwrap();
    askers.ask(0).unwrap();
    askers.ask(1).unwrap();
    kept_probe(server.address()).unwrap();
    drop((silent, askers));
    let usage = server.stop().unwrap().usage.unwrap();
    assert_eq!((usage.connections, usage.requests), (30 + 7 + 1, 7 * 101 + 1));
}

#[test]
fn a_server_that_ends_is_an_error_of_those_who_ask() {
    let server = start(Model::POLL);
    let mut askers = Askers::connect(server.address(), 3, PATIENCE).unwrap();
    askers.ask(1).unwrap();
    drop(server);
    askers.ask(1000).unwrap_err();
}

fn cost(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).arg("cost").args(arguments).output().unwrap()
}

const SMALL: [&str; 6] = ["--active", "5", "--idle", "10", "--rounds", "2"];

#[test]
fn what_a_request_costs_is_told_for_each_round() {
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
        // One to read, one to write, and the wait for several together; the connections, which
        // would double it, are not in it.
        let calls = server["calls_per_request"][0].as_f64().unwrap();
        assert!((2.0..7.5).contains(&calls), "{server}");
    }
}

#[test]
fn a_server_that_cannot_have_so_many_is_left_out_with_a_sentence() {
    let servers = ["--server", "sync-server", "--server", "poll-server"];
    let output = cost(&[&SMALL[..], &servers].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("5 active connections beside 10 idle ones"), "{text}");
    assert!(text.contains("sync-server is left out: it serves 1 at a time, and here are 15."));
    assert!(text.lines().any(|line| line.starts_with(" poll-server ")), "{text}");
}
