//! Bad input to the servers and to `bench`: each prints a sentence on standard error that names the
//! bad value and says what to do, ends with the right status, and doesn't panic.
//!
//! `program.rs` has more of what `bench` rejects; what servers do when descriptors run out while
//! they serve is in `survival/descriptors.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use bench::Model;

#[path = "../../../client/tests/all/complaint.rs"]
mod complaint;

use complaint::{command, complaint};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

/// The names of all servers of this workspace that can run here.
fn servers() -> BTreeSet<&'static str> {
    let can_run = |model: &&Model| model.available().is_ok();
    Model::ALL.iter().filter(can_run).map(Model::name).collect()
}

#[test]
fn servers_reject_wrong_values_and_name_right_ones() {
    for (option, value, words) in [
        ("--address", "localhost", "the port is missing; write HOST:PORT"),
        ("--address", "127.0.0.1:99999", "`99999` is not a port"),
        ("--address", "::1:8686", "`[::1]:8686`"),
        ("--idle-timeout", "5", "250ms, 2s or 1m 30s"),
        ("--idle-timeout", "0s", "`never`"),
        ("--work", "-1s", "250ms, 2s or 1m 30s"),
        ("--delay", "2s..1s", "0s..2s"),
        ("--backlog", "-1", "a whole number from 0 to 2147483647"),
        ("--protocol", "http", "lines, one-shot"),
    ] {
        for server in servers() {
            let printed = complaint(&mut command(BENCH, &["serve", server, option, value]), 2);
            assert!(printed.contains(&format!("'{value}' for '{option}")), "{server}: {printed}");
            assert!(printed.contains(words), "{server}: {printed}");
        }
    }
}

#[test]
fn servers_reject_wrong_values_of_their_own_options_and_name_right_ones() {
    for (server, option, value, words) in [
        ("busy-server", "--nap", "soon", "250ms, 2s or 1m 30s"),
        ("thread-server", "--pool", "0", "a whole number from 1 to 4294967295"),
        ("thread-server", "--max-threads", "0", "a whole number from 1 to 4294967295"),
        ("prefork-server", "--workers", "65535", "a whole number from 1 to 1024"),
        ("async-server", "--workers", "-1", "a whole number from 1 to 256"),
    ] {
        if servers().contains(server) {
            let printed = complaint(&mut command(BENCH, &["serve", server, option, value]), 2);
            assert!(printed.contains(value) && printed.contains(words), "{printed}");
        }
    }
}

#[test]
fn servers_say_why_they_cannot_listen_and_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, way_out) in [
        (&taken[..], "`--address 127.0.0.1:0`"),
        // Reserved for documentation (RFC 5737), so no machine has it.
        ("192.0.2.1:8686", "`--address 127.0.0.1:8686`"),
        // A multicast address (RFC 1112), which is only for datagrams.
        ("224.0.0.1:8686", "`--address 127.0.0.1:8686`"),
        // This can't be a name, so no name server is needed.
        ("..:8686", "is the name right?"),
    ] {
        for server in servers() {
            let printed =
                complaint(&mut command(BENCH, &["serve", server, "--address", address]), 1);
            assert!(printed.contains(address) && printed.contains(way_out), "{server}: {printed}");
            assert_eq!(printed.lines().count(), 1, "{printed}");
        }
    }
}

#[test]
fn servers_say_where_a_wrong_address_comes_from() {
    let mut server = command(BENCH, &["serve", "poll-server"]);
    let printed = complaint(server.env("WAYS_TO_WAIT_ADDRESS", "nonsense"), 2);
    assert!(
        printed.contains("'nonsense'") && printed.contains("WAYS_TO_WAIT_ADDRESS"),
        "{printed}"
    );
}

#[test]
fn servers_say_once_what_it_means_to_listen_beyond_loopback() {
    for server in servers() {
        for (address, expected) in [("127.0.0.1:0", 0), ("0.0.0.0:0", 1)] {
            let arguments = ["serve", server, "--quiet", "--address", address];
            let printed = complaint(&mut command(BENCH, &arguments), 0);
            let warnings = printed.matches("no authentication and no encryption").count();
            assert_eq!(warnings, expected, "{server} at {address}: {printed}");
        }
    }
}

