//! Trustworthy latencies: schedules, stalls, warm-up, and requests that are never answered.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use load_generator::report::Latencies;
use load_generator::{Crowd, Event, Kind, Order, Phase, Report};
use protocol::Protocol;

use super::floods::{assert_good, flood};
use super::servers::{for_each_line, one_at_a_time, polite_server, read_once, reset, server};

fn since_due(report: &Report) -> &Latencies {
    &report.open_loop.as_ref().unwrap().reply_since_due
}

#[test]
fn requests_are_sent_on_schedule() {
    let crowd = Crowd { connections: 10, requests: 20, rate: Some(400.0), ..Crowd::default() };
    let report = flood(polite_server(), &crowd);
    assert_good(&report);
    assert_eq!((report.answered, since_due(&report).count()), (200, 200));
    // The last is due after 199 times 2.5 ms.
    assert!(report.elapsed >= Duration::from_millis(490), "{report}");
    assert!(report.elapsed < Duration::from_secs(3), "{report}");
    assert!(since_due(&report).quantile(0.5) >= report.reply.quantile(0.5), "{report}");
}

/// A server that doesn't reply between these times, counted from its start.
fn stalling_server(from: Duration, until: Duration) -> SocketAddr {
    let gate = Arc::new(RwLock::new(()));
    let for_staller = gate.clone();
    thread::spawn(move || {
        thread::sleep(from);
        let _closed = for_staller.write().unwrap();
        thread::sleep(until - from);
    });
    server(move |stream| {
        for_each_line(stream, |stream| {
            let _open = gate.read().unwrap();
            stream.write_all(Protocol::Lines.reply())
        })
    })
}

/// The stall lasts half a second of two: a quarter of all requests are due in it, and they wait
/// for between half a second and nothing.
#[test]
fn a_stall_counts_for_all_requests_that_were_due_in_it() {
    let stall = (Duration::from_millis(500), Duration::from_millis(1000));
    let crowd = Crowd {
        connections: 10,
        duration: Some(Duration::from_secs(2)),
        rate: Some(400.0),
        ..Crowd::default()
    };
    let report = flood(stalling_server(stall.0, stall.1), &crowd);
    assert_good(&report);
    assert_eq!(report.requests, 800, "all that were due in two seconds");
    let (sent, due) = (&report.reply, since_due(&report));
    // Of the upper quarter, nine tenths of all are 60% up: 0.3 s. On a busy machine, the client
    // itself is late, too.
    let late = report.open_loop.as_ref().unwrap().sent_late.max();
    let p90 = due.quantile(0.9);
    assert!(p90 > Duration::from_millis(200), "{report}");
    assert!(p90 < Duration::from_millis(450) + late, "{report}");
    // By the other clock one request of each connection has waited, ten of 800.
    assert!(sent.quantile(0.9) < Duration::from_millis(150), "{report}");
    assert!(sent.max() > Duration::from_millis(400), "{report}");
    assert!(report.to_string().contains("coordinated omission"), "{report}");
}

#[test]
fn what_is_never_answered_counts_as_at_least_so_long() {
    let began = Instant::now();
    let address = server(move |stream| {
        for_each_line(stream, |stream| {
            if began.elapsed() < Duration::from_millis(300) {
                stream.write_all(Protocol::Lines.reply())?;
            }
            Ok(())
        })
    });
    for rate in [None, Some(200.0)] {
        let crowd = Crowd {
            connections: 10,
            duration: Some(Duration::from_secs(1)),
            rate,
            timeout: Duration::from_millis(700),
            ..Crowd::default()
        };
        let report = flood(address, &crowd);
        assert!(report.answered < report.requests, "{report}");
        // A closed loop stops with one request on each connection.
        let in_vain = &report.reply;
        assert_eq!(report.kinds[0].reply.unanswered(), 10, "{report}");
        assert_eq!(in_vain.unanswered(), 10, "{report}");
        assert!(in_vain.max() >= crowd.timeout && in_vain.is_at_least(1.0), "{report}");
        if rate.is_some() {
            // In an open loop, requests that are due after that wait too.
            let due = since_due(&report);
            assert_eq!(due.count(), report.requests, "{report}");
            assert_eq!(due.unanswered(), report.requests - report.answered, "{report}");
            assert!(due.unanswered() > 50 && due.is_at_least(0.9), "{report}");
        }
        assert!(report.to_string().contains('≥'), "{report}");
    }
}

#[test]
fn an_open_loop_goes_on_though_connections_are_lost() {
    let address = server(|mut stream| {
        read_once(&stream)?;
        stream.write_all(Protocol::Lines.reply())?;
        read_once(&stream)?;
        reset(stream)
    });
    for (duration, requests) in [(Some(Duration::from_secs(1)), 1), (None, 10)] {
        let crowd =
            Crowd { connections: 10, duration, requests, rate: Some(100.0), ..Crowd::default() };
        let report = flood(address, &crowd);
        assert_eq!(report.answered, 10, "{report}");
        let due = since_due(&report);
        assert_eq!(due.count() - due.unanswered(), 10, "{report}");
        // The second request of each is lost, and all that were due until the last was.
        assert!(due.unanswered() >= 10, "{report}");
        assert!(report.requests >= due.count(), "{report}");
    }
}

