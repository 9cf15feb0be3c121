//! The peers, servers from outside this workspace that speak the protocol: what people would use
//! instead.
//!
//! Each is one short file in `bench/peers/`, written as a competent user of its platform would
//! write it. Those in C share the code for the protocol, and the two bare loops also share the code
//! for connections.
//!
//! | Peer | What it shows |
//! |---|---|
//! | `python-asyncio` | a coroutine for each connection, in an interpreted language |
//! | `python-selectors` | the loop of `poll-server` in that language |
//! | `node` | callbacks over libuv, in a language that is compiled while it runs |
//! | `go` | a goroutine for each connection, on all processors |
//! | `libuv` | the loop under Node, in C |
//! | `c-select` | the baseline for `select-server`: a bare loop that does only what is needed |
//! | `c-epoll` | the baseline for `poll-server` |
//!
//! ```text
//! cargo run --release -p bench -- --peers
//! cargo run --release -p bench -- --server poll-server --server c-epoll
//! cargo run --release -p bench -- check --peers
//! ```
//!
//! A peer whose platform is not installed is left out, and a sentence says so. Those in C and Go
//! are compiled when they are first used, into a folder next to the running program, and again when
//! their source has changed. Peers speak only `lines`, and have no idle time-out, no console and no
//! counters. A peer is started as `COMMAND PORT`, by `bench serve NAME`, whose process it takes
//! over. The kernel kills it if the thread that started it ends (PR_SET_PDEATHSIG, prctl(2)),
//! because a peer doesn't notice that this program is gone.
//!
//! Left out: that last step on systems other than Linux. There, a peer keeps running if this
//! program is killed.
//!
//! Left out: Windows, where signals and limits of descriptors differ.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::SystemTime;

use clap::Parser;
use server_kit::Console;
use server_process::lock;

use crate::measured_server::ChildServer;

/// The folder of the sources.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// A server from outside this workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Its file, and the files that it includes.
    sources: &'static [&'static str],
    platform: Platform,
}

/// The server's options that a peer accepts. The others are for things that it doesn't have.
#[derive(Debug, Parser)]
struct Options {
    /// Listen on this port of 127.0.0.1
    #[arg(long, value_name = "127.0.0.1:PORT")]
    address: SocketAddr,

    /// Speak this protocol; a peer speaks only `lines`
    #[arg(long, value_parser = ["lines"])]
    protocol: Option<String>,

    /// Keep idle connections forever, as a peer does anyway
    #[arg(long, value_parser = ["never"])]
    idle_timeout: Option<String>,

    /// Print only errors, as a peer does anyway
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug)]
enum Platform {
    Python,
    Node,
    Go,
    /// Perhaps with another library than the system's.
    C(Option<Library>),
}

#[derive(Clone, Copy, Debug)]
struct Library {
    /// Its name for pkg-config.
    name: &'static str,
    /// The linker's flag where there is no pkg-config.
    flag: &'static str,
    /// A program that compiles and links if the library is there.
    trial: &'static str,
    install: &'static str,
}

const LIBUV: Library = Library {
    name: "libuv",
    flag: "-luv",
    trial: "#include <uv.h>\nint main(void) { return uv_version() == 0; }\n",
    install: "libuv1-dev (Debian), libuv-devel (Fedora) or libuv (Homebrew)",
};

/// A program that a platform can't do without.
struct Tool {
    /// The commands that may start it; the first that works is used.
    commands: Vec<String>,
    /// The argument for a trial run.
    trial: &'static str,
    install: &'static str,
}

impl Peer {
    pub(crate) const PYTHON_ASYNCIO: Peer = Peer {
        name: "python-asyncio",
        sources: &["python_asyncio.py"],
        platform: Platform::Python,
    };

    pub(crate) const PYTHON_SELECTORS: Peer = Peer {
        name: "python-selectors",
        sources: &["python_selectors.py"],
        platform: Platform::Python,
    };

    pub(crate) const NODE: Peer =
        Peer { name: "node", sources: &["node.js"], platform: Platform::Node };

    pub(crate) const GO: Peer = Peer { name: "go", sources: &["go.go"], platform: Platform::Go };

    pub(crate) const LIBUV: Peer = Peer {
        name: "libuv",
        sources: &["libuv.c", "lines.h"],
        platform: Platform::C(Some(LIBUV)),
    };

    #[cfg(not(target_vendor = "apple"))] // which has no accept4(2)
    pub(crate) const C_SELECT: Peer = Peer {
        name: "c-select",
        sources: &["select.c", "connection.h", "lines.h"],
        platform: Platform::C(None),
    };

    #[cfg(target_os = "linux")]
    pub(crate) const C_EPOLL: Peer = Peer {
        name: "c-epoll",
        sources: &["epoll.c", "connection.h", "lines.h"],
        platform: Platform::C(None),
    };

    /// Whether it can run here. Compiles it if necessary.
    ///
    /// # Errors
    ///
    /// A sentence without its full stop: what is missing, or what the compiler printed.
    pub(crate) fn available(&self) -> io::Result<()> {
        self.platform.tool().find()?;
        self.command().map(drop)
    }

    /// Becomes the peer. Returns only if that fails.
    pub(crate) fn exec(&self, child: ChildServer) -> ExitCode {
        let port = Options::parse_from(child.arguments).address.port();
        let exec = || -> io::Result<()> {
            #[cfg(target_os = "linux")]
            nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
            Err(self.command()?.arg(port.to_string()).stdin(Stdio::null()).exec())
        };
        if let Err(error) = exec() {
            Console::print_error(format_args!("{}: {error}", self.name));
        }
        ExitCode::FAILURE
    }

