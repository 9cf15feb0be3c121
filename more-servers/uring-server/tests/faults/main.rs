//! Completions with any result and in any order: no reply is lost or duplicated, and no client is
//! forgotten.
//!
//! This is `src/connection.rs` over another ring: it belongs to the test, and a script decides its
//! completions. The ring sends everything, a part, or nothing (EAGAIN), is interrupted
//! (EINTR), has no buffer left (ENOBUFS), breaks a connection (ECONNRESET), ends a receive by
//! itself, and receives more after a cancel was queued. It only reports a send that was done at
//! once and in full when something else wakes the loop, or when the loop was in a hurry.
//! `server-kit/tests/faults` does the same for event loops, with the same clients.
//!
//! ```text
//! cargo test -p uring-server --test faults
//! PROPTEST_CASES=1000000 cargo test --release -p uring-server --test faults
//! ```
//!
//! Left out: the ring itself and the pool of buffers. `bench/tests/all/survival` has real ones.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod buffers;
#[path = "../../../../server-kit/tests/faults/clients.rs"]
mod clients;
#[path = "../../src/connection.rs"]
mod connection;
mod ring;
mod scene;
mod wire;

use std::net::{TcpListener, TcpStream};

use nix::errno::Errno;
use proptest::collection::vec;
use proptest::prelude::*;

use clients::{clients, config, settings, steps};
use scene::{Event, Scene};
use wire::Fate;

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let broken = prop::sample::select(vec![Errno::ECONNRESET, Errno::EPIPE, Errno::ETIMEDOUT]);
    let fate = prop_oneof![
        40 => Just(Fate::All),
        20 => (1..60_usize).prop_map(Fate::Short),
        10 => Just(Fate::Short(1)),
        15 => Just(Fate::NotNow),
        15 => Just(Fate::Interrupted),
        5 => Just(Fate::NoMemory),
        10 => Just(Fate::Last),
        2 => broken.prop_map(Fate::Broken),
    ];
    vec(fate, 0..40)
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => any::<u16>().prop_map(|luck| Event::Turn(luck.into())),
        1 => Just(Event::Rest),
    ]
}

#[test]
fn everybody_gets_what_is_owed_and_nobody_is_forgotten() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _client = listener.accept().unwrap();
    proptest!(config(), |(
        settings in settings(),
        clients in clients(fates()),
        steps in steps(events()),
    )| {
        let mut scene = Scene::new(settings, &clients, &socket);
        for step in &steps {
            scene.take(step);
        }
        scene.settle();
        scene.check();
    });
}
