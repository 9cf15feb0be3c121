//! A sequence of steps, written as bytes, so that a fuzzer can generate it and change it bit by
//! bit.
//!
//! Any bytes are valid. The first three are the terms, and every three more are a step: its kind,
//! and a number for it. Bytes that are left over at the end are ignored.

use protocol::Protocol;

use crate::reference::Reference;
use crate::step::Step;
use crate::subject::Subject;

/// Runs the sequence, and panics as soon as the conversation and its reference disagree.
pub fn play(bytes: &[u8]) {
    let mut triples = bytes.chunks_exact(3);
    let Some(&[protocol, delay, idle_timeout]) = triples.next() else { return };
    let protocol = Protocol::ALL[usize::from(protocol) % Protocol::ALL.len()];
    let idle_timeout = (idle_timeout > 0).then_some(u64::from(idle_timeout) * 10);
    let mut reference = Reference::new(protocol, u64::from(delay), idle_timeout);
    let mut subject = Subject::new(&reference);
    subject.compare(&reference);
    for triple in triples {
        let step = step(triple[0], triple[1], triple[2], &reference);
        reference.take(&step);
        subject.take(&step);
        subject.compare(&reference);
    }
}

fn step(kind: u8, low: u8, high: u8, reference: &Reference) -> Step {
    let number = u16::from_le_bytes([low, high]);
    let [short, long] = [usize::from(low), usize::from(number)];
    let bytes = |lines, length, rest| Step::Receive { lines, length, rest };
    match kind % 13 {
        0 => bytes(usize::from(high) % 8, short, 1),
        1 => bytes(0, 0, long % 1100),
        2 => bytes(long % 4096, 0, 0),
        3 => bytes(reference.requests_to_half() + short % 3, 0, 0),
        4 => bytes(0, 0, (reference.bytes_to_longest() + short % 3).saturating_sub(1)),
        5 => Step::Send(long),
        6 => Step::Send((reference.bytes_to_half() + short % 3).saturating_sub(1)),
        7 => Step::HalfClose,
        8 => Step::Wait(u64::from(number)),
        9 => Step::Expire,
        10 => Step::ExpireAt(i64::from(number.cast_signed())),
        11 => Step::Stop(u64::from(number)),
        _ => Step::End,
    }
}
