//! The server under test: one that is already running, or a command that starts one.

use std::env::{self, VarError};
use std::fmt;
use std::str::FromStr;

use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS, server_address};

/// In a command, stands for the port on which the server has to listen.
const PORT: &str = "{port}";

/// A server under test.
///
/// ```
/// use server_process::Target;
///
/// let running: Target = "127.0.0.1:8686".parse()?;
/// let started: Target = "python3 server.py {port}".parse()?;
/// assert_eq!(started.to_string(), "python3 server.py {port}");
/// let named = Target::command(["python3", "server.py", "{port}"])?.named("server.py");
/// assert_eq!(named.to_string(), "server.py");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct Target {
    name: String,
    /// Whether it is already running.
    pub kind: TargetKind,
}

/// Whether a server is already running.
#[derive(Clone, Debug)]
pub enum TargetKind {
    /// `HOST:PORT`; the host can be a name.
    Address(String),
    /// A program and its arguments, which contain `{port}`.
    Command(Vec<String>),
}

impl Target {
    /// A server that is already running, as `HOST:PORT`. Checks that need its process are not
    /// tried.
    ///
    /// # Errors
    ///
    /// A sentence, if the text isn't such an address.
    pub fn address(text: &str) -> Result<Self, String> {
        match server_address(text) {
            Ok(address) => Ok(Target { name: text.into(), kind: TargetKind::Address(address) }),
            Err(why) => Err(format!(
                "`{text}` is neither HOST:PORT nor a command with {PORT} in it, for example \
                 `python3 server.py {PORT}`; as an address: {why}"
            )),
        }
    }

    /// The server at the default address of the programs here.
    pub fn usual() -> Result<Self, String> {
        match env::var(ADDRESS_VARIABLE) {
            Err(VarError::NotPresent) => Target::address(DEFAULT_ADDRESS),
            // If it isn't Unicode, no host has such a name, and it is rejected.
            address => Target::address(&address.unwrap_or_else(|why| why.to_string())),
        }
    }

    /// A program and its arguments, which start a server on the port that replaces `{port}`.
    ///
    /// # Errors
    ///
    /// A sentence, if `{port}` is missing: several servers are started at the same time, each on
    /// its own port, because two can't listen on the same one.
    pub fn command<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let words: Vec<String> = words.into_iter().map(S::into).collect();
        let name = shell_words::join(&words).replace(&shell_words::quote(PORT)[..], PORT);
        if !words.iter().any(|word| word.contains(PORT)) {
            return Err(format!(
                "`{name}` doesn't say where the port goes: write {PORT} in its place, because the \
                 server is started on a different port each time"
            ));
        }
        Ok(Target { name, kind: TargetKind::Command(words) })
    }

    /// Renames the server.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }
}

/// A command is split into words as a shell does, but no shell runs it.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = shell_words::split(text).map_err(|why| format!("`{text}`: {why}"))?;
        if words.len() > 1 || text.contains(PORT) {
            return Target::command(words);
        }
        Target::address(text)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// The words of a command, with `{port}` replaced.
pub fn with_port(words: &[String], port: u16) -> Vec<String> {
    words.iter().map(|word| word.replace(PORT, &port.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_a_shell_does() {
        let target: Target = "sh -c 'exec server --port={port}'".parse().unwrap();
        let TargetKind::Command(words) = target.kind else { panic!("it is a command") };
        assert_eq!(with_port(&words, 7), ["sh", "-c", "exec server --port=7"]);
    }

    #[test]
    fn the_name_is_what_was_written() {
        let target = Target::command(["python3", "my server.py", "{port}"]).unwrap();
        assert_eq!(target.to_string(), "python3 'my server.py' {port}");
    }

    #[test]
    fn what_is_neither_address_nor_command_is_refused_with_a_sentence() {
        for (text, words) in [
            ("localhost", "neither HOST:PORT nor"),
            (":8686", "neither HOST:PORT nor"),
            ("python3 server.py", "write {port} in its place"),
            ("python3 'server.py {port}", "missing closing quote"),
        ] {
            let why = text.parse::<Target>().unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
