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
    ($($chapter:ident: $($(#[$only:meta])? $case:ident),+;)+) => {
        for_every_server!(sync_server, SYNC, $($chapter: $($(#[$only])? $case),+;)+);
        #[cfg(unix)]
        for_every_server!(select_server, SELECT, $($chapter: $($(#[$only])? $case),+;)+);
        for_every_server!(poll_server, POLL, $($chapter: $($(#[$only])? $case),+;)+);
    };
    ($server:ident, $model:ident, $($chapter:ident: $($(#[$only:meta])? $case:ident),+;)+) => {
        mod $server {
            $($(
                $(#[$only])?
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
    stream: half_close, pipelined, byte_by_byte, unfinished_last_line, too_long, endless_line,
        one_shot;
    limits: crowd, idle_costs_nothing, delayed_costs_nothing, counters,
        #[cfg(unix)] few_descriptors, #[cfg(unix)] soft_limit;
    time: idle_timeout, idle_timeout_beside_work, deaf_for_too_long, delay, work;
    stopping: half_sent_at_the_end, parent_gone, #[cfg(unix)] ctrl_c, #[cfg(unix)] sigterm,
        #[cfg(unix)] second_ctrl_c, #[cfg(unix)] deaf_client;
}
