//! Turns a command from the book into one that runs here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use server_process::Port;

use super::Programs;

/// Where a page is played, as a replacement for the reader's machine.
pub(super) struct Stage<'a> {
    pub(super) workspace: &'a Path,
    programs: &'a Programs,
    /// Replaces the page's `target`.
    folder: PathBuf,
    /// The page's ports, and those that replace them.
    ports: Vec<(u16, Port)>,
}

/// The port that the whole book uses.
const USUAL: u16 = 8686;

static CARGO_RUN: LazyLock<Regex> = LazyLock::new(|| {
    let options = r"(?: (?:--release|--quiet|-q))*";
    let regex = format!(
        r"\bcargo run{options} -p ([\w-]+)(?: --(?:bin|example) ([\w-]+))?{options}( --)?( |;|\)|$)"
    );
    Regex::new(&regex).expect("it is a constant")
});
static PORT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b868[0-9]\b").expect("it is a constant"));
static TARGET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[\s=('])target/").expect("it is a constant"));
static NC: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bnc -N ([\w.]+) (\d+)").expect("it is a constant"));

impl<'a> Stage<'a> {
    pub(super) fn new(
        workspace: &'a Path,
        programs: &'a Programs,
        folder: &Path,
    ) -> Result<Self, String> {
        let ports = vec![(USUAL, Port::take()?)];
        Ok(Stage { workspace, programs, folder: folder.to_owned(), ports })
    }

    /// The address that servers and clients use by default.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0].1.number())
    }

    /// Where the shell finds the programs, so that a command needs only their names and may be
    /// quoted, whatever the folders are called.
    pub(super) fn search_path(&self) -> OsString {
        self.programs.search_path()
    }

    /// The command with the real programs, free ports, and a folder of its own.
    ///
    /// # Errors
    ///
    /// A sentence, if there is no such program.
    pub(super) fn here(&mut self, command: &str) -> Result<String, String> {
        let mut unknown = None;
        let program = |found: &Captures<'_>| {
            let name = found.get(2).or(found.get(1)).map_or("", |name| name.as_str());
            if !self.programs.have(name) {
                unknown = Some(name.to_owned());
            }
            format!("{name}{}", &found[4])
        };
        let command = CARGO_RUN.replace_all(command, program).into_owned();
        if let Some(name) = unknown {
            return Err(format!("there is no program `{name}`"));
        }
        if command.contains("cargo run") {
            return Err(format!("can't play this form of `cargo run`: {command}"));
        }
        let command = if self.programs.nc {
            command.into()
        } else {
            NC.replace_all(&command, "client talk $1:$2")
        };
        let command = TARGET.replace_all(&command, |found: &Captures<'_>| match &found[1] {
            // It is quoted already.
            "'" => format!("'{}/", self.folder.display()),
            before => format!("{before}{}/", quoted(&self.folder)),
        });
        for port in PORT.find_iter(&command) {
            let number = port.as_str().parse().map_err(|_| "8680 to 8689 are numbers")?;
            if !self.ports.iter().any(|(known, _)| *known == number) {
                self.ports.push((number, Port::take()?));
            }
        }
        let port = |found: &Captures<'_>| {
            let port = self.ports.iter().find(|(book, _)| book.to_string() == found[0]);
            port.map_or(found[0].to_owned(), |(_, port)| port.number().to_string())
        };
        Ok(PORT.replace_all(&command, port).into_owned())
    }

    /// Turns output into what the book shows: with its ports and its folder.
    pub(super) fn translator(&self) -> Translator {
        let ports = self.ports.iter().map(|(book, port)| {
            let here = Regex::new(&format!(r"(:|\bport ){}\b", port.number()));
            (here.expect("it is a number"), format!("${{1}}{book}"))
        });
        Translator { ports: ports.collect(), folder: format!("{}/", self.folder.display()) }
    }
}

/// The path, quoted for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Translates what programs print into what the book shows.
pub(super) struct Translator {
    ports: Vec<(Regex, String)>,
    folder: String,
}

impl Translator {
    pub(super) fn translate(&self, line: &str) -> String {
        let mut line = line.replace(&self.folder, "target/");
        for (here, book) in &self.ports {
            line = here.replace_all(&line, book).into_owned();
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn paths_may_have_blanks_and_quotes() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("it's mine");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("client"), "").unwrap();
        let programs = Programs::within(&bin).unwrap();
        let mut stage = Stage::new(Path::new("."), &programs, Path::new("/a $1")).unwrap();
        let here = stage.here("sh -c 'exec cargo run -p client -- -q' > target/x").unwrap();
        assert_eq!(here, "sh -c 'exec client -q' > '/a $1'/x");
        let folders: Vec<_> = std::env::split_paths(&stage.search_path()).collect();
        assert!(folders.len() > 1 && folders[0] == bin, "{folders:?}");
    }

    #[test]
    fn commands_get_real_programs_and_ports_and_lines_are_translated_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["client", "poll-server", "faulty-server"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let mut programs = Programs::within(folder.path()).unwrap();
        programs.nc = false;
        let mut stage = Stage::new(Path::new("."), &programs, Path::new("/scratch")).unwrap();
        let port = stage.ports[0].1.number();
        for (book, here) in [
            ("cargo run -p poll-server", "poll-server"),
            ("cargo run -q --release -p client -- -c 5 | head", "client -c 5 | head"),
            (
                "cargo run -p client --bin faulty-server -- --fault mute",
                "faulty-server --fault mute",
            ),
            (
                "cargo run -p client -- check -- cargo run -p poll-server -- --address 127.0.0.1:{port}",
                "client check -- poll-server --address 127.0.0.1:{port}",
            ),
            ("(cargo run -p client; echo $?)", "(client; echo $?)"),
            ("nc -N 127.0.0.1 8686", "client talk 127.0.0.1:PORT"),
            ("client --timeline target/x.svg", "client --timeline '/scratch'/x.svg"),
            ("cat 'target/x.svg'", "cat '/scratch/x.svg'"),
        ] {
            let here = here.replace("PORT", &port.to_string());
            assert_eq!(stage.here(book).unwrap(), here);
        }
        assert!(stage.here("cargo run -p nobody").is_err());
        assert!(stage.here("cargo run --bin client").is_err());
        let printed = format!("on 127.0.0.1:{port}, wrote /scratch/x.svg, {port} requests");
        assert_eq!(
            stage.translator().translate(&printed),
            format!("on 127.0.0.1:8686, wrote target/x.svg, {port} requests")
        );
    }
}
