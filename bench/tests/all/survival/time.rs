//! Time-outs, delays, and work that blocks.

use std::thread;
use std::time::{Duration, Instant};

use bench::Model;

use super::client::Client;
use super::server::{Server, one_loop};

pub fn idle_timeout(model: Model) {
    let server = Server::start(model, &["--idle-timeout", "1s"]);
    let mut active = Client::connect(server.address());
    assert!(server.has_printed(1, "new connection"));
    let mut silent = Client::connect(server.address());
    drop(Client::connect(server.address())); // the server must not look for it when its time is up
    for _ in 0..10 {
        active.send("x");
        thread::sleep(Duration::from_millis(200));
    }
    active.send("\n");
    active.expect_greetings(1);
    // From now on it is silent, too.
    let began = Instant::now();
    assert_eq!(active.read_to_end(), "");
    assert_eq!(silent.read_to_end(), "");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(server.has_printed(2, "nothing moved for too long"));
    server.stop();
}

/// Nothing moves for a client that doesn't read, once the kernels' buffers are full.
pub fn non_reading_for_too_long(model: Model) {
    let server = Server::start(model, &["--idle-timeout", "2s"]);
    let mut non_reading = Client::with_small_receive_buffer(server.address());
    non_reading.send_until_full(&b"\n".repeat(1 << 16));
    assert!(server.has_printed(1, "nothing moved for too long"));
    server.stop();
}

/// Sends a request on each of `count` connections, waits for all replies, and returns how long that
/// took.
fn request_on_all(server: &Server, count: usize) -> Duration {
    let mut clients: Vec<_> = (0..count).map(|_| Client::connect(server.address())).collect();
    let began = Instant::now();
    for client in &mut clients {
        client.send("hello\n");
        client.end();
    }
    for mut client in clients {
        client.expect_greetings(1);
    }
    began.elapsed()
}

pub fn delay(model: Model) {
    let server = Server::start(model, &["--delay", "300ms", "-q"]);
    let delay = Duration::from_millis(300);
    // A server that serves few at once takes five times as long for five times as many.
    let clients = model.serves_at_once.min(20) * 5;
    let all = request_on_all(&server, clients);
    if clients == 100 {
        assert!(all >= delay && all < 5 * delay, "{clients} clients took {all:?}");
    } else {
        assert!(all >= 5 * delay, "{clients} clients took {all:?}, not one after the other");
    }
    server.stop();
}

/// No way to wait helps against work that blocks: each turn of a loop takes as long as the work for
/// all clients that are ready. (More loops help, and so do threads, which work in parallel.)
pub fn work(model: Model) {
    let server = Server::start(model, &[&["--work", "50ms", "-q"], one_loop(model)].concat());
    let threads = if model.name() == "thread-server" { model.serves_at_once } else { 1 };
    let all = request_on_all(&server, 10);
    let in_a_row = 10_usize.div_ceil(threads) as u32;
    assert!(all >= in_a_row * Duration::from_millis(50), "10 clients took {all:?}");
    assert!(threads == 1 || all < 10 * Duration::from_millis(50), "10 clients took {all:?}");
    // It is the same with ten requests of one client.
    let mut client = Client::connect(server.address());
    let began = Instant::now();
    client.send("hello\n".repeat(10));
    client.expect_greetings(10);
    let all = began.elapsed();
    assert!(all >= 10 * Duration::from_millis(50), "10 requests took {all:?}");
    server.stop();
}

/// Work makes a turn of the loop long, 2.4 seconds here. A client that is accepted at its end has
/// not been idle since its beginning.
pub fn idle_timeout_beside_work(model: Model) {
    let server = Server::start(model, &["--work", "600ms", "--idle-timeout", "2s"]);
    let mut busy = Client::connect(server.address());
    busy.send("hello\n".repeat(4));
    assert!(server.has_printed(1, "getting data"));
    // While the server works, both of these arrive, so the next turn finds them together.
    busy.send("hello\n".repeat(4));
    busy.end();
    let mut newcomer = Client::connect(server.address());
    assert!(server.has_printed(2, "new connection"));
    assert!(!newcomer.receives_something(), "the newcomer was closed as idle");
    drop(newcomer);
    server.stop();
}
