//! Checks that every link in the finished pages leads somewhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer};

/// The parts of a page that have to do with links.
#[derive(Default)]
struct Page {
    ids: BTreeSet<String>,
    links: BTreeSet<String>,
    complaints: Vec<String>,
}

/// Pages that mdBook makes from others, where their content is checked.
const MADE: [&str; 3] = ["print.html", "toc.html", "404.html"];

/// Links in the pages below `book` that lead nowhere, and pictures without a description.
///
/// Links to other sites can't be followed without a network, so only their form is checked.
///
/// # Errors
///
/// If a page can't be read.
pub fn complaints(book: &Path) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    read_below(book, Path::new(""), &mut pages)?;
    let mut complaints = Vec::new();
    for (path, page) in &pages {
        if MADE.iter().any(|made| path == Path::new(made)) {
            continue;
        }
        let broken = page.links.iter().filter_map(|link| broken(book, &pages, path, link));
        let all = page.complaints.iter().cloned().chain(broken);
        complaints.extend(all.map(|complaint| format!("{}: {complaint}", path.display())));
    }
    Ok(complaints)
}

fn read_below(book: &Path, below: &Path, pages: &mut BTreeMap<PathBuf, Page>) -> Result<()> {
    let folder = book.join(below);
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_below(book, &path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            pages.insert(path, read(&fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

fn read(html: &str) -> Page {
    let tokenizer = Tokenizer::new(Reader::default(), Default::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

#[derive(Default)]
struct Reader(RefCell<Page>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token {
            let mut page = self.0.borrow_mut();
            let attribute = |name: &str| {
                let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
                found.map(|attribute| attribute.value.to_string())
            };
            page.ids.extend(attribute("id"));
            match &*tag.name {
                "a" => page.links.extend(attribute("href")),
                "img" => {
                    let source = attribute("src").unwrap_or_default();
                    if attribute("alt").is_none_or(|words| words.is_empty()) {
                        page.complaints.push(format!("the picture `{source}` has no words"));
                    }
                    page.links.insert(source);
                }
                _ => {}
            }
        }
        TokenSinkResult::Continue
    }
}

fn broken(book: &Path, pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    if link.contains("://") || link.starts_with("mailto:") {
        return Some(format!("`{link}` is no https link"));
    }
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let to = if path.is_empty() {
        Some(from.to_owned())
    } else {
        resolved(&from.parent().unwrap_or(Path::new("")).join(path))
    };
    let Some(to) = to.filter(|to| book.join(to).is_file()) else {
        return Some(format!("`{link}` leads nowhere"));
    };
    let known = |page: &Page| page.ids.contains(fragment);
    if !fragment.is_empty() && !pages.get(&to).is_some_and(known) {
        return Some(format!("`{link}`: there is no such place on that page"));
    }
    None
}

/// The path without `..`, unless it leads out of the book.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => resolved.pop().then_some(())?,
            Component::CurDir => {}
            Component::Normal(name) => resolved.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_told() {
        let book = tempfile::tempdir().unwrap();
        fs::create_dir(book.path().join("answers")).unwrap();
        let page = "<h1 id=here><a href=#here>x</a> <a href='answers/a.html#one'>x</a> <img src=p.svg alt=p> \
                    <a href=gone.html>x</a> <a href='#gone'>x</a> <a href=answers/a.html#gone>x</a> \
                    <img src=q.svg> <a href=http://example.org>x</a> <a href=https://example.org>x</a> \
                    <a href=../page.html>x</a> <a href=/etc/passwd>x</a>";
        fs::write(book.path().join("page.html"), page).unwrap();
        let answers = "<p id=one><a href=../page.html#here>x</a>";
        fs::write(book.path().join("answers/a.html"), answers).unwrap();
        fs::write(book.path().join("p.svg"), "").unwrap();
        assert_eq!(
            complaints(book.path()).unwrap(),
            [
                "page.html: the picture `q.svg` has no words",
                "page.html: `#gone`: there is no such place on that page",
                "page.html: `../page.html` leads nowhere",
                "page.html: `/etc/passwd` leads nowhere",
                "page.html: `answers/a.html#gone`: there is no such place on that page",
                "page.html: `gone.html` leads nowhere",
                "page.html: `http://example.org` is no https link",
                "page.html: `q.svg` leads nowhere",
            ]
        );
    }
}
