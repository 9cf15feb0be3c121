//! The servers from outside this workspace, as far as their tools are installed here.

use std::env;
use std::iter;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::process::{Command, Output};

use bench::Model;
use protocol::Protocol;
use serde_json::Value;

use crate::available::available;
use crate::matrix::{is_tried, tried};
#[cfg(target_os = "linux")]
use crate::processes;
use crate::turns::turn;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bench");

/// A short load, for poll-server and the peers.
fn compare(more: &[&str]) -> Output {
    let load = ["--connections", "20", "--slow", "2", "--requests", "20", "--rounds", "1"];
    let servers = ["--server", "poll-server", "--peers"];
    Command::new(PROGRAM).args(load).args(servers).args(more).output().unwrap()
}

#[test]
fn every_peer_sends_all_replies_and_is_compared_with_poll_server() {
    let _turn = turn();
    let peers = available(Model::PEERS);
    let output = compare(&["--json"]);
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["crowds"][0]["servers"].as_array().unwrap();
    assert_eq!(rows.len(), 1 + peers.len());
    for (row, peer) in rows[1..].iter().zip(peers) {
        assert_eq!(row["server"], peer.label);
        assert_eq!(row["peer"], true, "{row}");
        assert_eq!(row["answered"], 18 * 20 + 2 * 2, "{row}");
        let visits = |what: &str| row["first_visit_us"][what].as_u64().unwrap();
        // One that was due at the very end may not have begun.
        let probes = visits("count") - visits("unanswered");
        let usage = &row["usage"];
        assert_eq!(usage["requests"], 18 * 20 + 2 * 2 + probes, "{row}");
        assert_eq!(usage["connections"], 20 + probes, "{row}");
        assert!(usage["calls_not_counted"].is_string(), "{row}");
        if cfg!(target_os = "linux") {
            assert!(usage["process"]["processor_s"].as_f64().unwrap() > 0.0, "{row}");
            assert!(row["to_poll_server"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_table_has_the_ratio_and_says_what_is_not_counted() {
    let _turn = turn();
    let peers = available(Model::PEERS);
    let output = compare(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    for peer in &peers {
        let row = line(&format!(" {} ", peer.label));
        assert!(row.contains(" unknown ") && row.trim_end().ends_with('×'), "{text}");
        let ratios = line("Processor time per request, relative to poll-server: ");
        assert!(ratios.contains(peer.label), "{text}");
        assert!(line("Not counted at").contains(peer.label), "{text}");
    }
    if !peers.is_empty() {
        assert!(line(" server ").trim_end().ends_with("to poll-server"), "{text}");
        assert!(line(" poll-server ").trim_end().ends_with(" 1.00×"), "{text}");
    }
}

#[test]
fn a_peer_without_its_tool_is_left_out_with_a_sentence() {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["check", "--protocol", "one-shot", "--server", "sync-server"]);
    let output = output.arg("--peers").env("PATH", "").env_remove("CC").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for peer in Model::PEERS {
        let sentence = format!("{} is left out: it does not speak one-shot.", peer.label);
        assert!(text.contains(&sentence), "{text}");
    }

    let chosen = Model::PEERS.iter().flat_map(|peer| ["--server", peer.label]);
    let mut command = Command::new(PROGRAM);
    let output = command.args(chosen).env("PATH", "").env_remove("CC").output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    for (peer, tool) in [
        ("python-asyncio", "`python3`"),
        ("node", "`node`"),
        ("go", "`go`"),
        ("libuv", "`cc` or `gcc`"),
    ] {
        let sentence = format!("{peer} is left out: can't run {tool}; install ");
        assert!(text.contains(&sentence), "{text}");
    }
}

#[test]
fn what_the_compiler_prints_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let compiler = folder.path().join("compiler");
    // Next to this copy of the program, nothing is compiled yet.
    let program = folder.path().join("bench");
    // A shell writes both. If this process opened them for writing, a process that another test
    // starts could inherit them for a moment, and then they can't be run (ETXTBSY).
    let write = r#"
        printf '%s\n' '#!/bin/sh' 'test "$1" = --version || { echo "not today" >&2; exit 1; }' > "$0"
        chmod +x "$0" && cp "$1" "$2""#;
    let shell =
        Command::new("sh").args(["-c", write]).arg(&compiler).arg(PROGRAM).arg(&program).status();
    assert!(shell.unwrap().success());

    let mut command = Command::new(program);
    // `CC` is split into words, as in make, so a path with blanks would be several words.
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&folders);
    let path = env::join_paths(iter::once(folder.path().to_owned()).chain(folders)).unwrap();
    command.env("PATH", path).env("CC", "compiler");
    let output = command.args(["--server", "c-select"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("c-select is left out: select.c does not compile:\nnot today"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_ends_when_it_is_stopped_and_when_the_thread_that_started_it_ends() {
    use bench::MeasuredServer;
    use nix::unistd::Pid;
    let is_gone = |id: u32| {
        let process = Pid::from_raw(id.cast_signed());
        processes::wait_until("the peer has ended", || !processes::runs(process));
    };
    for peer in available(Model::PEERS) {
        let start = move || MeasuredServer::start(Path::new(PROGRAM), peer, &["--quiet"]).unwrap();
        let server = start();
        let id = server.id();
        let outcome = server.stop().unwrap();
        assert!(outcome.status.success() && outcome.usage.is_some(), "{outcome:?}");
        is_gone(id);

        // Nothing stops it but the kernel.
        let server = std::thread::spawn(start).join().unwrap();
        is_gone(server.id());
    }
}

#[test]
fn every_cell_is_as_the_peers_model_says() {
    tried(Model::PEERS, Protocol::Lines, |_, cell| is_tried(cell));
}
