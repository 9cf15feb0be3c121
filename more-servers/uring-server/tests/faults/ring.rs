//! The ring of the test, in place of `src/ring.rs`.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Instant;

use crate::buffers::Buffer;
use crate::wire::Wire;

/// In place of the ID of an operation that is no longer in flight.
const DONE: usize = usize::MAX;

/// The ID of an operation, as long as it is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperationId(usize);

/// What the kernel has done for the connection with this key.
pub(crate) enum Completion {
    Received { key: usize, result: io::Result<Option<Buffer>>, more: bool },
    Sent { key: usize, result: io::Result<usize>, when: Instant },
}

struct Operation {
    id: usize,
    key: usize,
    what: What,
    is_cancelled: bool,
    /// Kept as the kernel keeps it, so that nothing else can close it.
    _socket: Rc<TcpStream>,
}

enum What {
    Receive,
    Send(Vec<u8>),
    SendAtOnce(Vec<u8>),
    /// Sent at once and in full: how many bytes, and when.
    SentAtOnce(usize, Instant),
}

pub(crate) struct Ring {
    pub(crate) wires: Vec<Wire>,
    in_flight: Vec<Operation>,
    started: usize,
    is_hurried: bool,
}

impl Ring {
    pub(crate) fn new(wires: Vec<Wire>) -> Self {
        Ring { wires, in_flight: Vec::new(), started: 0, is_hurried: false }
    }

    pub(crate) fn receive(&mut self, key: usize, socket: Rc<TcpStream>) -> OperationId {
        assert!(!self.receives(key), "it receives twice");
        assert!(!self.wires[key].talk.end_is_heard(), "there is nothing behind the end");
        self.start(key, What::Receive, socket)
    }

    pub(crate) fn send(&mut self, key: usize, socket: Rc<TcpStream>, bytes: &[u8]) -> OperationId {
        self.start(key, What::Send(bytes.into()), socket)
    }

    pub(crate) fn send_at_once(
        &mut self,
        key: usize,
        socket: Rc<TcpStream>,
        bytes: &[u8],
    ) -> OperationId {
        self.start(key, What::SendAtOnce(bytes.into()), socket)
    }

    fn start(&mut self, key: usize, what: What, socket: Rc<TcpStream>) -> OperationId {
        assert_eq!(self.wires[key].broken, None, "the connection is broken");
        if let What::Send(bytes) | What::SendAtOnce(bytes) = &what {
            assert!(!self.sends(key), "it sends twice");
            self.wires[key].talk.look_at(bytes);
        }
        let id = self.started;
        self.started += 1;
        let operation = Operation { id, key, what, is_cancelled: false, _socket: socket };
        self.in_flight.push(operation);
        OperationId(id)
    }

    pub(crate) fn cancel(&mut self, OperationId(id): OperationId) {
        let operation = self.in_flight.iter_mut().find(|operation| operation.id == id);
        operation.expect("it is not in flight").is_cancelled = true;
    }

    pub(crate) fn hurry(&mut self) {
        self.is_hurried = true;
    }

    pub(crate) fn close(&mut self, socket: Rc<TcpStream>) {
        assert!(Rc::into_inner(socket).is_some(), "something is in flight");
    }

    pub(crate) fn receives(&self, key: usize) -> bool {
        self.in_flight.iter().any(|it| it.key == key && matches!(it.what, What::Receive))
    }

    pub(crate) fn goes_on_receiving(&self, key: usize) -> bool {
        let receive = |it: &&Operation| it.key == key && matches!(it.what, What::Receive);
        self.in_flight.iter().find(receive).is_some_and(|receive| !receive.is_cancelled)
    }

    pub(crate) fn sends(&self, key: usize) -> bool {
        self.in_flight.iter().any(|it| it.key == key && !matches!(it.what, What::Receive))
    }

    /// Hands everything over, and waits. Returns what is done; `None` if nothing is, so that it
    /// would sleep. `luck` decides which completion comes first.
    pub(crate) fn submit_and_wait(&mut self, now: Instant, luck: usize) -> Option<Vec<Completion>> {
        let mut done = Vec::new();
        let operations = self.in_flight.len();
        for place in 0..operations {
            // Each operation has its turn, but not all of them are done in each turn.
            let place = (place + luck) % operations;
            if done.is_empty() || luck >> (place % 32) & 1 == 0 {
                self.step(place, now, &mut done);
            } else if let What::SendAtOnce(_) = self.in_flight[place].what {
                self.step(place, now, &mut done);
            }
        }
        let is_awake = !done.is_empty() || self.is_hurried;
        // As long as not everything is handed over, the real ring doesn't know either.
        let is_known = is_awake && luck % 8 != 7;
        self.in_flight.retain(|it| match it.what {
            What::SentAtOnce(count, when) if is_known => {
                done.push(Completion::Sent { key: it.key, result: Ok(count), when });
                false
            }
            _ => it.id != DONE,
        });
        self.is_hurried &= !is_known;
        is_awake.then_some(done)
    }

    /// Something else ends the sleep: the deadline.
    pub(crate) fn wake(&mut self, now: Instant, luck: usize) -> Vec<Completion> {
        self.hurry();
        self.submit_and_wait(now, luck).unwrap_or_default()
    }

    fn step(&mut self, place: usize, when: Instant, done: &mut Vec<Completion>) {
        let Operation { id, key, what, is_cancelled, .. } = &mut self.in_flight[place];
        let (key, wire) = (*key, &mut self.wires[*key]);
        match what {
            What::Receive => {
                let Some((result, more)) = wire.receive(*is_cancelled) else { return };
                // It would not go on if it were cancelled already.
                *is_cancelled = false;
                if !more {
                    *id = DONE;
                }
                done.push(Completion::Received {
                    key,
                    result: result.map(|bytes| bytes.map(Buffer)),
                    more,
                });
            }
            What::SendAtOnce(bytes) => match wire.send_at_once(bytes) {
                Ok(count) if count == bytes.len() => *what = What::SentAtOnce(count, when),
                result => {
                    *id = DONE;
                    done.push(Completion::Sent { key, result, when });
                }
            },
            What::Send(bytes) => {
                let Some(result) = wire.send(bytes, *is_cancelled) else { return };
                *id = DONE;
                done.push(Completion::Sent { key, result, when });
            }
            What::SentAtOnce(..) => {}
        }
    }
}
