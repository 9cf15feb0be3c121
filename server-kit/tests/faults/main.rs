//! Network faults at any call of a connection: no reply is lost, duplicated or sent to another
//! client, and the loop never spins.
//!
//! There are several connections at once, each over a [`wire`] of the test in place of a socket. At
//! every call, a script decides the result: all bytes, a part, a single byte, not now, a signal, a
//! reset, the end of the input. A loop like those of the servers drives the connections
//! ([`scene`]). What each client has to get is computed separately, without a state machine
//! ([`clients`]).
//!
//! ```text
//! cargo test -p server-kit --test faults
//! PROPTEST_CASES=1000000 cargo test --release -p server-kit --test faults
//! ```
//!
//! Left out: what only a kernel can do, such as lose a wake-up. `bench/tests/all/survival` and
//! `bench/tests/all/injected.rs` have real sockets.

mod clients;
mod scene;
mod wire;

use std::env;
use std::io::ErrorKind;
use std::process::Command;

use clap::Parser;
use proptest::collection::vec;
use proptest::prelude::*;
use server_kit::{Call, Settings};

use clients::{Client, clients, config, settings, steps};
use scene::{Event, Scene};
use wire::{Fate, Script};

fn scripts() -> impl Strategy<Value = Script> {
    use ErrorKind::{BrokenPipe, ConnectionReset, HostUnreachable, TimedOut};
    let broken = prop::sample::select(vec![ConnectionReset, BrokenPipe, TimedOut, HostUnreachable]);
    let fate = prop_oneof![
        40 => Just(Fate::All),
        20 => (1..60_usize).prop_map(Fate::Short),
        10 => Just(Fate::Short(1)),
        15 => Just(Fate::NotNow),
        15 => Just(Fate::Interrupted),
        2 => broken.prop_map(Fate::Broken),
        1 => Just(Fate::End),
    ];
    let unprepared = prop::sample::select(vec![Call::Ioctl, Call::SetSockOpt]);
    (vec(fate, 0..40), prop::option::weighted(0.02, unprepared))
        .prop_map(|(fates, unprepared)| Script { fates, unprepared })
}

fn events() -> impl Strategy<Value = Event> {
    let client = || 0..6_usize;
    prop_oneof![
        20 => Just(Event::Turn),
        3 => (client(), any::<bool>(), any::<bool>()).prop_map(|(client, readable, writable)| {
            Event::Spurious { client, readable, writable }
        }),
        1 => client().prop_map(Event::Reset),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everybody_gets_what_is_owed_and_nobody_spins(
        settings in settings(),
        clients in clients(scripts()),
        steps in steps(events()),
    ) {
        let mut scene = Scene::new(settings, &clients);
        for step in &steps {
            scene.take(step);
        }
        scene.settle();
        scene.check();
    }
}

/// An error is reported in one line, with the replies that are lost. Standard output belongs to the
/// whole process, so this test runs itself in another process, to read what that prints.
#[test]
fn a_loss_is_told_once() {
    const SCENE: &str = "SERVER_KIT_TEST_SCENE";
    let asks_twice = |script| (Client { says: b"hello\nhello\n".into(), room: 0 }, script);
    let fates = |fates: &[Fate]| Script { fates: fates.into(), unprepared: None };
    if env::var_os(SCENE).is_some() {
        let settings = Settings::try_parse_from(["server"]).unwrap();
        let broken = Fate::Broken;
        let scripts = [
            fates(&[]),
            fates(&[broken(ErrorKind::ConnectionReset)]),
            fates(&[Fate::All, broken(ErrorKind::BrokenPipe)]),
            fates(&[Fate::All, Fate::Short(25), broken(ErrorKind::TimedOut)]),
            fates(&[Fate::NotNow, Fate::All, Fate::Interrupted]),
            Script { unprepared: Some(Call::SetSockOpt), ..Script::default() },
        ];
        Scene::new(settings, &scripts.map(asks_twice)).settle();
        return;
    }
    let itself = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_loss_is_told_once", "--nocapture"])
        .env(SCENE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8(itself.stdout).unwrap();
    assert!(itself.status.success(), "{said}");
    let mut closed: Vec<_> = said.lines().filter(|line| line.starts_with("closing")).collect();
    closed.sort_unstable();
    assert_eq!(
        closed,
        [
            "closing connection 127.0.0.1:1",
            "closing connection 127.0.0.1:2: connection reset",
            "closing connection 127.0.0.1:3: broken pipe (2 replies could not be sent)",
            "closing connection 127.0.0.1:4: timed out (1 reply could not be sent)",
            "closing connection 127.0.0.1:5",
            "closing connection 127.0.0.1:6: invalid input parameter",
        ]
    );
}
