//! Code in the book, by the names of its items, from the real sources.
//!
//! A line `{{#code poll-server/src/lib.rs serve Loop::wait}}` shows two functions as they are in
//! that file, with their documentation and attributes. Nothing is pasted, so nothing can be out of
//! date; a name that doesn't exist (any more), or exists twice, is an error.
//!
//! In Rust and Python an item is found by its layout, which rustfmt and Python enforce: it ends
//! where its indentation does. In other languages, and for code that isn't an item, a file may have
//! comments with `ANCHOR: name` and `ANCHOR_END: name`. Without names, the listing is the whole
//! file.

use std::ops::RangeInclusive;

use regex::Regex;

use crate::pattern::escaped;

/// Code for a page, as Markdown.
///
/// # Errors
///
/// A sentence, if a name can't be found in the file's `text`.
pub fn listing(path: &str, text: &str, names: &[&str]) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut pieces = Vec::new();
    let mut numbers = Vec::new();
    for name in names {
        let range = find(path, &lines, name).map_err(|why| format!("{path}: {why}"))?;
        numbers.push(match (range.start() + 1, range.end() + 1) {
            (begin, end) if begin == end => format!("line {begin}"),
            (begin, end) => format!("lines {begin} to {end}"),
        });
        pieces.push(dedented(&lines[range]));
    }
    if names.is_empty() {
        pieces.push(text.trim_end().into());
    }
    let language = match path.rsplit_once('.') {
        Some((_, "rs")) => "rust",
        Some((_, "py")) => "python",
        Some((_, "js")) => "javascript",
        Some((_, "mjs")) => "javascript",
        Some((_, other)) => other,
        None => "text",
    };
    let place: String = numbers.iter().map(|place| format!(", {place}")).collect();
    Ok(format!(
        "<p class=\"source\"><code>{}</code>{place}</p>\n\n```{language}\n{}\n```\n",
        escaped(path),
        pieces.join("\n\n")
    ))
}

fn find(path: &str, lines: &[&str], name: &str) -> Result<RangeInclusive<usize>, String> {
    if let Some(anchored) = between_anchors(lines, name)? {
        return Ok(anchored);
    }
    if path.ends_with(".py") {
        let head = format!(r"^( *)(?:async )?(?:def|class) {}\b", regex::escape(name));
        let head = the_only(lines, 0..=lines.len() - 1, &head, name)?;
        return Ok(up_over(lines, head, "@")..=end_of_python(lines, head));
    }
    let (within, item) = match name.split_once("::") {
        Some((owner, item)) => {
            let head = format!(r"^( *)(?:unsafe )?impl\b.*\b{}\b", regex::escape(owner));
            let (head, item_head) = (compiled(&head), compiled(&rust_head(item)));
            let impls = lines.iter().enumerate().filter(|(_, line)| head.is_match(line));
            let impls = impls.map(|(begin, _)| begin..=end_of_rust(lines, begin));
            let of_item = impls
                .filter(|range| lines[range.clone()].iter().any(|line| item_head.is_match(line)));
            let mut of_item = of_item.fuse();
            match (of_item.next(), of_item.next()) {
                (Some(range), None) => (range, item),
                (None, _) => return Err(format!("there is no `{name}`")),
                (Some(_), Some(_)) => return Err(format!("there is more than one `{name}`")),
            }
        }
        None => (0..=lines.len() - 1, name),
    };
    let head = rust_head(item);
    let begin = the_only(lines, within, &head, name)?;
    let end = end_of_rust(lines, begin);
    Ok(up_over(lines, begin, "/// #[")..=end)
}

/// The first line of a Rust item, not counting documentation and attributes.
fn rust_head(name: &str) -> String {
    let name = regex::escape(name);
    format!(
        r#"^( *)(?:pub(?:\([a-z: ]+\))? )?(?:(?:async|const|unsafe|extern "C") )*(?:fn|struct|enum|union|trait|type|mod|static|static mut|const|macro_rules!) {name}\b"#
    )
}

fn compiled(regex: &str) -> Regex {
    Regex::new(regex).expect("all but our own is escaped")
}

fn the_only(
    lines: &[&str],
    within: RangeInclusive<usize>,
    head: &str,
    name: &str,
) -> Result<usize, String> {
    let head = compiled(head);
    let mut found = within.filter(|&number| head.is_match(lines[number]));
    match (found.next(), found.next()) {
        (Some(number), None) => Ok(number),
        (None, _) => Err(format!("there is no `{name}`")),
        (Some(_), Some(_)) => {
            Err(format!("there is more than one `{name}`: say whose, `Type::{name}`"))
        }
    }
}

/// Goes up over the lines that begin with one of the `words`: documentation, attributes,
/// decorators.
fn up_over(lines: &[&str], mut begin: usize, words: &str) -> usize {
    let belongs = |line: &str| words.split(' ').any(|word| line.trim_start().starts_with(word));
    while begin > 0 {
        let mut above = begin - 1;
        // It may be the last line of an attribute that has several.
        while above > 0 && lines[begin - 1].ends_with(")]") && !belongs(lines[above]) {
            above -= 1;
        }
        if !belongs(lines[above]) {
            break;
        }
        begin = above;
    }
    begin
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// An item ends with the first `;` or `}` at the end of a line that is not within brackets. They
/// close in the column of the line that opens them.
fn end_of_rust(lines: &[&str], begin: usize) -> usize {
    let mut number = begin;
    while number + 1 < lines.len() && !lines[number].ends_with([';', '}']) {
        let opens = lines[number].ends_with(['{', '(', '[']);
        let column = indentation(lines[number]);
        number += 1;
        while opens && number + 1 < lines.len() && !closes(lines[number], column) {
            number += 1;
        }
    }
    number
}

fn closes(line: &str, column: usize) -> bool {
    indentation(line) == column && line.trim_start().starts_with(['}', ')', ']'])
}

fn end_of_python(lines: &[&str], head: usize) -> usize {
    let column = indentation(lines[head]);
    // `) -> None:` closes the parameters.
    let inside = |line: &str| {
        line.is_empty() || indentation(line) > column || line.trim_start().starts_with(')')
    };
    let body = (head + 1..lines.len()).take_while(|&number| inside(lines[number]));
    body.filter(|&number| !lines[number].is_empty()).last().unwrap_or(head)
}

fn between_anchors(lines: &[&str], name: &str) -> Result<Option<RangeInclusive<usize>>, String> {
    let at = |word: &str| {
        let anchor = Regex::new(&format!(r"\b{word}: {}\s*(?:\*/)?$", regex::escape(name)));
        let anchor = anchor.expect("all but our own is escaped");
        lines.iter().position(|line| anchor.is_match(line))
    };
    match (at("ANCHOR"), at("ANCHOR_END")) {
        (Some(begin), Some(end)) if begin + 1 < end => Ok(Some(begin + 1..=end - 1)),
        (None, None) => Ok(None),
        _ => Err(format!("the anchor `{name}` has no begin, no end, or nothing in between")),
    }
}

fn dedented(lines: &[&str]) -> String {
    let column = lines.iter().filter(|line| !line.is_empty()).map(|line| indentation(line)).min();
    let lines = lines.iter().map(|line| line.get(column.unwrap_or(0)..).unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
