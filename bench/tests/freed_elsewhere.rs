//! A server that has run out of descriptors isn't notified when another part of its process, or
//! another process, frees one. So it tries again after a while, and sleeps meanwhile.
//!
//! (The blocking server doesn't even run out: accept(2) takes the descriptor for the next client
//! before it sleeps.)
//!
//! Servers and test share one process here, and so its limit of descriptors. That is why this test
//! is alone in its file.

#![cfg(unix)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::process::{Resource, Rlimit, setrlimit};
use server_kit::{Counters, NoOptions, Serve, Settings, Stop};
use socket2::{Domain, Socket, Type};

/// The servers that sleep; `busy-server` does so in naps.
const SERVERS: &[Serve] = &[
    sync_server::serve,
    |listener, settings, stop| {
        let options = busy_server::Options { nap: Duration::from_millis(20) };
        busy_server::serve(listener, settings, &options, stop)
    },
    |listener, settings, stop| {
        let options = thread_server::Options { max_threads: 10, pool: None };
        thread_server::serve(listener, settings, &options, stop)
    },
    select_server::serve,
    poll2_server::serve,
    poll_server::serve,
];

/// The processor time of this process so far, in microseconds.
fn processor_time() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time() + usage.system_time()).num_microseconds()
}

/// Takes every descriptor that this process may still have.
fn take_all() -> Vec<File> {
    std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect()
}

/// Runs a whole conversation; when it returns, the server has closed the connection.
fn converse(mut client: TcpStream) {
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.write_all(b"hello\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert_eq!(reply, "Hello from server!\n");
}

/// A server in a thread of this process, and a client that has no connection yet.
struct Scene {
    stop: Stop,
    server: JoinHandle<io::Result<Counters>>,
    address: SocketAddr,
    client: Socket,
}

impl Scene {
    fn new(serve: Serve) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Stop::new();
        let its_stop = stop.clone();
        let server = thread::spawn(move || {
            let (settings, _) =
                Settings::from_command_line::<NoOptions>("", "", ["", "-q"].map(Into::into));
            serve(listener, &settings, &its_stop)
        });
        // Once a client is served, the server has all the descriptors that it needs for itself.
        converse(TcpStream::connect(address).unwrap());
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        Scene { stop, server, address, client }
    }
}

#[test]
fn servers_try_again_although_no_connection_is_closed() {
    let limit = Rlimit { current: Some(128), maximum: Some(128) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let scenes: Vec<Scene> = SERVERS.iter().map(|&serve| Scene::new(serve)).collect();

    let mut taken = take_all();
    for scene in &scenes {
        scene.client.connect(&scene.address.into()).unwrap();
    }
    let before = processor_time();
    thread::sleep(Duration::from_millis(1200));
    let spent = processor_time() - before;
    assert!(spent < 100_000, "{spent} microseconds spent on waiting for a descriptor");
    // One for each, because a server keeps it until its client has closed.
    taken.truncate(taken.len() - scenes.len());
    for Scene { stop, server, client, .. } in scenes {
        converse(client.into());
        stop.request();
        server.join().unwrap().unwrap();
    }
}
