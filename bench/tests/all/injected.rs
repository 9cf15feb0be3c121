//! Faults at the real system calls: strace(1) makes them fail as the kernel may, and only the
//! affected clients notice.
//!
//! Each server runs under `strace --inject`, a crowd floods it, and Ctrl-C ends it. The errors of a
//! call are taken from its manual page, ERRORS. Where strace is not installed, or isn't allowed to
//! trace, the test prints so and passes.
//!
//! ```text
//! cargo test -p bench --test all injected
//! cargo test -p bench --test all injected -- --ignored --nocapture    # one by one, as a table
//! ```
//!
//! Left out: what strace can only pretend. If it makes close(2) fail, the descriptor stays open. A
//! false EAGAIN makes an edge-triggered server wait for an edge that has already been. And io_uring
//! makes no calls except the one that waits.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::panic;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use bench::{Model, ServerExit, ServerProcess};
use load_generator::report::Report;
use load_generator::{Crowd, Event, Kind, Mix, flood};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::Protocol;

use crate::survival::server::one_loop;
use crate::turns::{alone, turn};

use crate::available::{available, left_out};

/// A fault that strace injects.
#[derive(Clone, Copy)]
struct Injection {
    /// Which system calls fail, by their names in Linux, with a question mark before those that not
    /// every machine has.
    calls: &'static str,
    /// How they fail.
    error: &'static str,
    /// Which of them fail, in each thread: `2+3` is the second and then every third.
    when: &'static str,
    /// What the server prints if a client loses its connection; `None`: no client notices.
    loss: Option<&'static str>,
    /// The servers where this can't happen.
    not_at: &'static [&'static str],
}

const fn unnoticed(calls: &'static str, error: &'static str, when: &'static str) -> Injection {
    Injection { calls, error, when, loss: None, not_at: &[] }
}

/// The fifth call fails, once in each thread.
const fn costly(calls: &'static str, error: &'static str, loss: &'static str) -> Injection {
    Injection { calls, error, when: "5", loss: Some(loss), not_at: &[] }
}

/// EAGAIN, although there is something to read or write: tokio believes it.
const fn again(calls: &'static str) -> Injection {
    Injection { not_at: &["async-server"], ..unnoticed(calls, "EAGAIN", "2+3") }
}

/// The calls in which a server waits for many descriptors.
const WAIT: &str = "?select,?pselect6,?poll,?epoll_wait,?epoll_pwait,?epoll_pwait2,io_uring_enter";

/// Those of them that need kernel memory for what they watch.
const SCAN: &str = "?select,?pselect6,?poll";

const INJECTIONS: &[Injection] = &[
    unnoticed("recvfrom", "EINTR", "2+3"),
    again("recvfrom"),
    costly("recvfrom", "ECONNRESET", "Connection reset by peer"),
    costly("recvfrom", "ETIMEDOUT", "Connection timed out"),
    unnoticed("sendto", "EINTR", "2+3"),
    again("sendto"),
    costly("sendto", "EPIPE", "Broken pipe"),
    costly("sendto", "ECONNRESET", "Connection reset by peer"),
    unnoticed("accept4", "EINTR", "2+3"),
    // A blocking accept(2) fails so only if another process has made the listener non-blocking.
    Injection { when: "2+15", ..again("accept4") },
    unnoticed("accept4", "ECONNABORTED", "2+3"),
    unnoticed("accept4", "EPROTO", "2+3"),
    unnoticed("accept4", "EPERM", "2+3"),
    unnoticed("accept4", "ENETDOWN", "2+3"),
    unnoticed("accept4", "EMFILE", "3+15"),
    unnoticed("accept4", "ENFILE", "3+15"),
    unnoticed("accept4", "ENOBUFS", "3+15"),
    unnoticed("accept4", "ENOMEM", "3+15"),
    unnoticed(WAIT, "EINTR", "3+3"),
    unnoticed(SCAN, "ENOMEM", "3+9"),
    unnoticed("io_uring_enter", "EAGAIN", "3+9"),
    unnoticed("io_uring_enter", "EBUSY", "3+9"),
    unnoticed("clone3", "EAGAIN", "9+9"),
    // The calls before that are for the listener and for the first client.
    Injection { when: "9", ..costly("setsockopt", "ENOBUFS", "No buffer space available") },
    registration("ENOSPC"),
    registration("ENOMEM"),
];

