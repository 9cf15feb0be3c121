//! Bad input to `client` and `faulty-server`: each gets a sentence that names what was tried and
//! says what to do, on standard error, and the right status; and nobody panics.
//!
//! What the options of a flood refuse, and what becomes of the summary where a file can't be
//! written, is in `real_sockets/binary.rs`; the checker's own options are in `check/program.rs`.

use std::net::{SocketAddr, TcpListener};

use crate::complaint::{command, complaint};

const CLIENT: &str = env!("CARGO_BIN_EXE_client");
const FAULTY_SERVER: &str = env!("CARGO_BIN_EXE_faulty-server");

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn what_is_no_address_is_refused_with_what_is_right() {
    for (address, why) in [
        ("", "it is empty"),
        ("localhost", "the port is missing"),
        (":8686", "the host is missing"),
        ("127.0.0.1:99999", "`99999` is no port"),
        ("::1:8686", "`[::1]:8686`"),
        ("127.0.0.1:8686 ", "blank"),
        ("http://127.0.0.1:8686", "`http://`"),
        ("127.0.0.1:0", "port 0"),
    ] {
        for before in [&[][..], &["talk"], &["check"], &["chaos"]] {
            let arguments = [before, &[address]].concat();
            let told = complaint(&mut command(CLIENT, &arguments), 2);
            assert!(told.contains(why) && told.contains(&format!("'{address}'")), "{told}");

            let by_variable = &mut command(CLIENT, before);
            let told = complaint(by_variable.env("WAYS_TO_WAIT_ADDRESS", address), 2);
            assert!(told.contains(why) && told.contains("WAYS_TO_WAIT_ADDRESS"), "{told}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_address_that_is_not_unicode_is_refused_wherever_it_comes_from() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let address = OsStr::from_bytes(b"127.0.0.1:\xff");
    for before in [&[][..], &["talk"], &["check"], &["chaos"]] {
        complaint(command(CLIENT, before).arg(address), 2);
        complaint(command(CLIENT, before).env("WAYS_TO_WAIT_ADDRESS", address), 2);
    }
}

/// A negative value is a wrong value, and no wrong option.
#[test]
fn negative_values_are_refused_with_what_is_right() {
    for (arguments, words) in [
        (&["--every", "-1s"][..], "'-1s' for '--every <TIME>': write a number and a unit"),
        (&["--connections", "-1"], "'-1' for '--connections <COUNT>': write a whole number"),
        (&["--rate", "-1"], "'-1' for '--rate <COUNT/s>': write requests a second"),
        (&["check", "--patience", "-1s"], "'-1s' for '--patience <TIME>'"),
        (&["check", "--patience", "18446744073709551615s"], "24h at most"),
        (&["check", "--start-within", "1"], "'1' for '--start-within <TIME>'"),
        (&["chaos", "--time", "-1s"], "'-1s' for '--time <TIME>': write a number and a unit"),
        (&["chaos", "--start-within", "25h"], "24h at most"),
        (&["chaos", "--seed", "-1"], "'-1' for '--seed <NUMBER>': write a whole number"),
        (&["chaos", "--seed", "1", "--wave", "x"], "'x' for '--wave <NUMBER>': write a whole"),
        (&["chaos", "--backlog", "-1"], "'-1' for '--backlog <COUNT>': write a whole number"),
    ] {
        let told = complaint(&mut command(CLIENT, arguments), 2);
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn who_cannot_be_reached_is_named() {
    let nobody = nobody().to_string();
    for (address, why) in [
        (&nobody[..], "is the server running?"),
        // No name is like this, so nobody has to be asked.
        ("..:80", "is the name right?"),
    ] {
        let told = complaint(&mut command(CLIENT, &["talk", address]), 1);
        assert!(told.contains(address) && told.contains(why), "{told}");
    }
    let output = command(CLIENT, &["-q", &nobody]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!("can't connect to {nobody}")), "{told}");
}

#[test]
fn chaos_does_not_blame_a_server_that_it_has_not_met() {
    let nobody = nobody().to_string();
    for (server, why) in [
        (&nobody[..], "is the server running?"),
        ("..:80", "is the name right?"),
        ("no-such-program {port}", "is it installed"),
        ("true {port}", "ended with status 0 before it listened"),
    ] {
        let output = command(CLIENT, &["chaos", server]).output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(1), &b""[..]), "{server}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("It did not come to that") && told.contains(why), "{told}");
        let next = told.lines().last().unwrap();
        assert!(next.contains("client check") && next.contains(server), "{told}");
    }
}

#[test]
fn the_checker_does_not_blame_a_server_that_it_has_not_met() {
    let nobody = nobody().to_string();
    for (arguments, way_out) in [
        (&[&nobody[..]][..], "Start it first"),
        (&["..:80"], "Start it first"),
        (&["no-such-program {port}"], "Run the command by itself"),
        (&["--start-within", "50ms", "cat - {port}"], "--start-within 5m"),
    ] {
        let arguments = [&["check", "--only", "answers"], arguments].concat();
        let output = command(CLIENT, &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        // Lines are broken where they are full.
        let told = String::from_utf8(output.stdout).unwrap();
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(way_out), "{told}");
        assert!(!told.contains("The reply to every request"), "{told}");
    }
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for option in ["--hdr", "--timeline"] {
        let told = complaint(&mut command(CLIENT, &[option, path]), 1);
        assert!(told.starts_with(&format!("client: can't write {path}: ")), "{told}");
    }
}

#[cfg(target_os = "linux")] // full(4)
#[test]
fn a_full_disk_below_standard_output_is_told() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [&["check", "--list"][..], &["chaos"], &["-q"], &["--json"]] {
        let nobody = nobody().to_string();
        let mut command = command(CLIENT, arguments);
        command.env("WAYS_TO_WAIT_ADDRESS", nobody).stdout(full());
        let told = complaint(&mut command, 1);
        assert!(told.starts_with("client: can't print: "), "{told}");
    }
    // If even standard error is full, nobody can be told; but it is no reason to panic.
    for program in [CLIENT, FAULTY_SERVER] {
        let mut command = command(program, &[]);
        let status = command.env("WAYS_TO_WAIT_ADDRESS", "..:80").stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{program}");
    }
}

#[cfg(target_os = "linux")] // others need other numbers of descriptors to start a program
#[test]
fn without_descriptors_it_says_how_to_have_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for arguments in [&[&address[..]][..], &["talk", &address]] {
        let script = format!("ulimit -n 4; exec '{CLIENT}' \"$@\"");
        let mut shell = command("sh", &["-c", &script, "client"]);
        let told = complaint(shell.args(arguments), 1);
        assert!(told.contains("`ulimit -n`"), "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_checker_and_chaos_lack_is_no_fault_of_the_server() {
    let server = format!("'{FAULTY_SERVER}' 127.0.0.1:{{port}}");
    for (what, wrong, right) in [
        ("check", "broken", "0 of 21 promises kept, 21 not tried"),
        ("chaos", "has not stood it", "It did not come to that"),
    ] {
        let script = format!("ulimit -n 8; exec '{CLIENT}' {what} \"$@\"");
        let output = command("sh", &["-c", &script, "client", &server]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(right) && !told.contains(wrong), "{told}");
        // Where a line ends depends on how long the path of the program is.
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("`ulimit -n`"), "{told}");
    }
}

#[test]
fn faulty_server_names_what_it_was_told() {
    let told = complaint(&mut command(FAULTY_SERVER, &["127.0.0.1"]), 2);
    assert!(told.contains("'127.0.0.1'") && told.contains("the port is missing"), "{told}");
    let told = complaint(&mut command(FAULTY_SERVER, &["--fault", "lazy"]), 2);
    assert!(told.contains("'lazy'") && told.contains("greets-for-ever"), "{told}");
    #[cfg(unix)]
    {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let told = complaint(&mut command(FAULTY_SERVER, &[&address]), 1);
        assert!(told.contains(&address) && told.contains("`127.0.0.1:0`"), "{told}");
    }
}

/// What a faulty server says when it starts, to standard output and to standard error.
#[cfg(unix)]
fn first_words(address: &str) -> (String, String) {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let mut command = command(FAULTY_SERVER, &["--fault", "mute", address]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut told).unwrap();
    server.kill().unwrap();
    let stderr = server.wait_with_output().unwrap().stderr;
    (told, String::from_utf8(stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn faulty_server_says_where_it_runs_and_what_it_means_to_listen_everywhere() {
    let (told, warned) = first_words("127.0.0.1:0");
    assert!(told.starts_with("server is running on 127.0.0.1:"), "{told}");
    assert!(told.contains(" with the fault mute, "), "{told}");
    assert_eq!(warned, "");
    let (told, warned) = first_words("0.0.0.0:0");
    assert!(told.starts_with("server is running on 0.0.0.0:"), "{told}");
    assert!(warned.contains("no authentication and no encryption"), "{warned}");
}
