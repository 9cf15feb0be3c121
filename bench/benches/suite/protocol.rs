//! `protocol`: what the state machine alone costs, in requests and bytes per second.
//!
//! It is used as a server uses it, but without a socket: bytes go in, bytes come out, and they
//! count as sent. So these figures are the part of a server's time that has nothing to do with
//! waiting. For comparison, a system call costs a few hundred nanoseconds at least, and a request
//! that arrives alone takes several calls.
//!
//! Held fixed: one conversation that never ends, no delay, and the time, which is read only once.
//! (A server reads the clock once for each event.)
//!
//! What would make it lie: the queue of replies has its full size after the first round, so it is
//! never allocated again, while a server allocates it once for each connection. And everything is
//! in the fastest cache, which would not be so with 10,000 connections.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use protocol::{Conversation, Protocol, REQUEST_MAX, Terms};

/// How many requests arrive in one piece: a pipelining client sends this many before it reads.
const PIPELINED: usize = 64;

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("protocol");
    let request = Protocol::Lines.request("hello from client number 100");
    let longest = Protocol::Lines.request(&"x".repeat(REQUEST_MAX - 1));
    let pipelined = request.repeat(PIPELINED);
    let cases = [
        ("one at a time", &request, request.len(), 1),
        ("byte by byte", &request, 1, 1),
        ("64 in one piece", &pipelined, pipelined.len(), PIPELINED),
        ("the longest", &longest, longest.len(), 1),
    ];
    for (name, bytes, piece, requests) in cases {
        group.throughput(Throughput::ElementsAndBytes {
            elements: requests as u64,
            bytes: bytes.len() as u64,
        });
        let now = Instant::now();
        let mut conversation = Conversation::new(Terms::default(), 0, now);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let answered = serve(&mut conversation, black_box(bytes), piece, now);
                assert_eq!(answered, requests);
            });
        });
    }
    group.finish();
}

/// Does what a server does when bytes arrive in pieces. Returns how many replies are sent.
fn serve(conversation: &mut Conversation, bytes: &[u8], piece: usize, now: Instant) -> usize {
    let mut replies = 0;
    for piece in bytes.chunks(piece) {
        conversation.receive(piece, now);
        let to_send = black_box(conversation.pending()).len();
        if to_send > 0 {
            replies += conversation.sent(to_send, now);
        }
        black_box((conversation.interest(), conversation.deadline()));
    }
    replies
}
