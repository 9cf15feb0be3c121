//! `bench many`: how many connections a server holds, what that costs, and whether it drops any.

use std::process::{Command, Output};

use serde_json::Value;

use crate::turns::turn;

fn many(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).arg("many").args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn all_are_held_and_get_two_replies_and_the_figures_add_up() {
    let _turn = turn();
    let servers = ["--server", "poll-server", "--server", "prefork-server --workers 2"];
    let servers = if cfg!(unix) { &servers[..] } else { &servers[..2] };
    let sources = ["--sources", if cfg!(target_os = "linux") { "2" } else { "1" }];
    let output = many(&[&["--connections", "301", "--json"], &sources[..], servers].concat());
    assert!(output.status.success(), "{output:?}");
    let json = json(&output);
    let rows = json["servers"].as_array().unwrap();
    assert_eq!(rows.len(), servers.len() / 2);
    for row in rows {
        for figure in ["wanted", "held", "answered_again"] {
            assert_eq!(row[figure], 301, "{figure} of {row}");
        }
        for when in ["alone", "beside"] {
            for wait in ["kept_us", "visit_us"] {
                let waits = &row[when][wait];
                assert!(waits["count"].as_u64().unwrap() >= 100, "{waits}");
                assert!(waits["p50"].as_f64().unwrap() > 0.0, "{waits}");
            }
        }
        assert_eq!(row["trouble"].as_array().unwrap().len(), 0, "{row}");
        if cfg!(target_os = "linux") {
            let descriptors = &row["descriptors"];
            // One descriptor for each, so they were held.
            assert_eq!(descriptors["per_connection"], 1.0, "{row}");
            assert_eq!(descriptors["before"], descriptors["after"], "{row}");
            // A few hundred bytes each in a release build; more in other builds, and whole pages.
            let memory = row["process"]["per_connection"].as_f64().unwrap();
            assert!((50.0..50_000.0).contains(&memory), "{row}");
            // The kernel's total may even shrink while other tests end.
            assert!(row["kernel"]["per_connection"].is_f64(), "{row}");
            assert!(row["idle_share_of_a_core"].as_f64().unwrap() < 0.5, "{row}");
        }
    }
}

#[test]
fn a_server_that_drops_silent_connections_is_reported() {
    // Before the second request, memory is read twice, which takes a quarter of a second.
    let server = ["--server", "poll-server --idle-timeout 200ms"];
    let output = many(&[&["--connections", "120"], &server[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let trouble = "poll-server --idle-timeout 200ms: 0 of 120 connections got a second reply: ";
    assert!(text.lines().any(|line| line.starts_with(trouble)), "{text}");
}

#[test]
fn a_full_server_holds_what_fits_and_one_that_serves_one_is_left_out() {
    let _turn = turn();
    let servers = ["--server", "sync-server", "--server", "thread-server --max-threads 130"];
    let output = many(&[&["--connections", "200"], &servers[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for sentence in [
        "sync-server is left out: it serves 1 at a time",
        "thread-server --max-threads 130 was given only 128 connections: it serves at most 130",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
    let output = many(&["--connections", "200", "--server", "sync-server"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
}

#[test]
fn an_impossible_crowd_is_rejected_with_a_sentence() {
    for (arguments, advice) in [
        (["--connections", "0"], "a whole number from 1 to"),
        (["--connections", "many"], "a whole number from 1 to"),
        (["--sources", "0"], "a whole number from 1 to 254"),
    ] {
        let output = many(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(advice), "{text}");
    }
}
