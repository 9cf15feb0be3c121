//! How a process hands its listening socket to another: as a message over a Unix socket.
//!
//! A descriptor is a number that only means something in its own process. The kernel translates it:
//! `SCM_RIGHTS` (unix(7), cmsg(3)) is a list of descriptors that goes with the bytes of a message,
//! and the receiver gets its own descriptors for the same sockets. The other usual way, to let the
//! child inherit the descriptor and pass it the number, needs unsafe code, because the compiler
//! can't check that the number is right.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// A message without any byte would not carry a descriptor either (unix(7)).
const NOTHING_TO_SAY: [u8; 1] = [0];

/// Room for one descriptor.
const ROOM: usize = rustix::cmsg_space!(ScmRights(1));

/// Hands the listener over to the process at the other end. It stays open in this one, too.
pub(crate) fn send_listener(stream: &UnixStream, listener: &TcpListener) -> io::Result<()> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    let descriptors = [listener.as_fd()];
    // It fits, because there is room for one.
    beside.push(SendAncillaryMessage::ScmRights(&descriptors));
    // sendmsg(2)
    sendmsg(stream, &[IoSlice::new(&NOTHING_TO_SAY)], &mut beside, SendFlags::empty())?;
    Ok(())
}

/// Receives what [`send_listener`] has sent.
pub(crate) fn receive_listener(stream: &UnixStream) -> io::Result<TcpListener> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut beside = RecvAncillaryBuffer::new(&mut room);
    let mut said = NOTHING_TO_SAY;
    // recvmsg(2). Left out: MSG_CMSG_CLOEXEC, because a worker starts no other program.
    recvmsg(stream, &mut [IoSliceMut::new(&mut said)], &mut beside, RecvFlags::empty())?;
    let descriptors = beside.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptors.map(TcpListener::from).ok_or_else(|| io::Error::other("no listener was sent"))
}
