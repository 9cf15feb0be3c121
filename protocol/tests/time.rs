//! Deadlines: delayed replies, idle clients, lingering, and the end of the server.

use std::time::{Duration, Instant};

use protocol::{Conversation, Delay, Ending, Interest, Protocol, TOO_LONG, Terms};

const SECOND: Duration = Duration::from_secs(1);
const GREETING: usize = 19;

fn conversation(terms: Terms) -> (Conversation, Instant) {
    let now = Instant::now();
    (Conversation::new(terms, 1, now), now)
}

#[test]
fn an_idle_client_is_given_up_and_an_active_one_is_not() {
    let (mut conversation, start) =
        conversation(Terms { idle_timeout: Some(2 * SECOND), ..Terms::default() });
    assert_eq!(conversation.deadline(), Some(start + 2 * SECOND));
    // A byte is enough to restart the clock ...
    conversation.receive(b"h", start + SECOND);
    assert_eq!(conversation.deadline(), Some(start + 3 * SECOND));
    // ... and a call that comes too early does no harm.
    conversation.expire(start + 2 * SECOND);
    assert_eq!(conversation.ending(), None);
    // So is a byte that the client takes.
    conversation.receive(b"\n", start + 2 * SECOND);
    conversation.sent(1, start + 4 * SECOND);
    conversation.expire(start + 5 * SECOND);
    assert_eq!(conversation.ending(), None);
    conversation.expire(start + 6 * SECOND);
    assert_eq!(conversation.ending(), Some(Ending::Idle));
    assert_eq!(conversation.owed(), 1, "the loss can be told");
}

#[test]
fn nothing_is_no_sign_of_life() {
    let (mut conversation, start) =
        conversation(Terms { idle_timeout: Some(3 * SECOND), ..Terms::default() });
    conversation.receive(b"one\n", start);
    // No bytes that are received, none that are sent, ...
    conversation.receive(b"", start + SECOND);
    conversation.sent(0, start + SECOND);
    assert_eq!(conversation.deadline(), Some(start + 3 * SECOND));
    // ... nor an end that was received before.
    conversation.receive_end(start + SECOND);
    conversation.receive_end(start + 2 * SECOND);
    assert_eq!(conversation.deadline(), Some(start + 4 * SECOND));
}

#[test]
fn without_a_timeout_there_is_no_deadline() {
    let (mut conversation, start) = conversation(Terms::default());
    assert_eq!(conversation.deadline(), None);
    conversation.expire(start + 1_000_000 * SECOND);
    assert_eq!(conversation.ending(), None);
}

#[test]
fn times_beyond_the_clock_mean_never() {
    let (mut conversation, start) = conversation(Terms {
        idle_timeout: Some(Duration::MAX),
        delay: Delay::always(Duration::MAX),
        ..Terms::default()
    });
    conversation.receive(b"\n", start);
    assert!(conversation.deadline() > Some(start + 1_000_000 * SECOND));
}

#[test]
fn a_delayed_reply_waits_for_its_time_while_requests_are_still_taken() {
    let (mut conversation, start) = conversation(Terms {
        delay: Delay::always(3 * SECOND),
        idle_timeout: Some(SECOND),
        ..Terms::default()
    });
    conversation.receive(b"one\n", start);
    assert_eq!(conversation.deadline(), Some(start + 3 * SECOND));
    assert_eq!(conversation.pending(), b"");
    conversation.receive(b"two\n", start + SECOND);
    // The client is not idle while it waits for us.
    conversation.expire(start + 3 * SECOND);
    assert_eq!(conversation.ending(), None);
    assert_eq!(conversation.pending(), Protocol::Lines.reply());
    assert_eq!(conversation.deadline(), Some(start + 4 * SECOND));
    conversation.expire(start + 4 * SECOND);
    assert_eq!(conversation.pending().len(), 2 * GREETING);
}

#[test]
fn a_reply_without_delay_does_not_overtake_one_that_is_delayed() {
    for seed in 0..100 {
        let start = Instant::now();
        let delay = Delay::between(Duration::ZERO, Duration::from_nanos(1)).unwrap();
        let terms = Terms { delay, ..Terms::default() };
        let mut conversation = Conversation::new(terms, seed, start);
        conversation.receive(b"fine\n", start);
        conversation.receive(&[b'x'; 1025], start);
        conversation.expire(start + SECOND);
        let all = [Protocol::Lines.reply(), TOO_LONG].concat();
        assert_eq!(conversation.pending(), all, "seed {seed}");
    }
}

