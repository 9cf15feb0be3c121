//! Text that fits the terminal.

use std::fmt::Display;
use std::io::{self, Write};

use terminal_size::{Width, terminal_size_of};

/// How many characters fit into a line of standard output; `None` if it isn't a terminal.
pub fn width() -> Option<usize> {
    terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns.into())
}

/// How wide paragraphs are at most, so that they are easy to read.
const EASY_TO_READ: usize = 90;

/// A paragraph that begins with a label, whose other lines are indented as far as that is wide: no
/// wider than is easy to read, and than this many characters.
pub fn paragraph(label: &str, words: &str, width: Option<usize>) -> String {
    let indentation = " ".repeat(textwrap::core::display_width(label));
    let options = textwrap::Options::new(width.unwrap_or(EASY_TO_READ).min(EASY_TO_READ))
        .initial_indent(label)
        .subsequent_indent(&indentation)
        .break_words(false);
    textwrap::fill(words, options)
}

/// Wraps lines that are wider than this many characters between words. The rest of a line keeps its
/// indentation. Escape sequences don't count.
fn fit(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let fit_line = |line: &str| {
        let indentation = &line[..line.len() - line.trim_start().len()];
        let options = textwrap::Options::new(width)
            .subsequent_indent(indentation)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(line, options)
    };
    text.split('\n').map(fit_line).collect::<Vec<_>>().join("\n")
}

/// Prints a text, wrapped to the terminal's width, and a newline. Unlike `println!`, this doesn't
/// panic when standard output is closed. Escape sequences are left out where they don't belong.
///
/// # Errors
///
/// If it can't be printed.
pub fn print(text: impl Display) -> io::Result<()> {
    print_within(width(), text)
}

/// The same for a [`width`] that is already known.
///
/// # Errors
///
/// If it can't be printed.
pub fn print_within(width: Option<usize>, text: impl Display) -> io::Result<()> {
    let text = fit(&text.to_string(), width);
    writeln!(anstream::stdout(), "{text}").map_err(|error| cannot_print(&error))
}

/// Adds what could not be done to an error.
pub fn cannot_print(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't print: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_words_and_keep_their_indentation() {
        let text = "one two three\n  four five six\nseveneightnine ten";
        assert_eq!(fit(text, None), text);
        assert_eq!(
            fit(text, Some(9)),
            "one two\nthree\n  four\n  five\n  six\nseveneightnine\nten"
        );
    }

    #[test]
    fn escape_sequences_have_no_width() {
        let green = "\u{1b}[32mone\u{1b}[0m two";
        assert_eq!(fit(green, Some(7)), green);
    }
}
