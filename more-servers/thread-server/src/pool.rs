//! The pool: threads that are started once, each of them a `sync-server` on the same listener.
//!
//! The program has no queue and no thread that distributes the clients: all idle threads sleep in
//! accept(2), and when a client comes, the kernel wakes one of them. While all threads are busy,
//! clients wait in the backlog. So the pool is a limit that needs no bookkeeping. But a silent
//! client occupies a thread just like one that sends requests all the time.

use std::io;
use std::net::TcpListener;
use std::panic;
use std::thread;

use server_kit::{BlockingCalls, BlockingThreads, Counters, Journal, Settings, Stop};
use sync_server::serve_client;

use crate::STACK;

pub(crate) fn serve(
    listener: TcpListener,
    settings: &Settings,
    threads: u32,
    stop: &Stop,
) -> io::Result<Counters> {
    let blocking = BlockingThreads::new(listener, stop)?;
    let mut journal = Journal::new(settings);
    journal.cannot_count("futex(2), where threads wait for each other");
    thread::scope(|scope| {
        let start_thread = |_| {
            let (blocking, journal) = (blocking.clone(), journal.for_another_thread());
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
                one_of_them(blocking.calls(), settings, stop, journal)
                    .inspect_err(|_| stop.request())
            })
        };
        let servers: io::Result<Vec<_>> = (0..threads).map(start_thread).collect();
        // With fewer threads than requested it would be another server, so these have to end.
        let servers = servers.inspect_err(|_| stop.request())?;
        let mut sum = journal.into_counters();
        for server in servers {
            sum += &server.join().unwrap_or_else(|why| panic::resume_unwind(why))?;
        }
        Ok(sum)
    })
}

/// What each thread does: the loop of `sync-server`.
fn one_of_them(
    mut calls: BlockingCalls,
    settings: &Settings,
    stop: &Stop,
    mut journal: Journal,
) -> io::Result<Counters> {
    while !stop.is_requested() {
        if let Some((stream, peer)) = calls.accept(&mut journal)? {
            calls.had_room();
            serve_client(stream, peer, &calls, settings, &mut journal);
        }
    }
    Ok(journal.into_counters())
}
