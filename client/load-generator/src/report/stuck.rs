//! Why nothing moves any more: the most instructive thing a client can tell.

use serde::Serialize;

use crate::crowd::Crowd;

/// How many clients stood where, when nothing had moved for [`Crowd::timeout`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// Their connections have not come about, or they stand in line behind such a one.
    pub connecting: usize,
    /// Connected, and waiting until all the others are.
    pub held: usize,
    /// A request is sent in part.
    pub sending: usize,
    /// A request is sent, its reply has not come.
    pub awaiting_reply: usize,
    /// Every reply has come, the end of the connection has not.
    pub awaiting_end: usize,
    /// Connected, and silent by nature.
    pub silent: usize,
    /// Connected, and deaf by nature: they read nothing before the others are done.
    pub deaf: usize,
}

impl Stuck {
    /// Whether client and server wait for each other, and would for ever.
    ///
    /// The server can't take the clients that are connecting before one that is connected
    /// sends something; these, told to connect all first, send nothing before the
    /// connecting ones are through.
    pub fn is_deadlock(&self) -> bool {
        self.connecting > 0 && self.held > 0
    }

    /// How many are stuck, in a sentence or two.
    pub fn headline(&self, crowd: &Crowd) -> String {
        let Stuck { connecting, held, sending, awaiting_reply, awaiting_end, silent, deaf } = *self;
        let connected = held + sending + awaiting_reply + awaiting_end + silent + deaf;
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

    /// In words for a person: who waits for what, most likely why, and what to try.
    pub fn explanation(&self, crowd: &Crowd) -> String {
        let Stuck { connecting, sending, awaiting_reply, awaiting_end, silent, deaf, .. } = *self;
        let Crowd { connections, .. } = *crowd;
        let mut words = vec![self.headline(crowd)];
        if self.is_deadlock() {
            words.push(format!(
                "The connected ones send nothing until all are connected \
                 (`--order connect-first`). The server waits for the first of them to send \
                 something and accepts nobody meanwhile; the others fill its accept queue, so \
                 the kernel lets nobody else in. Neither side can move. Try `--order \
                 as-connected`, or start the server with a longer queue (`--backlog \
                 {connections}`), or one that serves many connections at once."
            ));
        } else if connecting > 0 && *self == (Stuck { connecting, ..Stuck::default() }) {
            words.push(
                "No client can connect at all: either the address is wrong, or a firewall \
                 swallows the attempts, or the server's accept queue is full and it accepts \
                 nobody."
                    .into(),
            );
        } else if connecting > 0 {
            words.push(format!(
                "The kernel lets the {connecting} in only when there is room in the server's \
                 accept queue, and the server accepts nobody: it is busy, or it hangs."
            ));
        }
        if sending > 0 {
            words.push(format!(
                "{} can't send on: the server does not read, and the sockets are full.",
                clients(sending)
            ));
        }
        if awaiting_reply > 0 {
            words.push(format!(
                "{} asked and got no answer. Connected does not mean accepted: the kernel \
                 completes connections by itself and queues them until the server calls \
                 accept(2). A server that serves one connection at a time leaves them there \
                 until it is done with the one before.",
                clients(awaiting_reply)
            ));
            if silent > 0 {
                words.push(format!(
                    "The one before may well be a silent one (silent ones that are connected: {silent}), \
                     which never ends by itself."
                ));
            }
            if deaf > 0 {
                words.push(format!(
                    "It may be a deaf one (deaf ones that are connected: {deaf}): a server that sleeps in \
                     send(2) until a client reads serves nobody else meanwhile."
                ));
            }
        }
        if awaiting_end > 0 {
            words.push(format!(
                "{} got every reply and closed the sending half, but the server does not \
                 close: it should take a read of 0 bytes as the end.",
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
    fn only_who_holds_back_makes_a_deadlock() {
        let connecting = Stuck { connecting: 3, ..Stuck::default() };
        let others = Stuck {
            sending: 1,
            awaiting_reply: 1,
            awaiting_end: 1,
            silent: 1,
            deaf: 1,
            ..connecting
        };
        for stuck in [connecting, others, Stuck { held: 3, ..Stuck::default() }] {
            assert!(!stuck.is_deadlock(), "{stuck:?}");
        }
        assert!(Stuck { held: 1, ..connecting }.is_deadlock());
    }

    #[test]
    fn everywhere_a_client_can_stand_is_explained() {
        let nobody = Stuck::default();
        for (stuck, words) in [
            (Stuck { connecting: 2, ..nobody }, "No client can connect at all"),
            (Stuck { connecting: 2, silent: 1, ..nobody }, "lets the 2 in only when there is room"),
            (Stuck { sending: 2, ..nobody }, "2 clients can't send on"),
            (Stuck { awaiting_reply: 1, ..nobody }, "1 client asked and got no answer"),
            (Stuck { awaiting_end: 2, ..nobody }, "2 clients got every reply"),
        ] {
            let explanation = stuck.explanation(&Crowd::default());
            assert!(explanation.starts_with("Nothing has moved for 10s: "), "{explanation}");
            assert!(explanation.contains(words), "{explanation}");
        }
    }
}
