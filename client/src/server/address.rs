//! Where a server that runs already is to be reached.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::addresses::addresses_of;

/// A name can stand for several addresses (`localhost` is often `::1` and `127.0.0.1`): the
/// first is taken where somebody listens, and lets a client in within `patience`.
///
/// # Errors
///
/// A sentence, if the name stands for none.
pub(crate) fn resolve(address: &str, patience: Duration) -> Result<SocketAddr, String> {
    let found = addresses_of(address).map_err(|error| error.to_string())?;
    let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, patience).is_ok();
    match found[..] {
        [] => Err(format!("`{address}` has no address")),
        [only] => Ok(only), // whoever connects next will find out
        [first, ..] => Ok(*found.iter().find(listens).unwrap_or(&first)),
    }
}
