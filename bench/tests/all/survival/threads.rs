//! What a server does when threads run out, and clients wait meanwhile.

use bench::Model;

use super::client::wait_until;
use super::descriptors::{Crowd, probe};
use super::server::Server;

/// As with descriptors: it is reported once while it lasts, and again when it comes again.
#[test]
fn a_client_that_comes_when_all_threads_are_taken_waits_for_one_to_end() {
    let server = Server::start(Model::THREAD, &["-q", "--max-threads", "8"]);
    probe(server.address());
    let at_rest = server.threads_and_descriptors() + 1; // a thread may be there for the next client
    for _ in 0..2 {
        let mut crowd = Crowd::new(&server, 30);
        assert_eq!(crowd.settle(), 8);
        server.expect_sleep(Model::THREAD, "all threads are taken");
        crowd.leave_in_turns();
        wait_until("all is given back", || server.threads_and_descriptors() <= at_rest);
    }
    let outcome = server.stop();
    let reports = outcome.lines.iter().filter(|line| line.contains("(--max-threads 8)")).count();
    assert_eq!(reports, 2, "{outcome:?}");
    assert_eq!(outcome.usage.unwrap().replies, 1 + 2 * 30);
}

/// The thread that accepts isn't in accept(2) at that moment.
#[test]
fn a_server_whose_threads_are_all_taken_stops_at_once() {
    let server = Server::start(Model::THREAD, &["--max-threads", "1"]);
    let crowd = Crowd::new(&server, 2);
    assert!(server.has_printed(1, "no thread is left"));
    let outcome = server.stop();
    assert_eq!(outcome.usage.unwrap().connections, 1);
    drop(crowd);
}

/// If the server tried to start that many threads, its process would die.
#[test]
#[cfg(target_os = "linux")]
fn a_pool_that_no_process_has_room_for_is_rejected() {
    let pool = u32::MAX.to_string();
    let server = Server::start(Model::THREAD, &["-q", "--pool", &pool]);
    let outcome = server.wait();
    assert!(!outcome.status.success(), "{outcome:?}");
    assert!(outcome.last_words().contains("no room for 4294967295 threads"), "{outcome:?}");
}
