//! A blocking client that does one step after the other.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

pub const GREETING: &str = "Hello from server!\n";

/// How long a client waits for what has to come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test waits for what must *not* come.
const A_WHILE: Duration = Duration::from_millis(300);

pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Client::over(TcpStream::connect(address).unwrap())
    }

    /// A client whose kernel buffers as little as possible of what it doesn't read.
    pub fn with_small_receive_buffer(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.into()).unwrap();
        Client::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends `bytes` again and again, until both kernels' buffers are full because neither side
    /// reads. Returns how many bytes were sent.
    pub fn send_until_full(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        self.stream.set_write_timeout(Some(A_WHILE)).unwrap();
        loop {
            match self.stream.write(&bytes[sent % bytes.len()..]) {
                Ok(count) => sent += count,
                Err(error) if is_time_up(&error) => break,
                Err(error) => panic!("after {sent} bytes: {error}"),
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        sent
    }

    pub fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Receives exactly the next `count` greetings.
    pub fn expect_greetings(&mut self, count: usize) {
        let mut replies = vec![0; count * GREETING.len()];
        self.stream.read_exact(&mut replies).unwrap();
        assert!(replies == GREETING.repeat(count).as_bytes());
    }

    /// Receives everything until the server closes.
    pub fn read_to_end(&mut self) -> String {
        let mut replies = String::new();
        self.stream.read_to_string(&mut replies).unwrap();
        replies
    }

    /// Whether anything arrives for a while.
    pub fn receives_something(&mut self) -> bool {
        self.stream.set_read_timeout(Some(A_WHILE)).unwrap();
        let received = match self.stream.peek(&mut [0]) {
            Ok(_) => true,
            Err(error) if is_time_up(&error) => false,
            Err(error) => panic!("{error}"),
        };
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        received
    }

    /// Ends the connection with a reset (`SO_LINGER` of 0, socket(7)).
    pub fn reset(self) {
        let socket = Socket::from(self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn is_time_up(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Waits until `done` is true; fails if it never becomes true.
#[cfg(unix)]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
