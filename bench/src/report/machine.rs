//! The machine and its software: figures mean nothing without them.

use std::env;
use std::process::Command;
use std::thread;

use serde::Serializer;

/// The machine that this program runs on and its software, line by line. What can't be found out is
/// `unknown`.
pub(super) fn describe() -> Vec<(&'static str, String)> {
    let cores = thread::available_parallelism().map(|cores| cores.to_string()).ok();
    let (processor, memory) = hardware();
    let lines = [
        ("Processor", processor),
        ("Cores", cores),
        ("Memory", memory),
        ("Kernel", kernel()),
        ("Rust", rust()),
    ];
    lines.map(|(what, value)| (what, value.unwrap_or_else(|| "unknown".into()))).into()
}

/// The description as an object, with names in lower case.
pub(super) fn as_object<S: Serializer>(
    lines: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(lines.iter().map(|(what, value)| (what.to_lowercase(), value)))
}

/// The processor's model and the size of the memory.
#[cfg(target_os = "linux")]
fn hardware() -> (Option<String>, Option<String>) {
    use procfs::{CpuInfo, Current, Meminfo};
    let processor = CpuInfo::current().ok().and_then(|it| it.model_name(0).map(str::to_owned));
    let bytes = Meminfo::current().map(|memory| memory.mem_total as f64);
    (processor, bytes.map(|bytes| format!("{:.1} GB", bytes / 1e9)).ok())
}

/// Left out: other systems, which have other ways to find out.
#[cfg(not(target_os = "linux"))]
fn hardware() -> (Option<String>, Option<String>) {
    (None, None)
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
    fn the_machine_is_described() {
        let machine = describe();
        let (_, cores) = machine.iter().find(|(what, _)| *what == "Cores").unwrap();
        assert!(cores.parse::<usize>().is_ok(), "{machine:?}");
        assert!(machine.iter().all(|(_, value)| !value.is_empty()), "{machine:?}");
    }
}
