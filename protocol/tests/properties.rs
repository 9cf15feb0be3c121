//! However the bytes are split and whenever they are sent, the same replies come in the same order,
//! one for each request, and memory stays within its bound.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{
    Conversation, Delay, Ending, MEMORY_MAX, PENDING_MAX, Protocol, REQUEST_MAX, TOO_LONG, Terms,
};

/// Miri, which looks for undefined behaviour (`cargo +nightly miri test -p protocol`), takes some
/// thousand times as long.
const CASES: u32 = if cfg!(miri) { 2 } else { 512 };

/// What happens next to a conversation.
#[derive(Clone, Debug)]
enum Step {
    /// This many bytes arrive, or as many as there are and are accepted.
    Receive(usize),
    /// The socket takes this many bytes.
    Send(usize),
    /// This many milliseconds pass.
    Wait(u64),
}

/// The network between a client that sends `stream`, then ends, and the server.
struct Network<'a> {
    stream: &'a [u8],
    ended: bool,
    now: Instant,
    conversation: Conversation,
    replies: Vec<u8>,
    requests: usize,
    replies_counted: usize,
}

impl<'a> Network<'a> {
    fn new(stream: &'a [u8], terms: Terms) -> Self {
        let now = Instant::now();
        Network {
            stream,
            ended: false,
            now,
            conversation: Conversation::new(terms, 7, now),
            replies: Vec::new(),
            requests: 0,
            replies_counted: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Receive(count) if self.conversation.interest().readable => {
                let count = count.min(self.stream.len()).min(self.conversation.room());
                let (bytes, rest) = self.stream.split_at(count);
                self.stream = rest;
                if !bytes.is_empty() {
                    self.requests += self.conversation.receive(bytes, self.now);
                } else if !self.ended && rest.is_empty() {
                    self.ended = true;
                    self.requests += self.conversation.receive_end(self.now);
                }
            }
            Step::Send(count) => {
                let pending = self.conversation.pending();
                let count = count.min(pending.len());
                self.replies.extend_from_slice(&pending[..count]);
                self.replies_counted += self.conversation.sent(count, self.now);
                if self.conversation.half_close_is_due() {
                    self.conversation.half_closed(self.now);
                }
            }
            Step::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                self.conversation.expire(self.now);
            }
            Step::Receive(_) => {}
        }
    }

    /// Lets everything arrive that is still on its way.
    fn settle(&mut self) {
        while self.conversation.ending().is_none() {
            self.take(&Step::Receive(4096));
            self.take(&Step::Send(4096));
            self.take(&Step::Wait(10));
        }
    }
}

/// What the client must get, computed in the simplest way from the protocol's description.
fn expected_replies(stream: &[u8]) -> Vec<u8> {
    let mut replies = Vec::new();
    for line in stream.split_inclusive(|&byte| byte == b'\n') {
        if line.len() > REQUEST_MAX {
            replies.extend_from_slice(TOO_LONG);
            break;
        }
        replies.extend_from_slice(Protocol::Lines.reply());
    }
    replies
}

/// Lines of all lengths, often at the edge, and perhaps an unfinished one; sometimes so many
/// empty ones that their replies don't fit into the bound.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        4 => 0..40_usize,
        1 => Just(0_usize),
        1 => REQUEST_MAX - 3..REQUEST_MAX + 3,
        1 => 0..3 * REQUEST_MAX,
    ];
    let empty_lines = prop_oneof![9 => Just(0_usize), 1 => 3000..10_000_usize];
    let unfinished = prop_oneof![3 => 0..30_usize, 1 => REQUEST_MAX - 2..REQUEST_MAX + 3];
    (empty_lines, vec(length, 0..60), unfinished).prop_map(|(empty_lines, lengths, unfinished)| {
        let mut stream = vec![b'\n'; empty_lines];
        for length in lengths {
            stream.resize(stream.len() + length, b'a');
            stream.push(b'\n');
        }
        stream.resize(stream.len() + unfinished, b'z');
        stream
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..60_usize).prop_map(Step::Receive),
        (0..5000_usize).prop_map(Step::Receive),
        (0..60_usize).prop_map(Step::Send),
        (0..5000_usize).prop_map(Step::Send),
        (0..50_u64).prop_map(Step::Wait),
    ];
    vec(step, 0..300)
}

