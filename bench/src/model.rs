//! The servers to choose from.

use std::fmt;
use std::str::FromStr;

use server_kit::Serve;

use crate::matrix::Limit;

/// A way to wait, and the server that waits so.
#[derive(Clone, Copy)]
pub struct Model {
    /// The name of the server's package.
    pub name: &'static str,
    /// Whether it serves others while one client is slow.
    pub serves_others_meanwhile: bool,
    /// The promises that it can't keep.
    pub limits: &'static [Limit],
    pub(crate) serve: Serve,
}

impl Model {
    /// sync-server
    pub const SYNC: Model = Model {
        name: "sync-server",
        serves_others_meanwhile: false,
        limits: &[Limit {
            checks: &[
                "silent-neighbour",
                "half-sent-neighbour",
                "dribbling-neighbour",
                "deaf-neighbour",
            ],
            reason: "it serves one connection to its end before it accepts the next",
        }],
        serve: sync_server::serve,
    };

    /// select-server
    #[cfg(unix)]
    pub const SELECT: Model = Model {
        name: "select-server",
        serves_others_meanwhile: true,
        limits: &[],
        serve: select_server::serve,
    };

    /// poll-server
    pub const POLL: Model = Model {
        name: "poll-server",
        serves_others_meanwhile: true,
        limits: &[],
        serve: poll_server::serve,
    };

    /// Every model that this system has, from the simplest on.
    pub const ALL: &'static [Model] = &[
        Model::SYNC,
        #[cfg(unix)]
        Model::SELECT,
        Model::POLL,
    ];
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let model = Model::ALL.iter().find(|model| model.name == name);
        model.copied().ok_or_else(|| {
            let names: Vec<_> = Model::ALL.iter().map(|model| model.name).collect();
            format!("there is no `{name}` here, but {}", names.join(", "))
        })
    }
}
