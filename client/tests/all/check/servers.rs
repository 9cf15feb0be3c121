//! Servers to be checked.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use protocol::Protocol;
use server_process::Target;

/// A server with a fault, as a command.
pub fn faulty(fault: &str) -> Target {
    let program = env!("CARGO_BIN_EXE_faulty-server");
    Target::command([program, "--fault", fault, "127.0.0.1:{port}"]).unwrap().named(fault)
}

/// The same as a user would write it, quoted if there are spaces in the path.
pub fn faulty_command(fault: &str) -> String {
    let program = shell_words::quote(env!("CARGO_BIN_EXE_faulty-server"));
    format!("{program} --fault {fault} 127.0.0.1:{{port}}")
}

/// A server in a thread of the test, which ends with the test's process.
pub fn in_a_thread(serve: impl Fn(TcpStream) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whatever becomes of one client, the next one comes.
            let _ = stream.and_then(&serve);
        }
    });
    address
}

/// Answers each line; the next client waits meanwhile.
pub fn one_after_the_other() -> SocketAddr {
    in_a_thread(|stream| {
        for line in BufReader::new(&stream).lines() {
            line?;
            (&stream).write_all(Protocol::Lines.reply())?;
        }
        Ok(())
    })
}
