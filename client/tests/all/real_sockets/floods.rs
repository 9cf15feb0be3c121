//! Crowds of every kind against servers as they should be.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::time::Duration;

use load_generator::report::{Stage, Stuck};
use load_generator::{Crowd, Event, Kind, Order, Report};
use protocol::Protocol;

use super::servers::{for_each_line, one_at_a_time, polite_server, read_once, server};

pub fn flood(address: SocketAddr, crowd: &Crowd) -> Report {
    load_generator::flood(address, crowd, &mut |_| ControlFlow::Continue(())).unwrap()
}

pub fn assert_good(report: &Report) {
    assert!(report.is_good(), "{report}");
}

#[test]
fn every_client_is_answered() {
    for order in [Order::ConnectFirst, Order::AsConnected] {
        let crowd = Crowd { connections: 200, order, ..Crowd::default() };
        let report = flood(polite_server(), &crowd);
        assert_good(&report);
        assert_eq!((report.connected, report.answered), (200, 200));
        assert_eq!((report.connect.count(), report.reply.count()), (200, 200));
    }
}

#[test]
fn a_request_costs_one_write_and_its_reply_one_read() {
    let crowd = Crowd { connections: 10, requests: 100, ..Crowd::default() };
    let report = flood(polite_server(), &crowd);
    assert_good(&report);
    assert_eq!(report.answered, 1000);
    assert_eq!(report.calls.writes, 1000);
    assert_eq!(report.calls.reads, 1000 + 10, "and one for each end");
}

