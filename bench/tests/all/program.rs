//! The program `bench`, as its users run it.

use std::io::Read;
use std::process::{Command, Output, Stdio};

use bench::Model;
use serde_json::Value;

#[cfg(target_os = "linux")]
use crate::available::left_out;
use crate::turns::turn;

#[cfg(target_os = "linux")]
use crate::processes::{children, runs, wait_until};

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    bench(arguments).output().unwrap()
}

/// A short load.
const SMALL: [&str; 8] = ["--connections", "20", "--slow", "2", "--requests", "5", "--rounds", "2"];

#[test]
fn every_request_gets_its_reply_and_the_figures_add_up() {
    let _turn = turn();
    let output = run(&[&SMALL[..], &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let servers = json["crowds"][0]["servers"].as_array().unwrap();
    assert_eq!(servers.len(), Model::MAIN.len());
    for row in servers {
        let requests = 2 * (18 * 5 + 2 * 2); // rounds of prompt and slow clients
        assert_eq!(row["requests"], requests, "{row}");
        assert_eq!(row["answered"], requests, "{row}");
        let visits = |what: &str| row["first_visit_us"][what].as_u64().unwrap();
        // One that was due at the very end may not have begun.
        let probes = visits("count") - visits("unanswered");
        let usage = &row["usage"];
        assert!(probes > 0, "{row}");
        assert_eq!(usage["connections"], 2 * 20 + probes, "{row}");
        assert_eq!(usage["requests"], requests + probes, "{row}");
        assert_eq!(usage["replies"], requests + probes, "{row}");
        if cfg!(unix) {
            assert!(usage["process"]["processor_s"].as_f64().unwrap() > 0.0, "{row}");
        }
        assert_eq!(row["trouble"].as_array().unwrap().len(), 0, "{row}");
    }
    assert!(!json["findings"].as_array().unwrap().is_empty());
}

/// Without a choice of crowds, a second one has more slow clients than select(2) can watch. A
/// blocking server can't serve it in time.
#[test]
#[cfg(target_os = "linux")]
fn two_crowds_are_compared_by_default() {
    let _turn = turn();
    let output = run(&["--requests", "1", "--rounds", "1", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [few, many] = &json["crowds"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!([&few["slow"], &few["connections"]], [10, 100]);
    if many["connections"] != 1200 {
        return left_out(json["findings"].to_string());
    }
    let row = |crowd: &Value, number: usize| crowd["servers"][number].clone();
    let sync = row(many, 0);
    assert_eq!(sync["cut_short"], true, "{sync}");
    assert_eq!(sync["first_visit_us"]["median_is_at_least"], true, "{sync}");
    assert!(sync["first_visit_us"]["median"].as_f64().unwrap() > 1e6, "{sync}");
    for server in [row(few, 0), row(few, 1), row(few, 2)] {
        assert_eq!(server["cut_short"], false, "{server}");
        assert_eq!(server["first_visit_us"]["unanswered"], 0, "{server}");
    }
    let said = json["findings"].to_string();
    assert!(said.contains("While 1100 of 1200 clients dribbled, it took "), "{said}");
}

#[test]
fn the_table_has_a_row_for_each_chosen_server() {
    let output = run(&[&SMALL[..], &["--server", "poll-server"]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line.starts_with(" poll-server ")), "{text}");
    assert!(!text.contains("sync-server"), "{text}");
    assert!(output.stderr.is_empty(), "no progress bar without a terminal");
}

#[test]
fn the_page_has_the_table_and_a_timeline_of_each_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let output = run(&[&SMALL[..], &["--page", path.to_str().unwrap(), "--replay"]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.trim_end().ends_with(path.to_str().unwrap()), "{text}");
    let page = std::fs::read_to_string(&path).unwrap();
    for server in ["sync-server", "poll-server"] {
        assert!(page.contains(&format!("<td>{server}</td>")), "in the table");
        assert_eq!(page.matches(&format!("id=\"{server}\"")).count(), 1, "a picture");
    }
    let pictures = page.matches("<svg ").count();
    assert_eq!(pictures, Model::MAIN.len());
    for group in ["dribbling: 2 clients", "prompt: 18 clients", "probes: "] {
        assert_eq!(page.matches(group).count(), pictures, "{group}");
    }
    assert_eq!(page.matches("@keyframes").count(), pictures, "each is animated");
    for elsewhere in ["<script", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(elsewhere), "{elsewhere} needs more than this file");
    }
}

#[test]
fn the_matrix_is_printed_by_one_command() {
    let _turn = turn();
    let only = ["check", "--protocol", "one-shot", "--server", "sync-server"];
    let output = run(&only);
    assert!(output.status.success(), "a blocking server keeps what it can: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |check: &str| text.lines().find(|line| line.starts_with(check)).unwrap();
    assert!(row("answers").contains('✓') && row("silent-neighbour").contains('✗'), "{text}");
    assert!(text.contains("sync-server can't keep silent-neighbour"), "{text}");

    let output = run(&[&only[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["servers"][0]["checks"][0]["verdict"], "kept");
}

#[test]
fn a_page_that_cannot_be_written_is_reported_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere").join("page.html");
    let output = run(&["--page", nowhere.to_str().unwrap(), "--rounds", "1000000"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("can't write ") && text.contains("`--page FILE.html`"), "{text}");
}

#[test]
fn a_wrong_command_line_is_rejected_with_a_sentence() {
    for (arguments, advice) in [
        (vec!["--slow", "5", "--connections", "4"], "at most `--connections`"),
        (vec!["--connections", "0", "--slow", "0"], "at least 1"),
        (vec!["--server", "nginx"], "sync-server"),
        (vec!["--rounds", "0"], "0"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
fn a_reader_that_goes_away_causes_no_panic() {
    let mut child = bench(&SMALL).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{errors}");
    assert!(errors.is_empty(), "{errors}");
}

/// How many descriptors a process has open. Once a server has more than any needs for itself, it
/// is being flooded.
#[cfg(target_os = "linux")]
fn descriptors(process: nix::unistd::Pid) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count)
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_that_dies_is_reported_in_its_row() {
    use nix::sys::signal::{Signal, kill};
    let child = bench(&["--server", "poll-server", "--rounds", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bench = child.id();
    let mut flooded = None;
    wait_until("the server is flooded", || {
        flooded = children(bench).into_iter().find(|&server| descriptors(server) > 50);
        flooded.is_some()
    });
    kill(flooded.unwrap(), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("poll-server: the server died (signal: 9"), "{text}");
}

/// As under `nohup`, or in a script's background. The servers are parts of the program, so they
/// survive as well.
#[test]
#[cfg(target_os = "linux")]
fn signals_ignored_at_the_start_disturb_neither_the_program_nor_its_servers() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let load = ["--connections", "60", "--slow", "2", "--requests", "200", "--rounds", "1"];
    let command = bench(&[&load[..], &["--server", "poll-server"]].concat());
    let mut command = crate::ignoring::ignoring("INT HUP", &command);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let bench = child.id();
    let mut server = None;
    wait_until("the server is flooded", || {
        server = children(bench).into_iter().find(|&server| descriptors(server) > 50);
        server.is_some()
    });
    for signal in [Signal::SIGINT, Signal::SIGHUP] {
        kill(server.unwrap(), signal).unwrap();
        kill(Pid::from_raw(bench.cast_signed()), signal).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn no_server_outlives_the_program_whatever_ends_it() {
    /// If this test fails, it would otherwise run for minutes.
    struct Killed(std::process::Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
    let child = Killed(bench(&["--rounds", "100"]).stdout(Stdio::piped()).spawn().unwrap());
    wait_until("a server runs", || children(child.0.id()).len() == 1);
    let servers = children(child.0.id());
    drop(child);
    wait_until("no server runs", || !servers.iter().any(|&server| runs(server)));
}

#[test]
fn a_report_is_rejected_in_a_foreign_folder_and_without_figures() {
    let folder = tempfile::tempdir().unwrap();
    let [into, from] = ["into", "from"].map(|name| folder.path().join(name));
    std::fs::create_dir(&from).unwrap();
    let report = || {
        let [into, from] = [&into, &from].map(|path| path.to_str().unwrap());
        let output = run(&["report", "--quick", "--into", into, "--from", from]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = report();
    assert!(error.contains("no criterion figures"), "{error}");
    std::fs::create_dir(&into).unwrap();
    std::fs::write(into.join("diary.txt"), "dear").unwrap();
    let error = report();
    assert!(error.contains("something other") && error.contains("--into FOLDER"), "{error}");
}
