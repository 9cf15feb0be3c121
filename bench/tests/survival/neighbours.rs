//! Slow clients, and the probe beside them.

use bench::Model;

use crate::client::{Client, probe_beside};
use crate::server::Server;

pub fn silent(model: Model) {
    for crowd in [1, 5] {
        let server = Server::start(model, &[]);
        let silent = (0..crowd).map(|_| Client::connect(server.address())).collect();
        probe_beside(silent, &server, model);
        server.stop();
    }
}

pub fn half_sent_request(model: Model) {
    let server = Server::start(model, &[]);
    let mut slow = Client::connect(server.address());
    slow.send("hello fr");
    probe_beside(vec![slow], &server, model);
    server.stop();
}

pub fn that_never_reads(model: Model) {
    let server = Server::start(model, &["-q"]);
    let mut deaf = Client::with_small_receive_buffer(server.address());
    deaf.send_until_full(&b"\n".repeat(1 << 16));
    probe_beside(vec![deaf], &server, model);
    server.stop();
}
