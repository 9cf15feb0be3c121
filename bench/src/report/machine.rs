//! The machine and its software: figures mean nothing without them.

use std::env;
use std::fs;
use std::process::Command;
use std::thread;

use serde::{Serialize, Serializer};

/// The machine and its software, line by line: what, and in words. What can't be found out is
/// `unknown`.
#[derive(Clone, Debug)]
pub struct Machine([(&'static str, String); 5]);

impl Machine {
    /// The machine that this program runs on.
    pub(super) fn here() -> Self {
        let cores = thread::available_parallelism().map(|cores| cores.to_string()).ok();
        let memory = field("/proc/meminfo", "MemTotal").and_then(|size| gigabytes(&size));
        // Left out: processor and memory on systems other than Linux, which have other ways to
        // find out.
        let lines = [
            ("Processor", field("/proc/cpuinfo", "model name")),
            ("Cores", cores),
            ("Memory", memory),
            ("Kernel", kernel()),
            ("Rust", rust()),
        ];
        Machine(lines.map(|(what, value)| (what, value.unwrap_or_else(|| "unknown".into()))))
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(what, value)| (*what, value.as_str()))
    }
}

impl Serialize for Machine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.lines().map(|(what, value)| (what.to_lowercase(), value)))
    }
}

/// The first field with this name in a file of proc(5).
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(field, _)| field.trim() == name)?;
    Some(value.trim().to_owned())
}

/// A size such as `16384256 kB`, where kB are kibibytes (proc_meminfo(5)).
fn gigabytes(size: &str) -> Option<String> {
    let kibibytes: f64 = size.strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{:.1} GB", kibibytes * 1024.0 / 1e9))
}

/// See uname(2).
#[cfg(unix)]
fn kernel() -> Option<String> {
    let name = nix::sys::utsname::uname().ok()?;
    let words = [name.sysname(), name.release(), name.machine()];
    Some(words.map(|word| word.to_string_lossy()).join(" "))
}

/// Left out: the release, because std knows only the name.
#[cfg(not(unix))]
fn kernel() -> Option<String> {
    Some(format!("{} {}", env::consts::OS, env::consts::ARCH))
}

/// The compiler that cargo uses: that of `RUSTC`, or else the one on the path.
fn rust() -> Option<String> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_proc_writes_it() {
        assert_eq!(gigabytes("16384256 kB").as_deref(), Some("16.8 GB"));
        assert_eq!(gigabytes("much"), None);
    }

    #[test]
    fn the_machine_is_described() {
        let machine = Machine::here();
        let cores = machine.lines().find(|(what, _)| *what == "Cores").unwrap().1;
        assert!(cores.parse::<usize>().is_ok(), "{machine:?}");
        assert!(machine.lines().all(|(_, value)| !value.is_empty()), "{machine:?}");
    }
}
