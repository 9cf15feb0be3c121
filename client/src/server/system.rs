//! The one door to what differs between systems: who listens where, what processes cost, and
//! how they are told to end.
//!
//! Left out: anything but Linux for what processes cost. Checks that ask for it are not tried
//! elsewhere, and say so.

use std::process::Command;
use std::time::Duration;

/// What a group of processes has cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Processor time in user and kernel mode, in steps of a hundredth of a second.
    pub(crate) processor_time: Duration,
    /// How long those that live could have run, but others had the processors.
    pub(crate) waited: Duration,
    /// Memory in use, in bytes.
    pub(crate) resident: u64,
}

/// Has the command start a process group of its own, so that a wrapper (`cargo run`, `sh`) and
/// the server below it are counted and ended together.
pub(crate) fn in_a_group_of_its_own(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command; // Left out: job objects; only the command itself is ended
}

/// The same command, with so many descriptors at most. A shell sets the limit, since a process
/// can only lower its own. `None` where there is no such limit.
pub(crate) fn with_descriptor_limit(command: &[String], limit: u32) -> Option<Vec<String>> {
    let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
    let shell = ["sh".into(), "-c".into(), script];
    cfg!(unix).then(|| shell.into_iter().chain(command.iter().cloned()).collect())
}

#[cfg(unix)]
mod signals {
    use nix::errno::Errno;
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    /// Sends what a terminal sends when somebody presses Ctrl-C. Whether anybody could get it.
    pub(crate) fn interrupt(group: u32) -> bool {
        killpg(Pid::from_raw(group.cast_signed()), Signal::SIGINT).is_ok()
    }

    /// Ends every process of the group.
    pub(crate) fn kill(group: u32) {
        match killpg(Pid::from_raw(group.cast_signed()), Signal::SIGKILL) {
            // ESRCH: nobody is left. EPERM: only such as belong to somebody else are, and
            // whoever has become somebody else is not ours to end.
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

    pub(crate) fn kill(_group: u32) {}
}

pub(crate) use signals::{interrupt, kill};

#[cfg(target_os = "linux")]
mod proc {
    use std::fs::{self, File};
    use std::io::{BufRead, BufReader};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::ops::Range;
    use std::path::Path;
    use std::time::Duration;

    use super::Cost;

    /// TCP_LISTEN in the `st` column (include/net/tcp_states.h of the kernel).
    const LISTEN: &str = "0A";

    /// Where somebody listens on `port`; proc_pid_net(5) tells without disturbing the server
    /// with a connection.
    pub(crate) fn listener_on(port: u16) -> Option<SocketAddr> {
        ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
            let lines = BufReader::new(File::open(table).ok()?).lines().map_while(Result::ok);
            // Those who listen stand first, and there may be thousands of others after them.
            let mut listeners = lines.skip(1).map_while(|line| listener_of(&line));
            listeners.find(|listener| listener.port() == port)
        })
    }

    /// The address in a line of such a table, if it is that of a listener.
    fn listener_of(line: &str) -> Option<SocketAddr> {
        let mut fields = line.split_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (fields.nth(1)? == LISTEN).then(|| SocketAddr::new(reachable(address), port))
    }

    /// The address to call somebody at who listens there. Who listens everywhere is called at
    /// 127.0.0.1: listening on all of IPv6 includes IPv4, unless asked otherwise (ipv6(7)).
    fn reachable(hexadecimal: &str) -> IpAddr {
        // Each 32 bits are written as a number in the machine's order of bytes.
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
            _ => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// Ports that the kernel gives to nobody unasked (ip(7), ip_local_port_range).
    pub(crate) fn quiet_ports() -> Range<u16> {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let first = range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
        super::quiet_ports_below(first.unwrap_or(32_768))
    }

    /// What the processes of a group have cost, those included that have ended and been
    /// waited for.
    pub(crate) fn cost(group: u32) -> Option<Cost> {
        let mut cost = Cost::default();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let is_process = entry.file_name().as_encoded_bytes()[0].is_ascii_digit();
            // One that ends meanwhile has no files any more: then its parent tells for it.
            if let Some(of_one) = is_process.then(|| cost_of_one(&entry.path(), group)).flatten() {
                cost.processor_time += of_one.processor_time;
                cost.waited += of_one.waited;
                cost.resident += of_one.resident;
            }
        }
        Some(cost)
    }

