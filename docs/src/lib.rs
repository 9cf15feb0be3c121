//! The walkthrough: a book of experiments, and the programs that keep it true.
//!
//! ```text
//! cargo run -p docs -- --open       # builds the book, and shows it in a browser
//! cargo run -p docs -- test 3       # plays the commands of chapter 3 against the real programs
//! cargo test -p docs                # builds and plays everything, as CI does
//! ```
//!
//! Its text is in `docs/book`, as Markdown; mdBook turns it into pages. Three things are our own,
//! so that nothing in it can be wrong for long: commands and their output are in blocks that are
//! played ([`console`], [`player`]), code is included from the real sources by the names of its
//! items ([`code`]), and measured figures come from the measured set ([`figures`]).
//!
//! Read in this order: [`console`] and [`pattern`], which say what a block may contain; [`player`],
//! which plays it; then [`book`], which builds the pages, and [`links`], which checks them.

#![forbid(unsafe_code)]

pub mod book;
pub mod code;
pub mod console;
pub mod figures;
pub mod links;
pub mod pattern;
#[cfg(unix)]
pub mod player;

use std::env;
use std::path::{Path, PathBuf};

/// The workspace: the one in which cargo runs this program, or otherwise the one in which it was
/// built.
pub fn workspace() -> PathBuf {
    let docs = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    // `docs` is a folder in it.
    Path::new(&docs).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The folder with the book's text.
pub fn pages(workspace: &Path) -> PathBuf {
    workspace.join("docs/book")
}
