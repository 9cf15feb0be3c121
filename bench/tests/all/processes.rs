//! The processes of this system, on Linux.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// The processes that have this one for a parent.
pub fn children(parent: u32) -> Vec<Pid> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // proc_pid_stat(5): after the name in parentheses come the state and the parent.
        let Some((_, after_name)) = stat.rsplit_once(')') else {
            continue;
        };
        let mut fields = after_name.split_whitespace();
        if fields.next() != Some("Z") && fields.next() == Some(&parent.to_string()) {
            let id = entry.file_name().to_string_lossy().parse().unwrap();
            children.push(Pid::from_raw(id));
        }
    }
    children
}

pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process is running. One that has ended may be a zombie, if its new parent doesn't wait
/// for it.
pub fn runs(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, after_name)| !after_name.starts_with(" Z"))
}
