//! Everything that the servers share, except how they wait.
//!
//! The loops are what this workspace teaches, so they are not in here: each server has its own.
//! The rest is the same in all servers and is here once, in the order in which a server needs it:
//!
//! - [`Settings`]: the command line; [`OwnOptions`]: the options that only one server has.
//! - [`listen`] and [`Acceptor`]: the listening socket, and what to do after each error of
//!   accept(2) ([`Admission`]).
//! - [`Connection`]: a non-blocking socket ([`Stream`]) and its [`protocol::Conversation`].
//! - [`work`](work()): what handling a request costs.
//! - [`Deadlines`]: when the next wait has to end; [`rest_without_memory`]: what to do when the
//!   kernel has no memory to wait.
//! - [`Stop`]: Ctrl-C; [`BlockingCalls`]: how to stop a server that sleeps and can't see a flag.
//! - [`Journal`] (made of [`Console`] and [`Counters`]): what the server prints and counts.
//! - [`run`]: a server's `main`.

#![forbid(unsafe_code)]

mod acceptor;
mod blocking;
mod connection;
mod console;
mod counters;
mod deadlines;
mod journal;
mod memory;
mod platform;
mod run;
mod settings;
mod stop;
mod stream;
mod work;

pub use acceptor::{
    ACCEPTS_PER_TURN, Acceptor, Admission, Refusal, TRY_AGAIN, listen, listen_with,
};
pub use blocking::{BlockingCalls, BlockingStream, BlockingThreads};
pub use connection::{Connection, READ_MAX};
pub use console::{Console, Verbosity};
pub use counters::{Call, Counters};
pub use deadlines::Deadlines;
pub use journal::{Counted, Journal};
pub use memory::rest_without_memory;
pub use run::{
    Serve, ServeWith, UNAVAILABLE, run, run_with_arguments, run_with_options, unavailable,
};
pub use settings::{NoOptions, OwnOptions, Settings};
pub use stop::{STOP_GRACE, Stop};
pub use stream::Stream;
pub use system::{duration, whole_number};
pub use work::work;
