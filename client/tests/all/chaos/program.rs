//! The program: its options, what it prints, and its exit status.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::Protocol;
use serde_json::Value;

use crate::ignoring::ignoring;

fn chaos() -> Command {
    system::defaults_for_children(); // one gets SIGINT
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    command.arg("chaos").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    chaos().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn faulty(fault: &str) -> String {
    let program = shell_words::quote(env!("CARGO_BIN_EXE_faulty-server"));
    format!("{program} --fault {fault} 127.0.0.1:{{port}}")
}

#[test]
fn what_a_person_reads() {
    let small = ["--time", "1s", "--seed", "7", "--connections", "100"];
    let output = run(&[&small[..], &[&faulty("none")]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed = text(&output.stdout);
    for words in [
        "seed 7: ",
        " requests were answered, each exactly once",
        "memory at rest: ",
        "descriptors at rest: ",
        " after Ctrl-C, with status 0",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert!(printed.ends_with("The server survived.\n"), "{printed}");
    assert_eq!(text(&output.stderr), "");
}

/// The command in the last line finds the same fault in the same wave.
#[test]
fn what_was_found_can_be_repeated() {
    let small = ["--time", "1m", "--seed", "4711", "--connections", "300"];
    let server = faulty("dies-without-descriptors");
    let output = run(&[&small[..], &["--without", "stops,non-reading", &server]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let printed = text(&output.stdout);
    let again = printed.lines().last().unwrap();
    let again = again.strip_prefix("To repeat only that wave: client ").unwrap();
    let words = shell_words::split(again).unwrap();
    assert_eq!(words[..3], ["chaos", "--seed", "4711"]);
    for expected in ["--connections 300", "--without stops,non-reading"] {
        assert!(again.contains(expected), "{again}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    // It ends with the first wave in which the fault is found, which on a busy machine need not be
    // the first.
    let output = command.args(&words).args(["--time", "30s", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = words.iter().skip_while(|word| *word != "--wave").nth(1).unwrap();
    assert_eq!(outcome["good"], false);
    assert_eq!(outcome["failed_wave"]["number"].to_string(), *number);
}

#[test]
fn a_server_that_runs_already_is_tried_without_what_needs_its_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let stream = stream?;
                // An unfinished last line is a line, too; a reset ends this one only.
                for _ in BufReader::new(&stream).split(b'\n') {
                    (&stream).write_all(Protocol::Lines.reply())?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    // Threads that write until a client reads have no bound that would not let it wait.
    let small = ["--time", "1s", "--connections", "50", "--json"];
    let output = run(&[&small[..], &[&address]].concat());
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{outcome}");
    assert_eq!(outcome["not_tried"].as_array().unwrap().len(), 1);
    assert!(outcome["not_tried"][0].as_str().unwrap().contains("instead of its address"));
    assert_eq!((&outcome["stops"], &outcome["samples"]), (&0.into(), &Value::Array(vec![])));
}

#[test]
fn a_server_that_does_not_start_is_reported() {
    let output = run(&["--seed", "3", "sh -c 'echo port {port} is cursed; exit 3'"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(printed.contains("ended with status 3 before it listened"), "{printed}");
    assert!(printed.contains("it said: port "), "{printed}");
}

#[test]
fn wrong_usage_is_rejected_with_what_is_right() {
    for (arguments, words) in [
        (&["localhost"][..], "neither HOST:PORT nor a command"),
        (&["--", "python3", "server.py"], "write {port} in its place"),
        (&["--without", "prompt"], "you can leave out dribbling, "),
        (&["--without", "nothing"], "stops, pressure, ctrl-c"),
        (&["--time", "20"], "250ms, 2s or 1m 30s"),
        (&["--time", "0s"], "for example `--time 20s`"),
        (&["--connections", "0"], "a whole number from 1 to 65535"),
        (&["--connections", "70000"], "a whole number from 1 to 65535"),
        (&["--wave", "3"], "--seed"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}

/// The server is ended in any case: while it serves, and while it is stopped.
#[test]
fn ctrl_c_leaves_no_process_behind() {
    let named = format!("chaos-{}", std::process::id());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(named);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_faulty-server"), &program).unwrap();
    let state = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes.map(|it| it.path()).find_map(|path| {
            let line = fs::read(path.join("cmdline")).ok()?;
            let is_ours = line.starts_with(program.as_os_str().as_encoded_bytes());
            let stat = is_ours.then(|| fs::read_to_string(path.join("stat")).ok())??;
            stat.rsplit_once(") ")?.1.chars().next()
        })
    };
    let server = format!("{} 127.0.0.1:{{port}}", shell_words::quote(program.to_str().unwrap()));
    for wanted in ["RS", "T"] {
        let mut command = chaos();
        // In a group of its own, so that the signal is for this one alone.
        command.args(["--connections", "200", "--time", "10m", &server]).process_group(0);
        let mut running = command.stdout(Stdio::null()).spawn().unwrap();
        wait_until(|| state().is_some_and(|state| wanted.contains(state)));
        kill(Pid::from_raw(running.id().cast_signed()), Signal::SIGINT).unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(130));
        wait_until(|| state().is_none());
    }
    fs::remove_file(&program).unwrap();
}

/// As under `nohup`, or in a script's background. The server has the default actions all the
/// same, so it ends after Ctrl-C.
#[test]
fn it_survives_signals_ignored_at_the_start_and_the_server_does_not_ignore_them() {
    let server = format!("\"{}\" 127.0.0.1:$0", env!("CARGO_BIN_EXE_faulty-server"));
    let server = format!("sh -c 'kill -INT $PPID; kill -HUP $PPID; exec {server}' {{port}}");
    let mut command = chaos();
    command.args(["--time", "500ms", "--seed", "7", "--connections", "50", &server]);
    let output = ignoring("INT HUP", &command).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains(" after Ctrl-C, with status 0"), "{output:?}");
}

/// No event reports changes of a process that isn't a child of this one.
fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "it never happened");
        thread::sleep(Duration::from_millis(1));
    }
}
