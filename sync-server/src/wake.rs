//! How the blocking server is woken when it has to stop.
//!
//! It sleeps in four places, and each needs a means of its own: this is the price of reading
//! from top to bottom.

use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use server_kit::{STOP_GRACE, Stop};

/// The connection that is being served, within reach of the thread that stops the server.
#[derive(Clone, Default)]
pub(crate) struct Served {
    stream: Arc<Mutex<Option<Arc<TcpStream>>>>,
}

impl Served {
    pub(crate) fn put(&self, stream: TcpStream) -> Arc<TcpStream> {
        let stream = Arc::new(stream);
        *self.lock() = Some(Arc::clone(&stream));
        stream
    }

    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    fn shut_down(&self, how: Shutdown) {
        if let Some(stream) = self.lock().as_deref() {
            // It fails if the client has gone, and then nobody sleeps on it.
            stream.shutdown(how).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<TcpStream>>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a thread wake the server, which is the thread that calls this, wherever it sleeps.
pub(crate) fn wake_when_stopped(stop: &Stop, mut address: SocketAddr, served: Served) {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let server = thread::current();
    stop.wake_with(move || {
        let (served, server) = (served.clone(), server.clone());
        thread::spawn(move || {
            let give_up = Instant::now() + STOP_GRACE;
            // recv(2) returns 0 once no more input can come.
            served.shut_down(Shutdown::Read);
            // park_timeout returns for whoever is unparked.
            server.unpark();
            // accept(2) returns when somebody calls. If the call does not get through,
            // then others are before us in the queue, and it returns for them.
            TcpStream::connect_timeout(&address, STOP_GRACE).ok();
            // send(2) fails once nothing can be sent any more.
            thread::sleep(give_up.saturating_duration_since(Instant::now()));
            served.shut_down(Shutdown::Both);
        });
    });
}
