//! What a server tells, in words.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// How much the console tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Nothing but errors.
    Quiet,
    /// What the article's programs print.
    Normal,
    /// Each turn of the loop, too.
    Verbose,
}

/// Standard output, which may be slow, and may go away.
///
/// Each line is a write(2) that blocks the loop if the terminal does not keep up: to print
/// is to wait, too. Each thread that prints there has one.
#[derive(Clone)]
pub struct Console {
    verbosity: Verbosity,
}

/// Standard output has gone, for the whole process.
static GONE: AtomicBool = AtomicBool::new(false);

/// Somebody has asked this process to end, and maybe whoever reads its output, too.
static ENDING: AtomicBool = AtomicBool::new(false);

impl Console {
    /// A console that tells so much.
    pub fn new(verbosity: Verbosity) -> Self {
        Console { verbosity }
    }

    /// Whether lines of this kind are printed.
    pub fn tells(&self, verbosity: Verbosity) -> bool {
        self.verbosity >= verbosity && !GONE.load(Ordering::Relaxed)
    }

    /// Prints a line, unless nobody wants it. Returns whether it was printed.
    ///
    /// Whoever reads may have gone (`| head`): the server then says so once, to standard
    /// error, and goes on serving in silence. It says nothing if it is about to end: Ctrl-C ends
    /// the other programs of a pipeline, too (`| grep`), and most of them are quicker.
    pub fn tell(&mut self, verbosity: Verbosity, line: fmt::Arguments<'_>) -> bool {
        if !self.tells(verbosity) {
            return false;
        }
        if let Err(error) = writeln!(io::stdout(), "{line}")
            && !GONE.swap(true, Ordering::Relaxed)
            && !(error.kind() == io::ErrorKind::BrokenPipe && ENDING.load(Ordering::Relaxed))
        {
            Console::complain(format_args!("can't print any more, but go on serving: {error}"));
        }
        true
    }

    /// The process was asked to end: that nobody reads its last lines is no news then.
    pub(crate) fn expect_the_end() {
        ENDING.store(true, Ordering::Relaxed);
    }

    /// Prints an error. If even standard error has gone, nobody is left to be told.
    pub fn complain(error: fmt::Arguments<'_>) {
        writeln!(io::stderr(), "{error}").ok();
    }
}

/// Bytes from a client, fit for a terminal: quoted, what does not print escaped, and cut
/// where a line would get too long to read.
pub(crate) struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Room for any greeting in this workspace, and for one line of most terminals.
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
}
