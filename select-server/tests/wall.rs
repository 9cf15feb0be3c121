//! The wall at descriptor 1024 (`FD_SETSIZE`), for a server whose limit of descriptors somebody
//! raises while it runs (prlimit(2)): a client beyond the wall waits for a place below it, and no
//! other is disturbed.
//!
//! Server and test share one process, and so its limit: that is why this test is alone in its
//! file. What happens at the wall when nobody touches the limit is in
//! `bench/tests/survival/descriptors.rs`.

#![cfg(unix)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::select::FD_SETSIZE;
use server_kit::{NoOptions, Settings, Stop};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn connect(server: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(server).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn ask(mut client: &TcpStream) {
    client.write_all(b"hello\n").unwrap();
    let mut reply = [0; 19];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"Hello from server!\n");
}

#[test]
fn a_client_beyond_the_wall_waits_for_a_place_below_it() {
    let wall = FD_SETSIZE as rlim_t;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if most < 2 * wall {
        eprintln!("skipped: nobody can raise the limit, `ulimit -Hn` is {most}");
        return;
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Stop::new();
    let asked = stop.clone();
    let server = thread::spawn(move || {
        let (settings, _) =
            Settings::from_command_line::<NoOptions>("", "", ["", "-q"].map(Into::into));
        select_server::serve(listener, &settings, &asked)
    });
    // Once this client was served, the server has lowered the limit.
    let client = connect(address);
    ask(&client);
    assert!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 <= wall);

    setrlimit(Resource::RLIMIT_NOFILE, 2 * wall, most).unwrap();
    let mut files = Vec::new();
    while files.last().is_none_or(|file: &File| file.as_raw_fd() < FD_SETSIZE as RawFd) {
        files.push(File::open("/dev/null").unwrap());
    }
    let beyond = connect(address);
    let deadline = Instant::now() + PATIENCE;
    while getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 != wall {
        assert!(Instant::now() < deadline, "the wall does not stand again");
        thread::sleep(Duration::from_millis(1));
    }
    ask(&client);

    // As soon as there are places below the wall, this client has one, and the next has, too.
    files.truncate(files.len() / 2);
    ask(&beyond);
    ask(&connect(address));

    stop.request();
    let counters = server.join().unwrap().unwrap();
    assert_eq!((counters.connections, counters.requests, counters.replies), (3, 4, 4));
}