/// Client number 1 is reset at once, and the others go on.
#[test]
fn of_lost_clients_the_due_and_measured_requests_count() {
    let address = server(|stream| {
        for line in BufReader::new(stream.try_clone()?).lines() {
            if line?.ends_with(" 1") {
                return reset(stream);
            }
            (&stream).write_all(Protocol::Lines.reply())?;
        }
        Ok(())
    });
    // The slow client, number 0, goes on long after the schedules of the others have ended.
    let by_number = Crowd {
        connections: 3,
        mix: [(Kind::Pausing, 1)].into(),
        requests: 5,
        rate: Some(50.0),
        pause: Duration::from_millis(200),
        ..Crowd::default()
    };
    let report = flood(address, &by_number);
    assert_eq!((report.requests, report.answered), (15, 10), "{report}");
    let due = since_due(&report);
    assert_eq!((due.count(), due.unanswered()), (15, 5), "{report}");

    let by_time = Crowd {
        duration: Some(Duration::from_millis(300)),
        warm_up: Duration::from_millis(300),
        rate: Some(200.0),
        pause: Duration::from_millis(900),
        ..by_number
    };
    let report = flood(address, &by_time);
    assert_eq!((report.requests, report.answered), (121, 61), "{report}");
    let due = since_due(&report);
    assert_eq!((due.count(), due.unanswered()), (60, 30), "without the warm-up: {report}");
}

#[test]
fn the_warm_up_is_answered_and_not_measured() {
    for rate in [None, Some(1000.0)] {
        let crowd = Crowd {
            connections: 4,
            duration: Some(Duration::from_millis(300)),
            warm_up: Duration::from_millis(300),
            rate,
            ..Crowd::default()
        };
        let report = flood(polite_server(), &crowd);
        assert_good(&report);
        assert!(report.elapsed >= Duration::from_millis(590), "{report}");
        let measured = report.reply.count();
        assert!(measured > 0 && measured < report.answered, "{report}");
        if let Some(open_loop) = &report.open_loop {
            assert_eq!((report.answered, measured), (600, 300), "{report}");
            assert_eq!(open_loop.sent_late.count(), 300, "{report}");
        }
    }
}

#[test]
fn a_warm_up_that_outlasts_the_requests_is_doubted() {
    let crowd = Crowd { warm_up: Duration::from_secs(60), ..Crowd::default() };
    let report = flood(polite_server(), &crowd);
    assert_good(&report);
    assert!(report.doubts(&[])[0].starts_with("no latency was measured"), "{report}");
}

#[test]
fn connections_that_ran_into_a_repeated_syn_are_doubted() {
    let (address, _) = one_at_a_time(1);
    // The pausing one comes first, and the queue is full while it pauses.
    let crowd = Crowd {
        connections: 6,
        mix: [(Kind::Pausing, 1)].into(),
        order: Order::AsConnected,
        pause: Duration::from_millis(500),
        ..Crowd::default()
    };
    // A client that was dropped but thinks that it is connected may even be reset; never mind.
    let report = flood(address, &crowd);
    if cfg!(target_os = "linux") {
        let doubts = report.doubts(&[]).join("\n");
        assert!(doubts.contains("connections took a second or longer"), "{report}");
    }
}

/// The client's own thread sleeps once, for a fifth of the run, while no client waits for the
/// server.
#[test]
fn a_client_that_is_late_itself_does_not_blame_the_server() {
    let crowd = Crowd {
        connections: 5,
        duration: Some(Duration::from_secs(1)),
        rate: Some(1000.0),
        ..Crowd::default()
    };
    let (mut under_way, mut answered) = (0, 0);
    let report = load_generator::flood(polite_server(), &crowd, &mut |event| {
        match event {
            Event::Entered { phase: Phase::AwaitingReply, .. } => under_way += 1,
            Event::Answered { .. } => {
                under_way -= 1;
                answered += 1;
                if answered >= 100 && under_way == 0 {
                    answered = i32::MIN; // once is enough
                    thread::sleep(Duration::from_millis(200));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let report = report.unwrap();
    assert_good(&report);
    // All requests that were due meanwhile are late, not only the first on each connection.
    let late = &report.open_loop.as_ref().unwrap().sent_late;
    assert!(late.count_from(Duration::from_millis(20)) > 100, "{report}");
    assert!(late.quantile(0.95) > Duration::from_millis(100), "{report}");
    assert!(report.doubts(&[])[0].starts_with("the client itself was late"), "{report}");
}
