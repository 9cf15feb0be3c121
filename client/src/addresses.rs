//! Whom `HOST:PORT` stands for.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// All addresses of the host, with the port: at least one. A name can stand for several, as
/// `localhost` often does for `::1` and `127.0.0.1`.
///
/// # Errors
///
/// A sentence, if the host is not known.
pub(crate) fn addresses_of(address: &str) -> io::Result<Vec<SocketAddr>> {
    let unknown = |why: &dyn Display| {
        let what = format!("can't find the host of `{address}`: {why}; is the name right?");
        io::Error::new(io::ErrorKind::NotFound, what)
    };
    let found: Vec<_> = address.to_socket_addrs().map_err(|error| unknown(&error))?.collect();
    if found.is_empty() { Err(unknown(&"it has no address")) } else { Ok(found) }
}
