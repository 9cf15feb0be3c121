//! The real programs, and the tools that not every machine has.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where the workspace's programs are.
#[derive(Debug)]
pub struct Programs {
    paths: BTreeMap<String, PathBuf>,
    /// Tools that blocks need, and that exist here.
    tools: BTreeSet<String>,
    /// Whether there is an `nc` with `-N`.
    pub(super) nc: bool,
}

/// Tools that we look for. Any other tool would count as missing everywhere, and its blocks would
/// silently be skipped.
pub(super) const TOOLS: [&str; 7] = ["bash", "cc", "go", "node", "python3", "rustc", "ss"];

/// Tools that may exist and still not work.
pub(super) const TOOLS_THAT_MAY_FAIL: [&str; 2] = ["io_uring", "strace"];

impl Programs {
    /// Builds them, as `cargo run` would do before each of its commands.
    ///
    /// # Errors
    ///
    /// A sentence, if one can't be built; the compiler has said why.
    pub fn build(workspace: &Path) -> Result<Self, String> {
        // `cargo test` sets CARGO to the cargo that runs it.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--workspace", "--bins", "--examples", "--locked", "--quiet"]);
        command.args(["--message-format", "json-render-diagnostics"]);
        if !cfg!(debug_assertions) {
            command.arg("--release"); // the kind that this one is of is there most probably
        }
        let output = command.current_dir(workspace).stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| {
            format!("can't run cargo: {error}; `--programs FOLDER` takes programs that are built")
        })?;
        if !output.status.success() {
            return Err("the programs can't be built: cargo has said why".into());
        }
        let messages = output.stdout.split(|byte| *byte == b'\n');
        let artifacts = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let programs = artifacts.filter_map(|artifact| {
            let path = PathBuf::from(artifact["executable"].as_str()?);
            let kind = &artifact["target"]["kind"][0];
            let is_program = kind == "bin" || kind == "example";
            is_program
                .then(|| (artifact["target"]["name"].as_str().unwrap_or_default().into(), path))
        });
        Ok(Self::with(programs.collect()))
    }

    /// Uses the programs in `folder`.
    ///
    /// # Errors
    ///
    /// A sentence, if it can't be read.
    pub fn within(folder: &Path) -> Result<Self, String> {
        // Commands run in the workspace, wherever that is.
        let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
        let files = super::files(&folder)?.into_iter().filter(|path| path.extension().is_none());
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into();
        let paths: BTreeMap<String, PathBuf> = files.map(|path| (name(&path), path)).collect();
        Ok(Self::with(paths))
    }

    /// Whether there is a program called `name`.
    pub fn have(&self, name: &str) -> bool {
        self.paths.contains_key(name)
    }

    fn with(paths: BTreeMap<String, PathBuf>) -> Self {
        let mut tools: BTreeSet<String> =
            TOOLS.into_iter().filter(|tool| is_in_path(tool)).map(str::to_owned).collect();
        // Not every machine lets a program trace another one.
        if succeeds("strace", &["-o", "/dev/null", "true"]) {
            tools.insert("strace".into());
        }
        if paths.get("uring-server").is_some_and(|program| starts(program)) {
            tools.insert("io_uring".into());
        }
        Programs { paths, tools, nc: nc_knows_how_to_end() }
    }

    /// PATH, with the programs' folders before all others.
    pub(super) fn search_path(&self) -> OsString {
        let usual = env::var_os("PATH").unwrap_or_default();
        let ours: BTreeSet<&Path> = self.paths.values().filter_map(|path| path.parent()).collect();
        let all = ours.into_iter().map(Path::to_owned).chain(env::split_paths(&usual));
        // It fails for a folder with a colon in its name, in which no shell could find anything.
        env::join_paths(all).unwrap_or(usual)
    }

    /// Whether this tool exists and works here. `io_uring` is one of them: many containers forbid
    /// it.
    pub fn can_use(&self, tool: &str) -> bool {
        self.tools.contains(tool)
    }
}

fn is_in_path(tool: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(tool).is_file())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// OpenBSD's `nc` has `-N`, which closes the sending half at the end of the input; others close
/// it anyway, or never.
fn nc_knows_how_to_end() -> bool {
    let help = Command::new("nc").arg("-h").stdin(Stdio::null()).output();
    help.is_ok_and(|help| {
        let text = [help.stdout, help.stderr].concat();
        String::from_utf8_lossy(&text).contains("-46CDdFhklNn")
    })
}

/// Whether this server starts; one that can't prints an error instead.
fn starts(server: &Path) -> bool {
    let mut command = Command::new(server);
    command.args(["--address", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let mut first = String::new();
    let said = child.stdout.take().map(|output| BufReader::new(output).read_line(&mut first));
    // It may have ended already; it has nothing to lose.
    child.kill().ok();
    child.wait().ok();
    matches!(said, Some(Ok(1..)))
}
