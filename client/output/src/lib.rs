//! What the programs print: figures in words, tables in several formats, and paragraphs that fit
//! the terminal.
//!
//! - [`figures`]: times, sizes and counts with as many digits as matter to people.
//! - [`Table`]: for a terminal, for a Markdown page, or as CSV; [`Format`] is the option that
//!   chooses.
//! - [`paragraph`], [`print()`], [`width`]: nothing is wider than the terminal. Without a terminal
//!   there is no limit, so that scripts always get the same lines.

#![forbid(unsafe_code)]

pub mod figures;
mod table;
mod text;

pub use table::{Cell, Column, Format, FormatOptions, Table, stacked};
pub use text::{cannot_print, paragraph, print, print_within, width};
