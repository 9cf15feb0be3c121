//! Clients that break things.

use std::thread;
use std::time::Duration;

use bench::Model;

use crate::client::{Client, GREETING, probe};
use crate::server::Server;

pub fn resets_and_hasty_goodbyes(model: Model) {
    let server = Server::start(model, &[]);
    for _ in 0..30 {
        let mut client = Client::connect(server.address());
        client.send("in the middle of a requ");
        client.reset();

        drop(Client::connect(server.address()));

        let mut client = Client::connect(server.address());
        client.send("hello\n");
        client.reset();
    }
    probe(server.address());
    let connections = server.stop().usage.unwrap().connections;
    // Other systems may take a connection that was reset out of the queue.
    let all = if cfg!(target_os = "linux") { 91..=91 } else { 61..=91 };
    assert!(all.contains(&connections), "{connections} were accepted");
}

pub fn a_client_that_never_reads(model: Model) {
    let server = Server::start(model, &["-q"]);
    probe(server.address());
    let memory = server.resident_memory();
    let mut deaf = Client::with_small_receive_buffer(server.address());
    let request = format!("{:63}\n", "are you there?").repeat(1024);
    let sent = deaf.send_until_full(request.as_bytes());

    // The kernels hold what nobody reads. The server holds a bounded part of it, and sleeps.
    assert!(sent > 1 << 20, "the client sent {sent} bytes only");
    let grown = server.resident_memory().saturating_sub(memory);
    assert!(grown < 1 << 20, "the server's memory grew by {grown} bytes");
    let processor_time = server.processor_time();
    thread::sleep(Duration::from_millis(500));
    let spent = server.processor_time() - processor_time;
    assert!(spent <= Duration::from_millis(50), "{spent:?} spent on a client that can't be served");

    // When it reads at last, it gets every reply.
    deaf.end();
    let replies = deaf.read_to_end();
    let requests = sent.div_ceil(64);
    assert!(
        replies == GREETING.repeat(requests),
        "{} bytes for {requests} requests",
        replies.len()
    );
    probe(server.address());
    server.stop();
}
