//! The one door to what differs between operating systems.

use std::io;

use crate::{Acceptor, Connection};

/// Whether the system, or this process, has no descriptor or no memory left for a socket.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        let full = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
        error.raw_os_error().is_some_and(|code| full.contains(&Errno::from_raw(code)))
    }
    #[cfg(windows)]
    {
        const WSAEMFILE: i32 = 10024;
        const WSAENOBUFS: i32 = 10055;
        matches!(error.raw_os_error(), Some(WSAEMFILE | WSAENOBUFS))
    }
}

/// Whether accept(2) hands on what befell a single connection while it waited in the queue.
///
/// The list is that of accept(2), ERRORS and "Error handling": Linux passes network errors
/// of the new connection on as errors of the call. Other systems add ECONNRESET and
/// ETIMEDOUT.
pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    match error.kind() {
        ConnectionAborted | ConnectionReset | NetworkDown | NetworkUnreachable
        | HostUnreachable | TimedOut | PermissionDenied => true,
        #[cfg(unix)]
        _ => {
            use nix::errno::Errno;
            let lost = [
                Errno::EPROTO,
                Errno::ENOPROTOOPT,
                Errno::EHOSTDOWN,
                Errno::EOPNOTSUPP,
                #[cfg(target_os = "linux")]
                Errno::ENONET,
            ];
            let code = error.raw_os_error().map(Errno::from_raw);
            code.is_some_and(|code| lost.contains(&code))
        }
        #[cfg(windows)]
        _ => false,
    }
}

/// Makes a type known to select(2), epoll(7) and their like by the socket that it owns.
macro_rules! watch_by_its_socket {
    ($owner:ty) => {
        #[cfg(unix)]
        impl std::os::fd::AsFd for $owner {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket().as_fd()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $owner {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket().as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $owner {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.socket().as_socket()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $owner {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.socket().as_raw_socket()
            }
        }
    };
}

watch_by_its_socket!(Acceptor);
watch_by_its_socket!(Connection);

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use nix::errno::Errno;

    /// Most of them can't be provoked on one machine, or on Linux at all.
    #[test]
    fn each_error_of_accept_is_about_descriptors_or_one_connection_or_the_listener() {
        for (errno, out_of_descriptors, one_connection) in [
            (Errno::EMFILE, true, false),
            (Errno::ENFILE, true, false),
            (Errno::ENOBUFS, true, false),
            (Errno::ENOMEM, true, false),
            (Errno::ECONNABORTED, false, true),
            (Errno::ECONNRESET, false, true),
            (Errno::EPROTO, false, true),
            (Errno::EPERM, false, true),
            (Errno::ETIMEDOUT, false, true),
            (Errno::ENETDOWN, false, true),
            (Errno::ENETUNREACH, false, true),
            (Errno::EHOSTDOWN, false, true),
            (Errno::EHOSTUNREACH, false, true),
            (Errno::ENOPROTOOPT, false, true),
            (Errno::EOPNOTSUPP, false, true),
            (Errno::EBADF, false, false),
            (Errno::EINVAL, false, false),
            (Errno::ENOTSOCK, false, false),
        ] {
            let error = io::Error::from(errno);
            assert_eq!(is_out_of_descriptors(&error), out_of_descriptors, "{errno}");
            assert_eq!(is_about_one_connection(&error), one_connection, "{errno}");
        }
    }
}
