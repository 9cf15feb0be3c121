//! A server that stands still for a second in the middle of a run, and what an open loop says
//! of it, against a calculation on paper.

#![cfg(unix)]

use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench::{Model, ServerProcess};
use client::{Crowd, flood};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const RATE: f64 = 1000.0;
const RUN: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_secs(1);

/// A quarter of all requests are due while the server stands still. The first of them waits
/// for a second, the last not at all, the others evenly between: so of all requests, three
/// quarters are answered at once, and the share q above that has waited 4 q - 3 seconds.
#[test]
fn an_open_loop_sees_a_pause_as_it_is() {
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    let command = ServerProcess::command(program, Model::POLL, &["--quiet"]);
    let server = ServerProcess::start(command).unwrap();
    let process = Pid::from_raw(server.id().cast_signed());
    let crowd = Crowd { duration: Some(RUN), rate: Some(RATE), ..Crowd::default() };
    let address = server.address();
    let report = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(address, &crowd, &mut |_| ControlFlow::Continue(())));
        thread::sleep(RUN / 3);
        kill(process, Signal::SIGSTOP).unwrap();
        thread::sleep(PAUSE);
        kill(process, Signal::SIGCONT).unwrap();
        flood.join().unwrap().unwrap()
    });
    server.stop().unwrap();

    let all = RATE * RUN.as_secs_f64();
    assert!(report.is_good(), "{report}");
    assert_eq!(report.asked, all as u64, "{report}");
    let since_due = &report.open_loop.as_ref().unwrap().reply_since_due;
    for (share, waited) in [(0.8, 0.2), (0.9, 0.6), (0.95, 0.8), (0.99, 0.96)] {
        let told = since_due.quantile(share).as_secs_f64();
        assert!((told - waited).abs() < 0.15, "p{}: {waited} s on paper\n{report}", 100.0 * share);
    }
    // A clock that starts when a request is sent sees one long wait on each connection.
    let long = report.reply.count_from(PAUSE / 10);
    assert!((20..=60).contains(&long), "{long} of {all} waited for long\n{report}");
}
