//! Each kind of client: what the server sees of it, and whether it checks what it gets.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use load_generator::report::{KindReport, Stage};
use load_generator::{Crowd, Event, Kind, Mix};
use protocol::Protocol;

use super::floods::{assert_good, flood};
use super::servers::{for_each_line, one_at_a_time, polite_server, read_once, reset, server};

/// A crowd of one kind, whose times are short.
fn crowd(kind: Kind, connections: usize) -> Crowd {
    Crowd {
        connections,
        mix: [(kind, connections)].into(),
        every: Duration::from_millis(5),
        pause: Duration::from_millis(100),
        think: Duration::from_millis(50),
        timeout: Duration::from_secs(5),
        ..Crowd::default()
    }
}

/// What a server sees of a connection.
#[derive(Debug)]
enum Seen {
    Bytes(Vec<u8>, Instant),
    End,
    Error(ErrorKind),
}

/// A polite server that reports what it sees.
fn watching_server() -> (SocketAddr, Receiver<Seen>) {
    let (sender, receiver) = mpsc::channel();
    let address = server(move |mut stream| {
        let mut buffer = [0; 1024];
        let mut in_line = false;
        loop {
            let seen = match stream.read(&mut buffer) {
                Ok(0) => Seen::End,
                Ok(count) => Seen::Bytes(buffer[..count].into(), Instant::now()),
                Err(error) => Seen::Error(error.kind()),
            };
            let replies = match &seen {
                Seen::Bytes(bytes, _) => {
                    in_line = !bytes.ends_with(b"\n");
                    bytes.iter().filter(|&&byte| byte == b'\n').count()
                }
                Seen::End => usize::from(in_line),
                Seen::Error(_) => 0,
            };
            let is_over = !matches!(seen, Seen::Bytes(..));
            let _ = sender.send(seen);
            stream.write_all(&Protocol::Lines.reply().repeat(replies))?;
            if is_over {
                return Ok(());
            }
        }
    });
    (address, receiver)
}

/// Everything that the server sees until the connection is over.
fn seen_of(crowd: &Crowd) -> Vec<Seen> {
    let (address, receiver) = watching_server();
    assert_good(&flood(address, crowd));
    let mut all = Vec::new();
    loop {
        let seen = receiver.recv().unwrap();
        let is_over = !matches!(seen, Seen::Bytes(..));
        all.push(seen);
        if is_over {
            return all;
        }
    }
}

#[test]
fn in_a_mixed_crowd_every_client_gets_what_it_should() {
    let mix: Mix = Kind::ALL.map(|kind| (kind, 2)).into();
    let crowd = Crowd { connections: 25, mix, requests: 3, ..crowd(Kind::Prompt, 0) };
    let report = flood(polite_server(), &crowd);
    assert_good(&report);
    assert_eq!(report.kinds.len(), Kind::ALL.len());
    for part in &report.kinds {
        let clients = if part.kind == Kind::Prompt { 9 } else { 2 };
        let requests = match part.kind {
            Kind::Silent | Kind::Resetting | Kind::Vanishing => 0,
            Kind::Chatty => 2 * 5,
            Kind::NonReading => part.requests, // as many as the sockets took
            _ => 3 * clients as u64,
        };
        assert_eq!((part.clients, part.failed), (clients, 0), "{report}");
        assert_eq!(part.requests, requests, "{report}");
        assert_eq!(part.answered, part.requests, "{report}");
        let measured = if part.kind == Kind::NonReading { 0 } else { part.answered };
        assert_eq!(part.reply.count(), measured, "{report}");
    }
    let sum = |of: fn(&KindReport) -> u64| report.kinds.iter().map(of).sum::<u64>();
    assert_eq!(
        (report.requests, report.answered),
        (sum(|part| part.requests), sum(|part| part.answered))
    );
    assert_eq!(report.reply.count(), sum(|part| part.reply.count()));
}

