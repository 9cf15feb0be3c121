//! Everything that differs between operating systems: which port is listened on, what processes
//! cost, and how to stop, squeeze and end them.
//!
//! Left out: on systems other than Linux, what processes cost, their descriptors, and setting their
//! limits from outside. Checks that need these are not tried there, and the report says so.

use std::process::Command;
use std::time::Duration;

/// What a group of processes has cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Processor time in user and kernel mode, in steps of 10 ms.
    pub processor_time: Duration,
    /// How long the live ones could have run, but waited for a processor.
    pub waited: Duration,
    /// Memory in use, in bytes.
    pub resident: u64,
}

/// The process that listens on a server's port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Owner {
    /// The one that was started.
    Child,
    /// Another one in its group: the command is a wrapper.
    InGroup {
        /// Its id.
        process: u32,
    },
    /// One that has left the group, but was started by the command: it has inherited the mark.
    Daemon {
        /// Its id.
        process: u32,
        /// The id of its group.
        group: u32,
    },
    /// One that the command didn't start itself, as in a container, or whose environment can't be
    /// read.
    Stranger {
        /// Its id.
        process: u32,
    },
    /// Unknown: it belongs to another user, or this system doesn't report it.
    Unknown,
}

/// The environment variable by which the processes that a command has started are recognised.
const MARK: &str = "SERVER_PROCESS";

/// Its value for the server on this port. No other server of this user has the same port.
fn mark(port: u16) -> std::ffi::OsString {
    port.to_string().into()
}

/// Marks what the command starts as belonging to the server on this port.
pub(crate) fn set_mark(command: &mut Command, port: u16) {
    command.env(MARK, mark(port));
}

/// Lets the command start a new process group, so that a wrapper (`cargo run`, `sh`) and the server
/// below it are counted and ended together.
pub(crate) fn in_a_group_of_its_own(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command; // Left out: job objects; only the command itself is ended
}

/// The same command with at most `limit` descriptors. A shell sets the limit, because a process can
/// only lower its own. `None` if the system has no such limit.
pub fn with_descriptor_limit(command: &[String], limit: u32) -> Option<Vec<String>> {
    let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
    let shell = ["sh".into(), "-c".into(), script];
    cfg!(unix).then(|| shell.into_iter().chain(command.iter().cloned()).collect())
}

#[cfg(unix)]
mod signals {
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    /// Sends what a terminal sends for Ctrl-C. Returns whether there was a process to get it.
    pub(crate) fn interrupt(group: u32) -> bool {
        killpg(Pid::from_raw(group.cast_signed()), Signal::SIGINT).is_ok()
    }

    /// Stops every process of the group: none can refuse (signal(7), SIGSTOP). Returns whether
    /// there was one to stop.
    pub(crate) fn pause(group: u32) -> bool {
        killpg(Pid::from_raw(group.cast_signed()), Signal::SIGSTOP).is_ok()
    }

    /// Resumes every process of the group. Returns whether there was one to resume.
    pub(crate) fn resume(group: u32) -> bool {
        killpg(Pid::from_raw(group.cast_signed()), Signal::SIGCONT).is_ok()
    }

    /// Ends every process of the group.
    pub(crate) fn kill(group: u32) {
        match killpg(Pid::from_raw(group.cast_signed()), Signal::SIGKILL) {
            // ESRCH: no process is left. EPERM: those that are left belong to another user, and we
            // may not end them.
            Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
            Err(error) => debug_assert!(false, "killpg(2): {error}"),
        }
    }
}

#[cfg(not(unix))]
mod signals {
    /// Left out: GenerateConsoleCtrlEvent.
    pub(crate) fn interrupt(_group: u32) -> bool {
        false
    }

    /// Left out: NtSuspendProcess, which isn't documented.
    pub(crate) fn pause(_group: u32) -> bool {
        false
    }

    pub(crate) fn resume(_group: u32) -> bool {
        false
    }

