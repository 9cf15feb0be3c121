//! A server under test.

#[cfg(target_os = "linux")]
use std::fs;
use std::iter;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bench::{MeasuredServer, Model, ServerExit};

use crate::available::left_out;

/// A server that must not have panicked when the test is over.
pub struct Server {
    process: MeasuredServer,
}

/// Runs a test, unless this system doesn't have what the server waits with; then it prints so.
pub fn if_available(model: Model, test: fn(Model)) {
    match model.available() {
        Ok(()) => test(model),
        Err(why) => left_out(format!("{} can't run here: {why}", model.label)),
    }
}

/// The command line of a server with these options.
pub fn command(model: Model, options: &[&str]) -> Command {
    let words = MeasuredServer::command(Path::new(env!("CARGO_BIN_EXE_bench")), model, options);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Options that make a server of several processes a single event loop, like the others, for tests
/// that know what one loop does.
pub fn one_loop(model: Model) -> &'static [&'static str] {
    if model.name() == "prefork-server" { &["--workers", "1"] } else { &[] }
}

impl Server {
    pub fn start(model: Model, options: &[&str]) -> Self {
        Server::start_as(model, &command(model, options))
    }

    /// The server doesn't ignore the signals that this test ignores.
    pub fn start_as(model: Model, command: &Command) -> Self {
        system::defaults_for_children();
        let words = iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_str().unwrap().to_owned()).collect();
        Server { process: MeasuredServer::start_command(model, &words).unwrap() }
    }

    /// Stops the server, which has to be alive and well until then.
    pub fn stop(self) -> ServerExit {
        let outcome = self.process.stop().unwrap();
        assert!(outcome.status.success(), "{outcome:?}");
        assert!(outcome.usage.is_some(), "{outcome:?}");
        outcome
    }

    /// Waits until the server ends by itself.
    #[cfg(unix)]
    pub fn wait(self) -> ServerExit {
        self.process.wait().unwrap()
    }

    /// The processor time that the process and its children have used, to a hundredth of a
    /// second each.
    #[cfg(target_os = "linux")]
    pub fn processor_time(&self) -> Duration {
        self.stats().map(|stat| stat.processor_time()).sum()
    }

    /// How many threads and descriptors the process and its children have.
    #[cfg(target_os = "linux")]
    pub fn threads_and_descriptors(&self) -> usize {
        let count = |what: &str, id: i32| {
            fs::read_dir(format!("/proc/{id}/{what}")).map_or(0, |entries| entries.count())
        };
        self.processes().into_iter().map(|id| count("task", id) + count("fd", id)).sum()
    }

    /// Left out: the same for other systems, where a test does not wait until they are given back.
    #[cfg(all(unix, not(target_os = "linux")))]
    pub fn threads_and_descriptors(&self) -> usize {
        0
    }

    /// The process and its children.
    #[cfg(target_os = "linux")]
    pub fn processes(&self) -> Vec<i32> {
        self.stats().map(|stat| stat.id.parse().unwrap()).collect()
    }

    #[cfg(target_os = "linux")]
    fn stats(&self) -> impl Iterator<Item = Stat> {
        let id = self.id().to_string();
        let stats = fs::read_dir("/proc").unwrap().flatten().filter_map(|it| Stat::of(&it.path()));
        stats.filter(move |stat| stat.id == id || stat.field(4) == id)
    }

    /// Makes sure that the server sleeps, if its kind ever sleeps, while nothing happens except
    /// what `meanwhile` says.
    pub fn expect_sleep(&self, model: Model, meanwhile: &str) {
        if !model.can_keep("idle-cost") {
            return; // as the survival matrix makes sure
        }
        let before = self.processor_time();
        thread::sleep(Duration::from_millis(500));
        let spent = self.processor_time() - before;
        assert!(spent <= Duration::from_millis(50), "{spent:?} spent while {meanwhile}");
    }

    /// Left out: the same for other systems. Tests that need it pass there.
    #[cfg(not(target_os = "linux"))]
    pub fn processor_time(&self) -> Duration {
        Duration::ZERO
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(self.id().cast_signed());
        nix::sys::signal::kill(id, signal).unwrap();
    }
}

/// proc_pid_stat(5) of a process.
#[cfg(target_os = "linux")]
struct Stat {
    id: String,
    /// What follows the name, from the third field on.
    fields: Vec<String>,
}

#[cfg(target_os = "linux")]
impl Stat {
    /// `None` if this isn't a process, or one that has ended meanwhile.
    fn of(process: &Path) -> Option<Self> {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        let fields = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect();
        let id = process.file_name()?.to_str()?.to_owned();
        Some(Stat { id, fields })
    }

    fn field(&self, number: usize) -> &str {
        &self.fields[number - 3]
    }

    fn processor_time(&self) -> Duration {
        // utime and stime are in clock ticks, of which Linux has 100 a second for all programs.
        let ticks = |number| self.field(number).parse::<u64>().unwrap();
        Duration::from_millis(10 * (ticks(14) + ticks(15)))
    }
}

impl Deref for Server {
    type Target = MeasuredServer;

    fn deref(&self) -> &MeasuredServer {
        &self.process
    }
}
