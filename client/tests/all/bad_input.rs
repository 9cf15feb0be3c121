//! Bad input to `client` and `faulty-server`: each gets a sentence that names what was tried and
//! says what to do, on standard error, and the right status; and no program panics.
//!
//! Wrong options of a flood, and the summary if a file can't be written, are tested in
//! `real_sockets/binary.rs`; the checker's own options are tested in `check/program.rs`.

use std::net::{SocketAddr, TcpListener};

use crate::complaint::{command, complaint};

const CLIENT: &str = env!("CARGO_BIN_EXE_client");
const FAULTY_SERVER: &str = env!("CARGO_BIN_EXE_faulty-server");

/// An address at which no server listens.
fn unused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_wrong_address_is_rejected_with_what_is_right() {
    for (address, why) in [
        ("", "it is empty"),
        ("localhost", "the port is missing"),
        (":8686", "the host is missing"),
        ("127.0.0.1:99999", "`99999` is not a port"),
        ("::1:8686", "`[::1]:8686`"),
        ("127.0.0.1:8686 ", "blank"),
        ("http://127.0.0.1:8686", "`http://`"),
        ("127.0.0.1:0", "port 0"),
    ] {
        for before in [&[][..], &["talk"], &["check"], &["chaos"]] {
            let arguments = [before, &[address]].concat();
            let printed = complaint(&mut command(CLIENT, &arguments), 2);
            assert!(
                printed.contains(why) && printed.contains(&format!("'{address}'")),
                "{printed}"
            );

            let by_variable = &mut command(CLIENT, before);
            let printed = complaint(by_variable.env("WAYS_TO_WAIT_ADDRESS", address), 2);
            assert!(printed.contains(why) && printed.contains("WAYS_TO_WAIT_ADDRESS"), "{printed}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_address_that_is_not_unicode_is_rejected_wherever_it_comes_from() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let address = OsStr::from_bytes(b"127.0.0.1:\xff");
    for before in [&[][..], &["talk"], &["check"], &["chaos"]] {
        complaint(command(CLIENT, before).arg(address), 2);
        complaint(command(CLIENT, before).env("WAYS_TO_WAIT_ADDRESS", address), 2);
    }
}

/// A negative value is a wrong value, not a wrong option.
#[test]
fn negative_values_are_rejected_with_what_is_right() {
    for (arguments, words) in [
        (&["--every", "-1s"][..], "'-1s' for '--every <TIME>': write a time with its unit"),
        (&["--connections", "-1"], "'-1' for '--connections <COUNT>': write a whole number"),
        (&["--rate", "-1"], "'-1' for '--rate <COUNT/s>': write requests a second"),
        (&["check", "--patience", "-1s"], "'-1s' for '--patience <TIME>'"),
        (&["check", "--patience", "18446744073709551615s"], "24h at most"),
        (&["check", "--start-within", "1"], "'1' for '--start-within <TIME>'"),
        (&["chaos", "--time", "-1s"], "'-1s' for '--time <TIME>': write a time with its unit"),
        (&["chaos", "--start-within", "25h"], "24h at most"),
        (&["chaos", "--seed", "-1"], "'-1' for '--seed <NUMBER>': write a whole number"),
        (&["chaos", "--seed", "1", "--wave", "x"], "'x' for '--wave <NUMBER>': write a whole"),
        (&["chaos", "--backlog", "-1"], "'-1' for '--backlog <COUNT>': write a whole number"),
    ] {
        let printed = complaint(&mut command(CLIENT, arguments), 2);
        assert!(printed.contains(words), "{printed}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let unused = unused_address().to_string();
    for (address, why) in [
        (&unused[..], "is the server running?"),
        // No host has such a name, so no name server is needed.
        ("..:80", "is the name right?"),
    ] {
        let printed = complaint(&mut command(CLIENT, &["talk", address]), 1);
        assert!(printed.contains(address) && printed.contains(why), "{printed}");
    }
    let output = command(CLIENT, &["-q", &unused]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains(&format!("can't connect to {unused}")), "{printed}");
}

#[test]
fn chaos_does_not_blame_a_server_that_it_has_not_reached() {
    let unused = unused_address().to_string();
    for (server, why) in [
        (&unused[..], "is the server running?"),
        ("..:80", "is the name right?"),
        ("no-such-program {port}", "is it installed"),
        ("true {port}", "ended with status 0 before it listened"),
    ] {
        let output = command(CLIENT, &["chaos", server]).output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(1), &b""[..]), "{server}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(
            printed.contains("The server could not be tried") && printed.contains(why),
            "{printed}"
        );
        let next = printed.lines().last().unwrap();
        assert!(next.contains("client check") && next.contains(server), "{printed}");
    }
}

#[test]
fn the_checker_does_not_blame_a_server_that_it_has_not_reached() {
    let unused = unused_address().to_string();
    for (arguments, way_out) in [
        (&[&unused[..]][..], "Start it first"),
        (&["..:80"], "Start it first"),
        (&["no-such-program {port}"], "Run the command by itself"),
        (&["--start-within", "50ms", "cat - {port}"], "--start-within 5m"),
    ] {
        let arguments = [&["check", "--only", "answers"], arguments].concat();
        let output = command(CLIENT, &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        // Lines are broken where they are full.
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(printed.contains(way_out), "{printed}");
        assert!(!printed.contains("The reply to every request"), "{printed}");
    }
}

#[test]
fn a_folder_is_not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for option in ["--hdr", "--timeline"] {
        let printed = complaint(&mut command(CLIENT, &[option, path]), 1);
        assert!(printed.starts_with(&format!("client: can't write {path}: ")), "{printed}");
    }
}

#[cfg(target_os = "linux")] // full(4)
#[test]
fn a_full_disk_below_standard_output_is_reported() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [&["check", "--list"][..], &["chaos"], &["-q"], &["--json"]] {
        let unused = unused_address().to_string();
        let mut command = command(CLIENT, arguments);
        command.env("WAYS_TO_WAIT_ADDRESS", unused).stdout(full());
        let printed = complaint(&mut command, 1);
        assert!(printed.starts_with("client: can't print: "), "{printed}");
    }
    // If even standard error is full, nothing can be reported, but that is no reason to panic.
    for program in [CLIENT, FAULTY_SERVER] {
        let mut command = command(program, &[]);
        let status = command.env("WAYS_TO_WAIT_ADDRESS", "..:80").stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{program}");
    }
}

#[cfg(target_os = "linux")] // others need other numbers of descriptors to start a program
#[test]
fn without_descriptors_it_says_how_to_get_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for arguments in [&[&address[..]][..], &["talk", &address]] {
        let script = format!("ulimit -n 4; exec '{CLIENT}' \"$@\"");
        let mut shell = command("sh", &["-c", &script, "client"]);
        let printed = complaint(shell.args(arguments), 1);
        assert!(printed.contains("`ulimit -n`"), "{printed}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_checker_and_chaos_lack_is_not_blamed_on_the_server() {
    let server = format!("'{FAULTY_SERVER}' 127.0.0.1:{{port}}");
    for (what, wrong, right) in [
        ("check", "broken", "0 of 21 promises kept, 21 not tried"),
        ("chaos", "did not survive", "could not be tried"),
    ] {
        let script = format!("ulimit -n 8; exec '{CLIENT}' {what} \"$@\"");
        let output = command("sh", &["-c", &script, "client", &server]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains(right) && !printed.contains(wrong), "{printed}");
        // Where a line ends depends on how long the path of the program is.
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(printed.contains("`ulimit -n`"), "{printed}");
    }
}

#[test]
fn faulty_server_names_the_wrong_value() {
    let printed = complaint(&mut command(FAULTY_SERVER, &["127.0.0.1"]), 2);
    assert!(
        printed.contains("'127.0.0.1'") && printed.contains("the port is missing"),
        "{printed}"
    );
    let printed = complaint(&mut command(FAULTY_SERVER, &["--fault", "lazy"]), 2);
    assert!(printed.contains("'lazy'") && printed.contains("greets-for-ever"), "{printed}");
    #[cfg(unix)]
    {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let printed = complaint(&mut command(FAULTY_SERVER, &[&address]), 1);
        assert!(printed.contains(&address) && printed.contains("`127.0.0.1:0`"), "{printed}");
    }
}

/// What a faulty server prints when it starts, to standard output and to standard error.
#[cfg(unix)]
fn first_words(address: &str) -> (String, String) {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let mut command = command(FAULTY_SERVER, &["--fault", "mute", address]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut printed = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut printed).unwrap();
    server.kill().unwrap();
    let stderr = server.wait_with_output().unwrap().stderr;
    (printed, String::from_utf8(stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn faulty_server_says_where_it_runs_and_warns_if_it_listens_everywhere() {
    let (printed, warned) = first_words("127.0.0.1:0");
    assert!(printed.starts_with("server is running on 127.0.0.1:"), "{printed}");
    assert!(printed.contains(" with the fault mute, "), "{printed}");
    assert_eq!(warned, "");
    let (printed, warned) = first_words("0.0.0.0:0");
    assert!(printed.starts_with("server is running on 0.0.0.0:"), "{printed}");
    assert!(warned.contains("no authentication and no encryption"), "{warned}");
}
