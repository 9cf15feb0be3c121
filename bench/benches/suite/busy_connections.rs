//! `busy_connections` and `processor_time`: what a request takes when the server has as much to
//! do as it can.
//!
//! **Measures**, divided by the number of requests, the time on the clock (`busy_connections`)
//! and the processor time of the server (`processor_time`), while A of N connections are active:
//! each asks again as soon as it is answered. Where all are active, select and poll are as good as
//! epoll: their scan finds something at each descriptor. Where few of many are, it is nearly all
//! in vain.
//!
//! **Holds fixed** that a request is 29 bytes in one piece, and that the clients' thread never
//! sleeps, so that no reply has to wake it up (see [`load_generator::Askers`]).
//!
//! **Would make it lie:** a client that is slower than the server. This one makes two system calls for a
//! request and none to wait; `cargo run --release -p bench -- cost` shows that it keeps the servers
//! busy. Servers with several threads or processes share two processors with the client, so their
//! time on the clock says little about a larger machine. And over loopback, most of what is
//! measured is TCP, the same for all.

use std::io;
use std::time::{Duration, Instant};

use bench::load::{PATIENCE, Silent};
use bench::{Meter, ServerProcess};
use criterion::{Criterion, Throughput};
use load_generator::Askers;

use crate::group::Group;
use crate::servers::{bench_at_server, can_have, is_smoke_test, models, program};

/// How many connections there are, and how many of them are active. With 900, every server is in
/// it that serves many; at 10,000 some are not.
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
        scene.askers.ask(times)?;
        Ok(began.elapsed())
    });
    if Meter::of(std::process::id()).processor_time().is_none() {
        eprintln!("processor_time is left out: {UNKNOWN}");
        return;
    }
    measure(criterion, "processor_time", |scene, times| {
        let before = scene.processor_time()?;
        scene.askers.ask(times)?;
        Ok(scene.processor_time()? - before)
    });
}

const UNKNOWN: &str = "this system does not tell what a process costs";

/// One of the two groups; `time` lets each active client ask so many times, and returns the time
/// that was spent on it.
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
            let prepare = |server: &ServerProcess| Scene::prepare(server, active, all);
            bench_at_server(&mut group, model, &parameter, prepare, |scene, times| {
                Ok(time(scene, times)?.div_f64(active as f64))
            });
        }
    }
    group.finish();
}

struct Scene {
    askers: Askers,
    _silent: Silent,
    server: Meter,
}

impl Scene {
    fn prepare(server: &ServerProcess, active: usize, all: usize) -> io::Result<Self> {
        let silent = Silent::connect(program(), server.address(), all - active)?;
        let mut askers = Askers::connect(server.address(), active, PATIENCE)?;
        askers.ask(1)?;
        Ok(Scene { askers, _silent: silent, server: Meter::of(server.id()) })
    }

    fn processor_time(&self) -> io::Result<Duration> {
        self.server.processor_time().ok_or_else(|| io::Error::other(UNKNOWN))
    }
}
