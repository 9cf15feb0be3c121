//! The blocks of a page that show a terminal.
//!
//! ````text
//! ```console 1 needs=strace
//! $ cargo run -p sync-server               a command; its output follows
//! server is running on 127.0.0.1:8686      a line that must be printed exactly
//! new connection from 127.0.0.1:⟨39196⟩    ... or with parts that vary: see `pattern`
//! …                                        any number of lines
//! » hello                                  a line that the reader types
//! ^C                                       a key that the reader presses; also ^D, ^S, ^Q
//! ```
//! ````
//!
//! The number is the terminal's. A block that does not begin with a command continues the output of
//! its terminal. `needs=` names tools that not every machine has, separated by commas.

use std::fmt::Write;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use crate::pattern::{Pattern, escaped};

/// A key that is pressed together with Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Interrupts what runs (SIGINT).
    C,
    /// Ends the input.
    D,
    /// Stops the terminal's output.
    S,
    /// Continues it.
    Q,
}

impl Key {
    const ALL: [(&str, Key); 4] = [("^C", Key::C), ("^D", Key::D), ("^S", Key::S), ("^Q", Key::Q)];

    /// What the terminal's driver gets: termios(3), `c_cc`.
    pub fn byte(self) -> u8 {
        match self {
            Key::C => 0x03,
            Key::D => 0x04,
            Key::S => 0x13,
            Key::Q => 0x11,
        }
    }
}

/// A line of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A command for the shell.
    Command(String),
    /// What the reader types, for the program that runs.
    Typed(String),
    /// A key that the reader presses.
    Pressed(Key),
    /// What is printed.
    Printed(Pattern),
    /// Any number of lines.
    Gap,
}

/// A block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The number of its terminal, from 1 on.
    pub terminal: usize,
    /// Tools that it needs.
    pub needs: Vec<String>,
    /// The line of the page's source where it begins, counted from 0.
    pub begin: usize,
    /// Its lines, one for each line of the source.
    pub lines: Vec<Line>,
}

/// What begins and ends a block.
const FENCE: &str = "```";

const COMMAND: &str = "$ ";
const TYPED: &str = "» ";
const GAP: &str = "…";

/// The fenced blocks of a page, of all kinds, as mdBook finds them: the text after the fence, and
/// the block's range, fences included.
pub(crate) fn fenced(page: &str) -> impl Iterator<Item = (String, Range<usize>)> {
    Parser::new(page).into_offset_iter().filter_map(|(event, range)| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => Some((info.into(), range)),
        _ => None,
    })
}

/// The blocks of a page, in order.
///
/// # Errors
///
/// A sentence with the number of the line, if a block is invalid.
pub fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let consoles =
        fenced(page).filter(|(info, _)| info.split_whitespace().next() == Some("console"));
    let blocks = consoles.map(|(info, range)| {
        let begin = page[..range.start].matches('\n').count() + 1;
        let text = &page[range.clone()];
        let in_first_column = page[..range.start].is_empty() || page[..range.start].ends_with('\n');
        let body = text.strip_prefix(FENCE).filter(|_| in_first_column);
        let body = body.and_then(|text| text.trim_end().strip_suffix(FENCE));
        let body = body.filter(|text| text.ends_with('\n'));
        let body = body.and_then(|text| text.split_once('\n')).map(|(_, body)| body);
        let Some(body) = body else {
            return Err(format!(
                "line {begin}: three backticks in the first column begin and end it"
            ));
        };
        let lines: Vec<&str> = body.lines().collect();
        block(&info, begin, &lines).map_err(|why| format!("line {begin}: {why}"))
    });
    blocks.collect()
}

fn block(info: &str, begin: usize, body: &[&str]) -> Result<Block, String> {
    let mut words = info.split_whitespace().skip(1);
    let terminal = words.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    let terminal = terminal.ok_or("write the terminal's number: `console 1`")?;
    let mut needs = Vec::new();
    for word in words {
        let tools = word.strip_prefix("needs=").ok_or(format!("what is `{word}`?"))?;
        needs.extend(tools.split(',').map(str::to_owned));
    }
    let lines = body.iter().map(|text| line(text)).collect::<Result<_, String>>()?;
    Ok(Block { terminal, needs, begin, lines })
}

fn line(text: &str) -> Result<Line, String> {
    if let Some(command) = text.strip_prefix(COMMAND) {
        return Ok(Line::Command(command.into()));
    }
    if let Some(typed) = text.strip_prefix(TYPED) {
        return Ok(Line::Typed(typed.into()));
    }
    if let Some((_, key)) = Key::ALL.iter().find(|(name, _)| *name == text) {
        return Ok(Line::Pressed(*key));
    }
    if text == GAP {
        return Ok(Line::Gap);
    }
    Pattern::parse(text).map(Line::Printed)
}

