//! What a server prints.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use terminal_size::{Width, terminal_size_of};

/// How much the console prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing but errors.
    Quiet,
    /// What the article's programs print.
    Normal,
    /// Each turn of the loop, too.
    Verbose,
}

/// Standard output, which may be slow or closed.
///
/// Each line is a write(2), which blocks the loop if the terminal can't keep up: printing is
/// waiting, too. Each thread that prints has a console of its own.
#[derive(Clone)]
pub struct Console {
    verbosity: Verbosity,
}

/// Standard output has failed, for the whole process.
static GONE: AtomicBool = AtomicBool::new(false);

/// This process has to stop, and maybe the program that reads its output, too.
static ENDING: AtomicBool = AtomicBool::new(false);

impl Console {
    /// A console that prints this much.
    pub fn new(verbosity: Verbosity) -> Self {
        Console { verbosity }
    }

    /// Whether lines of this kind are printed.
    pub fn prints(&self, verbosity: Verbosity) -> bool {
        self.verbosity >= verbosity && !GONE.load(Ordering::Relaxed)
    }

    /// Prints a line if it is of a kind that is printed. Returns whether it is.
    ///
    /// The program that reads the output may have ended (`| head`). Then the server reports that
    /// once, on standard error, and goes on serving without printing. It doesn't report it while
    /// it is stopping: Ctrl-C ends the other programs of a pipeline, too (`| grep`), and most of
    /// them end sooner.
    pub fn print(&mut self, verbosity: Verbosity, line: fmt::Arguments<'_>) -> bool {
        if !self.prints(verbosity) {
            return false;
        }
        if let Err(error) = writeln!(io::stdout(), "{line}")
            && !GONE.swap(true, Ordering::Relaxed)
            && !(error.kind() == io::ErrorKind::BrokenPipe && ENDING.load(Ordering::Relaxed))
        {
            Console::print_error(format_args!(
                "can't print any more: {error}; the server goes on serving, without printing"
            ));
        }
        true
    }

    /// The process has to stop: from now on it is expected that its last lines may not be printed.
    pub(crate) fn expect_the_end() {
        ENDING.store(true, Ordering::Relaxed);
    }

    /// Prints the last lines, which may be longer than a line of the terminal.
    pub(crate) fn print_at_the_end(&mut self, words: &impl fmt::Display) {
        let columns = terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns);
        self.print(Verbosity::Normal, format_args!("{}", wrapped(&words.to_string(), columns)));
    }

    /// Prints an error to standard error. If that fails, too, there is nowhere left to report it.
    pub fn print_error(error: fmt::Arguments<'_>) {
        let columns = terminal_size_of(io::stderr()).map(|(Width(columns), _)| columns);
        writeln!(io::stderr(), "{}", wrapped(&error.to_string(), columns)).ok();
    }
}

/// Breaks lines between words, so that they fit into this many columns; `None`: leaves them as they
/// are.
fn wrapped(text: &str, columns: Option<u16>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let mut wrapped = String::new();
    let mut used = 0;
    for word in text.split_inclusive([' ', '\n']) {
        let length = word.trim_end().chars().count();
        if used > 0 && used + length > usize::from(columns) {
            wrapped.truncate(wrapped.trim_end().len());
            wrapped.push('\n');
            used = 0;
        }
        wrapped.push_str(word);
        used = if word.ends_with('\n') { 0 } else { used + word.chars().count() };
    }
    wrapped
}

/// Bytes from a client, made safe for a terminal: in quotes, with unprintable bytes escaped, and
/// cut off where the line would become too long to read.
pub(crate) struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough for any request of the client in this workspace, on one line of most terminals.
        const SHOWN: usize = 60;
        let Printable(bytes) = self;
        f.write_char('"')?;
        for chunk in bytes[..bytes.len().min(SHOWN)].utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        f.write_char('"')?;
        if bytes.len() > SHOWN {
            write!(f, "... ({} bytes)", bytes.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_escaped() {
        let shown = |bytes: &[u8]| Printable(bytes).to_string();
        assert_eq!(shown(b"hello\n"), r#""hello\n""#);
        assert_eq!(shown("привет".as_bytes()), "\"привет\"");
        assert_eq!(shown(b"\x1b[2J\xff"), r#""\u{1b}[2J\xff""#);
        assert_eq!(shown(&[b'a'; 100]), format!("\"{}\"... (100 bytes)", "a".repeat(60)));
    }

    #[test]
    fn what_is_longer_than_a_line_is_broken_between_words() {
        let text = "one two three\nfour fivesixseven eight";
        assert_eq!(wrapped(text, None), text);
        assert_eq!(wrapped(text, Some(80)), text);
        assert_eq!(wrapped(text, Some(9)), "one two\nthree\nfour\nfivesixseven\neight");
        assert_eq!(wrapped("a line of 16: no", Some(16)), "a line of 16: no");
    }
}