#[test]
fn a_pausing_client_sends_half_and_the_rest_later() {
    // The server's thread has to wake up within the pause, also on a busy machine.
    let crowd = Crowd { pause: Duration::from_millis(500), ..crowd(Kind::Pausing, 1) };
    let seen = seen_of(&crowd);
    let [Seen::Bytes(half, first), Seen::Bytes(rest, second), Seen::End] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert!(*second - *first >= crowd.pause / 2, "{seen:?}");
    assert_eq!([&half[..], rest].concat(), b"hello from client number 0\n");
}

#[test]
fn a_chatty_client_thinks_before_it_asks_again() {
    let crowd = crowd(Kind::Chatty, 1);
    let seen = seen_of(&crowd);
    let times: Vec<_> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Bytes(bytes, at) => Some((bytes.len(), *at)),
            _ => None,
        })
        .collect();
    assert_eq!(times.len(), 5, "{seen:?}");
    assert!(times.windows(2).all(|pair| pair[1].1 - pair[0].1 >= crowd.think / 2), "{seen:?}");
}

#[test]
fn a_chatty_client_does_not_think_when_there_is_no_time_to_ask() {
    let duration = Some(Duration::from_millis(300));
    let crowd = Crowd { duration, think: Duration::from_secs(60), ..crowd(Kind::Chatty, 2) };
    let report = flood(polite_server(), &crowd);
    assert_good(&report);
    assert_eq!(report.answered, 2, "{report}");
    assert!(report.elapsed < Duration::from_secs(10), "{report}");
}

#[test]
fn a_half_closing_client_ends_before_it_reads_and_its_last_line_has_no_end() {
    let (sender, receiver) = mpsc::channel();
    let address = server(move |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?; // it would hang if the client waited for a reply
        let _ = sender.send(all);
        stream.write_all(&Protocol::Lines.reply().repeat(1000))
    });
    let crowd = Crowd { requests: 1000, ..crowd(Kind::HalfClosing, 1) };
    assert_good(&flood(address, &crowd));
    let mut requests = b"hello from client number 0\n".repeat(1000);
    requests.pop();
    assert!(receiver.recv().unwrap() == requests);
}

#[test]
fn a_half_closing_client_wants_the_reply_to_its_unfinished_line() {
    let address = server(|stream| {
        let reader = stream.try_clone()?;
        for_each_whole_line(reader, |mut stream| stream.write_all(Protocol::Lines.reply()))
    });
    let report = flood(address, &Crowd { requests: 3, ..crowd(Kind::HalfClosing, 1) });
    assert_eq!((report.requests, report.answered), (3, 2), "{report}");
    assert_eq!(report.errors.of(Stage::ClosedEarly).count, 1, "{report}");
}

/// Does the same for each LF that comes.
fn for_each_whole_line(
    mut stream: TcpStream,
    answer: impl Fn(&TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        for _ in buffer[..count].iter().filter(|&&byte| byte == b'\n') {
            answer(&stream)?;
        }
    }
}