    pub(crate) fn kill(_group: u32) {}
}

pub(crate) use signals::{interrupt, kill, pause, resume};

#[cfg(target_os = "linux")]
mod proc {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::io::{self, BufRead, BufReader};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::ops::Range;
    use std::thread;
    use std::time::{Duration, Instant};

    use procfs::process::{FDInfo, FDTarget, ProcState, Process, Stat, all_processes};
    use procfs::{ProcResult, ticks_per_second};
    use rlimit::{Resource, prlimit};

    use super::{Cost, MARK, Owner, mark};
    use crate::port::is_free;

    /// How many bytes a line of `/proc/net/tcp` has, including the blanks that fill it up (TMPSZ in
    /// net/ipv4/tcp_ipv4.c of the kernel). Lines of `tcp6` are longer.
    const LINE: usize = 150;

    /// TCP_LISTEN in the `st` column (include/net/tcp_states.h of the kernel).
    const LISTEN: &str = "0A";

    /// A listening socket.
    struct Listener {
        /// The address that it is bound to, as the kernel writes it.
        address: String,
        inode: u64,
    }

    /// The socket that listens on `port`. proc_pid_net(5) shows it without disturbing the server
    /// with a connection.
    fn listener(port: u16) -> Option<Listener> {
        ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
            // Listeners come first, and there may be thousands of other sockets after them. To fill
            // a larger buffer, the kernel would go through those too.
            let table = BufReader::with_capacity(LINE, File::open(table).ok()?);
            let lines = table.lines().map_while(Result::ok);
            let mut listeners = lines.skip(1).map_while(|line| listener_of(&line));
            listeners.find(|(_, its_port)| *its_port == port).map(|(listener, _)| listener)
        })
    }

    /// The listener in a line of such a table, and its port; `None` for other sockets.
    fn listener_of(line: &str) -> Option<(Listener, u16)> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let inode = fields.get(9)?.parse().ok()?;
        (fields[3] == LISTEN).then(|| (Listener { address: address.to_owned(), inode }, port))
    }

    /// The address of the server that listens on `port`.
    pub(crate) fn listener_on(port: u16) -> Option<SocketAddr> {
        let Listener { address, .. } = listener(port)?;
        Some(SocketAddr::new(reachable(&address, || is_free(port).is_ok()), port))
    }

    /// The address at which to reach a server that listens on this one. A server that listens on
    /// all addresses is reached at 127.0.0.1: listening on all of IPv6 includes IPv4 by default
    /// (ipv6(7), IPV6_V6ONLY). Where it doesn't, the port is free for IPv4.
    fn reachable(hexadecimal: &str, is_free_for_ipv4: impl Fn() -> bool) -> IpAddr {
        // Every 32 bits are written as a number in the machine's byte order.
        let bytes: Vec<u8> = (0..hexadecimal.len() / 8)
            .filter_map(|word| u32::from_str_radix(&hexadecimal[8 * word..][..8], 16).ok())
            .flat_map(u32::to_ne_bytes)
            .collect();
        let address = <[u8; 4]>::try_from(&bytes[..])
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(&bytes[..]).map(|bytes| Ipv6Addr::from(bytes).into()))
            .map(|address: IpAddr| address.to_canonical());
        match address {
            Ok(address) if !address.is_unspecified() => address,
            Ok(IpAddr::V6(_)) if is_free_for_ipv4() => Ipv6Addr::LOCALHOST.into(),
            _ => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// Which process listens on `port`, after `child` was started.
    pub(crate) fn owner(port: u16, child: u32) -> Owner {
        let Some(Listener { inode, .. }) = listener(port) else { return Owner::Unknown };
        let is_its = |process: &Process| {
            let mut open = process.fd().into_iter().flatten().flatten();
            open.any(|it| matches!(it.target, FDTarget::Socket(number) if number == inode))
        };
        // Most often it is the process that was started, and then the others aren't searched.
        if Process::new(child.cast_signed()).is_ok_and(|child| is_its(&child)) {
            return Owner::Child;
        }
        let all = || all_processes().into_iter().flatten().flatten();
        let Some(owner) = all().find(is_its) else { return Owner::Unknown };
        let process = owner.pid.cast_unsigned();
        let Ok(stat) = owner.stat() else { return Owner::Unknown };
        let group = stat.pgrp.cast_unsigned();
        let is_marked =
            owner.environ().is_ok_and(|it| it.get(OsStr::new(MARK)) == Some(&mark(port)));
        match group == child {
            true => Owner::InGroup { process },
            false if is_marked => Owner::Daemon { process, group },
            false => Owner::Stranger { process },
        }
    }

    /// Ports that the kernel doesn't assign by itself (ip(7), ip_local_port_range).
    pub(crate) fn quiet_ports() -> Range<u16> {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let first = range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
        super::quiet_ports_below(first.unwrap_or(32_768))
    }

    /// What the processes of a group have cost, including those that have ended and been waited
    /// for.
    pub(crate) fn cost(group: u32) -> Option<Cost> {
        let mut cost = Cost::default();
        for (process, stat) in processes(group)? {
            // Their own time, and that of children that have been waited for.
            let ticks = stat.utime + stat.stime + (stat.cutime + stat.cstime).unsigned_abs();
            // A process that ends meanwhile has no more files; then its parent's figures include
            // it.
            let Ok(status) = process.status() else { continue };
            cost.processor_time += Duration::from_secs(ticks) / ticks_per_second() as u32;
            cost.waited += waited(&process).unwrap_or_default();
            // A process that has ended and wasn't waited for has no memory any more.
            cost.resident += 1024 * status.vmrss.unwrap_or(0);
        }
        Some(cost)
    }

    /// The processes of a group.
    fn processes(group: u32) -> Option<Vec<(Process, Stat)>> {
        let with_stat = |process: ProcResult<Process>| {
            let process = process.ok()?;
            let stat = process.stat().ok()?;
            (stat.pgrp == group.cast_signed()).then_some((process, stat))
        };
        Some(all_processes().ok()?.filter_map(with_stat).collect())
    }

    /// How long all of its threads could have run, but waited for a processor. A kernel that is
    /// built without schedstat (sched-stats.rst of the kernel) doesn't report it.
    fn waited(process: &Process) -> Option<Duration> {
        // A thread that ends meanwhile no longer matters.
        let stats = process.tasks().ok()?.filter_map(|thread| thread.ok()?.schedstat().ok());
        Some(Duration::from_nanos(stats.map(|stat| stat.run_delay).sum()))
    }

    /// Waits until every thread of the group has stopped: a signal takes effect after it is sent,
    /// on a busy machine long after. Returns whether they stopped within some seconds.
    pub(crate) fn wait_until_paused(group: u32) -> bool {
        const PATIENCE: Duration = Duration::from_secs(5);
        let deadline = Instant::now() + PATIENCE;
        let have_stopped = |all: Vec<(Process, _)>| all.iter().all(|(it, _)| has_stopped(it));
        while !processes(group).is_some_and(have_stopped) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Whether no thread of the process runs.
    fn has_stopped(process: &Process) -> bool {
        // A thread that ends meanwhile has no more files.
        let threads = process.tasks().into_iter().flatten();
        let mut states = threads.filter_map(|thread| thread.ok()?.stat().ok()?.state().ok());
        states.all(|it| matches!(it, ProcState::Stopped | ProcState::Zombie | ProcState::Dead))
    }

    /// How many descriptors the processes of a group have open, together.
    pub(crate) fn descriptors(group: u32) -> Option<u64> {
        // A process that ends meanwhile has none any more.
        let counts = processes(group)?.into_iter().filter_map(|(it, _)| it.fd_count().ok());
        Some(counts.sum::<usize>() as u64)
    }

    /// Processes whose soft limits of descriptors are lowered. Dropping this restores the limits.
    pub struct Squeezed {
        group: u32,
        /// The soft limits before, by the processes' numbers.
        before: BTreeMap<i32, u64>,
    }

    /// Leaves each process of the group `spare` descriptors in addition to those that it has open,
    /// and to those of lower numbers that it has closed. `None` if no process could be squeezed:
    /// they belong to another user (prlimit(2), EPERM), or are gone.
    pub(crate) fn squeeze(group: u32, spare: u64) -> Option<Squeezed> {
        let mut squeezed = Squeezed { group, before: BTreeMap::new() };
        for (process, _) in processes(group)? {
            let Ok(descriptors) = process.fd() else { continue };
            let open: Vec<FDInfo> = descriptors.filter_map(Result::ok).collect();
            // The limit applies to the numbers of descriptors. If a connection's number were above
            // the limit, the server could still use the free ones below it, and would then have
            // more descriptors than the limit. That never happens by itself, and poll(2) rejects it
            // (EINVAL). A server may inherit other descriptors with high numbers.
            let low = open.len() as u64 + spare;
            let sockets = open.iter().filter(|it| matches!(it.target, FDTarget::Socket(_)));
            let highest = sockets.map(|it| u64::from(it.fd.cast_unsigned())).max();
            let limit = highest.map_or(low, |highest| low.max(highest + 1));
            // Never more than before: select(2) can't handle more than 1024.
            let set = |(soft, _)| set_soft_limit(process.pid, limit.min(soft)).map(|()| soft);
            if let Ok(before) = limits(process.pid).and_then(set) {
                squeezed.before.insert(process.pid, before);
            }
        }
        (!squeezed.before.is_empty()).then_some(squeezed)
    }

    impl Drop for Squeezed {
        fn drop(&mut self) {
            // A process that was started meanwhile has inherited the low limit of its parent, which
            // is most probably among the first.
            let of_a_parent = self.before.values().next().copied();
            for (process, _) in processes(self.group).unwrap_or_default() {
                if let Some(before) = self.before.get(&process.pid).copied().or(of_a_parent) {
                    // It fails only for a process that is gone.
                    set_soft_limit(process.pid, before).ok();
                }
            }
        }
    }

    /// The soft and the hard limit.
    fn limits(process: i32) -> io::Result<(u64, u64)> {
        let (mut soft, mut hard) = (0, 0);
        let limits = Some((&mut soft, &mut hard));
        prlimit(process, Resource::NOFILE, None, limits)?;
        Ok((soft, hard))
    }

    /// Keeps the hard limit, so that the soft one can be raised again.
    fn set_soft_limit(process: i32, soft: u64) -> io::Result<()> {
        let (_, hard) = limits(process)?;
        prlimit(process, Resource::NOFILE, Some((soft.min(hard), hard)), None)
    }

    #[cfg(test)]
    mod tests {
        use std::net::{TcpListener, TcpStream};

        use super::*;

        #[test]
        fn listeners_are_found_and_connections_are_not() {
            for host in ["127.0.0.1:0", "0.0.0.0:0", "127.0.0.2:0"] {
                let listener = TcpListener::bind(host).unwrap();
                let port = listener.local_addr().unwrap().port();
                let found = listener_on(port).unwrap();
                let client = TcpStream::connect(found).unwrap();
                drop(listener);
                // A process that another test is just starting has inherited it until execve(2).
                let deadline = Instant::now() + Duration::from_secs(20);
                while listener_on(port).is_some() {
                    assert!(Instant::now() < deadline, "{client:?}");
                    thread::yield_now();
                }
            }
        }

        #[test]
        fn addresses_are_read_as_the_kernel_writes_them() {
            let words = if cfg!(target_endian = "little") { "0100007F" } else { "7F000001" };
            let reachable = |words: &str| super::reachable(words, || false);
            assert_eq!(reachable(words), Ipv4Addr::LOCALHOST);
            assert_eq!(reachable(&"0".repeat(32)), Ipv4Addr::LOCALHOST);
            assert_eq!(super::reachable(&"0".repeat(32), || true), Ipv6Addr::LOCALHOST);
            let last = if cfg!(target_endian = "little") { "01000000" } else { "00000001" };
            assert_eq!(reachable(&("0".repeat(24) + last)), Ipv6Addr::LOCALHOST);
        }

        #[test]
        fn this_test_costs_something() {
            let group = nix::unistd::getpgrp().as_raw().cast_unsigned();
            assert!(cost(group).unwrap().resident > 1 << 16);
        }

        /// It is ended even if the test fails, because it would keep the test's output open.
        struct Sleeper(std::process::Child);

        impl Drop for Sleeper {
            fn drop(&mut self) {
                self.0.kill().unwrap();
                self.0.wait().unwrap();
            }
        }

        #[test]
        fn a_process_can_be_squeezed_stopped_and_left_alone_again() {
            let mut command = std::process::Command::new("sleep");
            super::super::in_a_group_of_its_own(&mut command);
            let sleeper = Sleeper(command.arg("1000").spawn().unwrap());
            let group = sleeper.0.id();
            let limit = || limits(group.cast_signed()).unwrap().0;
            let process = Process::new(group.cast_signed()).unwrap();
            let before = limit();
            // It is stopped first, because it opens and closes files while it starts.
            assert!(super::super::pause(group));
            assert!(wait_until_paused(group));
            let open = descriptors(group).unwrap();
            assert!(open >= 3);
            let squeezed = squeeze(group, 5).unwrap();
            assert_eq!(limit(), open + 5);
            drop(squeezed);
            assert_eq!(limit(), before);

            assert!(super::super::resume(group));
            while has_stopped(&process) {
                thread::yield_now();
            }
            drop(sleeper);
            assert!(squeeze(group, 7).is_none());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::ops::Range;
    use std::time::Duration;

    use super::{Cost, Owner};

    /// The address of the server that listens on `port`. On these systems the only way is to
    /// connect, so the server sees a client that comes and goes.
    pub(crate) fn listener_on(port: u16) -> Option<SocketAddr> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok().map(|_| address)
    }

    /// Ports that the system doesn't assign by itself. Old BSDs assign ports from 10000 on, others
    /// from 49152.
    pub(crate) fn quiet_ports() -> Range<u16> {
        super::quiet_ports_below(10_000)
    }

    /// Left out: which process listens.
    pub(crate) fn owner(_port: u16, _child: u32) -> Owner {
        Owner::Unknown
    }

    /// Left out: what processes cost.
    pub(crate) fn cost(_group: u32) -> Option<Cost> {
        None
    }

    /// Left out: how many descriptors others have open.
    pub(crate) fn descriptors(_group: u32) -> Option<u64> {
        None
    }

    pub(crate) fn wait_until_paused(_group: u32) -> bool {
        false
    }

    /// Processes can't be squeezed here, so this type has no value.
    pub enum Squeezed {}

    /// Left out: only Linux can set the limits of another process.
    pub(crate) fn squeeze(_group: u32, _spare: u64) -> Option<Squeezed> {
        None
    }
}

pub use proc::Squeezed;
pub(crate) use proc::{
    cost, descriptors, listener_on, owner, quiet_ports, squeeze, wait_until_paused,
};

/// The ports below `first`, but not below 5000, where well-known servers are; if too few are left,
/// those from 10000 on.
fn quiet_ports_below(first: u16) -> std::ops::Range<u16> {
    const LOWEST: u16 = 5000;
    if first > LOWEST + 1000 { LOWEST..first } else { 10_000..u16::MAX }
}
