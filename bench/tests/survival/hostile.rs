//! Clients that break things.

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
    server.expect_sleep("a client does not read");

    // When it reads at last, it gets every reply. Then there is nothing left to send, and so
    // no reason to wait for room to send it.
    deaf.expect_greetings(sent / 64);
    server.expect_sleep("a client that was deaf has read everything");
    deaf.end();
    let unfinished = sent.div_ceil(64) - sent / 64;
    assert_eq!(deaf.read_to_end(), GREETING.repeat(unfinished));
    probe(server.address());
    server.stop();
}
