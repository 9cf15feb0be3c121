//! What a server costs while it runs, as seen from outside; and how it is paused for a moment.

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Meter;
#[cfg(target_os = "linux")]
pub use linux::Meter;
#[cfg(target_os = "linux")]
pub(crate) use linux::kibibytes;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill};
    use nix::time::{ClockId, clock_getcpuclockid};
    use nix::unistd::Pid;

    /// Measures a process and its descendants. Two meters are equal if they measure the same
    /// processes.
    #[derive(Debug, PartialEq)]
    pub struct Meter {
        processes: Vec<Pid>,
    }

    impl Meter {
        /// A meter of this process and of all descendants that it has by now.
        pub fn of(process: u32) -> Self {
            let all = processes_and_parents();
            let mut processes = vec![process];
            let mut next = 0;
            while let Some(&parent) = processes.get(next) {
                let is_child = |&&(_, its_parent): &&(u32, u32)| its_parent == parent;
                processes.extend(all.iter().filter(is_child).map(|&(child, _)| child));
                next += 1;
            }
            let pid = |process: u32| Pid::from_raw(process.cast_signed());
            Meter { processes: processes.into_iter().map(pid).collect() }
        }

        /// The processor time that they have used so far, in user and kernel mode.
        ///
        /// It is read from the processes' clocks (clock_getcpuclockid(3)), which count nanoseconds
        /// of all threads, including those that have ended. `None` once a process has ended, or
        /// where the system doesn't report it.
        pub fn processor_time(&self) -> Option<Duration> {
            let of_one = |&process: &Pid| {
                let clock: ClockId = clock_getcpuclockid(process).ok()?;
                clock.now().ok().map(Duration::from)
            };
            self.processes.iter().map(of_one).sum()
        }

        /// The memory that they have in use, in bytes (`VmRSS` of proc_pid_status(5)).
        pub fn memory(&self) -> Option<u64> {
            let of_one = |process: &Pid| {
                let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
                kibibytes(&status, "VmRSS:")
            };
            self.processes.iter().map(of_one).sum()
        }

        /// The memory that is theirs alone, in bytes: heaps and stacks, as far as they are in use
        /// (`Anonymous` of smaps_rollup, proc_pid_smaps(5)). It doesn't include the pages of the
        /// program itself, which come and go.
        pub fn own_memory(&self) -> Option<u64> {
            let of_one = |process: &Pid| {
                let maps = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
                kibibytes(&maps, "Anonymous:")
            };
            self.processes.iter().map(of_one).sum()
        }

        /// How many descriptors they have open.
        pub fn descriptors(&self) -> Option<usize> {
            let of_one = |process: &Pid| {
                // proc_pid_fd(5): since Linux 6.2 the size of the folder is their number, so
                // thousands of entries need not be counted.
                let folder = format!("/proc/{process}/fd");
                match fs::metadata(&folder).ok()?.len() {
                    0 => Some(fs::read_dir(folder).ok()?.count()),
                    count => usize::try_from(count).ok(),
                }
            };
            self.processes.iter().map(of_one).sum()
        }

        /// Pauses them, like Ctrl-Z, until the value is dropped. They may still be finishing a
        /// system call when this returns.
        pub(crate) fn pause(&self) -> Paused<'_> {
            self.send(Signal::SIGSTOP);
            Paused(self)
        }

        fn send(&self, signal: Signal) {
            for &process in &self.processes {
                match kill(process, signal) {
                    Ok(()) | Err(Errno::ESRCH) => {} // ESRCH: it has ended meanwhile
                    Err(error) => debug_assert!(false, "kill(2): {error}"),
                }
            }
        }
    }

    /// Processes that are paused. Dropping this lets them continue.
    pub(crate) struct Paused<'a>(&'a Meter);

    impl Drop for Paused<'_> {
        fn drop(&mut self) {
            self.0.send(Signal::SIGCONT);
        }
    }

    /// A figure, in bytes, from a file of proc(5) with one figure per line.
    pub(crate) fn kibibytes(text: &str, name: &str) -> Option<u64> {
        let figure = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(1024 * figure.split_whitespace().next()?.parse::<u64>().ok()?)
    }

    /// All processes of the system, each with its parent.
    fn processes_and_parents() -> Vec<(u32, u32)> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let with_parent = |entry: fs::DirEntry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            // One that ends meanwhile no longer has these files, and doesn't matter.
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // proc_pid_stat(5): after the name in parentheses come the state and the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((process, parent))
        };
        processes.filter_map(with_parent).collect()
    }

    #[cfg(test)]
    mod tests {
        use std::io::Read;
        use std::process::{Command, Stdio};
        use std::time::Instant;

        use super::*;

        #[test]
        fn this_process_works_and_uses_memory() {
            // Without children: other tests start some meanwhile, and they end.
            let meter = Meter { processes: vec![Pid::this()] };
            let before = meter.processor_time().unwrap();
            let began = Instant::now();
            while meter.processor_time().unwrap() == before {
                assert!(began.elapsed() < Duration::from_secs(60), "nothing is counted");
            }
            assert!(meter.memory().unwrap() > 1 << 16);
        }

        #[test]
        fn what_this_process_writes_to_is_its_own_and_what_it_opens_is_counted() {
            let meter = Meter { processes: vec![Pid::this()] };
            let before = meter.own_memory().unwrap();
            let written = vec![1_u8; 8 << 20];
            let grown = meter.own_memory().unwrap().saturating_sub(before);
            assert!(grown > written.len() as u64 / 2, "other tests may free some: {grown}");
            // Other tests open and close some meanwhile, but not as many.
            let descriptors = meter.descriptors().unwrap();
            let opened: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
            let more = meter.descriptors().unwrap() - descriptors;
            assert!(more > opened.len() / 2, "{more}");
        }

        #[test]
        fn children_of_children_are_found() {
            // The shell has to stay, to wait for the other one.
            let mut shell = Command::new("sh")
                .args(["-c", "sh -c 'echo here; read line; true'; true"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut said = [0; 5];
            shell.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
            let meter = Meter::of(shell.id());
            assert_eq!(meter.processes.len(), 2);
            assert!(meter.processor_time().is_some());
            drop(shell.stdin.take());
            shell.wait().unwrap();
            assert_eq!(meter.processor_time(), None, "they have ended");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::time::Duration;

    /// Left out: what processes cost on systems other than Linux.
    #[derive(Debug, PartialEq)]
    pub struct Meter;

    impl Meter {
        /// A meter that reports nothing.
        pub fn of(_process: u32) -> Self {
            Meter
        }

        /// Unknown here.
        pub fn processor_time(&self) -> Option<Duration> {
            None
        }

        /// Unknown here.
        pub fn memory(&self) -> Option<u64> {
            None
        }

        /// Unknown here.
        pub fn own_memory(&self) -> Option<u64> {
            None
        }

        /// Unknown here.
        pub fn descriptors(&self) -> Option<usize> {
            None
        }

        /// Pauses nothing here.
        pub(crate) fn pause(&self) -> Paused {
            Paused
        }
    }

    /// Nothing is paused.
    pub(crate) struct Paused;
}
