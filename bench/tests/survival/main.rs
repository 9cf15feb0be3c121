//! What clients do to servers, over real sockets: written once, tried on every server.
//!
//! A server here is a process of its own, seen from outside only. What a blocking server
//! can't pass by its nature is asserted as such: the neighbour of a slow client waits, and
//! is served as soon as the slow one has gone.
//!
//! Bounds on time are wide: these tests are about what happens, not about how fast.

mod client;
mod hostile;
mod limits;
mod neighbours;
mod server;
mod stopping;
mod stream;
mod time;

/// Makes one test of each case for each server, so that `cargo test poll_server` or
/// `cargo test pipelined` choose among them.
macro_rules! for_every_server {
    ($($chapter:ident: $($case:ident),+;)+) => {
        for_every_server!(sync_server, SYNC, $($chapter: $($case),+;)+);
        #[cfg(unix)]
        for_every_server!(select_server, SELECT, $($chapter: $($case),+;)+);
        for_every_server!(poll_server, POLL, $($chapter: $($case),+;)+);
    };
    ($server:ident, $model:ident, $($chapter:ident: $($case:ident),+;)+) => {
        mod $server {
            $($(
                #[test]
                fn $case() {
                    crate::$chapter::$case(bench::Model::$model);
                }
            )+)+
        }
    };
}

for_every_server! {
    neighbours: silent, half_sent_request, that_never_reads;
    hostile: resets_and_hasty_goodbyes, a_client_that_never_reads;
    stream: half_close, pipelined, byte_by_byte, unfinished_last_line, too_long, one_shot;
    limits: few_descriptors, crowd, idle_costs_nothing;
    time: idle_timeout, delay, work;
    stopping: ctrl_c, sigterm, deaf_client, parent_gone;
}
