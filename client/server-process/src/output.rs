//! What a server prints, read to the end so that it never blocks on its output.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::process::lock;

/// The longest line that is kept in one piece, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// The output of a server, to standard output and standard error, line by line as it comes.
#[derive(Clone)]
pub(crate) struct Output(Arc<Shared>);

struct Shared {
    /// How much is kept at least, in bytes: the last of it. (Twice as much at most.)
    kept: usize,
    printed: Mutex<Printed>,
    /// Notified when more is printed, and when a pipe has ended.
    changed: Condvar,
}

#[derive(Default)]
struct Printed {
    bytes: Vec<u8>,
    /// How many bytes were printed before these.
    forgotten: usize,
    /// How many pipes are still read.
    pipes: usize,
}

impl Output {
    /// Nothing was printed yet. Keeps at least `kept` bytes.
    pub(crate) fn new(kept: usize) -> Self {
        Output(Arc::new(Shared { kept, printed: Mutex::default(), changed: Condvar::new() }))
    }

    /// Reads a pipe to its end, in a thread.
    pub(crate) fn keep(&self, pipe: impl Read + Send + 'static) -> io::Result<()> {
        let Output(shared) = self.clone();
        lock(&shared.printed).pipes += 1;
        let read = move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            // After an error, nothing more will come, as at the end.
            while let Ok(1..) = pipe.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                let Printed { bytes, forgotten, .. } = &mut *lock(&shared.printed);
                bytes.append(&mut line);
                if bytes.len() / 2 > shared.kept {
                    let surplus = bytes.len() - shared.kept;
                    bytes.drain(..surplus);
                    *forgotten += surplus;
                }
                shared.changed.notify_all();
            }
            lock(&shared.printed).pipes -= 1;
            shared.changed.notify_all();
        };
        thread::Builder::new().spawn(read).map(drop)
    }

    /// What has been printed so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0.printed).bytes).into_owned()
    }

    /// Waits until `find` finds something in a line; `None` if all output has ended, or it takes
    /// longer than this. Each line is looked at once.
    pub(crate) fn find<T>(
        &self,
        within: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut seen = 0;
        let mut printed = lock(&self.0.printed);
        loop {
            let Printed { bytes, forgotten, pipes } = &*printed;
            let new = &bytes[seen.max(*forgotten) - forgotten..];
            let found = String::from_utf8_lossy(new).lines().find_map(&mut find);
            let left = deadline.saturating_duration_since(Instant::now());
            if found.is_some() || *pipes == 0 || left.is_zero() {
                return found;
            }
            seen = forgotten + bytes.len();
            printed = match self.0.changed.wait_timeout(printed, left) {
                Ok((printed, _)) => printed,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// The line that says why a program has ended, among many that say where: the last one that names
/// an error and isn't indented, as stack traces are; otherwise the last line. Control characters are
/// escaped, because the line is printed to the user's terminal.
pub(crate) fn telling_line(said: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let names_an_error =
        |line: &&str| ["Error", "Exception", "error:", "panic"].iter().any(|it| line.contains(it));
    let is_indented = |line: &&str| line.starts_with([' ', '\t']);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let telling = lines.iter().rposition(|line| names_an_error(line) && !is_indented(line));
    let position = telling.or(lines.len().checked_sub(1))?;
    let mut line = lines[position].trim().to_owned();
    // Rust prints where it has panicked, and why in the next line.
    if let Some(next) = lines.get(position + 1).filter(|_| line.ends_with(':')) {
        line = format!("{line} {}", next.trim());
    }
    let escape = |it: char| match it.is_control() {
        true => it.escape_default().to_string(),
        false => it.to_string(),
    };
    Some(line.chars().take(LONGEST).map(escape).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_output_says_why() {
        for (said, why) in [
            ("", None),
            ("listening\n\n", Some("listening")),
            ("\u{1b}[31mred\u{1b}[0m\n", Some("\\u{1b}[31mred\\u{1b}[0m")),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 7\n    x()\nValueError: no\n",
                Some("ValueError: no"),
            ),
            (
                "      throw er; // Unhandled 'error' event\n\nError: read ECONNRESET\n    at TCP\nEmitted 'error' event at:\n    at emit\n\nNode.js v20\n",
                Some("Error: read ECONNRESET"),
            ),
            (
                "thread 'main' panicked at src/main.rs:1:\nno\nstack backtrace:\n   0: panic\nnote: all\n",
                Some("thread 'main' panicked at src/main.rs:1: no"),
            ),
        ] {
            assert_eq!(telling_line(said).as_deref(), why);
        }
    }
}
