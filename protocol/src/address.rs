//! Addresses as people write them: `HOST:PORT`.
//!
//! Only what is written is judged here, so that servers and clients say the same about it. Whether
//! there is such a host, and whether it is this machine, is for the system to tell.

use std::env;
use std::net::SocketAddrV6;

use crate::{ADDRESS_VARIABLE, DEFAULT_ADDRESS};

/// Where a server is to listen; port 0 stands for any free one. Returns the text as it is.
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
/// A sentence that says what is wrong, and what is right.
pub fn listening_address(text: &str) -> Result<String, String> {
    match trouble(text) {
        None => Ok(text.into()),
        Some(trouble) => Err(format!(
            "{trouble}; write HOST:PORT, for example `{DEFAULT_ADDRESS}` or `localhost:8686`{}",
            whence(text)
        )),
    }
}

/// Where a client is to look for a server: as [`listening_address`], but for port 0, at which
/// nobody can be called.
///
/// # Errors
///
/// A sentence that says what is wrong, and what is right.
pub fn server_address(text: &str) -> Result<String, String> {
    match listening_address(text)?.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|digit| digit == b'0') => Err(format!(
            "nobody can be called at port 0; a server that was given it has taken another one, \
             and says which when it starts{}",
            whence(text)
        )),
        _ => Ok(text.into()),
    }
}

/// Why the text can't be an address, if it can't.
fn trouble(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("there is a blank in it, or worse".into());
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Some(format!("this is no place for `{scheme}://`"));
    }
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !text.ends_with(']')) else {
        return Some("the port is missing".into());
    };
    if host.is_empty() {
        return Some("the host is missing".into());
    }
    // `u16::from_str` would take a sign, too.
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.starts_with('[') {
        let is_address = format!("{host}:1").parse::<SocketAddrV6>().is_ok();
        if !is_address {
            return Some(format!("`{host}` is no IPv6 address"));
        }
    } else if host.contains(':') {
        return Some("one colon is too many, or brackets are missing, as in `[::1]:8686`".into());
    }
    (!is_port).then(|| format!("`{port}` is no port, which is a number up to 65535"))
}

/// Where the text comes from, if its author may not know: he has not typed it just now.
fn whence(text: &str) -> String {
    match env::var(ADDRESS_VARIABLE) {
        Ok(variable) if variable == text => format!(" (it stands in {ADDRESS_VARIABLE})"),
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
            ("127.0.0.1:", "`` is no port"),
            ("127.0.0.1:http", "`http` is no port"),
            ("127.0.0.1:65536", "`65536` is no port"),
            ("127.0.0.1:-1", "`-1` is no port"),
            ("127.0.0.1:+80", "`+80` is no port"),
            ("127.0.0.1:8686/", "`8686/` is no port"),
            ("::1", "`[::1]:8686`"),
            ("::1:8686", "`[::1]:8686`"),
            ("127.0.0.1:8686:1", "one colon is too many"),
            ("[::1:8686", "`[::1` is no IPv6 address"),
            ("[127.0.0.1]:80", "`[127.0.0.1]` is no IPv6 address"),
            ("http://127.0.0.1:8686", "no place for `http://`"),
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
