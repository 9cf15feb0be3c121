//! A stream of bytes, cut in every way.

use bench::Model;

use crate::client::{Client, GREETING};
use crate::server::Server;

/// Sends all of `requests`, closes the sending half, and returns what comes until the end.
fn ask_and_end(model: Model, requests: &[u8]) -> String {
    let server = Server::start(model, &["-q"]);
    let mut client = Client::connect(server.address());
    client.send(requests);
    client.end();
    let replies = client.read_to_end();
    server.stop();
    replies
}

pub fn half_close(model: Model) {
    assert_eq!(ask_and_end(model, b"one\ntwo\nthree\n"), GREETING.repeat(3));
    assert_eq!(ask_and_end(model, b""), "");
}

pub fn pipelined(model: Model) {
    let requests = b"hello from client number 0\n".repeat(500);
    assert_eq!(ask_and_end(model, &requests), GREETING.repeat(500));
}

pub fn byte_by_byte(model: Model) {
    let server = Server::start(model, &["-q"]);
    let mut client = Client::connect(server.address());
    for byte in b"hello\nagain\n" {
        client.send([*byte]);
    }
    client.expect_greetings(2);
    client.end();
    assert_eq!(client.read_to_end(), "");
    server.stop();
}

pub fn unfinished_last_line(model: Model) {
    assert_eq!(ask_and_end(model, b"one\ntwo"), GREETING.repeat(2));
}

pub fn too_long(model: Model) {
    let server = Server::start(model, &["-q"]);
    let mut client = Client::connect(server.address());
    client.send("fine\n");
    client.send(vec![b'x'; 100_000]);
    client.end();
    // No reset: it would be an error in here.
    assert_eq!(client.read_to_end(), format!("{GREETING}Request too long!\n"));
    server.stop();
}

/// More than the kernels keep, from a client that goes on and on: the server throws it away,
/// has the last word, and does not wait for the client to end first.
pub fn endless_line(model: Model) {
    let server = Server::start(model, &["-q"]);
    let mut client = Client::connect(server.address());
    client.send(vec![b'x'; 16 << 20]);
    assert_eq!(client.read_to_end(), "Request too long!\n");
    server.stop();
}

/// The article's protocol: one read, one reply without an LF, and the server closes.
pub fn one_shot(model: Model) {
    let server = Server::start(model, &["--protocol", "one-shot"]);
    let mut client = Client::connect(server.address());
    client.send("hello from client number 0");
    assert_eq!(client.read_to_end(), "Hello from server!");
    let outcome = server.stop();
    let line = "getting data: \"hello from client number 0\"";
    assert!(outcome.lines.iter().any(|said| said == line), "{outcome:?}");
}
