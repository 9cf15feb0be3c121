//! `busy_connections` and `processor_time`: what a request takes under full load.
//!
//! **Measures** the time on the clock (`busy_connections`) and the processor time of the server
//! (`processor_time`), divided by the number of requests, while A of N connections are active. Each
//! active one sends a request as soon as it has the last reply. If all are active, select and poll
//! are as good as epoll, because their scan finds something at each descriptor. If few of many are
//! active, nearly all of the scan is in vain.
//!
//! **Holds fixed** that a request is 29 bytes in one piece, and that the clients' thread never
//! sleeps, so that no reply has to wake it up (see [`load_generator::BusyClients`]).
//!
//! **Would make it lie:** a client that is slower than the server. This one makes two system calls
//! per request and none to wait; `cargo run --release -p bench -- cost` shows that it keeps the
//! servers busy. Servers with several threads or processes share two processors with the client, so
//! their time on the clock says little about a larger machine. And over loopback, most of what is
//! measured is TCP, which is the same for all.

use std::io;
use std::time::{Duration, Instant};

use bench::load::{HeldConnections, PATIENCE};
use bench::{MeasuredServer, Meter};
use criterion::{Criterion, Throughput};
use load_generator::BusyClients;

use crate::group::Group;
use crate::servers::{bench_at_server, can_have, is_smoke_test, models, program};

/// How many connections there are, and how many of them are active. Every server that serves many
/// clients can have 900 connections; some can't have 10,000.
const LOADS: [Load; 5] = [
    Load { active: 1, all: 1 },
    Load { active: 100, all: 100 },
    Load { active: 900, all: 900 },
    Load { active: 9, all: 900 },
    Load { active: 1000, all: 10_000 },
];

#[derive(Clone, Copy)]
struct Load {
    active: usize,
    all: usize,
}

pub fn benches(criterion: &mut Criterion) {
    measure(criterion, "busy_connections", |scene, times| {
        let began = Instant::now();
        scene.clients.request(times)?;
        Ok(began.elapsed())
    });
    if Meter::of(std::process::id()).processor_time().is_none() {
        eprintln!("processor_time is left out: {UNKNOWN}");
        return;
    }
    measure(criterion, "processor_time", |scene, times| {
        let before = scene.processor_time()?;
        scene.clients.request(times)?;
        Ok(scene.processor_time()? - before)
    });
}

const UNKNOWN: &str = "this system doesn't report what a process costs";

/// Runs one of the two groups; `time` lets each active client send the given number of requests,
/// and returns the time that was spent on them.
fn measure(
    criterion: &mut Criterion,
    name: &'static str,
    time: impl Fn(&mut Scene, u64) -> io::Result<Duration>,
) {
    let loads = if is_smoke_test() { &LOADS[..2] } else { &LOADS };
    let mut group = Group::new(criterion, name);
    group.criterion.throughput(Throughput::Elements(1));
    for &Load { active, all } in loads {
        let parameter = format!("{active} of {all}");
        for model in models() {
            if let Err(why) = can_have(&model, all) {
                group.remark(format!("{} with {parameter} is left out: {why}", model.label));
                continue;
            }
            let prepare = |server: &MeasuredServer| Scene::prepare(server, active, all);
            bench_at_server(&mut group, model, &parameter, prepare, |scene, times| {
                Ok(time(scene, times)?.div_f64(active as f64))
            });
        }
    }
    group.finish();
}

struct Scene {
    clients: BusyClients,
    _silent: HeldConnections,
    server: Meter,
}

impl Scene {
    fn prepare(server: &MeasuredServer, active: usize, all: usize) -> io::Result<Self> {
        let silent = HeldConnections::silent(program(), server.address(), all - active)?;
        let mut clients = BusyClients::connect(server.address(), active, PATIENCE)?;
        clients.request(1)?;
        Ok(Scene { clients, _silent: silent, server: Meter::of(server.id()) })
    }

    fn processor_time(&self) -> io::Result<Duration> {
        self.server.processor_time().ok_or_else(|| io::Error::other(UNKNOWN))
    }
}
