//! The servers to choose from.

use std::fmt;
use std::io;
use std::num::NonZero;
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;

use serde::Serialize;

use crate::matrix::Limit;
use crate::measured_server::ChildServer;
#[cfg(unix)]
use crate::peers::Peer;

/// A way to wait, and the server that uses it.
#[derive(Clone, Copy)]
pub struct Model {
    /// The name of the server's package, and options that change its way to wait: what follows
    /// `cargo run -p` (with `--` between the two).
    pub label: &'static str,
    /// How many clients it serves at the same time. As many slow ones make all others wait.
    pub serves_at_once: usize,
    /// How many connections it can have before it accepts no more, whatever the limit of
    /// descriptors.
    most_connections: usize,
    /// Whether it serves in several processes (`--workers`), each with a limit of descriptors of
    /// its own.
    has_workers: bool,
    /// Whether it uses no processor time while there is nothing to do.
    pub rests: bool,
    /// The promises that it can't keep, or can't always keep.
    pub limits: &'static [Limit],
    /// Why it doesn't survive a lack of descriptors for a while; `None` if it does.
    pub needs_descriptors: Option<&'static str>,
    /// Whether it is a peer, a server from outside this workspace.
    pub is_peer: bool,
    /// Whether this system has what it waits with.
    available: fn() -> io::Result<()>,
    /// Serves in this process, for the parent process.
    pub(crate) serve: fn(ChildServer) -> ExitCode,
}

/// What most servers have in common.
const fn server(label: &'static str, serve: fn(ChildServer) -> ExitCode) -> Model {
    Model {
        label,
        serves_at_once: usize::MAX,
        most_connections: usize::MAX,
        has_workers: false,
        rests: true,
        limits: &[],
        needs_descriptors: None,
        is_peer: false,
        available: || Ok(()),
        serve,
    }
}

/// What the peers have in common.
#[cfg(unix)]
macro_rules! peer {
    ($peer:ident) => {
        Model {
            limits: &[ENDS_AT_CTRL_C],
            is_peer: true,
            available: || Peer::$peer.available(),
            ..server(Peer::$peer.name, |child| Peer::$peer.exec(child))
        }
    };
}

/// The promises that a server breaks if it serves so few clients at a time that others have to wait
/// for a slow one.
const NEIGHBOURS: &[&str] =
    &["silent-neighbour", "half-sent-neighbour", "dribbling-neighbour", "non-reading-neighbour"];

/// How many connections fit into a set of select(2), which has room for 1024 descriptors; the
/// server needs a few for other things.
#[cfg(unix)]
const IN_A_SET: usize = 1010;

const fn never_keeps(checks: &'static [&'static str], reason: &'static str) -> Limit {
    Limit { always: true, checks, reason }
}

impl Model {
    /// sync-server
    pub const SYNC: Model = Model {
        serves_at_once: 1,
        limits: &[never_keeps(
            NEIGHBOURS,
            "it serves one connection to its end before it accepts the next",
        )],
        ..server("sync-server", |child| child.serve(sync_server::serve))
    };

    /// busy-server
    pub const BUSY: Model = Model {
        rests: false,
        limits: &[never_keeps(
            &["idle-cost", "non-reading-sleep", "descriptor-limit"],
            "it never sleeps",
        )],
        ..server("busy-server", |child| child.serve_with(busy_server::serve))
    };

    /// busy-server, which sleeps after each round that found nothing
    pub const BUSY_WITH_NAPS: Model =
        Model { label: "busy-server --nap 20ms", limits: &[], ..Model::BUSY };

    /// thread-server
    pub const THREAD: Model = Model {
        most_connections: 2000, // the default of `--max-threads`
        ..server("thread-server", |child| child.serve_with(thread_server::serve))
    };

    /// thread-server with a pool of threads
    pub const POOL: Model = Model {
        label: "thread-server --pool 4",
        serves_at_once: 4,
        limits: &[never_keeps(
            &["silent-neighbour", "half-sent-neighbour"],
            "a slow client keeps a thread, and when all threads are taken, others wait",
        )],
        ..Model::THREAD
    };

    /// select-server
    #[cfg(unix)]
    pub const SELECT: Model = Model {
        most_connections: IN_A_SET,
        ..server("select-server", |child| child.serve(select_server::serve))
    };

    /// poll2-server
    #[cfg(unix)]
    pub const POLL2: Model = server("poll2-server", |child| child.serve(poll2_server::serve));

    /// poll-server
    pub const POLL: Model = server("poll-server", |child| child.serve(poll_server::serve));

    /// prefork-server
    #[cfg(unix)]
    pub const PREFORK: Model = Model {
        has_workers: true,
        ..server("prefork-server", |child| {
            prefork_server::worker(child.arguments.clone())
                .unwrap_or_else(|| child.serve_with(prefork_server::serve))
        })
    };

    /// prefork-server, with a listening socket for each worker
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    pub const PREFORK_REUSE_PORT: Model = Model {
        label: "prefork-server --reuse-port",
        limits: &[Limit {
            always: false,
            checks: &["descriptor-limit"],
            reason: "a client that the kernel assigns to a worker without descriptors waits for \
                     that worker, even if others have some",
        }],
        ..Model::PREFORK
    };

