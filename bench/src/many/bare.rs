//! What two ends of a connection cost the kernel when nobody waits for either: the yardstick for
//! what servers make of it.
//!
//! A thread of this program accepts everybody, answers one request of each, and then does
//! nothing but keep the sockets. The two ends are alike, so half of that is the client's, and a
//! little more: it has a port of its own, for which Linux keeps two objects of 128 bytes. (It keeps
//! one of them for a port of several addresses, so a crowd from several takes a little less.)

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use protocol::Protocol;

use super::Growth;
use super::look::Look;
use crate::load::{Held, PATIENCE};

/// How many: with some 8 kB each, they are far more than what else goes on.
const CONNECTIONS: usize = 8_000;

/// Connects at most so many, and looks before and after. `None` where the kernel does not tell.
pub(super) fn bare(at_most: usize, program: &Path) -> io::Result<Option<Growth>> {
    let count = CONNECTIONS.min(at_most);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let before = Look::settled(None);
    let keeping = thread::spawn(move || keep(&listener, count));
    let held = Held::connect(program, address, &[(None, count)], &mut |_| {})?;
    if let Some(why) = &held.trouble {
        // The thread would wait for the others for ever; the program is not to wait for it.
        return Err(io::Error::other(format!("not even bare sockets can be connected: {why}")));
    }
    let kept = keeping.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let with = Look::settled(None);
    drop(held);
    drop(kept);
    Ok(before.kernel.zip(with.kernel).map(|(before, with)| Growth::of(&before, &with, count)))
}

fn keep(listener: &TcpListener, count: usize) -> io::Result<Vec<TcpStream>> {
    let accept = |_| {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        BufReader::new(&stream).read_line(&mut String::new())?;
        stream.write_all(Protocol::Lines.reply())?;
        Ok(stream)
    };
    (0..count).map(accept).collect()
}
