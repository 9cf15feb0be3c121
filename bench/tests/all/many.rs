//! `bench many`: who holds how many, what that costs, and who drops somebody.

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
fn all_are_held_and_answered_twice_and_the_figures_add_up() {
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
            // A descriptor for each: so they were held, and in none of the other ways.
            assert_eq!(descriptors["per_connection"], 1.0, "{row}");
            assert_eq!(descriptors["before"], descriptors["after"], "{row}");
            // Some hundred bytes each in a release build; pages and other builds make it more.
            let memory = row["process"]["per_connection"].as_f64().unwrap();
            assert!((50.0..50_000.0).contains(&memory), "{row}");
            // What the kernel has in all may even shrink while other tests end.
            assert!(row["kernel"]["per_connection"].is_f64(), "{row}");
            assert!(row["idle_share_of_a_core"].as_f64().unwrap() < 0.5, "{row}");
        }
    }
}

#[test]
fn who_drops_the_silent_ones_is_told() {
    // Before they ask again, memory is looked at twice, which takes a quarter of a second.
    let server = ["--server", "poll-server --idle-timeout 200ms"];
    let output = many(&[&["--connections", "120"], &server[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let trouble = "poll-server --idle-timeout 200ms: 0 of 120 were answered again: ";
    assert!(text.lines().any(|line| line.starts_with(trouble)), "{text}");
}

#[test]
fn who_is_full_holds_what_fits_and_who_serves_one_is_left_out() {
    let _turn = turn();
    let servers = ["--server", "sync-server", "--server", "thread-server --max-threads 130"];
    let output = many(&[&["--connections", "200"], &servers[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for sentence in [
        "sync-server is left out: it serves 1 at a time",
        "thread-server --max-threads 130 was to hold 128 only: it has 130 clients at most",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
    let output = many(&["--connections", "200", "--server", "sync-server"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
}

#[test]
fn a_crowd_that_cannot_be_is_refused_with_a_sentence() {
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