/// A new connection finds no room in epoll(7). `polling` also changes what is there with each
/// wait, which never needs room, and strace can't tell the two apart: the test for these servers
/// is `a_client_that_epoll_has_no_room_for_waits_until_it_has`.
const fn registration(error: &'static str) -> Injection {
    let not_at = &["poll-server", "prefork-server"];
    Injection { not_at, ..unnoticed("epoll_ctl", error, "9") }
}

/// Many of them at once, in one run each: this is what `cargo test` has time for.
const TOGETHER: &[&[Injection]] = &[
    &[
        unnoticed("recvfrom", "EINTR", "2+3"),
        unnoticed("sendto", "EINTR", "2+3"),
        unnoticed("accept4", "ECONNABORTED", "2+3"),
        unnoticed(WAIT, "EINTR", "3+3"),
    ],
    &[
        again("recvfrom"),
        again("sendto"),
        unnoticed("accept4", "EMFILE", "3+15"),
        unnoticed(SCAN, "ENOMEM", "3+9"),
        unnoticed("io_uring_enter", "EAGAIN", "3+9"),
    ],
    &[
        costly("recvfrom", "ECONNRESET", "Connection reset by peer"),
        unnoticed("accept4", "EINTR", "2+3"),
    ],
];

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Injection { calls, error, when, .. } = self;
        write!(f, "{calls}:error={error}:when={when}")
    }
}

/// Whether strace is installed and can inject faults; if not, prints why not.
fn strace_works() -> bool {
    let trial = ["-D", "-f", "-o", "/dev/null", "-e", "inject=getppid:error=ENOSYS", "true"];
    let why = match Command::new("strace").args(trial).output() {
        Ok(output) if output.status.success() && output.stderr.is_empty() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
        Err(error) => format!("strace: {error}"),
    };
    left_out(format!("no call can be made to fail here: {why}"));
    false
}

/// The result of a flood.
struct Run {
    report: Report,
    outcome: ServerExit,
    /// How many of the traced calls were made.
    calls: usize,
    /// Those that have failed, as strace prints them.
    failed: Vec<String>,
}

impl Run {
    fn new(model: Model, injections: &[Injection]) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let calls: Vec<_> = injections.iter().map(|injection| injection.calls).collect();
        let trace = format!("trace={}", calls.join(","));
        let inject = injections.iter().map(|injection| format!("inject={injection}"));
        let expressions: Vec<String> = [trace].into_iter().chain(inject).collect();
        let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();

        system::defaults_for_children(); // it gets SIGINT
        let strace = traced(model, log.path(), &[], &expressions);
        let server = ServerProcess::start(strace).unwrap();
        let is_costly = injections.iter().any(|injection| injection.loss.is_some());
        let crowd = if is_costly { prompt_crowd() } else { mixed_crowd() };
        let go_on = &mut |_: &Event<'_>| ControlFlow::Continue(());
        let report = flood(server.address(), &crowd, go_on).unwrap();
        kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGINT).unwrap();
        let outcome = server.wait().unwrap();

        let log = fs::read_to_string(log.path()).unwrap();
        let failed = log.lines().filter(|line| line.ends_with("(INJECTED)"));
        let failed = failed.map(str::to_owned).collect();
        Run { report, outcome, calls: log.lines().count(), failed }
    }

    /// Only the affected clients have noticed anything, and the server has survived.
    fn check(&self, model: Model, injections: &[Injection]) {
        let Run { report, outcome, calls, failed } = self;
        assert!(outcome.status.success() && outcome.usage.is_some(), "{outcome:?}");
        assert!(*calls < MANY || !model.rests, "{calls} calls: it spins");
        let lost = report.errors.count();
        let is_loss = |line: &&String| {
            injections.iter().filter_map(|injection| injection.loss).any(|loss| line.contains(loss))
        };
        let reported = outcome.lines.iter().filter(is_loss).count();
        // A client that is about to close anyway doesn't notice.
        let is_right = lost <= reported && reported <= failed.len();
        assert!(is_right, "{report}\n{}", outcome.lines.join("\n"));
        let most_lost = (lost * MOST_REQUESTS) as u64;
        assert!(report.answered + most_lost >= report.requests, "{report}");
    }
}