    /// async-server
    pub const ASYNC: Model = server("async-server", |child| child.serve_with(async_server::serve));

    /// uring-server
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    pub const URING: Model = Model {
        available: uring_server::available,
        ..server("uring-server", |child| child.serve_with(uring_server::serve))
    };

    /// The three servers that the walkthrough begins with.
    pub const MAIN: &'static [Model] = &[
        Model::SYNC,
        #[cfg(unix)]
        Model::SELECT,
        Model::POLL,
    ];

    /// Every model that this system supports, from the simplest to the most modern.
    pub const ALL: &'static [Model] = &[
        Model::SYNC,
        Model::BUSY,
        Model::BUSY_WITH_NAPS,
        Model::THREAD,
        Model::POOL,
        #[cfg(unix)]
        Model::SELECT,
        #[cfg(unix)]
        Model::POLL2,
        Model::POLL,
        #[cfg(unix)]
        Model::PREFORK,
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        Model::PREFORK_REUSE_PORT,
        Model::ASYNC,
        #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
        Model::URING,
    ];

    /// The peers, servers from outside this workspace that speak the same protocol, from the most
    /// expensive to the barest.
    #[cfg(unix)]
    pub const PEERS: &'static [Model] = &[
        Model { limits: &[ENDS_AT_CTRL_C, TRIES_ONCE_A_SECOND], ..peer!(PYTHON_ASYNCIO) },
        Model { needs_descriptors: Some(NEVER_TRIES_AGAIN), ..peer!(PYTHON_SELECTORS) },
        Model {
            limits: &[ENDS_AT_CTRL_C, CLOSES_WITHOUT_DESCRIPTORS],
            needs_descriptors: Some(CLOSES_WITHOUT_DESCRIPTORS.reason),
            ..peer!(NODE)
        },
        peer!(GO),
        Model {
            limits: &[ENDS_AT_CTRL_C, CLOSES_WITHOUT_DESCRIPTORS],
            needs_descriptors: Some(CLOSES_WITHOUT_DESCRIPTORS.reason),
            ..peer!(LIBUV)
        },
        #[cfg(not(target_vendor = "apple"))]
        Model {
            most_connections: IN_A_SET,
            needs_descriptors: Some(NEVER_TRIES_AGAIN),
            ..peer!(C_SELECT)
        },
        #[cfg(target_os = "linux")]
        Model { needs_descriptors: Some(NEVER_TRIES_AGAIN), ..peer!(C_EPOLL) },
    ];

    /// No peers run here.
    #[cfg(not(unix))]
    pub const PEERS: &'static [Model] = &[];

    /// The name of the server's package, or of the peer.
    pub fn name(&self) -> &'static str {
        self.label.split(' ').next().unwrap_or(self.label)
    }

    /// The options that change its way to wait.
    pub fn options(&self) -> impl Iterator<Item = &'static str> {
        self.label.split(' ').skip(1)
    }

    /// How many clients it can serve at the same time, each on a connection that stays open.
    pub fn most_clients(&self) -> usize {
        self.serves_at_once.min(self.most_connections)
    }

    /// The number of processes that it serves in. Each has a limit of descriptors of its own.
    pub fn processes(&self) -> usize {
        // If the number of cores is unknown, there is at least one.
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        match self.has_workers {
            true => number_after("--workers", self.label).unwrap_or_else(cores),
            false => 1,
        }
    }

    /// Why a server of this kind can't, or can't always, keep the promise that this check tries.
    pub fn limit(&self, check: &str) -> Option<&'static Limit> {
        self.limits.iter().find(|limit| limit.checks.contains(&check))
    }

    /// Whether a server of this kind has to keep the promise that this check tries.
    pub fn can_keep(&self, check: &str) -> bool {
        self.limit(check).is_none()
    }

    /// Whether it is one of [`ALL`](Self::ALL) or [`PEERS`](Self::PEERS), without other options.
    pub fn is_listed(&self) -> bool {
        listed().any(|model| model.label == self.label)
    }

    /// Whether it can run here. A peer is compiled if necessary.
    ///
    /// # Errors
    ///
    /// A sentence that says why it can't.
    pub fn available(&self) -> io::Result<()> {
        (self.available)()
    }
}

fn listed() -> impl Iterator<Item = &'static Model> {
    Model::ALL.iter().chain(Model::PEERS)
}

#[cfg(unix)]
const ENDS_AT_CTRL_C: Limit =
    never_keeps(&["ctrl-c"], "it doesn't handle Ctrl-C, which ends it at once");

#[cfg(unix)]
const TRIES_ONCE_A_SECOND: Limit = Limit {
    always: false,
    checks: &["descriptor-limit"],
    reason: "while no descriptor is left, asyncio retries once a second, and then calls accept as \
             many times as the backlog is long",
};

#[cfg(unix)]
const CLOSES_WITHOUT_DESCRIPTORS: Limit = never_keeps(
    &["descriptor-limit"],
    "when no descriptor is left, libuv accepts clients with one that it keeps in reserve, and \
     closes them",
);

