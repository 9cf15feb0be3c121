//! Builds the pages: mdBook, after our own blocks have been put into its Markdown.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};

use crate::console;
use crate::{code, figures, links, pages};

/// Builds the book of the `workspace` into the folder `into`, and checks every link in it.
///
/// # Errors
///
/// Everything that is wrong with it, one sentence per line. A warning is an error.
pub fn build(workspace: &Path, into: &Path) -> Result<()> {
    // mdBook takes a path as relative to the book's folder.
    let into = &std::path::absolute(into).with_context(|| {
        format!("can't find the current folder, in which {} is to be", into.display())
    })?;
    refuse_a_folder_of_something_else(into)?;
    let docs = workspace.join("docs");
    let mut config = Config::from_disk(docs.join("book.toml")).with_context(|| {
        format!("the workspace is looked for in {}; run this there", workspace.display())
    })?;
    refuse_a_folder_that_cannot_be_written(into)?;
    config.build.build_dir = into.clone();
    let warnings = Warnings::default();
    let all = tracing_subscriber::registry().with(warnings.clone());
    tracing::subscriber::with_default(all, || {
        let mut book = MDBook::load_with_config(&docs, config)?;
        book.with_preprocessor(OurOwn { workspace: workspace.to_owned() });
        book.build()
    })?;
    let mut complaints = warnings.take();
    complaints.extend(links::complaints(into)?);
    if !complaints.is_empty() {
        bail!("{}", complaints.join("\n"));
    }
    Ok(())
}

/// mdBook empties the folder before it writes.
fn refuse_a_folder_of_something_else(into: &Path) -> Result<()> {
    // mdBook leaves this file in each book, for GitHub's pages; in a clone of these, it is not the
    // only thing to lose.
    let is_a_book = into.join(".nojekyll").exists() && !into.join(".git").exists();
    let is_empty = fs::read_dir(into).map_or(true, |mut entries| entries.next().is_none());
    if !is_a_book && !is_empty {
        bail!(
            "{} holds something else than a book, which would be lost; say where with \
             `--into FOLDER`",
            into.display()
        );
    }
    Ok(())
}

/// The pages take some seconds, and are lost if the folder can't be written then.
fn refuse_a_folder_that_cannot_be_written(into: &Path) -> Result<()> {
    let tried = fs::create_dir_all(into).and_then(|()| {
        let trial = into.join("trial");
        fs::write(&trial, "")?;
        fs::remove_file(&trial)
    });
    let folder = into.display();
    tried.with_context(|| format!("can't write into {folder}; say where with `--into FOLDER`"))
}

/// Puts terminals, code and figures into the Markdown.
struct OurOwn {
    workspace: PathBuf,
}

impl Preprocessor for OurOwn {
    fn name(&self) -> &str {
        "ways-to-wait"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut complaints = Vec::new();
        book.for_each_chapter_mut(|chapter| {
            let Some(path) = chapter.source_path.clone() else { return };
            match with_our_own(&self.workspace, &chapter.content) {
                Ok(content) => chapter.content = content,
                Err(why) => {
                    complaints.extend(why.iter().map(|why| format!("{}: {why}", path.display())))
                }
            }
        });
        if !complaints.is_empty() {
            bail!("{}", complaints.join("\n"));
        }
        Ok(book)
    }
}

/// The page with its terminals, code and figures.
///
/// # Errors
///
/// A sentence for each that can't be found.
pub fn with_our_own(workspace: &Path, page: &str) -> Result<String, Vec<String>> {
    let blocks = console::blocks(page).map_err(|why| vec![why])?;
    let mut blocks = blocks.iter().peekable();
    let mut content = String::new();
    let mut complaints = Vec::new();
    let code: Vec<_> = console::fenced(page)
        .map(|(_, Range { start, end })| [start, end].map(|end| page[..end].lines().count()))
        .collect();
    let in_code = |number| code.iter().any(|[begin, end]| (*begin..*end).contains(&number));
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(block) = blocks.next_if(|block| block.begin == number + 1) {
            // Its lines and its end.
            lines.by_ref().take(block.lines.len() + 1).for_each(drop);
            content += &block.html();
        } else if let Some(directive) = directive(line).filter(|_| !in_code(number)) {
            match include(workspace, directive) {
                Ok(text) => content += &text,
                Err(why) => complaints.push(format!("line {}: {why:#}", number + 1)),
            }
        } else {
            content += line;
        }
        content.push('\n');
    }
    if complaints.is_empty() { Ok(content) } else { Err(complaints) }
}

/// The text between the brackets, if the line is a directive.
fn directive(line: &str) -> Option<&str> {
    line.strip_prefix("{{#")?.strip_suffix("}}")
}

fn include(workspace: &Path, directive: &str) -> Result<String> {
    let (what, arguments) = directive.split_once(' ').unwrap_or((directive, ""));
    match what {
        "code" => {
            let mut words = arguments.split_whitespace();
            let path = words.next().context("which file?")?;
            let text = fs::read_to_string(workspace.join(path)).with_context(|| path.to_owned())?;
            let names: Vec<&str> = words.collect();
            code::listing(path, &text, &names).map_err(anyhow::Error::msg)
        }
        "figures" => {
            let path = pages(workspace).join(figures::SET).join("tables.md");
            let tables = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            figures::table(&tables, arguments).map_err(anyhow::Error::msg)
        }
        other => bail!("there is nothing called `{other}` to include"),
    }
}

/// The warnings of mdBook.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut message = Message(String::new());
            event.record(&mut message);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.0);
        }
    }
}

/// The text of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn terminals_code_and_figures_take_their_places() {
        let page = "# Title\n\n```console 1\n$ true\n```\n\n{{#code protocol/src/lib.rs DEFAULT_ADDRESS}}\n\n```sh\n{{#code as it is}}\n```\n";
        let content = with_our_own(&workspace(), page).unwrap();
        assert!(content.starts_with("# Title\n\n<pre class=\"terminal\">"), "{content}");
        assert!(content.contains("pub const DEFAULT_ADDRESS: &str = "), "{content}");
        assert!(content.ends_with("```sh\n{{#code as it is}}\n```\n"), "{content}");
    }

    #[test]
    fn what_stands_in_any_kind_of_code_block_is_left_as_it_is() {
        let page =
            "````text\n```console 1\n{{#gone}}\n```\n{{#gone}}\n````\n\n- x\n\n  ~~~\n{{#gone}}\n";
        let why = with_our_own(&workspace(), page).unwrap_err();
        // The last one has left the list, and with it the block.
        assert_eq!(why, ["line 11: there is nothing called `gone` to include"]);
    }

    #[test]
    fn what_is_missing_is_told_with_its_line() {
        let page = "\n{{#code protocol/src/lib.rs gone}}\n{{#code gone.rs}}\n{{#figures Gone}}\n{{#song}}\n";
        let complaints = with_our_own(&workspace(), page).unwrap_err();
        assert_eq!(complaints[0], "line 2: protocol/src/lib.rs: there is no `gone`");
        assert!(complaints[1].starts_with("line 3: gone.rs: "));
        assert_eq!(complaints[2], "line 4: there is no table `Gone`");
        assert_eq!(complaints[3], "line 5: there is nothing called `song` to include");
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter"), "dear").unwrap();
        let why = build(&workspace(), folder.path()).unwrap_err().to_string();
        assert!(why.contains("holds something else than a book"), "{why}");
        assert_eq!(fs::read_to_string(folder.path().join("letter")).unwrap(), "dear");
        fs::write(folder.path().join(".nojekyll"), "").unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert!(build(&workspace(), folder.path()).is_err());
    }
}
