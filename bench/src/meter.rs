//! What a server costs while it runs, as seen from outside; and how it is paused for a moment.

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Meter;
#[cfg(target_os = "linux")]
pub use linux::Meter;

#[cfg(target_os = "linux")]
mod linux {
    use std::iter::Sum;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill};
    use nix::time::{ClockId, clock_getcpuclockid};
    use nix::unistd::Pid;
    use procfs::process::{Process, Stat, all_processes};

    /// Measures a process and its descendants. Two meters are equal if they measure the same
    /// processes.
    #[derive(Debug, PartialEq)]
    pub struct Meter {
        processes: Vec<Pid>,
    }

    impl Meter {
        /// A meter of this process and of all descendants that it has by now.
        pub fn of(process: u32) -> Self {
            // One that ends meanwhile has no more files, and doesn't matter.
            let stats = all_processes().into_iter().flatten().filter_map(|it| it.ok()?.stat().ok());
            let all: Vec<Stat> = stats.collect();
            let mut processes = vec![process.cast_signed()];
            let mut next = 0;
            while let Some(&parent) = processes.get(next) {
                let children = all.iter().filter(|stat| stat.ppid == parent);
                processes.extend(children.map(|stat| stat.pid));
                next += 1;
            }
            Meter { processes: processes.into_iter().map(Pid::from_raw).collect() }
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
            self.sum(|process| Some(1024 * process.status().ok()?.vmrss?))
        }

        /// The memory that is theirs alone, in bytes: heaps and stacks, as far as they are in use
        /// (`Anonymous` of smaps_rollup, proc_pid_smaps(5)). It doesn't include the pages of the
        /// program itself, which come and go.
        pub fn own_memory(&self) -> Option<u64> {
            self.sum(|process| {
                let maps = process.smaps_rollup().ok()?.memory_map_rollup;
                maps.into_iter().next()?.extension.map.get("Anonymous").copied()
            })
        }

        /// How many descriptors they have open.
        pub fn descriptors(&self) -> Option<usize> {
            self.sum(|process| process.fd_count().ok())
        }

        fn sum<N: Sum>(&self, of_one: impl Fn(&Process) -> Option<N>) -> Option<N> {
            let processes = self.processes.iter().map(|process| Process::new(process.as_raw()));
            processes.map(|process| of_one(&process.ok()?)).sum()
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

    #[cfg(test)]
    mod tests {
        use std::fs;
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