#[cfg(unix)]
const NEVER_TRIES_AGAIN: &str =
    "once no descriptor is left, it accepts no clients until one of its own connections closes";

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label)
    }
}

/// Reads a label. The options may differ from the listed ones: `busy-server --nap 7ms`.
impl FromStr for Model {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        let words: Vec<&str> = label.split([' ', '=']).filter(|word| !word.is_empty()).collect();
        let label = words.join(" ");
        if let Some(&model) = listed().find(|model| model.label == label) {
            return Ok(model);
        }
        // Otherwise this program would look for the server at the wrong address, or not understand
        // its replies.
        if let Some(ours) = words.iter().find(|word| ["--address", "--protocol"].contains(word)) {
            return Err(format!(
                "`{ours}` is set by this program; leave it out (`check` and `chaos` have their own \
                 `--protocol`)"
            ));
        }
        let name = words.first().copied().unwrap_or_default();
        let of_that_name = || listed().filter(|model| model.name() == name);
        let alike = of_that_name().find(|model| model.options().next() == words.get(1).copied());
        let Some(&model) = alike.or_else(|| of_that_name().next()) else {
            let labels: Vec<_> = listed().map(|model| model.label).collect();
            return Err(format!("there is no server `{name}`; choose from {}", labels.join(", ")));
        };
        // With other options than the listed ones, it is unknown whether the limits always hold.
        let limit = |limit: &Limit| Limit { always: false, ..*limit };
        let limits: Vec<_> = model.limits.iter().map(limit).collect();
        // A pool serves as many clients as it has threads. Without a pool, a process has no room
        // for more threads than this, whatever the options say.
        let pool = number_after("--pool", &label);
        let most_threads = usize::try_from(thread_server::most_threads()).unwrap_or(usize::MAX);
        let threads = number_after("--max-threads", &label).map(|it| it.min(most_threads));
        Ok(Model {
            // Both live until the end of the program, like those of the listed models.
            label: label.leak(),
            limits: limits.leak(),
            serves_at_once: pool.unwrap_or(model.serves_at_once),
            most_connections: threads.or(pool).unwrap_or(model.most_connections),
            ..model
        })
    }
}

/// The number that follows an option in a label.
fn number_after(option: &str, label: &str) -> Option<usize> {
    label.split(' ').skip_while(|word| *word != option).nth(1)?.parse().ok()
}

/// A server that is not measured, because it isn't fit for that. Displayed as a sentence.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// Its label.
    pub server: &'static str,
    /// Why not.
    pub why: String,
}

impl LeftOut {
    /// Takes those models out for which `unfit` says why they are not fit.
    pub(crate) fn take_out(
        models: &mut Vec<Model>,
        unfit: impl Fn(&Model) -> Option<String>,
    ) -> Vec<Self> {
        let mut left_out = Vec::new();
        models.retain(|model| {
            let before = left_out.len();
            left_out.extend(unfit(model).map(|why| LeftOut { server: model.label, why }));
            left_out.len() == before
        });
        left_out
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is left out: {}.", self.server, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_read_as_its_model() {
        for model in Model::ALL.iter().chain(Model::PEERS) {
            let read: Model = model.label.parse().unwrap();
            assert_eq!(read.label, model.label);
            assert_eq!(read.limits, model.limits);
            assert_eq!(read.serves_at_once, model.serves_at_once);
            assert_eq!(read.options().count(), model.label.split(' ').count() - 1);
        }
    }

    #[test]
    fn with_other_options_than_the_listed_limits_do_not_always_hold() {
        let pool: Model = "thread-server --pool=100".parse().unwrap();
        assert_eq!((pool.name(), pool.serves_at_once), ("thread-server", 100));
        assert!(!pool.limit("silent-neighbour").unwrap().always);
        let threads: Model = "thread-server --max-threads 7".parse().unwrap();
        assert!(threads.can_keep("silent-neighbour"));
        assert_eq!((pool.most_clients(), threads.most_clients()), (100, 7));
    }

    #[test]
    fn options_that_this_program_sets_are_rejected() {
        for option in ["--address 127.0.0.1:80", "--protocol=one-shot"] {
            let error = format!("poll-server {option}").parse::<Model>().unwrap_err();
            assert!(error.contains("leave it out"), "{error}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn workers_have_descriptors_of_their_own() {
        let three: Model = "prefork-server --workers 3 --reuse-port".parse().unwrap();
        assert_eq!((three.processes(), Model::POLL.processes()), (3, 1));
        assert!(Model::PREFORK.processes() >= 1);
        // The workers of async-server are threads.
        assert_eq!("async-server --workers 3".parse::<Model>().unwrap().processes(), 1);
    }

    #[test]
    fn an_unknown_server_is_rejected_with_a_list_of_the_known_ones() {
        let error = "nginx --quickly".parse::<Model>().unwrap_err();
        assert!(error.contains("`nginx`") && error.contains("thread-server --pool 4"), "{error}");
    }
}
