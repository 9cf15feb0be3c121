//! `client talk` does what `nc -N` does, on systems that don't have it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use load_generator::cannot_reach;
use output::cannot_print;
use server_process::addresses_of;

/// Connects standard input and output to a server, until the server closes the connection.
///
/// The end of the input closes the sending half; the server then answers what is left.
///
/// # Errors
///
/// If the server can't be reached or resets the connection, or if standard output is closed.
pub(crate) fn talk(address: &str) -> io::Result<()> {
    let stream = TcpStream::connect(&addresses_of(address)?[..])
        .map_err(|error| io::Error::new(error.kind(), cannot_reach(&error, &address)))?;
    let mut to_server = stream.try_clone()?;
    // Two threads, since both std's standard input and the socket block. The one that waits for
    // input ends with the program.
    let copy = thread::Builder::new().spawn(move || {
        // An error here means that the server is gone, and the other thread sees that too.
        io::copy(&mut io::stdin(), &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    copy.map_err(|error| {
        let what = format!("can't read what is typed: {error}{}", system::advice(&error));
        io::Error::other(what)
    })?;
    print_until_the_end(stream)
}

fn print_until_the_end(mut from_server: TcpStream) -> io::Result<()> {
    let mut output = io::stdout();
    let mut piece = [0; 4096];
    loop {
        match from_server.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                // A reply need not end in LF: in `one-shot`, none does.
                let printed = output.write_all(&piece[..count]).and_then(|()| output.flush());
                printed.map_err(|error| cannot_print(&error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {} // read(2): a signal
            Err(error) => {
                let what = format!("the connection was lost: {error}");
                return Err(io::Error::other(what));
            }
        }
    }
}
