//! Why nothing moves any more: the most instructive thing that a client can report.

use serde::Serialize;

use crate::crowd::Crowd;

/// What the clients were waiting for when nothing had moved for [`Crowd::timeout`]: how many each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// Not connected yet, or in line behind a client that isn't.
    pub connecting: usize,
    /// Connected, and waiting until all the others are too.
    pub held: usize,
    /// Part of a request is sent.
    pub sending: usize,
    /// A request is sent, and its reply hasn't come.
    pub awaiting_reply: usize,
    /// Every reply has come, but the server hasn't closed the connection.
    pub awaiting_end: usize,
    /// Connected, and silent by nature.
    pub silent: usize,
    /// Connected, and non-reading by nature: they read nothing until the others are done.
    pub non_reading: usize,
}

impl Stuck {
    /// Whether clients and server wait for each other, for ever.
    ///
    /// The server can't accept the clients that are connecting until a connected one sends
    /// something. With [`Order::ConnectFirst`](crate::Order::ConnectFirst), the connected ones send
    /// nothing until all are connected.
    pub fn is_deadlock(&self) -> bool {
        self.connecting > 0 && self.held > 0
    }

    /// How many clients are stuck, in a sentence or two.
    pub fn headline(&self, crowd: &Crowd) -> String {
        let Stuck { connecting, held, sending, awaiting_reply, awaiting_end, silent, non_reading } =
            *self;
        let connected = held + sending + awaiting_reply + awaiting_end + silent + non_reading;
        let mut words = format!(
            "Nothing has moved for {:?}: {} connected, {connecting} still connecting.",
            crowd.timeout,
            clients(connected)
        );
        if self.is_deadlock() {
            words += " This is a deadlock.";
        }
        words
    }

    /// An explanation for people: which clients wait for what, why most likely, and what to try.
    pub fn explanation(&self, crowd: &Crowd) -> String {
        let Stuck {
            connecting, sending, awaiting_reply, awaiting_end, silent, non_reading, ..
        } = *self;
        let Crowd { connections, .. } = *crowd;
        let mut words = vec![self.headline(crowd)];
        if self.is_deadlock() {
            words.push(format!(
                "The connected clients send nothing until all are connected (`--order \
                 connect-first`). The server waits for the first of them to send something, and \
                 accepts no others meanwhile; they fill its accept queue, so the kernel lets no \
                 more in. Neither side can move. Try `--order as-connected`, or start the server \
                 with a longer queue (`--backlog {connections}`), or try a server that serves many \
                 connections at once."
            ));
        } else if connecting > 0 && *self == (Stuck { connecting, ..Stuck::default() }) {
            words.push(
                "No client can connect at all: either the address is wrong, or a firewall drops \
                 the packets, or the server's accept queue is full and it doesn't accept."
                    .into(),
            );
        } else if connecting > 0 {
            words.push(format!(
                "The kernel lets the {connecting} in only when there is room in the server's \
                 accept queue, and the server doesn't accept: it is busy, or it hangs."
            ));
        }
        if sending > 0 {
            words.push(format!(
                "{} can't send any more: the server doesn't read, and the sockets are full.",
                clients(sending)
            ));
        }
        if awaiting_reply > 0 {
            words.push(format!(
                "{} sent a request and got no reply. Connected doesn't mean accepted: the kernel \
                 completes connections by itself and queues them until the server calls accept(2). \
                 A server that serves one connection at a time leaves them in the queue until it \
                 is done with the current one.",
                clients(awaiting_reply)
            ));
            if silent > 0 {
                words.push(format!(
                    "That may be a silent client (connected silent clients: {silent}), which never \
                     ends by itself."
                ));
            }
            if non_reading > 0 {
                words.push(format!(
                    "It may be waiting for a non-reading client (connected non-reading clients: \
                     {non_reading}): a server that sleeps in send(2) until a client reads serves \
                     no other client meanwhile."
                ));
            }
        }
        if awaiting_end > 0 {
            words.push(format!(
                "{} got every reply and closed the sending half, but the server doesn't close the \
                 connection: it should do so after a read of 0 bytes.",
                clients(awaiting_end)
            ));
        }
        words.join(" ")
    }
}

fn clients(count: usize) -> String {
    match count {
        1 => "1 client".into(),
        _ => format!("{count} clients"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_held_clients_make_a_deadlock() {
        let connecting = Stuck { connecting: 3, ..Stuck::default() };
        let others = Stuck {
            sending: 1,
            awaiting_reply: 1,
            awaiting_end: 1,
            silent: 1,
            non_reading: 1,
            ..connecting
        };
        for stuck in [connecting, others, Stuck { held: 3, ..Stuck::default() }] {
            assert!(!stuck.is_deadlock(), "{stuck:?}");
        }
        assert!(Stuck { held: 1, ..connecting }.is_deadlock());
    }

    #[test]
    fn every_way_to_be_stuck_is_explained() {
        let none = Stuck::default();
        for (stuck, words) in [
            (Stuck { connecting: 2, ..none }, "No client can connect at all"),
            (Stuck { connecting: 2, silent: 1, ..none }, "lets the 2 in only when there is room"),
            (Stuck { sending: 2, ..none }, "2 clients can't send any more"),
            (Stuck { awaiting_reply: 1, ..none }, "1 client sent a request and got no reply"),
            (Stuck { awaiting_end: 2, ..none }, "2 clients got every reply"),
        ] {
            let explanation = stuck.explanation(&Crowd::default());
            assert!(explanation.starts_with("Nothing has moved for 10s: "), "{explanation}");
            assert!(explanation.contains(words), "{explanation}");
        }
    }
}