    /// The command that runs it, still without the port.
    fn command(&self) -> io::Result<Command> {
        let command = match self.platform {
            Platform::Python | Platform::Node => {
                let mut command = self.platform.tool().find()?;
                command.arg(self.source());
                command
            }
            Platform::Go | Platform::C(_) => Command::new(self.compiled()?),
        };
        Ok(command)
    }

    fn source(&self) -> PathBuf {
        Path::new(FOLDER).join(self.sources[0])
    }

    /// The path of the program. Compiles it if necessary.
    fn compiled(&self) -> io::Result<PathBuf> {
        static COMPILING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = lock(&COMPILING);
        let program = env::current_exe()?.with_file_name("peers").join(self.name);
        if !self.is_newer_than(&program)? {
            return Ok(program);
        }
        // Other processes may compile it at the same time, or run the old one. So the new program
        // gets its name when it is complete.
        let unfinished = program.with_extension(process::id().to_string());
        fs::create_dir_all(unfinished.with_file_name(""))?;
        self.compile(&unfinished)?;
        fs::rename(unfinished, &program)?;
        Ok(program)
    }

    /// Whether a source was changed after the program was compiled, or it was never compiled.
    fn is_newer_than(&self, program: &Path) -> io::Result<bool> {
        let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
        let compiled = changed(program).unwrap_or(SystemTime::UNIX_EPOCH);
        for source in self.sources {
            let path = Path::new(FOLDER).join(source);
            let changed = changed(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("can't read {}: {error}", path.display()))
            })?;
            if changed > compiled {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn compile(&self, program: &Path) -> io::Result<()> {
        let mut compiler = self.platform.tool().find()?;
        compiler.arg(match self.platform {
            Platform::Go => "build",
            _ => "-O2",
        });
        compiler.arg("-o").arg(program).arg(self.source());
        let library = self.platform.library();
        compiler.args(library.map(Library::flags).unwrap_or_default());
        let output = compiler.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        if let Some(library) = library
            && !library.is_there(program)?
        {
            let Library { name, install, .. } = library;
            let what = format!("the library {name} is missing; install {install}");
            return Err(io::Error::new(ErrorKind::NotFound, what));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let (source, said) = (self.sources[0], said.trim_end());
        Err(io::Error::other(format!("{source} does not compile:\n{said}")))
    }
}

impl Platform {
    fn tool(self) -> Tool {
        let tool = |commands: &[&str], trial, install| Tool {
            commands: commands.iter().map(|&command| command.to_owned()).collect(),
            trial,
            install,
        };
        match self {
            Platform::Python => tool(&["python3"], "--version", "Python 3.8 or newer"),
            Platform::Node => tool(&["node"], "--version", "Node.js 18 or newer"),
            Platform::Go => tool(&["go"], "version", "Go 1.19 or newer"),
            Platform::C(_) => {
                let install = "a C compiler, or name yours in the variable `CC`";
                match env::var("CC") {
                    Ok(named) if !named.is_empty() => tool(&[&named], "--version", install),
                    _ => tool(&["cc", "gcc"], "--version", install),
                }
            }
        }
    }

    fn library(self) -> Option<Library> {
        match self {
            Platform::C(library) => library,
            Platform::Python | Platform::Node | Platform::Go => None,
        }
    }
}

impl Tool {
    /// A command that runs it.
    ///
    /// # Errors
    ///
    /// A sentence that says what to install.
    fn find(&self) -> io::Result<Command> {
        let works = |&command: &&String| {
            let mut command = command_of(command);
            command.arg(self.trial).stdin(Stdio::null());
            command.output().is_ok_and(|output| output.status.success())
        };
        self.commands.iter().find(works).map(|command| command_of(command)).ok_or_else(|| {
            let commands = self.commands.join("` or `");
            let what = format!("can't run `{commands}`; install {}", self.install);
            io::Error::new(ErrorKind::NotFound, what)
        })
    }
}

/// Splits a command into words, because `CC` may have arguments, as in `ccache gcc`.
fn command_of(words: &str) -> Command {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

impl Library {
    /// The flags that the compiler needs for it: pkg-config's, or else our guess.
    fn flags(self) -> Vec<String> {
        let printed = Command::new("pkg-config").args(["--cflags", "--libs", self.name]).output();
        match printed {
            Ok(output) if output.status.success() => {
                let flags = String::from_utf8_lossy(&output.stdout).into_owned();
                flags.split_whitespace().map(str::to_owned).collect()
            }
            // There is no pkg-config, or it doesn't know the library; but the compiler may find it.
            _ => vec![self.flag.into()],
        }
    }

    /// Whether a program that needs only this library compiles and links; it is written to
    /// `program`.
    fn is_there(self, program: &Path) -> io::Result<bool> {
        let mut compiler = Platform::C(None).tool().find()?;
        compiler.args(["-x", "c", "-", "-o"]).arg(program).args(self.flags());
        let mut child = compiler.stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        // The pipe is closed at the end of this line, so the compiler sees the end of the source.
        child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(self.trial.as_bytes()))?;
        let is_there = child.wait()?.success();
        if is_there {
            fs::remove_file(program)?;
        }
        Ok(is_there)
    }
}
