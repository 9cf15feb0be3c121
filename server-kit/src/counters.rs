//! What a server has done, in numbers.

use std::fmt;

/// A system call that servers make, by the name of its manual page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// accept(2)
    Accept,
    /// recv(2)
    Recv,
    /// send(2)
    Send,
    /// shutdown(2)
    Shutdown,
    /// close(2)
    Close,
    /// setsockopt(2): `TCP_NODELAY` and time-outs
    SetSockOpt,
    /// getsockopt(2): the error that waits on a socket
    GetSockOpt,
    /// ioctl(2): non-blocking mode
    Ioctl,
    /// select(2)
    Select,
    /// epoll_wait(2), or what takes its place: kevent(2), `GetQueuedCompletionStatusEx`
    EpollWait,
    /// epoll_ctl(2), or what takes its place
    EpollCtl,
    /// timerfd_settime(2)
    TimerfdSettime,
    /// read(2), of something other than a connection
    Read,
    /// write(2), to the console
    Write,
    /// nanosleep(2), or another way to sleep for a time only
    Nanosleep,
}

impl Call {
    const ALL: [Call; 15] = [
        Call::Accept,
        Call::Recv,
        Call::Send,
        Call::Shutdown,
        Call::Close,
        Call::SetSockOpt,
        Call::GetSockOpt,
        Call::Ioctl,
        Call::Select,
        Call::EpollWait,
        Call::EpollCtl,
        Call::TimerfdSettime,
        Call::Read,
        Call::Write,
        Call::Nanosleep,
    ];

    /// The name of the manual page.
    pub fn name(self) -> &'static str {
        match self {
            Call::Accept => "accept",
            Call::Recv => "recv",
            Call::Send => "send",
            Call::Shutdown => "shutdown",
            Call::Close => "close",
            Call::SetSockOpt => "setsockopt",
            Call::GetSockOpt => "getsockopt",
            Call::Ioctl => "ioctl",
            Call::Select => "select",
            Call::EpollWait => "epoll_wait",
            Call::EpollCtl => "epoll_ctl",
            Call::TimerfdSettime => "timerfd_settime",
            Call::Read => "read",
            Call::Write => "write",
            Call::Nanosleep => "nanosleep",
        }
    }
}

/// How many connections, requests and replies there were, and what they cost.
///
/// Every system call that the server makes for its clients is counted where it is made, under
/// the name of its manual page; those of its start and its end, and the allocator's, are not.
/// `strace -c` prints recv as recvfrom, send as sendto, accept as accept4, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Requests received in full.
    pub requests: u64,
    /// Replies handed to the kernel to their last byte.
    pub replies: u64,
    calls: [u64; Call::ALL.len()],
}

impl Counters {
    /// Counts one system call.
    pub fn count(&mut self, call: Call) {
        self.calls[call as usize] += 1;
    }

    /// Every system call that was made at all, and how often.
    pub fn calls(&self) -> impl Iterator<Item = (Call, u64)> {
        Call::ALL.into_iter().zip(self.calls).filter(|(_, times)| *times > 0)
    }

    /// System calls of all kinds.
    pub fn all_calls(&self) -> u64 {
        self.calls.iter().sum()
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "connections: {}, requests: {}, replies: {}",
            self.connections, self.requests, self.replies
        )?;
        write!(f, "system calls: {}", self.all_calls())?;
        let mut separator = " (";
        for (call, times) in self.calls() {
            write!(f, "{separator}{} {times}", call.name())?;
            separator = ", ";
        }
        if separator == ", " { f.write_str(")") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_counted_under_its_own_name() {
        for (place, call) in Call::ALL.into_iter().enumerate() {
            assert_eq!(call as usize, place);
            let mut counters = Counters::default();
            counters.count(call);
            assert_eq!(counters.calls().collect::<Vec<_>>(), [(call, 1)]);
        }
    }

    #[test]
    fn counters_are_told_in_two_lines() {
        let mut counters =
            Counters { connections: 1, requests: 2, replies: 2, ..Counters::default() };
        let nothing_called = "connections: 1, requests: 2, replies: 2\nsystem calls: 0";
        assert_eq!(counters.to_string(), nothing_called);
        counters.count(Call::Accept);
        counters.count(Call::Recv);
        counters.count(Call::Recv);
        assert!(counters.to_string().ends_with("\nsystem calls: 3 (accept 1, recv 2)"));
    }
}
