//! The protocol between clients and servers, without any sockets.
//!
//! Every server of this workspace drives the same state machine, [`Conversation`]: bytes and the
//! time go in; bytes to send, an [`Interest`] and the next deadline come out. It never touches a
//! socket or a clock, so it can be read and tested without a network. This style is known as
//! *sans-I/O*.
//!
//! Start with [`Protocol`] (what the two sides send), then read [`Conversation`] (the server's
//! side of it, step by step). Also here is what both sides have to agree on before there is a
//! connection: how an address is written ([`listening_address`]).

#![forbid(unsafe_code)]

mod address;
mod conversation;
mod delay;

pub use address::{listening_address, server_address};
pub use conversation::{Conversation, Ending, Interest, MEMORY_MAX, PENDING_MAX, Terms};
pub use delay::Delay;

use std::fmt;
use std::str::FromStr;

/// Where servers listen by default, and where the client connects.
///
/// The port is the one of the article.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8686";

/// The environment variable that sets another default address, for servers and clients alike. If
/// several people share a machine, each can take a different port without changing the commands.
pub const ADDRESS_VARIABLE: &str = "WAYS_TO_WAIT_ADDRESS";

/// The longest request, in bytes: what the article's programs read at most with one `recv`.
///
/// In [`Protocol::Lines`] this includes the LF, if the request has one: 1023 bytes and an LF are a
/// request, and so are 1024 bytes without an LF if the client then closes its sending half. A
/// request is too long as soon as one more byte arrives, even if that byte is the LF.
pub const REQUEST_MAX: usize = 1024;

/// The last reply to a client whose request is longer than [`REQUEST_MAX`].
pub const TOO_LONG: &[u8] = b"Request too long!\n";

/// The framing: how requests and replies are separated in the stream of bytes.
///
/// ```
/// use protocol::Protocol;
///
/// let protocol: Protocol = "lines".parse().unwrap();
/// assert_eq!(protocol.request("hello"), b"hello\n");
/// assert_eq!(protocol.reply(), b"Hello from server!\n");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Each request and each reply ends with LF; a connection carries any number of them.
    ///
    /// The client ends the conversation by closing its sending half. Bytes after the last LF then
    /// count as a request, too.
    #[default]
    Lines,
    /// Whatever the first read returns is the request; the server sends one reply and closes.
    ///
    /// This is the article's protocol. A TCP stream has no messages, so it is wrong as soon as a
    /// request arrives in two pieces: the server replies to the first piece and never reads the
    /// second, so the kernel may reset the connection before the client has read the reply.
    OneShot,
}

impl Protocol {
    /// Every protocol, the default first.
    pub const ALL: [Protocol; 2] = [Protocol::Lines, Protocol::OneShot];

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Lines => "lines",
            Protocol::OneShot => "one-shot",
        }
    }

    /// The bytes of a request with this text.
    pub fn request(self, text: &str) -> Vec<u8> {
        let mut request = text.as_bytes().to_vec();
        if self == Protocol::Lines {
            request.push(b'\n');
        }
        request
    }

    /// The reply to every request.
    pub fn reply(self) -> &'static [u8] {
        match self {
            Protocol::Lines => b"Hello from server!\n",
            Protocol::OneShot => b"Hello from server!",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Protocol::ALL
            .into_iter()
            .find(|protocol| protocol.name() == name)
            .ok_or_else(|| format!("`{name}` is not a protocol: write `lines` or `one-shot`"))
    }
}
