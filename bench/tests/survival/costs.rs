//! What waiting costs: nothing while nothing happens, and a few calls when something does.

use bench::Model;

use crate::client::Client;
use crate::server::{Server, one_loop};

/// Clients who wait for a reply that is delayed: one has closed its sending half, and the
/// other has gone after that. There is nothing to read from either, and nothing to write.
pub fn delayed_costs_nothing(model: Model) {
    let mut server = Server::start(model, &["--delay", "1h"]);
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(server.address())).collect();
    for client in &mut clients {
        client.send("hello\n");
        client.end();
    }
    let served = model.serves_at_once.min(2);
    assert!(server.has_printed(served, "getting data"));
    server.expect_sleep(model, "replies are delayed");
    clients.remove(0).reset();
    server.expect_sleep(model, "a client has gone that is owed a reply");
    let outcome = server.stop();
    let lost = outcome.lines.iter().any(|line| line.ends_with(" (1 reply could not be sent)"));
    assert!(lost, "{outcome:?}");
}

/// What a conversation costs, to the call: two times requests come, and then their end. Who
/// asks unbidden asks many times in vain.
pub fn counters(model: Model) {
    let mut server = Server::start(model, &[&["-v"], one_loop(model)].concat());
    let mut client = Client::connect(server.address());
    for requests in ["one\n", "two\nthree\n"] {
        client.send(requests);
        client.expect_greetings(requests.lines().count());
    }
    client.end();
    assert_eq!(client.read_to_end(), "");
    let asks_unbidden = model.name() == "busy-server";
    // A loop waits for the client, for its requests twice, for their end, and for its own.
    // The blocking server waits in each accept, recv and send.
    let waits = match model.serves_at_once {
        1 => 2 + 3 + 2,
        _ if asks_unbidden => 1, // what comes at once is found before a round was in vain
        _ => 5,
    };
    assert!(server.has_printed(waits, "waiting in "));
    let outcome = server.stop();
    let usage = outcome.usage.as_ref().unwrap();
    assert_eq!((usage.connections, usage.requests, usage.replies), (1, 3, 3));
    let calls = |name: &str| usage.calls.get(name).copied().unwrap_or(0) as usize;
    for (name, times) in [("send", 2), ("close", 1)] {
        assert_eq!(calls(name), times, "{name}: {outcome:?}");
    }
    if asks_unbidden {
        assert!(calls("recv") >= 3 && calls("accept") >= 2, "{outcome:?}");
        let told = |text: &str| outcome.lines.iter().filter(|line| line.starts_with(text)).count();
        // Only rounds in which something was there are told, and one that was in vain after such.
        assert!((1..=4).contains(&told("asked in vain ")), "{outcome:?}");
        assert!((1..=5).contains(&told("waiting in no call")), "{outcome:?}");
        return;
    }
    assert_eq!(calls("recv"), 3, "{outcome:?}");
    // A loop may look whether there is one more; somebody has to wake the blocking server.
    assert!((1..=2).contains(&calls("accept")), "{outcome:?}");
    let told = outcome.lines.iter().filter(|line| line.starts_with("woke up after ")).count();
    assert_eq!(told, waits, "{outcome:?}");
    match model.name() {
        "sync-server" => {}
        "select-server" => assert_eq!(calls("select"), waits, "{outcome:?}"),
        "poll2-server" => assert_eq!(calls("poll"), waits, "{outcome:?}"),
        _ => assert_eq!(calls("epoll_wait"), waits, "{outcome:?}"),
    }
    // Two calls of epoll_ctl(2) belong to each wait. The others let the listener and the
    // connection in, and out again.
    let polls = ["poll-server", "prefork-server"].contains(&model.name());
    if polls && cfg!(target_os = "linux") {
        assert_eq!(calls("epoll_ctl"), 2 * waits + 2 * 2, "{outcome:?}");
    }
}
