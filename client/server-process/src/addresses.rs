//! What `HOST:PORT` stands for.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// All addresses of the host, with the port: at least one. A name can stand for several, as
/// `localhost` often does for `::1` and `127.0.0.1`.
///
/// # Errors
///
/// A sentence, if the host is not known.
pub fn addresses_of(address: &str) -> io::Result<Vec<SocketAddr>> {
    let unknown = |why: &dyn Display| {
        let what = format!("can't find the host of `{address}`: {why}; is the name right?");
        io::Error::new(io::ErrorKind::NotFound, what)
    };
    let found: Vec<_> = address.to_socket_addrs().map_err(|error| unknown(&error))?.collect();
    if found.is_empty() { Err(unknown(&"it has no address")) } else { Ok(found) }
}

/// A name can stand for several addresses (`localhost` is often `::1` and `127.0.0.1`): the
/// first is taken where somebody listens, and lets a client in within `patience`.
///
/// # Errors
///
/// A sentence, if the name stands for none.
pub fn resolve(address: &str, patience: Duration) -> Result<SocketAddr, String> {
    let found = addresses_of(address).map_err(|error| error.to_string())?;
    let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, patience).is_ok();
    match found[..] {
        [] => Err(format!("`{address}` has no address")),
        [only] => Ok(only), // whoever connects next will find out
        [first, ..] => Ok(*found.iter().find(listens).unwrap_or(&first)),
    }
}