#[test]
fn a_refusal_is_the_last_word_and_the_rest_is_thrown_away() {
    let (mut conversation, start) = conversation(Terms::default());
    conversation.receive(b"fine\n", start);
    conversation.receive(&[b'x'; 1024], start);
    assert!(!conversation.half_close_is_due());
    assert_eq!(conversation.receive(b"y and so on\nmore\n", start), 1);
    let all = [Protocol::Lines.reply(), TOO_LONG].concat();
    assert_eq!(conversation.pending(), all);
    assert!(!conversation.half_close_is_due(), "the last word is not sent yet");
    assert_eq!(conversation.sent(all.len(), start), 2);
    assert!(conversation.half_close_is_due());
    conversation.half_closed(start);
    assert!(!conversation.half_close_is_due(), "once is enough");
    assert_eq!(conversation.receive(&[b'\n'; 100_000], start), 0);
    let reading = Interest { readable: true, writable: false };
    assert_eq!(conversation.interest(), reading);
    conversation.receive_end(start);
    assert_eq!(conversation.ending(), Some(Ending::TooLong));
}

#[test]
fn who_does_not_take_the_last_word_is_not_read_from() {
    let (mut conversation, start) =
        conversation(Terms { idle_timeout: Some(SECOND), ..Terms::default() });
    conversation.receive(&[b'x'; 1025], start);
    assert!(!conversation.interest().readable);
    conversation.expire(start + SECOND);
    assert_eq!(conversation.ending(), Some(Ending::Idle));
    assert_eq!(conversation.owed(), 1);
}

#[test]
fn the_last_word_does_not_wait_for_ever() {
    let (mut conversation, start) = conversation(Terms::default());
    conversation.receive(&[b'x'; 1025], start);
    conversation.sent(TOO_LONG.len(), start + SECOND);
    conversation.half_closed(start + SECOND);
    conversation.receive(b"still here", start + 5 * SECOND);
    assert_eq!(conversation.deadline(), Some(start + 6 * SECOND));
    conversation.expire(start + 6 * SECOND);
    assert_eq!(conversation.ending(), Some(Ending::TooLong));
}

#[test]
fn a_stopping_server_sends_what_it_owes_and_takes_no_more_requests() {
    let (mut conversation, start) =
        conversation(Terms { delay: Delay::always(60 * SECOND), ..Terms::default() });
    conversation.receive(b"one\ntwo\nthr", start);
    conversation.stop(start, start + SECOND);
    assert_eq!(conversation.pending().len(), 2 * GREETING);
    assert_eq!(conversation.receive(b"ee\n", start), 0);
    assert_eq!(conversation.sent(2 * GREETING, start), 2);
    assert!(conversation.half_close_is_due());
    conversation.half_closed(start);
    assert_eq!(conversation.deadline(), Some(start + SECOND));
    conversation.receive_end(start);
    assert_eq!(conversation.ending(), Some(Ending::Stopped));
}

#[test]
fn a_stop_puts_off_no_end_that_comes_before_it() {
    let (mut conversation, start) = conversation(Terms::default());
    conversation.receive(&[b'x'; 1025], start);
    conversation.sent(TOO_LONG.len(), start);
    conversation.half_closed(start);
    let last_word = conversation.deadline();
    conversation.stop(start + 4 * SECOND, start + 6 * SECOND);
    assert_eq!(conversation.deadline(), last_word);
    conversation.stop(start + 4 * SECOND, start + 4 * SECOND);
    assert_eq!(conversation.deadline(), Some(start + 4 * SECOND));
}

#[test]
fn a_stopping_server_gives_up_clients_that_do_not_read() {
    let (mut conversation, start) = conversation(Terms::default());
    conversation.receive(b"one\n", start);
    conversation.receive_end(start);
    conversation.stop(start, start + SECOND);
    conversation.expire(start + SECOND);
    assert_eq!(conversation.ending(), Some(Ending::Stopped));
    assert_eq!(conversation.owed(), 1);
}

#[test]
fn who_asked_too_much_hears_so_even_from_a_server_that_stops() {
    for ends in [false, true] {
        let (mut conversation, start) = conversation(Terms::default());
        conversation.receive(&[b'x'; 1025], start);
        if ends {
            conversation.receive_end(start);
        }
        conversation.stop(start, start + SECOND);
        conversation.sent(TOO_LONG.len(), start);
        conversation.expire(start + SECOND);
        assert_eq!(conversation.ending(), Some(Ending::TooLong), "the client ends: {ends}");
    }
}

#[test]
fn after_the_end_of_input_nothing_is_read_so_that_a_level_triggered_loop_does_not_spin() {
    let (mut conversation, start) =
        conversation(Terms { delay: Delay::always(SECOND), ..Terms::default() });
    conversation.receive(b"unfinished", start);
    assert_eq!(conversation.receive_end(start), 1);
    assert_eq!(conversation.interest(), Interest::default());
    conversation.expire(start + SECOND);
    assert_eq!(conversation.sent(GREETING, start + SECOND), 1);
    assert_eq!(conversation.ending(), Some(Ending::Complete));
}
