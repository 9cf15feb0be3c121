//! A thread for each client, with nothing but the standard library.
//!
//!     rustc -O -o target/threads docs/project/threads.rs
//!     target/threads 8686
//!
//! Left out: Ctrl-C. The standard library has no signals, so it simply ends the process.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::{env, thread, time::Duration};

const REQUEST_MAX: usize = 1024;
const REPLY: &[u8] = b"Hello from server!\n";
const TOO_LONG: &[u8] = b"Request too long!\n";
const TRY_AGAIN: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or(io::Error::new(ErrorKind::InvalidInput, "which port?"))?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    loop {
        match listener.accept() {
            // An error here, or the lack of a thread, affects only this client.
            Ok((stream, _)) => drop(thread::Builder::new().spawn(move || serve(&stream))),
            // Perhaps no descriptor is left: clients stay in the accept queue meanwhile.
            Err(_) => thread::sleep(TRY_AGAIN),
        }
    }
}

fn serve(stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte more than a request may have, to see that it is too long.
        reader.by_ref().take(REQUEST_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.len() > REQUEST_MAX {
            break;
        }
        (&*stream).write_all(REPLY)?;
    }
    (&*stream).write_all(TOO_LONG)?;
    // To close with bytes unread would reset the connection, and that line could be lost.
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok(())
}
