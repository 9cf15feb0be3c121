//! The wall at descriptor 1024 (`FD_SETSIZE`), for a server whose descriptor limit is raised while
//! it runs (prlimit(2)): a client beyond the wall waits for a free number below it, and no other
//! client is disturbed.
//!
//! Server and test share one process and its limit, so this test is alone in its file. What happens
//! at the wall while the limit stays the same is in `bench/tests/all/survival/descriptors.rs`.

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

/// How long to wait for something that must happen.
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
        eprintln!("skipped: the limit can't be raised, `ulimit -Hn` is {most}");
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
    // When this client has been served, the server has lowered the limit.
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
        assert!(Instant::now() < deadline, "the server has not lowered the limit again");
        thread::sleep(Duration::from_millis(1));
    }
    ask(&client);

    // As soon as numbers below the wall are free, this client gets one, and so does the next.
    files.truncate(files.len() / 2);
    ask(&beyond);
    ask(&connect(address));

    stop.request();
    let counters = server.join().unwrap().unwrap();
    assert_eq!((counters.connections, counters.requests, counters.replies), (3, 4, 4));
}