#[test]
fn a_resetting_client_is_gone_in_the_middle_of_a_request() {
    let seen = seen_of(&crowd(Kind::Resetting, 1));
    let [Seen::Bytes(half, _), Seen::Error(ErrorKind::ConnectionReset)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert!(b"hello from client number 0\n".starts_with(half) && half.len() < 27, "{seen:?}");
}

#[test]
fn a_vanishing_client_says_nothing() {
    let seen = seen_of(&crowd(Kind::Vanishing, 1));
    assert!(matches!(seen[..], [Seen::End]), "{seen:?}");
}

#[test]
fn a_non_reading_client_finally_reads_and_gets_every_reply() {
    let (sender, receiver) = mpsc::channel();
    let address = server(move |mut stream| {
        let began = Instant::now();
        let mut longest = Duration::ZERO;
        for_each_line(stream.try_clone()?, |_| {
            let before = Instant::now();
            stream.write_all(Protocol::Lines.reply())?; // sleeps while the client is non-reading
            longest = longest.max(before.elapsed());
            Ok(())
        })?;
        let _ = sender.send((longest, began.elapsed()));
        Ok(())
    });
    let crowd = Crowd {
        connections: 3,
        mix: [(Kind::NonReading, 1), (Kind::Pausing, 1)].into(),
        pause: Duration::from_millis(1500),
        ..crowd(Kind::NonReading, 0)
    };
    let report = flood(address, &crowd);
    assert_good(&report);
    assert!(report.requests > 10_000, "only {} fitted into the sockets", report.requests);
    assert!(report.requests < 2_000_000, "it went on sending when it read: {}", report.requests);
    let longest = receiver.iter().take(3).map(|(longest, _)| longest).max().unwrap();
    assert!(longest >= Duration::from_millis(100), "it slept {longest:?} in a write at most");
}

/// Of two non-reading clients, the first is reset as soon as it has sent something, and notices
/// that. The other reads nothing until the prompt client has its second reply, a second later.
#[test]
fn non_reading_clients_read_nothing_until_the_others_are_done() {
    let address = server(|stream| {
        for line in BufReader::new(stream.try_clone()?).lines() {
            if line?.ends_with(" 0") {
                return reset(stream);
            }
            (&stream).write_all(Protocol::Lines.reply())?;
        }
        Ok(())
    });
    let crowd = Crowd {
        connections: 3,
        mix: [(Kind::NonReading, 2), (Kind::Prompt, 1)].into(),
        rate: Some(1.0),
        requests: 2,
        ..crowd(Kind::NonReading, 0)
    };
    assert_eq!(
        [0, 1, 2].map(|number| crowd.kind(number)),
        [Kind::NonReading, Kind::NonReading, Kind::Prompt]
    );
    let mut heard = Vec::new();
    let report = load_generator::flood(address, &crowd, &mut |event| {
        match *event {
            Event::Received { client, .. } => heard.push(client),
            Event::Failed { client, .. } => heard.push(client),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let report = report.unwrap();
    heard.dedup();
    assert!(matches!(heard[..], [0, 2, 1] | [2, 0, 2, 1]), "{heard:?}");
    assert_eq!(report.errors.count(), 1, "{report}");
}

#[test]
fn what_a_non_reading_client_does_not_get_is_reported() {
    let address = server(|stream| {
        let mut replies = 0;
        for_each_line(stream, |stream| {
            replies += 1;
            // All but one, as if it had not fitted into the socket.
            if replies == 1 { Ok(()) } else { stream.write_all(Protocol::Lines.reply()) }
        })
    });
    let report =
        flood(address, &Crowd { timeout: Duration::from_secs(2), ..crowd(Kind::NonReading, 1) });
    assert!(!report.is_good() && report.answered < report.requests, "{report}");
    assert_eq!(report.errors.count(), 1, "{report}");
}

#[test]
fn a_non_reading_client_that_never_comes_to_read_is_part_of_the_explanation() {
    let address = server(|mut stream| match read_once(&stream)? {
        0 => Ok(()),
        _ => {
            stream.write_all(Protocol::Lines.reply())?;
            thread::park();
            Ok(())
        }
    });
    let crowd = Crowd {
        connections: 4,
        requests: 2,
        timeout: Duration::from_millis(500),
        ..crowd(Kind::NonReading, 1)
    };
    let report = flood(address, &crowd);
    let stuck = report.stuck.unwrap();
    assert_eq!((stuck.non_reading, stuck.awaiting_reply), (1, 3), "{report}");
    assert!(report.to_string().contains("a non-reading client"), "{report}");
}

#[test]
fn non_reading_clients_that_are_stuck_before_they_send_have_failed() {
    if cfg!(windows) {
        return eprintln!("skipped: Windows rejects clients if the accept queue is full");
    }
    let (address, _) = one_at_a_time(1);
    let crowd = Crowd { timeout: Duration::from_millis(500), ..crowd(Kind::NonReading, 10) };
    let report = flood(address, &crowd);
    let stuck = report.stuck.unwrap();
    assert_eq!((stuck.held, stuck.connecting), (report.connected, 10 - report.connected));
    assert!(stuck.is_deadlock() && !report.is_good(), "{report}");
}

#[test]
fn slow_kinds_notice_unexpected_bytes() {
    let address = server(|mut stream| {
        stream.write_all(b"Welcome!\n")?;
        while read_once(&stream)? > 0 {}
        Ok(())
    });
    for kind in [Kind::Pausing, Kind::Silent, Kind::Resetting, Kind::Dribbling] {
        let crowd = Crowd { timeout: Duration::from_millis(500), ..crowd(kind, 3) };
        let report = flood(address, &crowd);
        assert_eq!(report.errors.of(Stage::Reply).count, 3, "{kind}: {report}");
    }
}

#[test]
fn a_non_reading_client_that_is_reset_does_not_cause_busy_waiting() {
    let address = server(|stream| match read_once(&stream)? {
        0 => Ok(()),
        _ => reset(stream),
    });
    let crowd = Crowd {
        connections: 2,
        mix: [(Kind::NonReading, 1), (Kind::Resetting, 1)].into(),
        protocol: Protocol::OneShot,
        pause: Duration::from_millis(500),
        ..crowd(Kind::NonReading, 0)
    };
    let report = flood(address, &crowd);
    assert_eq!(report.errors.of(Stage::ClosedEarly).count, 1, "{report}");
    assert!(report.calls.waits < 100, "{} waits", report.calls.waits);
}

#[test]
fn clients_that_wait_by_nature_are_not_given_up() {
    let timeout = Duration::from_millis(300);
    let pause = Duration::from_millis(900);
    let crowd = Crowd { timeout, pause, ..crowd(Kind::Pausing, 2) };
    assert_good(&flood(polite_server(), &crowd));
}

/// What a client still had to do by itself is dropped with it.
#[test]
fn a_client_that_is_closed_while_it_thinks_disturbs_no_other() {
    let address = server(|stream| {
        if read_once(&stream)? > 20 {
            return (&stream).write_all(Protocol::Lines.reply()); // to the whole request
        }
        while read_once(&stream)? > 0 {}
        Ok(())
    });
    let crowd = Crowd {
        connections: 2,
        mix: [(Kind::Chatty, 1), (Kind::Resetting, 1)].into(),
        think: Duration::from_millis(200),
        pause: Duration::from_millis(500),
        ..crowd(Kind::Chatty, 0)
    };
    let report = flood(address, &crowd);
    let trouble = report.errors.of(Stage::ClosedEarly);
    assert_eq!((trouble.count, report.answered), (1, 1), "{report}");
    let why = trouble.first.as_deref().unwrap();
    assert!(why.ends_with("while the client had more requests to send"), "{why}");
}

#[test]
fn half_of_a_request_has_not_waited_for_an_answer() {
    let address = server(|stream| read_once(&stream).map(drop));
    let report = flood(address, &crowd(Kind::Dribbling, 5));
    assert_eq!(report.errors.of(Stage::ClosedEarly).count, 5, "{report}");
    assert_eq!((report.requests, report.reply.count()), (5, 0), "{report}");
}

#[test]
fn one_shot_has_its_own_zoo() {
    let address = server(|mut stream| {
        if read_once(&stream)? > 0 {
            stream.write_all(Protocol::OneShot.reply())?;
        }
        Ok(())
    });
    let kinds =
        [Kind::NonReading, Kind::HalfClosing, Kind::Resetting, Kind::Vanishing, Kind::Silent];
    for kind in kinds {
        let crowd = Crowd { connections: 6, protocol: Protocol::OneShot, ..crowd(kind, 3) };
        assert_good(&flood(address, &crowd));
    }
    let chat = Crowd { protocol: Protocol::OneShot, ..crowd(Kind::Chatty, 3) };
    assert!(chat.check().unwrap_err().contains("leave `--chatty` out"));
}