impl Block {
    /// The block as HTML, in which a terminal looks like one.
    pub fn html(&self) -> String {
        let mut html = format!(
            r#"<pre class="terminal"><span class="terminal-name">Terminal {}</span>"#,
            self.terminal
        );
        for (index, line) in self.lines.iter().enumerate() {
            // None before the first, which is below the terminal's name.
            html += if index > 0 { "\n" } else { "" };
            match line {
                Line::Command(command) => write!(
                    html,
                    r#"<span class="prompt">$ </span><span class="command">{}</span>"#,
                    escaped(command)
                ),
                Line::Typed(text) => {
                    write!(html, r#"<span class="typed">{}</span>"#, escaped(text))
                }
                Line::Pressed(key) => {
                    write!(html, r#"<kbd>Ctrl-{key:?}</kbd>"#)
                }
                Line::Printed(pattern) if is_prose(&pattern.sample()) => {
                    write!(html, r#"<span class="prose">{}</span>"#, pattern.html())
                }
                Line::Printed(pattern) => write!(html, "{}", pattern.html()),
                Line::Gap => write!(html, r#"<span class="gap" title="more lines">…</span>"#),
            }
            .expect("a String takes everything");
        }
        html + "</pre>"
    }
}

/// Whether a line is longer than a terminal is wide, so that the terminal wraps it. Lines of
/// tables, which have columns separated by blanks, and rules don't count.
fn is_prose(line: &str) -> bool {
    line.chars().count() > 80 && line.contains(' ') && !line.contains("   ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
Text
```console 2 needs=nc,tee
$ nc -N 127.0.0.1 8686
» hello
Hello from server!
…
^D
```
```sh
$ not ours
```
```console 1
it goes on
```
";

    #[test]
    fn blocks_are_found_with_their_lines() {
        let blocks = blocks(PAGE).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!((blocks[0].terminal, blocks[0].begin), (2, 2));
        assert_eq!(blocks[0].needs, ["nc", "tee"]);
        assert_eq!(
            blocks[0].lines,
            [
                Line::Command("nc -N 127.0.0.1 8686".into()),
                Line::Typed("hello".into()),
                Line::Printed(Pattern::parse("Hello from server!").unwrap()),
                Line::Gap,
                Line::Pressed(Key::D),
            ]
        );
        assert_eq!(blocks[1].terminal, 1);
    }

    #[test]
    fn a_terminal_without_a_number_is_refused() {
        let why = blocks("\n```console\n$ true\n```\n").unwrap_err();
        assert_eq!(why, "line 2: write the terminal's number: `console 1`");
        assert!(blocks("```console 1 tty\n```\n").is_err());
    }

    #[test]
    fn fences_are_those_of_markdown() {
        let page = "````text\n```console 1\n$ not ours\n```\n````\r\n```console 1\r\n$ true\r\n\r\n``` \r\n```console 1\n```";
        let blocks = blocks(page).unwrap();
        let [full, empty] = &blocks[..] else { panic!("{blocks:?}") };
        let nothing = Line::Printed(Pattern::parse("").unwrap());
        assert_eq!(full.lines, [Line::Command("true".into()), nothing]);
        assert_eq!((full.begin, empty.begin, empty.lines.len()), (6, 10, 0));
    }

    #[test]
    fn a_block_that_could_be_taken_for_none_is_refused() {
        for page in [
            "\n```console 1\n$ true\n",
            "\n```console 1",
            "\n~~~console 1\n$ true\n~~~\n",
            "\n````console 1\n$ true\n````\n",
            "\n  ```console 1\n  $ true\n  ```\n",
            "\n- ```console 1\n  $ true\n  ```\n",
            "\n> ```console 1\n> $ true\n> ```\n",
        ] {
            let why = blocks(page).expect_err(page);
            assert!(why.starts_with("line 2: three backticks"), "{page}: {why}");
        }
    }

    #[test]
    fn html_has_no_marks() {
        let html = blocks(PAGE).unwrap()[0].html();
        assert!(
            html.starts_with(r#"<pre class="terminal"><span class="terminal-name">Terminal 2"#)
        );
        assert!(html.contains("\n<span class=\"typed\">hello</span>\nHello from server!\n"));
        assert!(html.ends_with("<kbd>Ctrl-D</kbd></pre>"));
    }
}
