//! The smallest runtime for async and await that serves many clients, and a server on top of it.
//!
//! ```text
//! cargo run -p docs --example tiny-executor
//! cargo run -p client -- --dribbling 1        # in a second terminal: none waits for it
//! ```
//!
//! `runtime` is the part that usually comes from a library; `server` is the part that you write.
//!
//! Left out: Ctrl-C (it simply ends the program), and what to do when no descriptor is left (it
//! calls accept again and again). For Unix only, since the only call that sleeps is poll(2).

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
