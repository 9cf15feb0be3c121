//! A server in two async functions: one accepts clients, the other serves one of them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Instant;

use nix::poll::PollFlags;
use protocol::{Conversation, Terms};

use crate::runtime::Runtime;

/// Accepts clients, and spawns a task for each.
pub(crate) async fn accept(runtime: Rc<Runtime>, listener: TcpListener) {
    let listener = Rc::new(listener);
    loop {
        match runtime.when(PollFlags::POLLIN, &listener, TcpListener::accept).await {
            Ok((stream, _)) => {
                let runtime_of_task = Rc::clone(&runtime);
                runtime.spawn(async move {
                    if let Err(error) = serve(&runtime_of_task, stream).await {
                        eprintln!("a connection ends: {error}");
                    }
                });
            }
            Err(error) => eprintln!("a client could not be let in: {error}"),
        }
    }
}

/// Serves one client from top to bottom, as if it were the only one.
async fn serve(runtime: &Runtime, stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let stream = Rc::new(stream);
    let mut talk = Conversation::new(Terms::default(), 0, Instant::now());
    while talk.ending().is_none() {
        if talk.interest().writable {
            let send = |mut stream: &TcpStream| stream.write(talk.pending());
            let count = runtime.when(PollFlags::POLLOUT, &stream, send).await?;
            talk.sent(count, Instant::now());
        } else if talk.half_close_is_due() {
            stream.shutdown(Shutdown::Write)?;
            talk.half_closed(Instant::now());
        } else {
            let room = talk.room().min(1024);
            let receive = |mut stream: &TcpStream| {
                let mut buffer = [0; 1024];
                let count = stream.read(&mut buffer[..room])?;
                Ok(buffer[..count].to_vec())
            };
            let bytes = runtime.when(PollFlags::POLLIN, &stream, receive).await?;
            match &bytes[..] {
                [] => talk.receive_end(Instant::now()),
                bytes => talk.receive(bytes, Instant::now()),
            };
        }
    }
    Ok(())
}
