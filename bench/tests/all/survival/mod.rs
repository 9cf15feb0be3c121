//! What the survival matrix can't check, over real sockets: options, messages, counters, and how a
//! server stops. Each test is written once and tried on every server.
//!
//! A server here is a process of its own, seen only from outside. What a blocking server can't do
//! is asserted as such: the neighbour of a slow client waits, and is served as soon as the slow one
//! has left.
//!
//! Bounds on time are wide, because these tests are about what happens, not about how fast.

mod client;
mod costs;
mod deadlines;
#[cfg(unix)]
mod descriptors;
pub mod server;
mod stopping;
mod stream;
#[cfg(unix)]
mod threads;
mod time;

/// Makes one test of each case for each server, so that `cargo test poll_server` and
/// `cargo test idle_timeout` select from them.
macro_rules! for_every_server {
    ($($(#[$here:meta])? $server:ident $model:ident),+; $cases:tt) => {
        $(
            $(#[$here])?
            mod $server {
                for_every_server!($model $cases);
            }
        )+
    };
    ($model:ident { $($chapter:ident: $($(#[$here:meta])? $case:ident),+;)+ }) => {
        $($(
            $(#[$here])?
            #[test]
            fn $case() {
                super::server::if_available(bench::Model::$model, super::$chapter::$case);
            }
        )+)+
    };
}

for_every_server! {
    sync_server SYNC,
    busy_server BUSY,
    busy_server_with_naps BUSY_WITH_NAPS,
    thread_server THREAD,
    thread_pool POOL,
    #[cfg(unix)] select_server SELECT,
    #[cfg(unix)] poll2_server POLL2,
    poll_server POLL,
    #[cfg(unix)] prefork_server PREFORK,
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    prefork_server_reuse_port PREFORK_REUSE_PORT,
    async_server ASYNC,
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    uring_server URING;
    {
        stream: endless_line, one_shot;
        costs: delayed_costs_nothing, counters;
        descriptors: #[cfg(target_os = "linux")] taken_away_for_a_while,
            #[cfg(unix)] few_descriptors, #[cfg(unix)] soft_limit;
        deadlines: idle, delayed, lingering, stopping;
        time: idle_timeout, idle_timeout_beside_work, non_reading_for_too_long, delay, work;
        stopping: half_sent_at_the_end, still_sending, parent_gone,
            #[cfg(target_os = "linux")] without_loopback, #[cfg(unix)] ctrl_c, #[cfg(unix)] ctrl_c_and_hangup, #[cfg(unix)] sigterm,
            #[cfg(unix)] second_ctrl_c, #[cfg(unix)] non_reading_client,
            #[cfg(unix)] ignored_at_the_start, #[cfg(unix)] sigterm_ignored_at_the_start;
    }
}
