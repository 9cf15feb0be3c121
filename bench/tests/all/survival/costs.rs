//! What waiting costs: nothing while nothing happens, and a few calls when something happens.

use bench::{Model, ServerExit};

use super::client::Client;
use super::server::{Server, one_loop};

/// Clients that wait for a delayed reply: one has closed its sending half, and the other has left
/// after that. There is nothing to read from either, and nothing to write.
pub fn delayed_costs_nothing(model: Model) {
    let server = Server::start(model, &["--delay", "1h"]);
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(server.address())).collect();
    for client in &mut clients {
        client.send("hello\n");
        client.end();
    }
    let served = model.serves_at_once.min(2);
    assert!(server.has_printed(served, "getting data"));
    server.expect_sleep(model, "replies are delayed");
    clients.remove(0).reset();
    server.expect_sleep(model, "a client has left before its reply is due");
    let outcome = server.stop();
    let lost = outcome.lines.iter().any(|line| line.ends_with(" (1 reply could not be sent)"));
    assert!(lost, "{outcome:?}");
}

/// What a server prints and counts for one conversation: how often it waits, how many of these
/// waits are in accept(2), and in which call the others are.
struct Waits {
    all: usize,
    in_accept: usize,
    call: Option<&'static str>,
}

impl Waits {
    fn of(model: Model) -> Self {
        // A loop waits for the client, for its requests twice, for its end, and for the server's
        // own end.
        let in_loop = |call| Waits { all: 5, in_accept: 0, call: Some(call) };
        // A blocking server waits in each accept, recv and send. After it has accepted a client, it
        // waits in accept again, and so do the other threads of a pool. The task that accepts also
        // wakes up when another task ends.
        let blocking = |in_accept| Waits { all: in_accept + 3 + 2, in_accept, call: None };
        match model.name() {
            "thread-server" if model.serves_at_once == usize::MAX => blocking(2),
            "sync-server" | "thread-server" => blocking(1 + model.serves_at_once),
            "async-server" => blocking(3),
            "select-server" => in_loop("select"),
            "poll2-server" => in_loop("poll"),
            "poll-server" | "prefork-server" => in_loop("epoll_wait"),
            "uring-server" => in_loop("io_uring_enter"),
            name => panic!("how does {name} wait?"),
        }
    }
}

/// The exact number of calls for a conversation: requests arrive twice, and then the client ends.
pub fn counters(model: Model) {
    let server = Server::start(model, &[&["-v"], one_loop(model)].concat());
    let mut client = Client::connect(server.address());
    for requests in ["one\n", "two\nthree\n"] {
        client.send(requests);
        client.expect_greetings(requests.lines().count());
    }
    client.end();
    assert_eq!(client.read_to_end(), "");
    if model.name() == "busy-server" {
        return futile_calls(server);
    }
    let Waits { all, in_accept, call } = Waits::of(model);
    assert!(server.has_printed(all, "waiting in "));
    let outcome = server.stop();
    expect_one_conversation(&outcome);
    let woken = printed(&outcome, "woke up after ");
    // Only io_uring_enter(2) may wake up for nothing, if rarely.
    let most = if call == Some("io_uring_enter") { all + 2 } else { all };
    assert!((all..=most).contains(&woken), "{outcome:?}");
    if call == Some("io_uring_enter") {
        // The kernel does the rest without further calls.
        let names: Vec<_> = outcome.usage.as_ref().unwrap().calls.keys().collect();
        assert_eq!(names, ["getpeername", "io_uring_enter", "write"], "{outcome:?}");
    } else {
        expect_calls(&outcome);
        assert_eq!(calls(&outcome, "recv"), 3, "{outcome:?}");
        // A loop may check whether another client is pending; blocking threads need a connection to
        // wake them up at the end.
        assert!((1..=in_accept.max(2)).contains(&calls(&outcome, "accept")), "{outcome:?}");
    }
    if let Some(call) = call {
        assert_eq!(calls(&outcome, call), woken, "{outcome:?}");
    }
    // Each wait has two calls of epoll_ctl(2). The others add and delete the listener and the
    // connection.
    if call == Some("epoll_wait") && cfg!(target_os = "linux") {
        assert_eq!(calls(&outcome, "epoll_ctl"), 2 * all + 2 * 2, "{outcome:?}");
    }
}

/// A busy server makes many futile calls, but doesn't print each of them.
fn futile_calls(server: Server) {
    assert!(server.has_printed(1, "waiting in no call"));
    let outcome = server.stop();
    expect_one_conversation(&outcome);
    expect_calls(&outcome);
    assert!(calls(&outcome, "recv") >= 3 && calls(&outcome, "accept") >= 2, "{outcome:?}");
    // It prints only rounds that found something, and the first futile one after each of them.
    assert!((1..=4).contains(&printed(&outcome, "polled in vain ")), "{outcome:?}");
    assert!((1..=5).contains(&printed(&outcome, "waiting in no call")), "{outcome:?}");
}

fn expect_one_conversation(outcome: &ServerExit) {
    let usage = outcome.usage.as_ref().unwrap();
    assert_eq!((usage.connections, usage.requests, usage.replies), (1, 3, 3));
}

/// The calls that are the same in every server that makes them itself.
fn expect_calls(outcome: &ServerExit) {
    assert_eq!((calls(outcome, "send"), calls(outcome, "close")), (2, 1), "{outcome:?}");
}

fn calls(outcome: &ServerExit, name: &str) -> usize {
    outcome.usage.as_ref().unwrap().calls.get(name).copied().unwrap_or(0) as usize
}

fn printed(outcome: &ServerExit, beginning: &str) -> usize {
    outcome.lines.iter().filter(|line| line.starts_with(beginning)).count()
}