/// The most requests that a client of these crowds sends.
const MOST_REQUESTS: usize = 5;

/// More than a thousand clients would need.
const MANY: usize = 5000;

fn prompt_crowd() -> Crowd {
    Crowd {
        connections: 30,
        requests: 3,
        // One that sends more requests, so that its thread makes a fifth call.
        mix: Mix::from([(Kind::Chatty, 1)]),
        every: Duration::from_millis(2),
        pause: Duration::from_millis(50),
        think: Duration::from_millis(20),
        ..Crowd::default()
    }
}

/// All kinds that get their replies quickly, and those that leave without waiting for any.
fn mixed_crowd() -> Crowd {
    let mix = Mix::from([
        (Kind::Dribbling, 2),
        (Kind::Pausing, 2),
        (Kind::Chatty, 1),
        (Kind::HalfClosing, 4),
        (Kind::Resetting, 2),
        (Kind::Vanishing, 2),
    ]);
    Crowd { mix, ..prompt_crowd() }
}

fn possible_at(model: Model, injections: &[Injection]) -> Vec<Injection> {
    let is_possible = |injection: &&Injection| !injection.not_at.contains(&model.name());
    injections.iter().filter(is_possible).copied().collect()
}

#[test]
fn only_affected_clients_notice_what_the_kernel_may_do() {
    let _turn = turn();
    if !strace_works() {
        return;
    }
    thread::scope(|scope| {
        for model in available(Model::ALL) {
            // A panic prints the thread's name.
            let thread = thread::Builder::new().name(model.label.to_owned());
            let all_together = move || {
                for injections in TOGETHER {
                    let injections = possible_at(model, injections);
                    let run = Run::new(model, &injections);
                    run.check(model, &injections);
                    let is_called = |injection: &Injection| {
                        model.name() != "uring-server" || injection.calls.contains("io_uring")
                    };
                    assert_eq!(injections.iter().any(is_called), !run.failed.is_empty());
                    // Servers sleep in different calls, but all of them make these.
                    for call in ["recvfrom", "sendto", "accept4"] {
                        let mut injected = injections.iter().filter(|it| is_called(it));
                        let is_due = injected.any(|injection| injection.calls == call);
                        // ` recvfrom(`, or ` recvfrom resumed` if other threads came in between.
                        let has_failed = |line: &String| line.contains(&format!(" {call}"));
                        assert!(!is_due || run.failed.iter().any(has_failed), "no {call} failed");
                    }
                }
            };
            thread.spawn_scoped(scope, all_together).unwrap();
        }
    });
}

/// A server under strace, which logs what these expressions choose.
fn traced(model: Model, log: &Path, options: &[&str], expressions: &[&str]) -> Command {
    let mut strace = Command::new("strace");
    // As a grandchild (-D), so that the child is the server, and its status the server's.
    strace.args(["-D", "-f", "-e", "signal=none", "-o"]).arg(log);
    for expression in expressions {
        strace.args(["-e", expression]);
    }
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    let command = ServerProcess::command(program, model, options);
    strace.arg(command.get_program()).args(command.get_args());
    strace
}

/// Sends one request to a server under strace; returns strace's log, and how the server ended. The
/// client has to get its reply.
fn one_request(model: Model, expressions: &[&str]) -> (String, ServerExit) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let server =
        ServerProcess::start(traced(model, log.path(), one_loop(model), expressions)).unwrap();
    let crowd = Crowd { connections: 1, requests: 1, mix: Mix::default(), ..prompt_crowd() };
    let report = flood(server.address(), &crowd, &mut |_| ControlFlow::Continue(())).unwrap();
    let outcome = server.stop().unwrap();
    assert!(report.answered == 1 && report.is_good(), "{}: {report}\n{outcome:?}", model.label);
    (fs::read_to_string(log.path()).unwrap(), outcome)
}

