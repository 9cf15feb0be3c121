//! The program: its options, what it prints, and its exit status.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{self, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::servers::{faulty_command, one_after_the_other};
use crate::ignoring::ignoring;

fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    command.arg("check").args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs it with these arguments and `--json`.
fn json(arguments: &[&str]) -> (i32, Value) {
    let output = check(&[&["--json"], arguments].concat());
    assert_eq!(text(&output.stderr), "");
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_table_has_a_row_for_each_check_and_a_column_for_each_server() {
    let (good, mute) = (faulty_command("none"), faulty_command("mute"));
    let arguments = ["--only", "answers", "--only", "pipelined", &good, &mute];
    let output = check(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], format!("A  {good}"));
    let row = |name| lines.iter().find(|line| line.starts_with(name)).copied().unwrap();
    assert_eq!(
        row("answers").split_whitespace().collect::<Vec<_>>(),
        ["answers", "✓", "✗", "broken"]
    );
    assert_eq!(
        row("pipelined").split_whitespace().collect::<Vec<_>>(),
        ["pipelined", "✓", "↳", "answers"]
    );
    for words in ["tried ", "happened ", "B: \"Hello from server!\\n\" did not come", "likely "] {
        assert!(printed.contains(words), "{printed}");
    }
    assert!(printed.contains("chapter 1, \"One server, one client\""), "{printed}");
    assert!(printed.ends_with("B  0 of 2 promises kept; fix answers first\n"), "{printed}");
    assert!(!printed.contains('\x1b'), "colours, although it is not a terminal: {printed}");
    assert!(lines.iter().all(|line| line.chars().count() <= 90 || line.contains("faulty-server")));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn colours_can_be_forced() {
    let address = one_after_the_other().to_string();
    let output = check(&["--color", "always", "--only", "answers", &address]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("\x1b[32m✓"), "{output:?}");
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let server = faulty_command("one-read-one-message");
    let only = ["--only", "answers", "--only", "byte-by-byte", "--only", "pipelined"];
    let (status, report) = json(&[&only[..], &[&server]].concat());
    assert_eq!(status, 1);
    assert_eq!(report["good"], false);
    assert_eq!(report["protocol"], "lines");
    let server = &report["servers"][0];
    let verdict = |at: usize| (&server["checks"][at]["name"], &server["checks"][at]["verdict"]);
    assert_eq!(verdict(0), (&"answers".into(), &"kept".into()));
    assert_eq!(verdict(1), (&"byte-by-byte".into(), &"broken".into()));
    assert_eq!(verdict(2), (&"pipelined".into(), &"follows".into()));
    assert_eq!(server["checks"][2]["from"], "byte-by-byte");
    assert!(server["took_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_command_may_stand_unquoted_after_two_dashes() {
    let program = env!("CARGO_BIN_EXE_faulty-server");
    let output = check(&["--only", "asks-again", "--", program, "127.0.0.1:{port}"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).ends_with("1 of 1 promises kept\n"), "{output:?}");
}

#[test]
fn the_list_names_every_check() {
    let output = check(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    let list = text(&output.stdout);
    let names: Vec<_> = list.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(names.len(), checker::ALL.len(), "{list}");
    for check in checker::ALL {
        assert!(names.iter().any(|line| line.starts_with(check.name)), "{list}");
    }
    let one_shot = check(&["--list", "--protocol", "one-shot"]);
    assert!(!text(&one_shot.stdout).contains("pipelined"));
}

#[test]
fn wrong_usage_is_rejected_with_what_is_right() {
    for (arguments, words) in [
        (&["localhost"][..], "neither HOST:PORT nor a command"),
        (&["python3 server.py"], "write {port} in its place"),
        (&["--", "python3", "server.py"], "write {port} in its place"),
        (&["--only", "nothing"], "the checks are answers, greets-once"),
        (&["--only", "pipelined", "--protocol", "one-shot"], "makes no sense in"),
        (&["--protocol", "http"], "`lines` or `one-shot`"),
        (&["--patience", "2"], "250ms, 2s or 1m 30s"),
        (&["--patience", "0s"], "below 10ms"),
        (&["--color", "red"], "auto, always, never"),
    ] {
        let output = check(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_server_that_does_not_start_is_reported_with_its_last_output() {
    for (command, words) in [
        ("no-such-program {port}", "`no-such-program` can't be started"),
        ("sh -c 'echo port {port} is cursed; exit 3'", "ended with status 3 before it listened"),
        ("sh -c 'echo port {port} is cursed; exit 3'", "it said: port "),
        ("sh -c 'kill -9 $$' {port}", "was ended by signal 9 (SIGKILL)"),
    ] {
        let (status, report) = json(&[command]);
        assert_eq!(status, 1);
        let checks = report["servers"][0]["checks"].as_array().unwrap();
        assert_eq!(checks[0]["verdict"], "broken");
        let what = checks[0]["what"].as_str().unwrap();
        assert!(what.contains(words), "{command}: {what}");
        assert!(checks[1..].iter().all(|check| check["from"] == "answers"), "{report}");
    }
}

/// It gets ten seconds, because something may have to be compiled first.
#[test]
fn a_server_that_never_listens_is_given_up() {
    let (status, report) = json(&["--only", "answers", "sh -c 'exec sleep 1000' {port}"]);
    assert_eq!(status, 1);
    let what = report["servers"][0]["checks"][0]["what"].as_str().unwrap();
    assert!(what.contains("did not listen on port"), "{what}");
}

#[test]
fn no_server_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (status, report) = json(&[&address]);
    assert_eq!(status, 1);
    let what = report["servers"][0]["checks"][0]["what"].as_str().unwrap();
    assert!(what.contains("no server listens there"), "{what}");
}

/// Neither the servers nor their children outlive the checker.
#[test]
fn no_process_is_left_behind() {
    // Under a unique name, so that it can be distinguished from all others.
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("left-by-{}", process::id()));
    symlink(env!("CARGO_BIN_EXE_faulty-server"), &program).unwrap();
    let is_left = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut lines = processes.filter_map(|it| fs::read(it.path().join("cmdline")).ok());
        lines.any(|line| line.starts_with(program.as_os_str().as_encoded_bytes()))
    };
    // A wrapper that waits for the server, as a shell does for what it did not exec.
    let server = format!("\"{}\" --fault ignores-ctrl-c 127.0.0.1:$0", program.display());
    let wrapper = format!("sh -c '{server} & wait' {{port}}");
    let output = check(&["--only", "answers", "--only", "ctrl-c", &wrapper]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    wait_until(|| !is_left());

    // The same if the checker is interrupted.
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    command.args(["check", &wrapper]).stdin(Stdio::null()).stdout(Stdio::null());
    system::defaults_for_children();
    let mut checker = command.spawn().unwrap();
    wait_until(is_left);
    kill(Pid::from_raw(checker.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(checker.wait().unwrap().code(), Some(130));
    wait_until(|| !is_left());
    fs::remove_file(&program).unwrap();
}

/// As under `nohup`, or in a script's background. The server has the default actions all the
/// same, so that it can be checked what it does on Ctrl-C.
#[test]
fn the_checker_survives_signals_ignored_at_the_start_and_the_server_does_not_ignore_them() {
    // Started once for each check, it sends both signals to the checker.
    let server = format!("\"{}\" 127.0.0.1:$0", env!("CARGO_BIN_EXE_faulty-server"));
    let server = format!("sh -c 'kill -INT $PPID; kill -HUP $PPID; exec {server}' {{port}}");
    let mut checker = Command::new(env!("CARGO_BIN_EXE_client"));
    checker.args(["check", "--only", "answers", "--only", "ctrl-c", &server]);
    let output = ignoring("INT HUP", &checker).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("2 of 2 promises kept"), "{output:?}");
}

/// No event reports when a process that isn't a child of this one begins or ends.
fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "it never happened");
        thread::sleep(Duration::from_millis(5));
    }
}
