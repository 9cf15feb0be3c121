//! What a server has done: connections, requests, replies and system calls, counted.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

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
    /// getsockopt(2): the pending error of a socket
    GetSockOpt,
    /// getpeername(2): the address of a client
    GetPeerName,
    /// ioctl(2): non-blocking mode
    Ioctl,
    /// select(2)
    Select,
    /// poll(2)
    Poll,
    /// epoll_wait(2), or the call in its place: kevent(2), `GetQueuedCompletionStatusEx`
    EpollWait,
    /// epoll_ctl(2), or the call in its place
    EpollCtl,
    /// timerfd_settime(2)
    TimerfdSettime,
    /// io_uring_enter(2)
    IoUringEnter,
    /// clone(2): a thread
    Clone,
    /// read(2), of something other than a connection
    Read,
    /// write(2), to the console
    Write,
    /// nanosleep(2), or another call that only sleeps
    Nanosleep,
}

impl Call {
    const ALL: [Call; 19] = [
        Call::Accept,
        Call::Recv,
        Call::Send,
        Call::Shutdown,
        Call::Close,
        Call::SetSockOpt,
        Call::GetSockOpt,
        Call::GetPeerName,
        Call::Ioctl,
        Call::Select,
        Call::Poll,
        Call::EpollWait,
        Call::EpollCtl,
        Call::TimerfdSettime,
        Call::IoUringEnter,
        Call::Clone,
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
            Call::GetPeerName => "getpeername",
            Call::Ioctl => "ioctl",
            Call::Select => "select",
            Call::Poll => "poll",
            Call::EpollWait => "epoll_wait",
            Call::EpollCtl => "epoll_ctl",
            Call::TimerfdSettime => "timerfd_settime",
            Call::IoUringEnter => "io_uring_enter",
            Call::Clone => "clone",
            Call::Read => "read",
            Call::Write => "write",
            Call::Nanosleep => "nanosleep",
        }
    }
}

/// How many connections, requests and replies there were, and how many system calls they took.
///
/// Every system call that the server makes for its clients is counted where it is made, under the
/// name of its manual page. Calls at the start and the end of the server, and those of the
/// allocator, are not counted. `strace -c` prints recv as recvfrom, send as sendto, accept as
/// accept4, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Requests received in full.
    pub requests: u64,
    /// Replies of which the kernel has taken every byte.
    pub replies: u64,
    /// Which system calls are not counted, because a runtime or the standard library makes them.
    /// `None`: the count is exact.
    pub not_counted: Option<&'static str>,
    calls: [u64; Call::ALL.len()],
}

impl Counters {
    /// Counts one system call.
    pub fn count(&mut self, call: Call) {
        self.calls[call as usize] += 1;
    }

    /// The system calls that were made at all, and how often.
    pub fn calls(&self) -> impl Iterator<Item = (Call, u64)> {
        Call::ALL.into_iter().zip(self.calls).filter(|(_, times)| *times > 0)
    }

    /// System calls of all kinds.
    pub fn all_calls(&self) -> u64 {
        self.calls.iter().sum()
    }
}

/// Adds up what several threads or processes have done.
impl AddAssign<&Counters> for Counters {
    fn add_assign(&mut self, other: &Counters) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.replies += other.replies;
        self.not_counted = self.not_counted.or(other.not_counted);
        for (sum, times) in self.calls.iter_mut().zip(other.calls) {
            *sum += times;
        }
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { connections, requests, replies, .. } = self;
        writeln!(f, "connections: {connections}, requests: {requests}, replies: {replies}")?;
        let at_least = if self.not_counted.is_some() { "at least " } else { "" };
        write!(f, "system calls: {at_least}{}", self.all_calls())?;
        let each: Vec<_> =
            self.calls().map(|(call, times)| format!("{} {times}", call.name())).collect();
        if !each.is_empty() {
            write!(f, " ({})", each.join(", "))?;
        }
        self.not_counted.map_or(Ok(()), |what| write!(f, "; not counted: {what}"))
    }
}

/// Reads what `Display` has written, for a server of several processes. `not_counted` is lost.
impl FromStr for Counters {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
        let mut counters = Counters::default();
        let words = text.split(|c: char| c.is_whitespace() || "(),:;".contains(c));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let (name, times) = (pair[0], pair[1]);
            let sum = match name {
                "connections" => &mut counters.connections,
                "requests" => &mut counters.requests,
                "replies" => &mut counters.replies,
                _ => match Call::ALL.into_iter().find(|call| call.name() == name) {
                    Some(call) => &mut counters.calls[call as usize],
                    None => continue,
                },
            };
            *sum = number(times)?;
        }
        Ok(counters)
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
    #[test]
    fn what_is_not_counted_is_told() {
        let counters = Counters { not_counted: Some("what sleeps"), ..Counters::default() };
        assert!(counters.to_string().ends_with("calls: at least 0; not counted: what sleeps"));
    }

    #[test]
    fn what_is_told_can_be_read_and_added_up() {
        let mut counters =
            Counters { connections: 1, requests: 20, replies: 19, ..Counters::default() };
        for (times, call) in Call::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| counters.count(call));
        }
        let read: Counters = counters.to_string().parse().unwrap();
        assert_eq!(read, counters);
        let mut sum = read;
        sum += &counters;
        assert_eq!((sum.connections, sum.requests, sum.replies), (2, 40, 38));
        assert_eq!(sum.all_calls(), 2 * counters.all_calls());
        assert!("requests: many".parse::<Counters>().is_err());
    }
}