    fn cost_of_one(process: &Path, group: u32) -> Option<Cost> {
        // proc_pid_stat(5): after the name in parentheses the third field is the first.
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        if field(5)? != u64::from(group) {
            return None;
        }
        // utime, stime, and the same of children that have been waited for, in clock ticks,
        // of which Linux has 100 a second for all programs.
        let ticks = field(14)? + field(15)? + field(16)? + field(17)?;
        let status = fs::read_to_string(process.join("status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
        Some(Cost {
            processor_time: Duration::from_millis(10 * ticks),
            waited: waited(process).unwrap_or_default(),
            // A process that has ended and was not waited for has no memory any more.
            resident: 1024 * kibibytes.unwrap_or(0),
        })
    }

    /// The second figure of `schedstat`, in nanoseconds, of all threads (sched-stats.rst of the
    /// kernel). A kernel that was built without it tells nothing.
    fn waited(process: &Path) -> Option<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(process.join("task")).ok()?.flatten() {
            // A thread that ends meanwhile is of no interest any more.
            let stat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let figure = stat.split_whitespace().nth(1).and_then(|figure| figure.parse().ok());
            nanoseconds += figure.unwrap_or(0);
        }
        Some(Duration::from_nanos(nanoseconds))
    }

    #[cfg(test)]
    mod tests {
        use std::net::{TcpListener, TcpStream};

        use super::*;

        #[test]
        fn who_listens_is_found_and_who_is_connected_is_not() {
            for host in ["127.0.0.1:0", "0.0.0.0:0", "127.0.0.2:0"] {
                let listener = TcpListener::bind(host).unwrap();
                let port = listener.local_addr().unwrap().port();
                let found = listener_on(port).unwrap();
                let client = TcpStream::connect(found).unwrap();
                drop(listener);
                assert_eq!(listener_on(port), None, "{client:?}");
            }
        }

        #[test]
        fn addresses_are_read_as_the_kernel_writes_them() {
            let words = if cfg!(target_endian = "little") { "0100007F" } else { "7F000001" };
            assert_eq!(reachable(words), Ipv4Addr::LOCALHOST);
            assert_eq!(reachable(&"0".repeat(32)), Ipv4Addr::LOCALHOST);
            let last = if cfg!(target_endian = "little") { "01000000" } else { "00000001" };
            assert_eq!(reachable(&("0".repeat(24) + last)), Ipv6Addr::LOCALHOST);
        }

        #[test]
        fn this_test_costs_something() {
            let group = nix::unistd::getpgrp().as_raw().cast_unsigned();
            assert!(cost(group).unwrap().resident > 1 << 16);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::ops::Range;
    use std::time::Duration;

    use super::Cost;

    /// Where somebody listens on `port`. Here there is no other way than to connect, which the
    /// server sees: a client that comes and goes.
    pub(crate) fn listener_on(port: u16) -> Option<SocketAddr> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok().map(|_| address)
    }

    /// Ports that the system gives to nobody unasked; the BSDs of old begin at 10000 with that,
    /// others at 49152.
    pub(crate) fn quiet_ports() -> Range<u16> {
        super::quiet_ports_below(10_000)
    }

    /// Left out: what processes cost.
    pub(crate) fn cost(_group: u32) -> Option<Cost> {
        None
    }
}

pub(crate) use proc::{cost, listener_on, quiet_ports};

/// As many as there are below `first`, but none below 5000, where well-known servers live; if
/// so few are left that it makes no sense, those above.
fn quiet_ports_below(first: u16) -> std::ops::Range<u16> {
    const LOWEST: u16 = 5000;
    if first > LOWEST + 1000 { LOWEST..first } else { 10_000..u16::MAX }
}
