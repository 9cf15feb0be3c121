//! What `HOST:PORT` means.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// All addresses of the host, with the port: at least one. A name can have several, as `localhost`
/// often has `::1` and `127.0.0.1`.
///
/// # Errors
///
/// A sentence, if the host isn't known.
pub fn addresses_of(address: &str) -> io::Result<Vec<SocketAddr>> {
    let unknown = |why: &dyn Display| {
        let what = format!("can't find the host of `{address}`: {why}; is the name right?");
        io::Error::new(io::ErrorKind::NotFound, what)
    };
    let found: Vec<_> = address.to_socket_addrs().map_err(|error| unknown(&error))?.collect();
    if found.is_empty() { Err(unknown(&"it has no address")) } else { Ok(found) }
}

/// Chooses among the addresses of a name (`localhost` is often `::1` and `127.0.0.1`): the first
/// one at which a client can connect within `patience`.
///
/// # Errors
///
/// A sentence, if the name has no address.
pub fn resolve(address: &str, patience: Duration) -> Result<SocketAddr, String> {
    let found = addresses_of(address).map_err(|error| error.to_string())?;
    let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, patience).is_ok();
    match found[..] {
        [] => Err(format!("`{address}` has no address")),
        [only] => Ok(only), // the next connect(2) will show whether it works
        [first, ..] => Ok(*found.iter().find(listens).unwrap_or(&first)),
    }
}