fn delays() -> impl Strategy<Value = Delay> {
    prop_oneof![
        Just(Delay::default()),
        (0..50_u64, 0..50_u64).prop_map(|(shortest, more)| {
            let shortest = Duration::from_millis(shortest);
            Delay::between(shortest, shortest + Duration::from_millis(more)).unwrap()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_replies(
        stream in streams(),
        steps in steps(),
        delay in delays(),
    ) {
        let terms = Terms { delay, ..Terms::default() };
        let mut network = Network::new(&stream, terms);
        for step in &steps {
            network.take(step);
            prop_assert!(network.conversation.memory() <= MEMORY_MAX);
        }
        network.settle();
        prop_assert_eq!(&network.replies, &expected_replies(&stream));
        let replies = network.replies.iter().filter(|&&byte| byte == b'\n').count();
        prop_assert_eq!(network.requests, replies);
        prop_assert_eq!(network.replies_counted, replies);
        prop_assert_eq!(network.conversation.owed(), 0);
        let too_long = network.replies.ends_with(TOO_LONG);
        let ending = if too_long { Ending::TooLong } else { Ending::Complete };
        prop_assert_eq!(network.conversation.ending(), Some(ending));
    }

    #[test]
    fn a_last_line_of_1024_bytes_is_a_request_and_one_of_1025_is_too_long(steps in steps()) {
        let replies = [(1024, Protocol::Lines.reply()), (1025, TOO_LONG)];
        for (length, reply) in replies {
            let stream = vec![b'a'; length];
            let mut network = Network::new(&stream, Terms::default());
            steps.iter().for_each(|step| network.take(step));
            network.settle();
            prop_assert_eq!(&network.replies, reply);
            prop_assert_eq!((network.requests, network.replies_counted), (1, 1));
        }
    }

    #[test]
    fn one_shot_answers_what_the_first_read_returns(first in 1..=REQUEST_MAX, cut in 0..30_usize) {
        let stream = vec![b'a'; first];
        let terms = Terms { protocol: Protocol::OneShot, ..Terms::default() };
        let mut network = Network::new(&stream, terms);
        network.take(&Step::Receive(first));
        prop_assert!(!network.conversation.interest().readable, "one request is all it takes");
        network.take(&Step::Send(cut));
        network.settle();
        prop_assert_eq!(network.replies, Protocol::OneShot.reply());
        prop_assert_eq!((network.requests, network.replies_counted), (1, 1));
    }
}

#[test]
#[cfg_attr(miri, ignore = "it fills all that may be owed, which takes Miri minutes")]
fn a_client_that_never_reads_is_not_read_from() {
    for delay in [Delay::default(), Delay::always(Duration::from_secs(1))] {
        let stream = vec![b'\n'; 1 << 20]; // the worst case: each byte is a request
        let mut network = Network::new(&stream, Terms { delay, ..Terms::default() });
        for _ in 0..1000 {
            network.take(&Step::Receive(usize::MAX));
        }
        assert!(!network.conversation.interest().readable);
        let owed = network.conversation.owed() * Protocol::Lines.reply().len();
        assert!((PENDING_MAX / 2..=PENDING_MAX).contains(&owed), "{owed} bytes are owed");
        assert!(network.conversation.memory() <= MEMORY_MAX);
        // When it finally reads, it gets every reply.
        network.settle();
        assert_eq!(network.replies, expected_replies(&stream));
    }
}

#[test]
fn whether_1024_bytes_are_a_request_is_open_until_the_client_ends_or_sends_one_more() {
    let now = Instant::now();
    let longest = || {
        let mut conversation = Conversation::new(Terms::default(), 0, now);
        assert_eq!(conversation.receive(&[b'a'; 1024], now), 0);
        assert_eq!((conversation.pending(), conversation.owed()), (&b""[..], 0));
        conversation
    };
    let mut ended = longest();
    assert_eq!(ended.receive_end(now), 1);
    assert_eq!(ended.pending(), Protocol::Lines.reply());
    for one_more in [b"\n", b"a"] {
        let mut conversation = longest();
        assert_eq!(conversation.receive(one_more, now), 1);
        assert_eq!(conversation.pending(), TOO_LONG);
    }
}

#[test]
fn a_warm_connection_allocates_nothing() {
    let now = Instant::now();
    let mut conversation = Conversation::new(Terms::default(), 0, now);
    let mut ask = |requests: usize| {
        for _ in 0..requests {
            assert_eq!(conversation.receive(b"hello from client number 0\n", now), 1);
            assert_eq!(conversation.sent(conversation.pending().len(), now), 1);
        }
    };
    ask(1);
    let allocations = allocation_counter::measure(|| ask(if cfg!(miri) { 100 } else { 10_000 }));
    assert_eq!(allocations.count_total, 0);
}
