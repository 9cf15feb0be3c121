//! Plays the terminals of a page, as a reader would: types its commands, and checks whether they
//! print what the page shows.
//!
//! Each command runs in a terminal of its own (a pty), so programs see what they would see with a
//! reader: a terminal that stops at Ctrl-S, and whose Ctrl-C interrupts everything that runs in it.
//! A block is done when its last line has been printed; so a page waits for events, never for a
//! fixed time. Output that is in none of a terminal's blocks is an error, and so is a program that
//! is left running at the end of the page.

mod command;
mod fit;
mod programs;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::console::{self, Block, Line};
use command::Stage;
pub use programs::Programs;
use programs::{TOOLS, TOOLS_THAT_MAY_FAIL};
use terminal::Terminal;

/// A page that has been played to its end.
#[derive(Debug)]
pub struct Played {
    /// The page's source, with this run's output in place of its samples.
    pub recorded: String,
    /// Missing tools, because of which blocks were skipped.
    pub missing: BTreeSet<String>,
    /// What the commands wrote into the folder that the page calls `target`.
    pub written: TempDir,
}

/// Plays pages.
#[derive(Debug)]
pub struct Player {
    /// Where commands run.
    pub workspace: PathBuf,
    /// What they run.
    pub programs: Programs,
    /// How long a line may take to appear, and a program to end.
    pub patience: Duration,
}

/// Most lines take milliseconds; the longest a reader waits for is a benchmark of half a minute,
/// which tests may run at the same time as others.
pub const PATIENCE: Duration = Duration::from_secs(90);

impl Player {
    /// Plays the terminals of a page.
    ///
    /// # Errors
    ///
    /// What differs from the page, and what its terminal has printed.
    pub fn play(&self, source: &str) -> Result<Played, String> {
        let Player { workspace, programs, patience } = self;
        let blocks = console::blocks(source)?;
        let written =
            tempfile::tempdir().map_err(|error| format!("no folder for files: {error}"))?;
        let mut stage = Stage::new(workspace, programs, written.path())?;
        let mut terminals: BTreeMap<usize, Terminal> = BTreeMap::new();
        let mut missing = BTreeSet::new();
        let mut recorded: Vec<String> = source.lines().map(str::to_owned).collect();
        // Terminals in which nothing runs, because their commands are skipped.
        let mut idle = BTreeSet::new();
        for block in &blocks {
            let terminal = block.terminal;
            let begins = matches!(block.lines.first(), Some(Line::Command(_)));
            let is_known =
                |tool: &str| TOOLS.contains(&tool) || TOOLS_THAT_MAY_FAIL.contains(&tool);
            if let Some(tool) = block.needs.iter().find(|tool| !is_known(tool)) {
                return Err(format!("line {}: nobody looks for the tool `{tool}`", block.begin));
            }
            let absent = block.needs.iter().filter(|tool| !programs.can_use(tool));
            let absent: Vec<String> = absent.cloned().collect();
            if !absent.is_empty() {
                missing.extend(absent);
                idle.insert(terminal);
                continue;
            }
            if begins {
                idle.remove(&terminal);
            } else if idle.contains(&terminal) {
                continue;
            }
            let terminal = terminals.entry(terminal).or_insert_with(|| Terminal::new(*patience));
            if let Err(why) = play_block(terminal, &mut stage, block, &mut recorded) {
                let mut why = format!("line {}, terminal {}: {why}", block.begin, block.terminal);
                // The cause may be in another terminal, such as a server that has ended.
                for (number, other) in &mut terminals {
                    if *number != block.terminal
                        && let Some(state) = other.state()
                    {
                        why += &format!("\nterminal {number}: {state}");
                    }
                }
                return Err(why);
            }
        }
        for (number, mut terminal) in terminals {
            terminal.finish().map_err(|why| format!("at the end, terminal {number}: {why}"))?;
        }
        // With the line ends that the page has.
        let ends = source
            .split_inclusive('\n')
            .map(|line| &line[line.trim_end_matches(['\r', '\n']).len()..]);
        let recorded = recorded.iter().zip(ends).map(|(line, end)| line.to_owned() + end).collect();
        Ok(Played { recorded, missing, written })
    }

    /// Plays a page of the book; with `record`, writes this run's output into it, and the pictures
    /// that its commands drew next to it.
    ///
    /// # Errors
    ///
    /// As [`Player::play`]; or if the page can't be read or written.
    pub fn play_page(&self, page: &Path, record: bool) -> Result<Played, String> {
        let trouble = |path: &Path, error| format!("{}: {error}", path.display());
        let source = fs::read_to_string(page).map_err(|error| trouble(page, error))?;
        let played = self.play(&source)?;
        if record {
            fs::write(page, &played.recorded).map_err(|error| trouble(page, error))?;
            for drawn in files(played.written.path())? {
                let name = drawn.file_name().unwrap_or_default().to_string_lossy();
                if source.contains(&format!("(pictures/{name})")) {
                    let picture = crate::pages(&self.workspace).join("pictures").join(&*name);
                    fs::copy(&drawn, &picture).map_err(|error| trouble(&picture, error))?;
                }
            }
        }
        Ok(played)
    }
}

fn play_block(
    terminal: &mut Terminal,
    stage: &mut Stage<'_>,
    block: &Block,
    recorded: &mut [String],
) -> Result<(), String> {
    let mut index = 0;
    while index < block.lines.len() {
        match &block.lines[index] {
            Line::Command(command) => {
                terminal.finish()?;
                terminal.start(stage, command)?;
            }
            Line::Typed(text) => terminal.type_bytes(format!("{text}\n").as_bytes())?,
            Line::Pressed(key) => terminal.type_bytes(&[key.byte()])?,
            Line::Printed(_) | Line::Gap => {
                let is_printed = |line: &Line| matches!(line, Line::Printed(_) | Line::Gap);
                let rest = &block.lines[index..];
                let count = rest.iter().take_while(|line| is_printed(line)).count();
                let lines = terminal.expect(&rest[..count])?;
                for (offset, line) in lines {
                    if let Line::Printed(pattern) = &rest[offset] {
                        let source = pattern.recorded(&line);
                        recorded[block.begin + index + offset] = source.unwrap_or(line);
                    }
                }
                index += count - 1;
            }
        }
        index += 1;
    }
    Ok(())
}

/// The pages of the book that have terminals, in order.
///
/// # Errors
///
/// If the book can't be read.
pub fn pages_with_terminals(workspace: &Path) -> Result<Vec<PathBuf>, String> {
    let mut pages = files(&crate::pages(workspace))?;
    pages.retain(|page| {
        let is_page = page.extension().is_some_and(|extension| extension == "md");
        // An invalid page is played, too, which reports what is wrong.
        let has_terminals =
            |text: String| console::blocks(&text).map_or(true, |blocks| !blocks.is_empty());
        is_page && fs::read_to_string(page).is_ok_and(has_terminals)
    });
    pages.sort();
    Ok(pages)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let trouble = |error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(trouble)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(trouble)).collect()
}
