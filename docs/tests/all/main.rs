//! The tests of `docs`, but for the book's terminals: those are played by `transcripts`.
//!
//! ```text
//! cargo test -p docs --test all            # all of them
//! cargo test -p docs --test all book::     # those whose name has this in it
//! ```

#[cfg(unix)]
mod bad_input;
mod book;
mod claims;
#[cfg(unix)]
#[path = "../../../client/tests/all/ignoring.rs"]
mod ignoring;
#[cfg(unix)]
mod player;
mod supply;
