//! Addresses as users write them: `HOST:PORT`.
//!
//! This only checks how an address is written, so that servers and clients report the same errors.
//! Whether the host exists, and whether it is this machine, only the system knows.

use std::env;
use std::net::SocketAddrV6;

use crate::{ADDRESS_VARIABLE, DEFAULT_ADDRESS};

/// Checks an address for a server to listen on; port 0 means any free one. Returns the text
/// unchanged.
///
/// ```
/// use protocol::listening_address;
///
/// assert_eq!(listening_address("localhost:0").as_deref(), Ok("localhost:0"));
/// assert!(listening_address("localhost").unwrap_err().starts_with("the port is missing"));
/// ```
///
/// # Errors
///
/// A sentence that says what is wrong, and what would be right.
pub fn listening_address(text: &str) -> Result<String, String> {
    match trouble(text) {
        None => Ok(text.into()),
        Some(trouble) => Err(format!(
            "{trouble}; write HOST:PORT, for example `{DEFAULT_ADDRESS}` or `localhost:8686`{}",
            whence(text)
        )),
    }
}

/// Checks an address for a client to connect to, like [`listening_address`]. Port 0 is an error:
/// no server can be reached there.
///
/// # Errors
///
/// A sentence that says what is wrong, and what would be right.
pub fn server_address(text: &str) -> Result<String, String> {
    match listening_address(text)?.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|digit| digit == b'0') => Err(format!(
            "no server can be reached at port 0; one that was started with it has taken another \
             port, and prints which at the start{}",
            whence(text)
        )),
        _ => Ok(text.into()),
    }
}

/// What is wrong with the address, if anything.
fn trouble(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("it contains a blank or a control character".into());
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Some(format!("it must not begin with `{scheme}://`"));
    }
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !text.ends_with(']')) else {
        return Some("the port is missing".into());
    };
    if host.is_empty() {
        return Some("the host is missing".into());
    }
    // `u16::from_str` alone would accept a sign, too.
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.starts_with('[') {
        let is_address = format!("{host}:1").parse::<SocketAddrV6>().is_ok();
        if !is_address {
            return Some(format!("`{host}` is not an IPv6 address"));
        }
    } else if host.contains(':') {
        return Some(
            "it has a colon too many, or lacks the brackets of an IPv6 address, as in \
             `[::1]:8686`"
                .into(),
        );
    }
    (!is_port).then(|| format!("`{port}` is not a port: a port is a number up to 65535"))
}

/// Says where the text comes from, if the user has not typed it just now and may not know.
fn whence(text: &str) -> String {
    match env::var(ADDRESS_VARIABLE) {
        Ok(variable) if variable == text => format!(" (it comes from {ADDRESS_VARIABLE})"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_an_address_is_taken_as_it_is() {
        for text in [
            "127.0.0.1:8686",
            "localhost:80",
            "[::1]:8686",
            "[fe80::1%2]:1",
            "0.0.0.0:0",
            "a-b.example.:65535",
            "bücher.example:080",
        ] {
            assert_eq!(listening_address(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_can_be_none_is_refused_with_what_is_wrong_and_what_is_right() {
        for (text, why) in [
            ("", "it is empty"),
            ("localhost", "the port is missing"),
            ("8686", "the port is missing"),
            ("[::1]", "the port is missing"),
            (":8686", "the host is missing"),
            ("127.0.0.1:", "`` is not a port"),
            ("127.0.0.1:http", "`http` is not a port"),
            ("127.0.0.1:65536", "`65536` is not a port"),
            ("127.0.0.1:-1", "`-1` is not a port"),
            ("127.0.0.1:+80", "`+80` is not a port"),
            ("127.0.0.1:8686/", "`8686/` is not a port"),
            ("::1", "`[::1]:8686`"),
            ("::1:8686", "`[::1]:8686`"),
            ("127.0.0.1:8686:1", "a colon too many"),
            ("[::1:8686", "`[::1` is not an IPv6 address"),
            ("[127.0.0.1]:80", "`[127.0.0.1]` is not an IPv6 address"),
            ("http://127.0.0.1:8686", "not begin with `http://`"),
            (" 127.0.0.1:8686", "blank"),
            ("a\nb:80", "blank"),
        ] {
            let sentence = listening_address(text).unwrap_err();
            assert!(sentence.contains(why), "{text}: {sentence}");
            assert!(sentence.contains("write HOST:PORT"), "{text}: {sentence}");
            assert_eq!(server_address(text), Err(sentence));
        }
    }

    #[test]
    fn port_0_is_for_servers_only() {
        assert!(server_address("127.0.0.1:00").unwrap_err().contains("port 0"));
        assert!(server_address("127.0.0.1:10").is_ok());
    }
}