#[cfg(target_os = "linux")] // other systems need other numbers of descriptors to start a program
#[test]
fn servers_without_descriptors_say_how_to_have_more() {
    // busy-server needs one for the listener, and the others need one more.
    for server in servers().into_iter().filter(|server| *server != "busy-server") {
        let script = format!("ulimit -n 4; exec '{BENCH}' serve {server} --address 127.0.0.1:0");
        let printed = complaint(&mut command("sh", &["-c", &script]), 1);
        assert!(printed.contains("`ulimit -n`"), "{printed}");
    }
}

/// Ctrl-C ends the other programs of a pipeline, too. Then it isn't worth a message that they no
/// longer read.
#[cfg(unix)]
#[test]
fn a_reader_that_is_gone_is_reported_while_the_server_serves_and_not_when_it_ends() {
    use std::io::{BufRead, BufReader};
    use std::net::TcpStream;
    use std::process::Stdio;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    for serves_on in [true, false] {
        let mut command = command(BENCH, &["serve", "poll-server", "--address", "127.0.0.1:0"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        system::defaults_for_children(); // it gets SIGINT
        let mut server = command.spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        let running = lines.next().unwrap();
        lines.find(|line| line.contains("listening")).unwrap();
        drop(lines);
        let complaints = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
        let (sender, complaint) = mpsc::channel();
        let reader = thread::spawn(move || complaints.for_each(|line| sender.send(line).unwrap()));
        let mut printed = Vec::new();
        if serves_on {
            let address = running.split([' ', ',']).nth(4).unwrap();
            // Each is reported on standard output. A program that another test starts may hold the
            // other end of that for a moment.
            while printed.is_empty() {
                TcpStream::connect(address).unwrap();
                printed.extend(complaint.recv_timeout(Duration::from_millis(10)));
            }
        }
        kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGINT).unwrap();
        server.wait().unwrap();
        reader.join().unwrap();
        printed.extend(complaint);
        let is_about_that = |line: &&String| line.contains("can't print any more: ");
        let complaints = printed.iter().filter(is_about_that).count();
        assert_eq!(complaints, usize::from(serves_on), "{printed:?}");
    }
}

#[test]
fn bench_rejects_wrong_numbers_and_names_right_ones() {
    for (arguments, words) in [
        (&["--connections", "many"][..], "a whole number from 0 to 4294967295"),
        (&["--connections", "65536"], "65535 ports"),
        (&["--slow", "-1"], "a whole number from 0 to 4294967295"),
        (&["--rounds", "1e3"], "a whole number from 1 to 4294967295"),
        (&["cost", "--active", "0"], "a whole number from 1 to 16000"),
        (&["cost", "--idle", "-1"], "a whole number from 0 to 16000"),
        (&["cost", "--rounds", "65536"], "a whole number from 1 to 65535"),
        (&["many", "--connections", "-1"], "a whole number from 1 to 4294967295"),
        (&["many", "--sources", "255"], "a whole number from 1 to 254"),
        (&["many", "--sources", "1", "--connections", "99999"], "take `--sources "),
        (&["chaos", "--connections", "70000"], "a whole number from 1 to 65535"),
        (&["chaos", "--seed", "-1"], "a whole number from 0 to 18446744073709551615"),
        (&["chaos", "--seed", "1", "--wave", "x"], "a whole number from 0 to"),
        (&["chaos", "--time", "-1s"], "250ms, 2s or 1m 30s"),
        (&["chaos", "--time", "20"], "250ms, 2s or 1m 30s"),
        (&["chaos", "--time", "0s"], "for example `--time 20s`"),
        (&["chaos", "--wave", "3"], "--seed"),
    ] {
        let printed = complaint(&mut command(BENCH, arguments), 2);
        let value = arguments[arguments.len() - 1];
        assert!(printed.contains(words), "{arguments:?}: {printed}");
        // A value that is wrong only together with other values is not quoted.
        let alone = ["65536", "99999", "0s", "3"].contains(&value);
        assert!(alone || printed.contains(&format!("'{value}'")), "{arguments:?}: {printed}");
    }
}

/// This happens before the first measurement, however many servers come before the one with the
/// wrong option.
#[test]
fn options_of_servers_are_tried_first() {
    for (server, why) in [
        ("poll-server --nothing", "'--nothing'"),
        ("poll-server --delay soon", "250ms, 2s or 1m 30s"),
        ("thread-server --pool 0", "a whole number from 1 to 4294967295"),
        ("poll-server -v", "'--verbose'"),
    ] {
        for before in [&[][..], &["check"], &["cost"], &["chaos"], &["many"]] {
            let arguments = [before, &["--server", "sync-server", "--server", server]].concat();
            let printed = complaint(&mut command(BENCH, &arguments), 2);
            assert!(printed.contains(server) && printed.contains(why), "{printed}");
            assert_eq!(printed.lines().count(), 1, "{printed}");
        }
    }
}

#[test]
fn options_that_bench_sets_itself_are_rejected() {
    for option in ["--protocol one-shot", "--address 127.0.0.1:80"] {
        let server = format!("poll-server {option}");
        let printed = complaint(&mut command(BENCH, &["chaos", "--server", &server]), 2);
        assert!(printed.contains(&server) && printed.contains("leave it out"), "{printed}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_descriptors_many_says_how_many_there_are() {
    let script = format!("ulimit -n 20; exec '{BENCH}' many --server poll-server");
    let printed = complaint(&mut command("sh", &["-c", &script]), 1);
    assert!(printed.contains("a process may have 20 descriptors"), "{printed}");
}

#[test]
fn an_option_that_bench_sets_itself_may_be_set_to_another_value() {
    let server = "poll-server --idle-timeout 60s";
    let cost = ["cost", "--rounds", "1", "--active", "1", "--server", server];
    assert!(command(BENCH, &cost).output().unwrap().status.success());
}

#[cfg(target_os = "linux")] // full(4)
#[test]
fn a_full_disk_behind_standard_output_is_reported() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let load = "--connections 2 --slow 0 --requests 1 --rounds 1 --server poll-server";
    let load: Vec<&str> = load.split(' ').collect(); // over soon
    let server = ["--server", "poll-server", "--connections", "1"];
    for arguments in [
        [&load[..], &["--page", "/dev/null"]].concat(),
        [&["chaos", "--time", "1ms"], &server[..]].concat(),
        [&["many"], &server[..]].concat(),
    ] {
        let printed = complaint(command(BENCH, &arguments).stdout(full()), 1);
        assert!(printed.starts_with("bench: can't print: "), "{printed}");
    }
    // If even standard error is full, nothing can be printed, but that is no reason to panic.
    let mut bench = command(BENCH, &[&load[..], &["--page", "/nowhere/page.html"]].concat());
    assert_eq!(bench.stderr(full()).status().unwrap().code(), Some(1));
}

#[test]
fn reports_that_fail_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let [into, from, file] = ["a/b/c", "from", "file"].map(|name| folder.path().join(name));
    fs::create_dir_all(from.join("new")).unwrap();
    fs::write(from.join("new/benchmark.json"), "{").unwrap();
    fs::write(&file, "").unwrap();
    let [into_, from_, file_] = [&into, &from, &file].map(|path| path.to_str().unwrap());
    for (into, from, named) in [
        (into_, from_, "benchmark.json"),
        (into_, file_, file_),
        (into_, "nowhere", "nowhere"),
        (file_, from_, "`--into FOLDER`"),
    ] {
        let report = ["report", "--quick", "--into", into, "--from", from];
        let printed = complaint(&mut command(BENCH, &report), 1);
        assert!(printed.contains(named), "{printed}");
    }
    assert!(!folder.path().join("a").exists(), "it is created only when there are figures for it");
    assert_eq!(fs::read_to_string(file).unwrap(), "");
}
