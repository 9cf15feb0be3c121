//! What all servers share besides how they wait.
//!
//! The loops are the lesson of this workspace, so they are not in here: each server writes
//! its own. What they do *not* differ in stands here once, in the order in which a server
//! comes across it:
//!
//! - [`Settings`]: the command line, and [`OwnOptions`] for what only one server takes.
//! - [`listen`] and [`Acceptor`]: the listening socket, and what to do with each error of
//!   accept(2) ([`Admission`]).
//! - [`Connection`]: a non-blocking socket ([`Stream`]) and its [`protocol::Conversation`].
//! - [`work`](work()): what a request costs.
//! - [`Deadlines`]: when the next wait has to end; [`rest_without_memory`]: when there can be
//!   none.
//! - [`Stop`] for Ctrl-C, and [`BlockingCalls`] for servers that sleep where no flag is seen.
//! - [`Journal`] (made of [`Console`] and [`Counters`]): what the server tells.
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
pub use settings::{NoOptions, OwnOptions, Settings, duration, whole_number};
pub use stop::{STOP_GRACE, Stop};
pub use stream::Stream;
pub use work::work;