#[test]
fn it_reports_what_happens() {
    let (mut connected, mut answered, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let crowd = Crowd { connections: 3, ..Crowd::default() };
    let report = load_generator::flood(polite_server(), &crowd, &mut |event| {
        match event {
            Event::Connected { client, .. } => connected.push(*client),
            Event::Answered { client, .. } => answered.push(*client),
            Event::Received { bytes: more, .. } => bytes.extend_from_slice(more),
            Event::Failed { failure, .. } => panic!("{failure:?}"),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert_good(&report.unwrap());
    answered.sort();
    assert_eq!((connected, answered), (vec![0, 1, 2], vec![0, 1, 2]));
    assert_eq!(bytes, Protocol::Lines.reply().repeat(3));
}

#[test]
fn dribbling_clients_send_byte_by_byte_and_delay_no_other() {
    let (sender, receiver) = mpsc::channel();
    let address = server(move |mut stream| {
        let mut reads = 0;
        let (mut byte, mut end) = ([0; 1024], false);
        while !end {
            let count = stream.read(&mut byte)?;
            end = count == 0 || byte[..count].ends_with(b"\n");
            reads += 1;
        }
        let _ = sender.send(reads);
        stream.write_all(Protocol::Lines.reply())
    });
    let crowd = Crowd {
        connections: 8,
        mix: [(Kind::Dribbling, 2)].into(),
        every: Duration::from_millis(10),
        ..Crowd::default()
    };
    let report = flood(address, &crowd);
    assert_good(&report);
    let length = Protocol::Lines.request("hello from client number 0").len();
    let pauses = 10 * (length as u64 - 1);
    assert!(report.elapsed >= Duration::from_millis(pauses), "{report}");
    // It counts from the last byte, so the pauses before it are no latency.
    assert!(report.reply.quantile(0.1) < Duration::from_millis(pauses), "{report}");
    let mut reads: Vec<usize> = receiver.iter().take(8).collect();
    reads.sort();
    assert_eq!(reads[..6], [1; 6]);
    assert!(reads[6] > length / 2, "{reads:?}");
}

#[test]
fn silent_clients_stay_until_the_others_are_done() {
    let (sender, receiver) = mpsc::channel();
    let address = server(move |mut stream| {
        let mut request = Vec::new();
        let is_silent = read_once(&stream)? == 0;
        let _ = sender.send(is_silent);
        if !is_silent {
            stream.write_all(Protocol::Lines.reply())?;
        }
        stream.read_to_end(&mut request).map(drop)
    });
    let crowd = Crowd { connections: 10, mix: [(Kind::Silent, 4)].into(), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_good(&report);
    assert_eq!((report.requests, report.answered), (6, 6));
    assert_eq!((report.connected, report.silent_closed), (10, 0));
    let in_order: Vec<bool> = receiver.iter().take(10).collect();
    assert_eq!(in_order, [[false; 6].as_slice(), &[true; 4]].concat());
}

#[test]
fn a_server_may_close_silent_clients() {
    let address = server(|_| Ok(()));
    let crowd = Crowd { mix: [(Kind::Silent, 20)].into(), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_good(&report);
    assert_eq!((report.connected, report.silent_closed), (20, 20));
}

#[test]
fn silent_clients_among_themselves_stay_until_the_time_is_up() {
    let crowd = Crowd {
        mix: [(Kind::Silent, 20)].into(),
        timeout: Duration::from_millis(300),
        ..Crowd::default()
    };
    let report = flood(polite_server(), &crowd);
    assert_good(&report);
    assert!(report.elapsed >= crowd.timeout);
    assert_eq!((report.requests, report.stuck), (0, None));
}

#[test]
fn silent_clients_among_themselves_stay_for_the_duration() {
    for timeout in [Duration::from_millis(100), Duration::from_secs(3600)] {
        let duration = Duration::from_millis(500);
        let mix = [(Kind::Silent, 20)].into();
        let crowd = Crowd { mix, timeout, duration: Some(duration), ..Crowd::default() };
        let report = flood(polite_server(), &crowd);
        assert_good(&report);
        assert!(report.elapsed >= duration && report.stuck.is_none(), "{report}");
    }
}

#[test]
fn waiting_for_replies_is_not_busy_waiting() {
    let address = server(never_answer);
    let crowd = Crowd { timeout: Duration::from_millis(500), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_eq!(report.stuck.unwrap().awaiting_reply, 20);
    // Some for connecting and starting, and ten ticks a second.
    assert!(report.calls.waits < 100, "{} waits", report.calls.waits);
}

#[test]
fn the_watcher_can_end_it_although_nothing_moves() {
    let address = server(never_answer);
    let crowd = Crowd { timeout: Duration::from_secs(3600), ..Crowd::default() };
    let report = load_generator::flood(address, &crowd, &mut |event| match event {
        Event::Tick(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let report = report.unwrap();
    assert!(report.ended_early && !report.is_good());
    assert_eq!(report.errors.count(), 0, "no client failed");
}

#[test]
fn the_watcher_is_not_called_after_it_has_ended_the_flood() {
    let address = server(never_answer);
    let crowd = Crowd { timeout: Duration::from_millis(200), ..Crowd::default() };
    let mut failed = 0;
    let report = load_generator::flood(address, &crowd, &mut |event| match event {
        Event::Failed { .. } => {
            failed += 1;
            ControlFlow::Break(())
        }
        _ if failed > 0 => panic!("{event:?}"),
        _ => ControlFlow::Continue(()),
    });
    assert!(report.unwrap().ended_early);
    assert_eq!(failed, 1);
}

#[test]
fn a_trickle_of_replies_is_not_a_stall() {
    let address = server(|stream| {
        stream.set_nodelay(true)?;
        for_each_line(stream, |stream| {
            Protocol::Lines.reply().iter().try_for_each(|&byte| {
                std::thread::sleep(Duration::from_millis(50));
                stream.write_all(&[byte])
            })
        })
    });
    let crowd = Crowd { timeout: Duration::from_millis(500), ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_good(&report);
    assert!(report.elapsed > crowd.timeout, "{report}");
}

#[test]
fn a_trickle_of_requests_is_not_a_stall() {
    let address = server(|mut stream| {
        let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                count => bytes += count,
            }
            if bytes < 15 << 20 {
                std::thread::sleep(Duration::from_millis(150));
            }
        }
        let requests = bytes.div_ceil(Protocol::Lines.request("hello from client number 0").len());
        stream.write_all(&Protocol::Lines.reply().repeat(requests))
    });
    // They are 27 million bytes, far more than the sockets keep beyond the 15 that trickle.
    let crowd = Crowd {
        connections: 1,
        mix: [(Kind::HalfClosing, 1)].into(),
        requests: 1_000_000,
        timeout: Duration::from_millis(1500),
        ..Crowd::default()
    };
    let report = flood(address, &crowd);
    assert_good(&report);
    assert!(report.elapsed > crowd.timeout, "{report}");
}

fn never_answer(stream: TcpStream) -> io::Result<()> {
    while read_once(&stream)? > 0 {}
    std::thread::park();
    Ok(())
}

#[test]
fn one_shot_takes_the_first_of_many_replies() {
    let address = server(|mut stream| {
        read_once(&stream)?;
        // As the article's select server does it: until the client has gone.
        loop {
            stream.write_all(Protocol::OneShot.reply())?;
        }
    });
    let crowd = Crowd { protocol: Protocol::OneShot, ..Crowd::default() };
    let report = flood(address, &crowd);
    assert_good(&report);
    assert_eq!(report.answered, 20);
}

#[test]
fn one_shot_keeps_its_sending_half_open_until_it_has_the_reply() {
    let address = server(|mut stream| {
        read_once(&stream)?;
        // The article's select server would take an end here for the end of everything.
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        match read_once(&stream) {
            Ok(_) => Ok(()),
            Err(_) => stream.write_all(Protocol::OneShot.reply()),
        }
    });
    let crowd = Crowd { protocol: Protocol::OneShot, ..Crowd::default() };
    assert_good(&flood(address, &crowd));
}

#[test]
fn one_shot_takes_a_piece_of_a_request_for_all_of_it() {
    let address = server(|mut stream| {
        read_once(&stream)?;
        stream.write_all(Protocol::OneShot.reply())?;
        while read_once(&stream)? > 0 {}
        Ok(())
    });
    let crowd = Crowd {
        protocol: Protocol::OneShot,
        mix: [(Kind::Dribbling, 5)].into(),
        ..Crowd::default()
    };
    let report = flood(address, &crowd);
    assert_eq!(report.answered, 15, "{report}");
    let trouble = report.errors.of(Stage::Reply);
    assert_eq!(trouble.count, 5);
    let first = trouble.first.as_deref().unwrap();
    assert!(first.contains("bytes of the request are sent"), "{first}");
}

#[test]
fn the_deadlock_of_the_article_is_recognised() {
    if cfg!(windows) {
        return eprintln!("skipped: Windows rejects clients if the accept queue is full");
    }
    let crowd = Crowd { timeout: Duration::from_millis(1500), ..Crowd::default() };
    let (address, lines_of_each) = one_at_a_time(10);
    let report = flood(address, &crowd);
    let stuck = report.stuck.unwrap();
    assert!(stuck.is_deadlock(), "{report}");
    assert_eq!(stuck.held, report.connected);
    assert_eq!(stuck.held + stuck.connecting, 20);
    #[cfg(target_os = "linux")] // the one accepted, and the accept queue of backlog + 1
    assert_eq!(report.connected, 12, "{report}");
    assert_eq!(report.answered, 0);
    assert_eq!(report.errors.of(Stage::TimedOut).count, 20);
    assert_eq!(lines_of_each.recv(), Ok(0), "nothing is sent before");
    let text = report.to_string();
    for words in ["deadlock", "--order as-connected", "--backlog 20"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn as_connected_does_not_deadlock() {
    let crowd = Crowd { order: Order::AsConnected, ..Crowd::default() };
    let (address, lines_of_each) = one_at_a_time(10);
    assert_good(&flood(address, &crowd));
    assert_eq!(lines_of_each.iter().take(20).collect::<Vec<_>>(), [1; 20]);
}

#[test]
fn a_busy_server_is_not_a_deadlock() {
    let crowd = Crowd {
        mix: [(Kind::Silent, 1)].into(),
        timeout: Duration::from_millis(300),
        ..Crowd::default()
    };
    let (address, _) = one_at_a_time(128);
    let report = flood(address, &crowd);
    let expected = Stuck { awaiting_reply: 19, silent: 1, ..Stuck::default() };
    assert_eq!(report.stuck, Some(expected), "{report}");
    let text = report.to_string();
    assert!(!text.contains("deadlock"), "{text}");
    assert!(text.contains("Connected doesn't mean accepted"), "{text}");
    assert!(text.contains("may be a silent client"), "{text}");
}

#[test]
fn an_impossible_crowd_is_rejected() {
    let crowd = Crowd { mix: [(Kind::Silent, 21)].into(), ..Crowd::default() };
    let nowhere = ([127, 0, 0, 1], 9).into();
    let error =
        load_generator::flood(nowhere, &crowd, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("--connections 21"), "{error}");
}
