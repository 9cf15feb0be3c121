//! Small servers, each on a port of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use protocol::Protocol;
use socket2::{Domain, Socket, Type};

/// A server that gives each connection to `serve`, in a thread of its own.
///
/// Its threads end with the test's process at the latest, so no test waits for them.
pub fn server(serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> SocketAddr {
    raise_descriptor_limit();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            // What goes wrong here is for the client to report.
            thread::spawn(move || stream.and_then(serve));
        }
    });
    address
}

/// Many tests share this process with both ends of all their connections, and macOS allows it 256
/// descriptors by default.
fn raise_descriptor_limit() {
    // If it can't be raised, a test without enough of them fails and says so.
    system::raise_descriptor_limit().ok();
}

/// A server as it should be.
pub fn polite_server() -> SocketAddr {
    server(|stream| for_each_line(stream, |stream| stream.write_all(Protocol::Lines.reply())))
}

/// A server that serves one connection at a time, and whose listener has this `backlog`.
/// Returns how many lines each connection brought.
pub fn one_at_a_time(backlog: i32) -> (SocketAddr, Receiver<usize>) {
    raise_descriptor_limit();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).unwrap();
    listener.listen(backlog).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut bytes = 0;
            let _ = for_each_line(stream.unwrap(), |stream| {
                bytes += 1;
                stream.write_all(Protocol::Lines.reply())
            });
            let _ = sender.send(bytes);
        }
    });
    (address, receiver)
}

/// Does the same for each line that comes.
pub fn for_each_line(
    stream: TcpStream,
    mut answer: impl FnMut(&mut &TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    for line in BufReader::new(&stream).lines() {
        line?;
        answer(&mut &stream)?;
    }
    Ok(())
}

/// What the first read returns.
pub fn read_once(mut stream: &TcpStream) -> io::Result<usize> {
    stream.read(&mut [0; 1024])
}

/// Closes with a reset instead of an end.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    Socket::from(stream).set_linger(Some(std::time::Duration::ZERO))
}
