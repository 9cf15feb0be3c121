//! Faults of `faulty-server` that show up under chaos, some of them only there.

use std::time::Duration;

use chaos::{ChaosReport, Scenario, run};
use load_generator::Kind;
use server_process::Target;

/// Short and small, so that all of them can run at the same time; without non-reading clients,
/// which move megabytes.
fn scenario() -> Scenario {
    let kinds = Kind::ALL.into_iter().filter(|&kind| kind != Kind::NonReading).collect();
    let time = Duration::from_secs(1);
    Scenario { time, seed: 4711, connections: 300, kinds, ..Scenario::default() }
}

const FAULTY_SERVER: &str = env!("CARGO_BIN_EXE_faulty-server");

fn chaos(fault: &str, scenario: &Scenario) -> ChaosReport {
    let target = Target::command([FAULTY_SERVER, "--fault", fault, "127.0.0.1:{port}"]).unwrap();
    run(&target, scenario, &|_| {})
}

/// A server that a shell starts, in which `$0` is the program.
fn chaos_in_a_shell(script: &str) -> ChaosReport {
    let words = ["sh", "-c", script, FAULTY_SERVER, "127.0.0.1:{port}"];
    run(&Target::command(words).unwrap(), &scenario(), &|_| {})
}

fn found(fault: &str, words: &str) -> ChaosReport {
    found_with(fault, words, &scenario())
}

fn found_with(fault: &str, words: &str, scenario: &Scenario) -> ChaosReport {
    let outcome = chaos(fault, scenario);
    assert!(!outcome.is_good(), "{fault} was not found: {}", outcome.text());
    assert!(outcome.faults.iter().any(|fault| fault.contains(words)), "{}", outcome.text());
    assert!(outcome.again().unwrap().starts_with("--seed 4711"), "{:?}", outcome.again());
    outcome
}

#[test]
fn a_good_server_survives() {
    // 206 clients come while it is stopped, and there are few descriptors when it is resumed.
    let wave = Some(16);
    let outcome = chaos("none", &Scenario { wave, ..scenario() });
    assert!(outcome.is_good(), "{}", outcome.text());
    assert_eq!(outcome.answered, outcome.requests);
    assert!(outcome.requests > 0 && outcome.waves > 0 && outcome.clients > 600);
    assert!(outcome.stops > 0 && outcome.squeezes > 0, "{}", outcome.text());
    assert_eq!(outcome.not_tried, [""; 0]);
    let (fresh, samples) = (outcome.fresh.unwrap(), &outcome.samples);
    assert!(samples.len() >= 2);
    assert!(samples.iter().all(|sample| sample.descriptors == fresh.descriptors), "{samples:?}");
    assert!(outcome.ended_after.is_some());
    assert_eq!(outcome.again(), None);
}

#[test]
fn an_error_of_one_client_that_ends_the_server() {
    found(
        "dies-on-reset",
        "the server ended with status 1; it said: faulty-server: Connection reset",
    );
}

#[test]
fn descriptors_that_run_out() {
    // It has three left when 300 clients come.
    let wave = Some(4);
    let words = "Too many open files";
    let outcome = found_with("dies-without-descriptors", words, &Scenario { wave, ..scenario() });
    assert!(outcome.squeezes > 0);
    assert!(outcome.failed_wave.is_some());
    assert!(outcome.again().unwrap().contains(" --wave "));
}

#[test]
fn descriptors_that_are_never_closed() {
    found("leaks-descriptors", "descriptors are open although no client is connected");
}

#[test]
fn memory_that_is_never_freed() {
    let scenario = Scenario { connections: 1000, ..scenario() };
    found_with("leaks-memory", "its memory has grown from", &scenario);
}

/// The shell ends when the server has printed that it is running.
#[test]
fn a_server_that_goes_into_the_background() {
    let outcome = chaos_in_a_shell("{ \"$0\" \"$1\" & } | read line");
    let fault = &outcome.faults[0];
    assert!(fault.contains("it has to stay in the foreground"), "{}", outcome.text());
    assert_eq!(outcome.ended_after, None);
}

/// The server that replaces the shell ends at Ctrl-C, and the one that served the clients goes on.
/// (A shell could not end by itself where Ctrl-C is ignored from the beginning, as in the
/// background.)
#[test]
fn a_process_that_survives_the_one_that_was_started() {
    let script = "\"$0\" --fault ignores-ctrl-c \"$1\" & exec \"$0\" 127.0.0.1:0";
    let outcome = chaos_in_a_shell(script);
    let fault = "another process still listens on its port";
    assert!(outcome.faults[0].contains(fault), "{}", outcome.text());
    assert_eq!(outcome.ended_after, None);
}

#[test]
fn an_end_that_does_not_come() {
    let outcome = found("ignores-ctrl-c", "after Ctrl-C, the server was still running after 5s");
    assert_eq!(outcome.faults.len(), 1, "{}", outcome.text());
}
