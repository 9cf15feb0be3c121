//! The program `docs`: builds the book, shows it, and plays its chapters.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Builds the walkthrough, and plays the commands in it
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, disable_help_subcommand = true)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    /// Show the book in a browser
    #[arg(long)]
    open: bool,

    /// Where to write the book [default: target/book]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Plays the commands of pages, and compares their output with the pages
    Test {
        /// Chapters, by their numbers, or other pages by their names; all, if none is named
        chapters: Vec<String>,

        /// Record the new output and pictures in the pages, where only the varying parts differ
        #[arg(long)]
        record: bool,

        /// Use the programs in this folder, instead of building them
        #[arg(long, value_name = "FOLDER")]
        programs: Option<PathBuf>,
    },
}

const EXAMPLES: &str = "\
Examples:
  docs                            builds the book in target/book
  docs --open                     and shows it
  docs test                       plays every page
  docs test 3 troubleshooting     chapter 3, and the page troubleshooting.md
  docs test --record 5            and writes its samples and pictures anew

Exit status: 0 if all is well, 1 if not, 2 if the options are wrong.";

fn main() -> ExitCode {
    let Options { open, into, other } = Options::parse();
    let workspace = docs::workspace();
    let done = match other {
        None => build(&workspace, into.as_deref(), open),
        Some(Other::Test { chapters, record, programs }) => {
            test(&workspace, &chapters, record, programs.as_deref())
        }
    };
    match done {
        Ok(status) => status,
        Err(error) => {
            // The program that closed the pipe doesn't read any more, so this isn't reported.
            let is_closed_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
            if !error.downcast_ref().is_some_and(is_closed_pipe) {
                // If standard error fails, too, there is nowhere left to report it.
                writeln!(io::stderr(), "docs: {error:#}").ok();
            }
            ExitCode::FAILURE
        }
    }
}

/// Prints a line. Unlike `println!`, it does not panic when standard output is closed.
fn print(line: impl Display) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("can't print")
}

fn build(workspace: &Path, into: Option<&Path>, open: bool) -> Result<ExitCode> {
    let into = into.map_or_else(|| workspace.join("target/book"), Path::to_owned);
    docs::book::build(workspace, &into)?;
    let first = into.join("index.html");
    print(format_args!("the book: {}", first.display()))?;
    if open {
        opener::open(&first).with_context(|| format!("can't open {}", first.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
fn test(
    workspace: &Path,
    chapters: &[String],
    record: bool,
    programs: Option<&Path>,
) -> Result<ExitCode> {
    use anyhow::{Error, bail};
    use docs::player::{PATIENCE, Player, Programs, pages_with_terminals};

    let pages = pages_with_terminals(workspace).map_err(Error::msg)?;
    let name = |page: &Path| page.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is = |page: &Path, chapter: &str| {
        let number = chapter.parse::<u8>().ok().map(|number| format!("{number:02}-"));
        number.map_or(name(page) == chapter, |number| name(page).starts_with(&number))
    };
    if let Some(nowhere) =
        chapters.iter().find(|chapter| !pages.iter().any(|page| is(page, chapter)))
    {
        let names: Vec<String> = pages.iter().map(|page| name(page)).collect();
        bail!("there is no page `{nowhere}` with commands, but {}", names.join(", "));
    }
    let chosen = pages
        .iter()
        .filter(|page| chapters.is_empty() || chapters.iter().any(|chapter| is(page, chapter)));
    let folder = programs;
    let programs = folder.map_or_else(|| Programs::build(workspace), Programs::within);
    let programs = programs.map_err(Error::msg)?;
    if let Some(folder) = folder.filter(|_| !programs.have("client")) {
        bail!(
            "there are no programs in {}; `cargo build --workspace --bins --examples` puts them \
             into target/debug",
            folder.display()
        );
    }
    let player = Player { workspace: workspace.into(), programs, patience: PATIENCE };
    let mut status = ExitCode::SUCCESS;
    for page in chosen {
        match player.play_page(page, record) {
            Ok(played) if played.missing.is_empty() => print(format_args!("{}: ok", name(page)))?,
            Ok(played) => {
                let missing = Vec::from_iter(played.missing).join(", ");
                print(format_args!("{}: ok, but for what needs {missing}", name(page)))?;
            }
            Err(why) => {
                print(format_args!("{}: {why}", name(page)))?;
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

#[cfg(not(unix))]
fn test(_: &Path, _: &[String], _: bool, _: Option<&Path>) -> Result<ExitCode> {
    anyhow::bail!("the book's terminals are those of Unix; they can't be played here")
}
