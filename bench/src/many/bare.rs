//! What the two ends of a connection cost the kernel when no program waits for them: the baseline
//! for what servers add.
//!
//! A thread of this program accepts every connection, sends one reply on each, and then only keeps
//! the sockets. The two ends are alike, so half of the memory is the client's, and a little more: a
//! client has a port of its own, for which Linux keeps two objects of 128 bytes. (Several addresses
//! share one of the two for the same port, so a crowd from several addresses takes a little less.)

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use protocol::Protocol;

use super::resource_use::{Growth, Snapshot};
use crate::load::{HeldConnections, PATIENCE};

/// How many connections: at about 8 kB each, they take far more memory than anything else that
/// changes meanwhile.
const CONNECTIONS: usize = 8_000;

/// Opens up to `at_most` connections, and compares the kernel's memory before and after. `None`
/// where the kernel doesn't report it.
pub(super) fn bare(at_most: usize, program: &Path) -> io::Result<Option<Growth>> {
    let count = CONNECTIONS.min(at_most);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let before = Snapshot::settled(None);
    let keeping = thread::spawn(move || keep(&listener, count));
    let (held, report) =
        HeldConnections::with_requests(program, address, &[(None, count)], &mut |_| {})?;
    if let Some(why) = report.trouble {
        // The thread waits forever for the missing connections, so it must not be joined.
        return Err(io::Error::other(format!("can't connect even bare sockets: {why}")));
    }
    let kept = keeping.join().expect("it doesn't panic")?;
    let with = Snapshot::settled(None);
    drop((held, kept));
    Ok(Growth::of(&before, &with, count))
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
