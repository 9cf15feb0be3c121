//! The program: exit status, what it prints where, and how it rejects wrong usage.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
#[cfg(unix)]
use std::thread;

use serde_json::Value;

use super::servers::{for_each_line, polite_server, server};
#[cfg(unix)]
use crate::ignoring::ignoring;

fn client(arguments: &[&str]) -> Command {
    system::defaults_for_children(); // some get signals
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(address: SocketAddr, arguments: &[&str]) -> (Output, String) {
    let mut command = client(arguments);
    let output = command.arg(address.to_string()).output().unwrap();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    (output, stdout)
}

/// Runs it with wrong options, and returns what it says about them.
fn rejected(arguments: &[&str]) -> String {
    let output = client(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_prints_each_reply_and_a_summary() {
    let (output, stdout) = run(polite_server(), &["--connections", "3", "--requests", "2"]);
    assert_eq!(output.status.code(), Some(0));
    let reply = r#"client number 2 got "Hello from server!\n""#;
    assert_eq!(stdout.lines().filter(|&line| line == reply).count(), 2);
    assert!(stdout.contains("answered 6 of 6 requests, connected 3 of 3"), "{stdout}");
    for word in ["p50", "p99", "connect", "reply"] {
        assert!(stdout.contains(word), "{stdout}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn many_or_quiet_clients_print_the_summary_only() {
    for arguments in [["--connections", "51"].as_slice(), &["--quiet"]] {
        let (output, stdout) = run(polite_server(), arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout.starts_with("answered "), "{stdout}");
    }
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let (output, stdout) = run(polite_server(), &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["good"], true);
    assert_eq!(report["answered"], 20);
    assert_eq!(report["reply_us"]["count"], 20);
    assert_eq!(report["errors"]["closed_early"]["count"], 0);
    assert!(report["connect_us"]["p99"].as_f64().unwrap() > 0.0);
    assert!(output.stderr.is_empty());
}

#[test]
fn json_has_everything_of_an_open_loop_and_a_mixed_crowd() {
    let options = ["--json", "--rate", "500/s", "--duration", "400ms", "--silent", "1"];
    let (output, stdout) = run(polite_server(), &options);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["crowd"]["rate_per_s"], 500.0);
    assert_eq!(report["crowd"]["mix"]["silent"], 1);
    assert_eq!(report["answered"], 200);
    let since_due = &report["open_loop"]["reply_since_due_us"];
    assert_eq!((&since_due["count"], &since_due["unanswered"]), (&200.into(), &0.into()));
    assert!(since_due["p99.9"].as_f64() >= since_due["p50"].as_f64());
    assert_eq!(report["kinds"][0]["kind"], "prompt");
    assert_eq!(report["kinds"][1]["clients"], 1);
    assert!(report["doubts"].is_array());
    #[cfg(unix)]
    assert!(report["processor_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn percentiles_are_shown_as_given_and_doubted_if_there_are_too_few_replies() {
    let (_, stdout) = run(polite_server(), &["--quiet", "--percentiles", "50,p75,99.9"]);
    for column in ["p50", "p75", "p99.9"] {
        assert!(stdout.contains(column), "{stdout}");
    }
    assert!(!stdout.contains("p90"), "{stdout}");
    assert!(stdout.contains("Caution: 20 replies are too few for p99.9"), "{stdout}");
    let (_, stdout) = run(polite_server(), &["--quiet"]);
    assert!(!stdout.contains("Caution"), "the default p99 needs no caution: {stdout}");
}

/// What is in the lines of a log that have this tag: how many lines there are, and how many
/// durations they hold together.
fn lines_of_log(log: &[u8], sought: &str) -> (usize, u64) {
    use base64::Engine;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let (mut lines, mut count) = (0, 0);
    for entry in IntervalLogIterator::new(log) {
        if let LogEntry::Interval(line) = entry.unwrap()
            && line.tag().unwrap().as_str() == sought
        {
            let bytes = line.encoded_histogram();
            let bytes = base64::engine::general_purpose::STANDARD.decode(bytes).unwrap();
            let histogram: hdrhistogram::Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            lines += 1;
            count += histogram.len();
        }
    }
    (lines, count)
}

#[test]
fn hdr_logs_hold_every_latency() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latencies.hlog");
    let options = ["--hdr", path.to_str().unwrap(), "--rate", "100/s", "--duration", "2500ms"];
    let (output, stdout) = run(polite_server(), &options);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    let log = std::fs::read(&path).unwrap();
    assert_eq!(lines_of_log(&log, "connect"), (1, 20));
    for tag in ["reply", "reply-since-due"] {
        let (lines, count) = lines_of_log(&log, tag);
        assert_eq!((count, lines), (250, 3), "{tag}: a line for each second");
    }
}

#[test]
fn hdr_logs_of_a_closed_loop_know_one_clock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latencies.hlog");
    run(polite_server(), &["--hdr", path.to_str().unwrap()]);
    let log = std::fs::read(&path).unwrap();
    assert_eq!(lines_of_log(&log, "reply"), (1, 20));
    assert_eq!(lines_of_log(&log, "reply-since-due"), (0, 0));
}

#[test]
fn hdr_logs_hold_what_is_never_answered() {
    let mute = server(|stream| for_each_line(stream, |_| Ok(())));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latencies.hlog");
    let options = ["--hdr", path.to_str().unwrap(), "--rate", "1000/s"];
    let (output, stdout) = run(mute, &options);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    let log = std::fs::read(&path).unwrap();
    assert_eq!(lines_of_log(&log, "reply"), (1, 20));
    assert_eq!(lines_of_log(&log, "reply-since-due"), (1, 20));
}

#[test]
fn a_file_that_cannot_be_written_is_reported_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere").join("file");
    let (output, stdout) = run(polite_server(), &["--hdr", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout, "");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("client: can't write "), "{stderr}");
}

#[cfg(target_os = "linux")] // full(4)
#[test]
fn a_full_disk_does_not_cost_the_summary() {
    for option in ["--hdr", "--timeline"] {
        let (output, stdout) = run(polite_server(), &["--quiet", option, "/dev/full"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout.starts_with("answered 20 of 20"), "{stdout}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("client: can't write /dev/full: "), "{stderr}");
    }
}

#[test]
fn a_closed_pipe_does_not_cost_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("timeline.svg");
    let address = polite_server().to_string();
    let mut client = client(&[&address, "--quiet", "--timeline", path.to_str().unwrap()]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader); // before it begins, since it may have printed soon
    assert_eq!(client.stdout(writer).status().unwrap().code(), Some(1));
    assert!(std::fs::read_to_string(&path).unwrap().trim_end().ends_with("</svg>"));
}

#[test]
fn not_all_answered_is_status_1() {
    let mute = server(|stream| for_each_line(stream, |_| Ok(())));
    let (output, stdout) = run(mute, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("answered 0 of 20"), "{stdout}");
    assert!(stdout.contains("20 closed early"), "{stdout}");
}

#[test]
fn a_host_name_works() {
    let port = polite_server().port();
    let output = client(&[&format!("localhost:{port}")]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn help_has_groups_and_examples() {
    let output = client(&["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for words in
        ["Examples:", "The crowd:", "Exit status:", "client --dribbling 2", "a phone in a tunnel"]
    {
        assert!(help.contains(words), "{help}");
    }
}

#[test]
fn wrong_usage_is_rejected_with_what_is_right() {
    for (arguments, words) in [
        (["--timeout", "10"].as_slice(), "250ms, 2s or 1m 30s"),
        (&["--every", "soon"], "250ms, 2s or 1m 30s"),
        (&["--timeout", "0s"], "`--timeout 10s`"),
        (&["--connections", "0"], "a whole number from 1 to 65535"),
        (&["--connections", "65536"], "a whole number from 1 to 65535"),
        (&["--requests", "0"], "a whole number from 1 to 1000000000"),
        (&["--silent", "some"], "a whole number from 0 to 65535"),
        (&["--silent", "15", "--dribbling", "6"], "`--connections 21`"),
        (&["--protocol", "one-shot", "--requests", "2"], "one request"),
        (&["--protocol", "http"], "`lines` or `one-shot`"),
        (&["--order", "any"], "possible values: connect-first, as-connected"),
        (&["localhost"], "`localhost:8686`"),
        (&["--rate", "fast"], "`2000/s`"),
        (&["--rate", "0/s"], "`2000/s`"),
        (&["--rate", "10/s", "--silent", "20"], "`--rate` is for the prompt clients"),
        (&["--duration", "0s"], "`--duration 10s`"),
        (&["--duration", "1s", "--requests", "5"], "cannot be used with"),
        (&["--percentiles", "50,100"], "`50,99,99.9`"),
        (&["--non-reading", "21"], "21 non-reading are 21 clients"),
        (&["--protocol", "one-shot", "--chatty", "1"], "`--chatty`"),
    ] {
        let stderr = rejected(arguments);
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    let address = polite_server().to_string();
    let mut child = client(&[&address, "--requests", "1000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("client number"), "{line}");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn the_thousands_of_replies_to_non_reading_clients_are_not_printed() {
    let (output, stdout) = run(polite_server(), &["--connections", "2", "--non-reading", "1"]);
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(stdout.contains("client number 1 got"), "{stdout}");
    assert!(!stdout.contains("client number 0 got"), "{stdout}");
}

#[test]
fn with_a_duration_only_the_summary_is_printed() {
    let (_, stdout) = run(polite_server(), &["--connections", "2", "--duration", "100ms"]);
    assert!(stdout.starts_with("answered "), "{stdout}");
}

#[cfg(unix)]
#[test]
fn an_open_loop_counts_clients_without_descriptors() {
    let (report, _) = with_30_descriptors(&["--rate", "400/s", "--duration", "500ms"]);
    let since_due = &report["open_loop"]["reply_since_due_us"];
    assert_eq!(since_due["count"], report["requests"], "{report}");
    let unanswered = since_due["unanswered"].as_u64().unwrap();
    assert!(unanswered >= 50, "a quarter of them at least: {report}");
}

/// The report of 40 clients that can have no more than 30 descriptors, and how many connected.
#[cfg(unix)]
fn with_30_descriptors(options: &[&str]) -> (Value, u64) {
    let command = format!("ulimit -n 30; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_client"));
    let address = polite_server().to_string();
    let arguments = ["-c", &command, "client", &address, "--connections", "40", "--json"];
    let output = Command::new("sh").args(arguments).args(options).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let connected = report["connected"].as_u64().unwrap();
    assert!((15..30).contains(&connected), "{report}");
    (report, connected)
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_what_is_known_so_far() {
    use nix::sys::signal::{Signal, kill};
    let (sender, receiver) = std::sync::mpsc::channel();
    let address = server(move |stream| {
        let _ = sender.send(());
        for_each_line(stream, |_| Ok(())) // and never an answer
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("timeline.svg");
    let child = client(&[&address.to_string(), "--silent", "20", "--timeout", "1h", "--timeline"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    (0..20).for_each(|_| receiver.recv().unwrap());
    kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains(", cut short"), "{stdout}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("silent: 20 clients"));
}

#[cfg(unix)]
#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::sync::{Arc, OnceLock};
    let client_process = Arc::new(OnceLock::new());
    let target = Arc::clone(&client_process);
    // Each request is answered by two signals first, so that the earlier ones have time enough
    // to have an effect.
    let address = server(move |stream| {
        for_each_line(stream, |stream| {
            let process = Pid::from_raw(*target.wait());
            kill(process, Signal::SIGINT).unwrap();
            kill(process, Signal::SIGHUP).unwrap();
            stream.write_all(b"Hello from server!\n")
        })
    });
    let flood = client(&["--connections", "1", "--requests", "50", &address.to_string()]);
    let flood = ignoring("INT HUP", &flood).stdout(Stdio::piped()).spawn().unwrap();
    client_process.set(flood.id().cast_signed()).unwrap();
    let output = flood.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("answered 50 of 50 requests"), "{stdout}");
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_even_if_ignored_at_the_start() {
    use nix::sys::signal::{Signal, kill};
    let (sender, receiver) = std::sync::mpsc::channel();
    let address = server(move |stream| {
        for_each_line(stream, |_| {
            let _ = sender.send(());
            loop {
                thread::park(); // it neither answers nor closes
            }
        })
    });
    let flood = client(&["--connections", "1", "--timeout", "1h", &address.to_string()]);
    let flood = ignoring("INT HUP TERM", &flood).stdout(Stdio::piped()).spawn().unwrap();
    receiver.recv().unwrap();
    kill(nix::unistd::Pid::from_raw(flood.id().cast_signed()), Signal::SIGTERM).unwrap();
    let output = flood.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
}

#[cfg(unix)]
#[test]
fn talk_survives_what_was_ignored_at_the_start() {
    use nix::sys::signal::{Signal, kill};
    let talk = client(&["talk", &polite_server().to_string()]);
    let mut talk =
        ignoring("INT HUP", &talk).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut typed = talk.stdin.take().unwrap();
    let mut replies = BufReader::new(talk.stdout.take().unwrap()).lines();
    for signal in [None, Some(Signal::SIGINT), Some(Signal::SIGHUP)] {
        // It talks already, so a handler that it may have is there.
        kill(nix::unistd::Pid::from_raw(talk.id().cast_signed()), signal).unwrap();
        typed.write_all(b"hello\n").unwrap();
        assert_eq!(replies.next().unwrap().unwrap(), "Hello from server!");
    }
    drop(typed);
    assert!(talk.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn out_of_descriptors_it_reports_how_many_it_could_open() {
    let (report, connected) = with_30_descriptors(&[]);
    assert_eq!(report["answered"], connected);
    let why = report["errors"]["connect"]["first"].as_str().unwrap();
    assert!(why.contains(&format!("{connected} connections are open")), "{why}");
    assert!(why.contains("ulimit -n"), "{why}");
}

#[test]
fn talk_sends_what_is_typed_and_prints_what_comes() {
    let mut talk = client(&["talk", &polite_server().to_string()]);
    let mut talk = talk.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut typed = talk.stdin.take().unwrap();
    let mut replies = BufReader::new(talk.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        typed.write_all(b"hello\n").unwrap();
        assert_eq!(replies.next().unwrap().unwrap(), "Hello from server!");
    }
    drop(typed);
    assert!(replies.next().is_none());
    assert!(talk.wait().unwrap().success());
}

#[test]
fn another_default_address_can_be_set_for_all_programs() {
    let address = polite_server().to_string();
    let output = client(&["--quiet"]).env("WAYS_TO_WAIT_ADDRESS", address).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let output = client(&["talk"]).env("WAYS_TO_WAIT_ADDRESS", "127.0.0.1:1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("can't connect to 127.0.0.1:1"), "{complaint}");
}
