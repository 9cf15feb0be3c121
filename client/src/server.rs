//! Who is tried: a server that runs already, or one that this program starts, in a group of
//! processes of its own, so that it can be watched, told to end, and never outlives this program.
//!
//! Both [`check`](crate::check) and [`chaos`](crate::chaos) try servers in this way.
//!
//! | Module | What it is |
//! |---|---|
//! | `subject` | how a server is given: as an address, or as the command that starts it |
//! | `address` | where one is reached that runs already |
//! | `port` | a port for one that is started |
//! | `process` | the server that was started: what it said, what it costs, how it ended |
//! | `system` | the door to what systems call differently |

mod address;
mod port;
pub(crate) mod process;
mod subject;
pub(crate) mod system;

pub(crate) use address::resolve;
pub use port::{Port, listener_on, until_next_look};
pub(crate) use process::ServerProcess;
pub(crate) use subject::Kind;
pub use subject::Subject;
pub(crate) use system::Cost;
