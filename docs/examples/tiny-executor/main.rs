//! The smallest runtime for async and await that serves a crowd, and a server on top of it.
//!
//! ```text
//! cargo run -p docs --example tiny-executor
//! cargo run -p client -- --dribbling 1        # in a second terminal: nobody waits for the slow one
//! ```
//!
//! `runtime` is the part that one usually has from a library; `server` is what one writes.
//!
//! Left out: Ctrl-C (it simply ends the program), and what to do when no descriptor is left (it
//! asks again and again). For Unix only, since the one sleep is in poll(2).

#![forbid(unsafe_code)]

#[cfg(unix)]
mod runtime;
#[cfg(unix)]
mod server;

/// Its only argument is the port.
#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::net::TcpListener;
    use std::rc::Rc;

    let usual = || std::env::var(protocol::ADDRESS_VARIABLE);
    let address = match std::env::args().nth(1) {
        Some(port) => format!("127.0.0.1:{port}"),
        None => usual().unwrap_or(protocol::DEFAULT_ADDRESS.into()),
    };
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("server is running on {}, please, press ctrl+c to stop", listener.local_addr()?);
    let runtime = Rc::new(runtime::Runtime::default());
    runtime.spawn(server::accept(Rc::clone(&runtime), listener));
    runtime.run()
}

#[cfg(not(unix))]
fn main() {
    println!("there is no poll(2) here");
}
