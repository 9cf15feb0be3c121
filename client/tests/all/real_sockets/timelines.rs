//! What real floods look like.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use load_generator::report::Stage;
use load_generator::{Crowd, Kind, Phase};
use protocol::Protocol;
use timeline::{Recorder, Timeline};

use super::servers::{for_each_line, one_at_a_time, polite_server, read_once, server};

fn recorded(address: SocketAddr, crowd: &Crowd) -> Timeline {
    let mut recorder = Recorder::new();
    load_generator::flood(address, crowd, &mut |event| {
        recorder.watch(event);
        ControlFlow::Continue(())
    })
    .unwrap();
    recorder.finish(Instant::now(), |client| crowd.kind(client).name())
}

/// The phases of a row; `None` is a reply.
fn phases(timeline: &Timeline, row: usize) -> Vec<Option<Phase>> {
    timeline.rows[row].steps.iter().map(|step| step.phase).collect()
}

#[test]
fn a_client_goes_through_its_phases() {
    let crowd = Crowd {
        connections: 4,
        mix: [(Kind::Dribbling, 1)].into(),
        requests: 2,
        ..Crowd::default()
    };
    let crowd = Crowd { every: Duration::from_millis(1), ..crowd };
    let timeline = recorded(polite_server(), &crowd);
    let request = [Some(Phase::Sending), Some(Phase::AwaitingReply), None];
    let expected = [
        &[Some(Phase::Connecting), Some(Phase::Held)][..],
        &request,
        &request,
        &[Some(Phase::AwaitingEnd)],
    ]
    .concat();
    assert_eq!(timeline.rows.len(), 4);
    assert_eq!((timeline.rows[0].kind, timeline.rows[1].kind), ("dribbling", "prompt"));
    for (place, row) in timeline.rows.iter().enumerate() {
        assert_eq!(phases(&timeline, place), expected);
        assert!(row.steps.is_sorted_by_key(|step| step.at()));
        assert!(row.failure.is_none(), "{:?}", row.failure);
        let at = row.ended.unwrap();
        assert!(row.steps.last().unwrap().at() <= at && at <= timeline.length);
    }
}

#[test]
fn a_client_that_never_connects_has_a_row_too() {
    if cfg!(windows) {
        return eprintln!("skipped: Windows rejects clients if the accept queue is full");
    }
    let crowd = Crowd { timeout: Duration::from_millis(1500), ..Crowd::default() };
    let (address, _) = one_at_a_time(10);
    let timeline = recorded(address, &crowd);
    assert_eq!(timeline.rows.len(), 20);
    assert_eq!(phases(&timeline, 0), [Some(Phase::Connecting), Some(Phase::Held)]);
    assert_eq!(phases(&timeline, 19), []);
    for row in &timeline.rows {
        assert_eq!(row.failure.as_ref().unwrap().stage, Stage::TimedOut);
    }
}

#[test]
fn what_was_closed_early_says_so() {
    let address = server(|stream| read_once(&stream).map(drop));
    let timeline = recorded(address, &Crowd { connections: 3, ..Crowd::default() });
    for row in &timeline.rows {
        assert_eq!(row.failure.as_ref().unwrap().stage, Stage::ClosedEarly);
    }
}

#[test]
fn slow_servers_and_slow_clients_are_distinguished() {
    let address = server(|stream| {
        stream.set_nodelay(true)?;
        for_each_line(stream, |stream| {
            let (start, rest) = Protocol::Lines.reply().split_at(5);
            stream.write_all(start)?;
            std::thread::sleep(Duration::from_millis(50));
            stream.write_all(rest)
        })
    });
    let crowd = Crowd {
        connections: 3,
        mix: [(Kind::Silent, 1), (Kind::Chatty, 1)].into(),
        think: Duration::from_millis(1),
        ..Crowd::default()
    };
    let timeline = recorded(address, &crowd);
    let of = |kind| timeline.rows.iter().position(|row| row.kind == kind).unwrap();
    let begins = [Some(Phase::Connecting), Some(Phase::Held)];
    let request = [Some(Phase::Sending), Some(Phase::AwaitingReply), Some(Phase::Reading), None];
    let prompt = [&begins[..], &request, &[Some(Phase::AwaitingEnd)]].concat();
    assert_eq!(phases(&timeline, of("prompt")), prompt);
    let chats = [&request[..], &[Some(Phase::Resting)]].concat().repeat(4);
    let chatty = [&begins[..], &chats, &request, &[Some(Phase::AwaitingEnd)]].concat();
    assert_eq!(phases(&timeline, of("chatty")), chatty);
    let silent = of("silent");
    assert_eq!(phases(&timeline, silent), [Some(Phase::Connecting), Some(Phase::Resting)]);
    assert_eq!(timeline.rows[silent].ended, None);
}
