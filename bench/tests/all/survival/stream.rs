//! Streams of bytes that aren't lines.

use bench::Model;

use super::client::Client;
use super::server::Server;

/// A client sends more in one line than the kernels' buffers hold. The server discards it, sends
/// the last reply, and doesn't wait for the client to end first.
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
