//! A server that pauses for a second in the middle of a run, and what an open loop reports about
//! it, compared with a calculation on paper.

#![cfg(unix)]

use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench::{Model, ServerProcess};
use load_generator::{Crowd, Report, flood};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const RATE: f64 = 1000.0;
const RUN: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is tried, until it comes out as on paper: on a busy machine, other replies are
/// late, too. A clock that is started at the wrong moment is wrong each time.
const TRIES: usize = 4;

/// A quarter of all requests are due while the server is paused. The first of them waits for a
/// second, the last not at all, and the others are evenly between. So three quarters of all
/// requests get their replies at once, and the quantile q above that has waited 4 q - 3 seconds.
#[test]
fn an_open_loop_sees_a_pause_as_it_is() {
    let compared = || compare_with_paper(&run_with_a_pause());
    let result = (1..TRIES).fold(compared(), |result, _| result.or_else(|_| compared()));
    result.unwrap_or_else(|why| panic!("{why}"));
}

fn run_with_a_pause() -> Report {
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
    report
}

fn compare_with_paper(report: &Report) -> Result<(), String> {
    let all = RATE * RUN.as_secs_f64();
    assert!(report.is_good(), "{report}");
    assert_eq!(report.requests, all as u64, "{report}");
    let since_due = &report.open_loop.as_ref().unwrap().reply_since_due;
    for (share, waited) in [(0.8, 0.2), (0.9, 0.6), (0.95, 0.8), (0.99, 0.96)] {
        let measured = since_due.quantile(share).as_secs_f64();
        if (measured - waited).abs() >= 0.15 {
            return Err(format!("p{}: {waited} s on paper\n{report}", 100.0 * share));
        }
    }
    // A clock that starts when a request is sent measures one long wait on each connection.
    let long = report.reply.count_from(PAUSE / 10);
    if !(20..=60).contains(&long) {
        return Err(format!("{long} of {all} waited for long\n{report}"));
    }
    Ok(())
}