/// The kernel remembers what epoll watches, and may have no memory for one more client, although it
/// has already been accepted.
#[test]
fn a_client_that_epoll_has_no_room_for_waits_until_it_has() {
    let _turn = turn();
    if !strace_works() {
        return;
    }
    let models = [Model::POLL, Model::PREFORK, Model::ASYNC];
    for model in available(&models) {
        let (log, _) = one_request(model, &["trace=accept4,epoll_ctl"]);
        // Which call of its thread adds the first descriptor after a client was accepted.
        let calls: Vec<_> = log.lines().filter_map(|line| line.split_once(' ')).collect();
        let accepted =
            calls.iter().position(|(_, it)| it.contains("accept4(") && !it.contains("= -1"));
        let (thread, _) = calls[accepted.expect("a client was accepted")];
        let is_added = |it: &str| it.contains("EPOLL_CTL_ADD");
        let of_thread =
            || calls.iter().filter(|(of, it)| *of == thread && it.contains("epoll_ctl("));
        let before = calls[..accepted.unwrap()].iter();
        let before = before.filter(|(of, it)| *of == thread && it.contains("epoll_ctl(")).count();
        let after = of_thread().skip(before).position(|(_, it)| is_added(it));
        let number = 1 + before + after.expect("the client is watched");
        for (error, what) in
            [("ENOSPC", "no room in epoll is left"), ("ENOMEM", "no memory is left")]
        {
            let inject = format!("inject=epoll_ctl:error={error}:when={number}");
            let (log, outcome) = one_request(model, &["trace=epoll_ctl", &inject]);
            let failed = log.lines().find(|line| line.ends_with("(INJECTED)"));
            assert!(failed.is_some_and(is_added), "{}: {failed:?}", model.label);
            assert!(outcome.lines.iter().any(|line| line.contains(what)), "{outcome:?}");
        }
    }
}

/// The same without strace: for a moment, no process may watch anything more.
#[test]
#[ignore = "it lowers `fs.epoll.max_user_watches` of the whole machine; `.ci/long` takes it"]
fn clients_wait_while_no_more_watches_are_allowed() {
    const LIMIT: &str = "/proc/sys/fs/epoll/max_user_watches";
    /// The limit as it was. Dropping it puts that back.
    struct Before(String);
    impl Drop for Before {
        fn drop(&mut self) {
            fs::write(LIMIT, &self.0).unwrap();
        }
    }

    let _alone = alone();
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    for model in available(&[Model::POLL, Model::PREFORK, Model::ASYNC]) {
        let command = ServerProcess::command(program, model, one_loop(model));
        let mut server = ServerProcess::start(command).unwrap();
        let address = server.address();
        // A client that needs no epoll itself.
        let send_request = || {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"hello\n").unwrap();
            client
        };
        let expect_reply = |mut client: TcpStream| {
            let mut reply = vec![0; Protocol::Lines.reply().len()];
            client.read_exact(&mut reply).unwrap();
            assert_eq!(reply, Protocol::Lines.reply(), "{}", model.label);
        };
        expect_reply(send_request()); // so that all of its processes are running
        let before = Before(fs::read_to_string(LIMIT).unwrap());
        if let Err(error) = fs::write(LIMIT, "0") {
            return eprintln!("left out, because {LIMIT} can't be changed here: {error}");
        }
        let waiting = send_request();
        let is_reported = server.has_printed(1, "no room in epoll is left");
        drop(before);
        assert!(is_reported, "{}", model.label);
        expect_reply(waiting);
        server.stop().unwrap();
    }
}

#[test]
#[ignore = "two minutes: call by call, as a table; `.ci/long` takes them"]
fn one_by_one() {
    let _turn = turn();
    if !strace_works() {
        return;
    }
    let mut broken = Vec::new();
    for model in available(Model::ALL) {
        for injection in INJECTIONS {
            let injections = possible_at(model, &[*injection]);
            if injections.is_empty() {
                continue;
            }
            let run = Run::new(model, &injections);
            let Some(failed) = run.failed.first() else { continue };
            let mut calls = injection.calls.split(',').map(|call| call.trim_start_matches('?'));
            let call = calls.find(|call| failed.contains(&format!(" {call}(")));
            let is_kept = panic::catch_unwind(|| run.check(model, &injections)).is_ok();
            let Injection { error, .. } = injection;
            println!(
                "{:28}{:16}{error:14}{:>5} of {:<6}answered {} of {}, lost {}{}",
                model.label,
                call.unwrap_or_default(),
                run.failed.len(),
                run.calls,
                run.report.answered,
                run.report.requests,
                run.report.errors.count(),
                if is_kept { "" } else { "  ✗" },
            );
            broken.extend((!is_kept).then(|| format!("{}: {injection}", model.label)));
        }
    }
    assert_eq!(broken, [""; 0]);
}
