//! What the text says in numbers about the measured set: each sentence with its formula and its
//! bounds. A new set, or a new sentence, has to agree with them.
//!
//! Claims about what a command prints need no test here: the numbers in the terminals have
//! their bounds on the page. What was measured by hand has none.

use std::fs;
use std::ops::RangeInclusive;

use docs::{figures, pages, workspace};
use serde_json::Value;

/// The measured set.
struct Figures(Value);

impl Figures {
    fn read() -> Self {
        let path = pages(&workspace()).join(figures::SET).join("figures.json");
        Figures(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    }

    /// The median of a benchmark of the suite, in nanoseconds.
    fn time(&self, group: &str, function: &str, parameter: &str) -> f64 {
        let all = self.0["suite"].as_array().unwrap();
        let it = all.iter().find(|it| {
            (&it["group"], &it["function"], &it["parameter"])
                == (&group.into(), &function.into(), &parameter.into())
        });
        let median = it.and_then(|it| it["nanoseconds"]["median"].as_f64());
        median.unwrap_or_else(|| panic!("{group} has no {function} at {parameter}"))
    }

    /// What `bench -- cost` has measured of a server with so many connections, sample by sample.
    fn samples(&self, active: u64, server: &str, what: &str) -> Vec<f64> {
        let costs = self.0["costs"].as_array().unwrap();
        let cost = costs.iter().find(|cost| cost["active"] == active);
        let servers = cost.and_then(|cost| cost["servers"].as_array()).unwrap();
        let it = servers.iter().find(|it| it["server"] == server);
        let samples = it.and_then(|it| it[what].as_array());
        let samples = samples.unwrap_or_else(|| panic!("no {what} of {server} at {active}"));
        samples.iter().map(|sample| sample.as_f64().unwrap()).collect()
    }

    /// Microseconds of processor time per request.
    fn processor(&self, active: u64, server: &str) -> f64 {
        median(self.samples(active, server, "processor_us"))
    }

    fn calls(&self, active: u64, server: &str) -> f64 {
        median(self.samples(active, server, "calls_per_request"))
    }

    /// Bytes of the process per connection.
    fn memory(&self, active: u64, server: &str) -> f64 {
        median(self.samples(active, server, "memory_per_connection"))
    }

    /// Processor time per request, in times that of poll-server in the same sample.
    fn ratio(&self, active: u64, server: &str) -> f64 {
        let [one, other] =
            [server, "poll-server"].map(|it| self.samples(active, it, "processor_us"));
        median(one.iter().zip(&other).map(|(one, other)| one / other).collect())
    }

    /// What the set says of its machine, such as `25.3 GB`, without the unit.
    fn machine(&self, what: &str) -> f64 {
        let told = self.0["machine"][what].as_str().unwrap();
        told.split(' ').next().unwrap().parse().unwrap()
    }
}

/// The loads of `bench -- cost`, by their active connections: of 100, of 900, of 10,000.
const LOADS: [u64; 3] = [100, 900, 1000];

/// How many ports Linux gives to clients, with its default of `ip_local_port_range`.
const PORTS: f64 = 60_999.0 - 32_768.0 + 1.0;

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len() % 2 == 1 {
        samples[middle]
    } else {
        (samples[middle - 1] + samples[middle]) / 2.0
    }
}

/// What may be told as this number, if it is told in this unit.
fn rounded(number: f64, unit: f64) -> RangeInclusive<f64> {
    number - unit / 2.0..=number + unit / 2.0
}

/// The page says these words, and each of the values is within these bounds.
#[track_caller]
fn claim(page: &str, words: &str, values: &[f64], bounds: RangeInclusive<f64>) {
    let text = fs::read_to_string(pages(&workspace()).join(page)).unwrap();
    assert!(text.contains(words), "{page} does not say: {words}");
    for value in values {
        assert!(bounds.contains(value), "{page}: {words} ({value} is not within {bounds:?})");
    }
}

#[test]
fn one_slow_client() {
    let page = "02-one-slow-client.md";
    let figures = Figures::read();
    let [sync, poll] = ["sync-server", "poll-server"]
        .map(|server| ["1", "2", "4", "8"].map(|slow| figures.time("slow_clients", server, slow)));
    let each = [(sync[1] - sync[0]) / 1e6, (sync[2] - sync[1]) / 2e6, (sync[3] - sync[2]) / 4e6];
    claim(
        page,
        "Each slow client beyond the first adds 53 ms to a visit at `sync-server`",
        &each,
        52.0..=56.0,
    );
    let words =
        "At `poll-server`, eight of them add nothing that could be distinguished from noise";
    claim(page, words, &[(poll[3] - poll[0]) / 7.0], -3000.0..=3000.0);
    let words =
        "a visit to `sync-server` takes several thousand times as long as one to `poll-server`";
    claim(page, words, &[sync[3] / poll[3]], 3000.0..=9900.0);
}

#[test]
fn ways_to_ask() {
    let page = "04-ways-to-ask.md";
    let figures = Figures::read();
    let busy = |idle| figures.time("idle_connections", "busy-server", idle);
    let words = "With 10,000 silent connections, `busy-server` takes 250 times as long";
    claim(page, words, &[busy("10000") / busy("0")], rounded(250.0, 10.0));
    let select = figures.time("idle_connections", "select-server", "0");
    let words = "With no silent connections it takes less than half the time of `select-server`";
    claim(page, words, &[busy("0") / select], 0.0..=0.5);
}

#[test]
fn select() {
    let page = "05-select.md";
    let figures = Figures::read();
    let [few, many] = ["10", "1000"].map(|pipes| figures.time("wait_cost", "select", pipes));
    let words = "From 10 to 1,000, select takes 46 times as long";
    claim(page, words, &[many / few], rounded(46.0, 1.0));
    let each = (many - few) / (1000.0 - 10.0);
    claim(page, "each further descriptor costs 90 ns", &[each], rounded(90.0, 10.0));
}

#[test]
fn poll_and_epoll() {
    let page = "07-poll-epoll-kqueue-iocp.md";
    let figures = Figures::read();

    let words = "`poll-server` makes 2.11 calls for a request";
    claim(page, words, &[figures.calls(100, "poll-server")], rounded(2.11, 0.01));
    let words = "for a request, and `poll2-server` 2.02";
    claim(page, words, &[figures.calls(100, "poll2-server")], rounded(2.02, 0.01));

    let wait = |way, pipes| figures.time("wait_cost", way, pipes);
    let grows = |way, from, to| wait(way, to) / wait(way, from);
    let scans = [
        grows("select", "100", "1000"),
        grows("poll", "100", "1000"),
        grows("poll", "1000", "10000"),
    ];
    let words = "ten times as many cost select and poll about ten times as much";
    claim(page, words, &scans, 8.0..=12.5);
    let words = "A thousand times as many cost epoll less than twice as much";
    claim(page, words, &[grows("epoll", "10", "10000")], 1.0..=2.0);
    let words = "At 10,000 descriptors one wait in poll costs as much as 600 in epoll";
    claim(page, words, &[wait("poll", "10000") / wait("epoll", "10000")], rounded(600.0, 100.0));

    // Kerrisk's table 63-9: nanoseconds for 10, 100, 1,000 and 10,000 descriptors.
    let pipes = ["10", "100", "1000", "10000"];
    let poll_then = [6_100.0, 29_000.0, 350_000.0, 9_900_000.0];
    let epoll_then = [4_100.0, 4_200.0, 5_300.0, 6_600.0];
    // select could not be asked about 10,000 again.
    let select_then = [7_300.0, 30_000.0, 350_000.0];
    let words = "Everything has become faster since 2010";
    for (way, then) in [("poll", &poll_then[..]), ("epoll", &epoll_then), ("select", &select_then)]
    {
        let now_to_then: Vec<f64> =
            pipes.iter().zip(then).map(|(pipes, then)| wait(way, pipes) / then).collect();
        claim(page, words, &now_to_then, 0.0..=1.0);
    }
    let growth = [grows("epoll", "10", "10000"), epoll_then[3] / epoll_then[0]];
    claim(page, "epoll hardly rises, now as in 2010](figures/", &growth, 1.0..=2.0);

    let busy = |active| {
        ["select-server", "poll2-server", "poll-server"]
            .map(|server| figures.time("busy_connections", server, active))
    };
    let all = busy("900 of 900");
    let slowest = all.iter().copied().fold(0.0, f64::max);
    let words = "Where all 900 of 900 are active, the three differ by less than 5%";
    claim(page, words, &all.map(|time| slowest / time), 1.0..=1.05);
    let [select, poll, epoll] = busy("9 of 900");
    let words = "Where 9 of 900 are active, select and poll take five times as long";
    claim(page, words, &[select / epoll, poll / epoll], rounded(5.0, 1.0));

    let answers = "answers/07-poll-epoll-kqueue-iocp.md";
    let scan = 10.0 * wait("poll", "10000");
    let words = "About 10 ms, ten times as much as with 10,000";
    claim(answers, words, &[scan / 1e6], 9.0..=12.0);
    let words = "`poll2-server` could answer less than a hundred requests a second";
    claim(answers, words, &[1e9 / scan], 0.0..=100.0);
}

#[test]
fn threads_pools_prefork() {
    let page = "10-threads-pools-prefork.md";
    let figures = Figures::read();

    let pool = |slow| figures.time("slow_clients", "thread-server --pool 4", slow);
    let words = "As long as one thread is left it is as fast as ever, and then it stops";
    claim(page, words, &[pool("1") / pool("0"), pool("2") / pool("0")], 0.75..=1.35);
    claim(page, words, &[pool("4") / pool("2")], 500.0..=5000.0);

    let processor_time = |active| {
        let [thread, poll] = ["thread-server", "poll-server"]
            .map(|server| figures.time("processor_time", server, active));
        thread / poll
    };
    let words = "the thread takes less processor time for each request";
    claim(page, words, &[processor_time("1 of 1")], 0.5..=0.97);
    let words = "a request takes twice the processor time in threads";
    claim(page, words, &[processor_time("100 of 100")], 1.6..=2.4);
    let words = "and with 900 nearly three times";
    claim(page, words, &[processor_time("900 of 900")], 2.5..=3.0);

    let [thread, poll] = ["thread-server", "poll-server"].map(|it| figures.memory(900, it));
    let words = "A connection takes 14.9 kB in `thread-server`";
    claim(page, words, &[thread], rounded(14_900.0, 100.0));
    let words = "35 times what it takes in `poll-server`";
    claim(page, words, &[thread / poll], rounded(35.0, 1.0));
    let words = "a thread takes thirty-five times what a connection takes in a loop](figures/";
    claim(page, words, &[thread / poll], rounded(35.0, 1.0));
}

#[test]
fn timers() {
    let figures = Figures::read();
    let round_trip = |idle| figures.time("idle_connections", "poll-server", idle);
    let words = "deadlines that are not due cost next to nothing, however many there are";
    claim("11-timers.md", words, &[round_trip("10000") / round_trip("0")], 0.8..=1.3);
}

#[test]
fn async_and_await() {
    let page = "12-async-await.md";
    let figures = Figures::read();
    let ratios = |server| LOADS.map(|active| figures.ratio(active, server));

    let words = "A request takes 6 to 16% more processor time than at `poll-server`";
    claim(page, words, &ratios("async-server"), 1.055..=1.165);
    // Under 900 active connections, as the table below that sentence.
    let memory = figures.memory(900, "async-server");
    claim(page, "a connection 1.9 kB of memory", &[memory], rounded(1_900.0, 100.0));
    let times = LOADS.map(|active| {
        figures.memory(active, "async-server") / figures.memory(active, "poll-server")
    });
    claim(page, "1.9 kB of memory, four to seven times as much", &times, 4.0..=7.0);
    let thread = figures.memory(900, "thread-server");
    claim(page, "and an eighth of a thread's", &[thread / memory], rounded(8.0, 1.0));

    let words = "Go and Node take half as much again as `poll-server`";
    claim(page, words, &ratios("go"), 1.35..=1.65);
    claim(page, words, &ratios("node"), 1.35..=1.65);
    claim(page, "asyncio twice as much", &ratios("python-asyncio"), 1.8..=2.4);
    let words = "libuv, the loop in Node, takes as much as `poll-server`";
    claim(page, words, &ratios("libuv"), 0.95..=1.06);

    // A future of 9152 bytes in place of one of 960.
    let words = "A silent client would cost 10 kB instead of 2";
    let answers = "answers/12-async-await.md";
    claim(answers, words, &[memory - 960.0 + 9152.0], rounded(10_000.0, 1_000.0));
    claim(answers, words, &[memory], rounded(2_000.0, 1_000.0));
}

#[test]
fn completion() {
    let page = "13-completion.md";
    let figures = Figures::read();
    let calls = LOADS
        .map(|active| figures.calls(active, "poll-server") / figures.calls(active, "uring-server"));
    claim(page, "There are 40 to 80 times fewer calls", &calls, 35.0..=85.0);
    let ratios = LOADS.map(|active| figures.ratio(active, "uring-server"));
    let words = "a request takes 3 to 5% less processor time";
    claim(page, words, &ratios, 0.945..=0.975);
    claim(page, "The table says 3 to 5%", &ratios, 0.945..=0.975);
    let c = LOADS.map(|active| {
        figures.processor(active, "c-epoll") / figures.processor(active, "uring-server")
    });
    claim(page, "A small loop in C around epoll takes no more than that", &c, 0.9..=1.02);
    let request = figures.processor(100, "poll-server");
    claim(page, "Of a request's 4.8 µs", &[request], rounded(4.8, 0.1));
}

#[test]
fn measuring() {
    let page = "14-measuring.md";
    let figures = Figures::read();

    // Twenty clients every 10 ms for four seconds, one of which the server stands still.
    let rate = 20.0 / 0.010;
    claim(page, "2000 requests a second in all", &[rate], rounded(2000.0, 1.0));
    let asked = rate * 4.0;
    let words = "twenty clients that send one every 10 ms send 8000 in four seconds";
    claim(page, words, &[asked], rounded(8000.0, 1.0));
    let words = "Of 8000 requests, 2000 are due while the server is stopped, a quarter of all";
    claim(page, words, &[rate * 1.0], rounded(2000.0, 1.0));
    let stopped = rate * 1.0 / asked;
    claim(page, words, &[stopped], rounded(0.25, 0.01));
    let waited = |share: f64| (share - (1.0 - stopped)) / stopped;
    let words = "has waited for 4*q* − 3 seconds: the p90 is 0.6 s, the p99 is 0.96 s";
    claim(page, words, &[waited(0.9)], rounded(0.6, 0.1));
    claim(page, words, &[waited(0.99)], rounded(0.96, 0.01));
    let mean = stopped * 0.5;
    claim(page, "a quarter of half a second, 125 ms", &[mean], rounded(0.125, 0.001));

    // A closed loop asks nothing in that second, but for one request of each client.
    let asked = rate * 3.0;
    let words = "Twenty of 6000 are a third of a percent, less than what the p99 leaves out";
    claim(page, words, &[20.0 / asked * 100.0], rounded(0.33, 0.01));
    claim(page, words, &[20.0 / asked], 0.0..=1.0 - 0.99);
    claim(page, "the mean is 20 s / 6000, or 3.3 ms", &[20e3 / asked], rounded(3.3, 0.1));

    let quick = 0.99_f64.powi(100) * 100.0;
    claim(page, "is 0.99<sup>100</sup>, or 37%", &[quick], rounded(37.0, 1.0));
    let words = "63 of 100 pages wait for the p99 or longer";
    claim(page, words, &[100.0 - quick], rounded(63.0, 1.0));

    let outside = 2.0 / 2_f64.powi(6) * 100.0;
    claim(page, "in 2 of 2<sup>6</sup> cases, that is 3.1%", &[outside], rounded(3.1, 0.1));
    claim(page, "In the other 97% the true median", &[100.0 - outside], rounded(97.0, 1.0));
    // Intervals that have the true value in 95 of 100 cases.
    let words = "If you look at twenty such ratios, expect one of them to leave 1 out by chance";
    claim(page, words, &[20.0 * (1.0 - 0.95)], rounded(1.0, 0.1));

    claim(page, "Linux has 28,232 ports to give", &[PORTS], rounded(28_232.0, 1.0));
    let words = "For the measured set there were two.";
    claim(page, words, &[figures.machine("cores")], rounded(2.0, 1.0));

    let answers = "answers/14-measuring.md";
    let share = 0.99_f64.powf(1.0 / 20.0);
    claim(answers, "so *q* is 0.9995: the p99.95", &[share], rounded(0.9995, 0.0001));
    let words = "you need at least 2000 requests";
    claim(answers, words, &[1.0 / (1.0 - 0.9995)], rounded(2000.0, 1.0));
}

const CHOOSING: &str = "15-choosing.md";

#[test]
fn choosing() {
    let figures = Figures::read();

    let slow = |server, slow| figures.time("slow_clients", server, slow);
    let words = "With 8 slow clients connected, a visit took 479 ms at `sync-server`";
    claim(CHOOSING, words, &[slow("sync-server", "8") / 1e6], rounded(479.0, 1.0));
    let words = "and 70.5 µs at `poll-server`";
    claim(CHOOSING, words, &[slow("poll-server", "8") / 1e3], rounded(70.5, 0.1));
    let pool = slow("thread-server --pool 4", "32") / 1e9;
    claim(CHOOSING, "it took half a second with a pool of four", &[pool], rounded(0.5, 0.1));
    let others = ["thread-server", "select-server", "poll-server", "async-server", "uring-server"]
        .map(|server| slow(server, "32") / 1e6);
    let words = "a tenth of a millisecond with a thread for each client or a loop";
    claim(CHOOSING, words, &others, rounded(0.1, 0.1));

    let [poll2, poll] = ["poll2-server", "poll-server"]
        .map(|server| figures.time("idle_connections", server, "10000"));
    let words = "With 10,000 of them, `poll2-server` takes 64 times as long as `poll-server`";
    claim(CHOOSING, words, &[poll2 / poll], rounded(64.0, 1.0));

    let shown = [
        ("c-epoll", "c-epoll 5.6 µs,", 5.6),
        ("poll-server", "poll-server 6.2,", 6.2),
        ("async-server", "async-server 7.3,", 7.3),
        ("node", "node 9.8,", 9.8),
        ("poll2-server", "poll2-server 12.9,", 12.9),
        ("python-asyncio", "python-asyncio 14.0](figures/", 14.0),
    ];
    for (server, words, told) in shown {
        claim(CHOOSING, words, &[figures.processor(1000, server)], rounded(told, 0.1));
    }
    let words = "`async-server` takes 1.2 times the time of the loop that is written by hand";
    claim(CHOOSING, words, &[figures.ratio(1000, "async-server")], rounded(1.2, 0.1));
    let asyncio = figures.ratio(1000, "python-asyncio");
    claim(CHOOSING, "and asyncio 2.2 times", &[asyncio], rounded(2.2, 0.1));
    let times = shown.map(|(server, ..)| figures.processor(1000, server));
    let quickest = times.into_iter().fold(f64::INFINITY, f64::min);
    let asyncio = figures.processor(1000, "python-asyncio");
    let words = "and asyncio is less than a tenth of the whole";
    claim(CHOOSING, words, &[(asyncio - quickest) / (100.0 + asyncio)], 0.0..=0.1);

    for (server, words, told) in [
        ("poll-server", "poll-server 428 bytes,", rounded(428.0, 1.0)),
        ("async-server", "async-server 1.9 kB,", rounded(1_900.0, 100.0)),
        ("go", "go 9.6 kB,", rounded(9_600.0, 100.0)),
        ("thread-server", "thread-server 14.9 kB](figures/", rounded(14_900.0, 100.0)),
    ] {
        claim(CHOOSING, words, &[figures.memory(900, server)], told);
    }
    let words = "they are from one machine with two cores";
    claim(CHOOSING, words, &[figures.machine("cores")], rounded(2.0, 1.0));
    // As the picture has it, for 900 active connections.
    let words =
        "about 4 kB of the kernel's memory at either end: ten times what it takes in `poll-server`";
    claim(CHOOSING, words, &[SOCKET / figures.memory(900, "poll-server")], 8.0..=12.0);
}

/// Bytes that the kernel keeps for a silent connection at either end: the chapter's transcript.
const SOCKET: f64 = 4_000.0;

/// Bytes of a thread's stack in the kernel, on x86-64.
const KERNEL_STACK: f64 = 16_384.0;

#[test]
fn choosing_on_paper() {
    let figures = Figures::read();

    let second = figures.processor(1000, "poll-server") / 1e6;
    let words = "A request takes `poll-server` 6.24 µs of processor time";
    claim(CHOOSING, words, &[second * 1e6], rounded(6.24, 0.01));
    let poll = figures.memory(1000, "poll-server");
    let words = "and a connection 310 bytes of its memory";
    claim(CHOOSING, words, &[poll], rounded(310.0, 1.0));
    let machine = figures.machine("memory") * 1e9;
    claim(CHOOSING, "The machine has 25.3 GB.", &[machine / 1e9], rounded(25.3, 0.1));

    // Time.
    let rate = 1.0 / second;
    let words = "One core answers 1 s / 6.24 µs, or 160,000 requests a second";
    claim(CHOOSING, words, &[rate], rounded(160_000.0, 10_000.0));
    let words = "For 10,000 clients that is 16 a second each";
    claim(CHOOSING, words, &[rate / 1e4], rounded(16.0, 1.0));
    let words = "a million can send a request every 6.2 s each";
    claim(CHOOSING, words, &[1e6 / rate], rounded(6.2, 0.1));
    let words = "which send one a minute, take a tenth of a core";
    claim(CHOOSING, words, &[1e6 / 60.0 / rate], rounded(0.1, 0.1));
    for words in [
        "With `--work 2ms`, a loop handles at most 500 requests a second",
        "a request *computes* for 2 ms instead, a core handles at most 500 a second",
    ] {
        claim(CHOOSING, words, &[1.0 / 0.002], rounded(500.0, 1.0));
    }

    // Memory, in GB for a million, as in kB for one.
    let words = "The kernel takes a million times 4 kB, 4 GB, and `poll-server` 0.3 GB";
    claim(CHOOSING, words, &[poll / 1e3], rounded(0.3, 0.1));
    let words = "With `async-server`, at 1.9 kB, it is 1.9 GB instead";
    let task = figures.memory(1000, "async-server");
    claim(CHOOSING, words, &[task / 1e3], rounded(1.9, 0.1));
    let thread = figures.memory(900, "thread-server");
    let words = "With `thread-server` it is 14.9 kB and 16 kB for the thread's stack";
    claim(CHOOSING, words, &[thread / 1e3], rounded(14.9, 0.1));
    let words = "in the kernel: 31 GB, which is more than there is";
    let threads = (thread + KERNEL_STACK) * 1e6;
    claim(CHOOSING, words, &[threads / 1e9], rounded(31.0, 1.0));
    claim(CHOOSING, words, &[threads / machine], 1.0..=f64::INFINITY);
    let mapped = 65_530.0 / 4.0;
    let words = "`vm.max_map_count` allows 65,530 of them by default, so about 16,000 threads";
    claim(CHOOSING, words, &[mapped], rounded(16_000.0, 1_000.0));
    claim(CHOOSING, "threads at 16,000 or so at most,", &[mapped], rounded(16_000.0, 1_000.0));

    // Ports.
    for words in [
        "by default 32768 to 60999: 28,232 for the same source address",
        "28,232 from each of its addresses",
        "ports from one address at 28,232,",
    ] {
        claim(CHOOSING, words, &[PORTS], rounded(28_232.0, 1.0));
    }
    let words = "it needs 36 source addresses";
    claim(CHOOSING, words, &[(1e6 / PORTS).ceil()], rounded(36.0, 1.0));

    // Connection tracking: a bucket for each 16,384 bytes of memory, as for 4 GiB at most.
    for words in ["by default [262,144]", "tracked connections at 262,144,"] {
        claim(CHOOSING, words, &[4.0 * 1024_f64.powi(3) / 16_384.0], rounded(262_144.0, 1.0));
    }

    // Network. Ethernet's preamble, header, checksum and gap; IP; TCP and its time stamps.
    let around = (8 + 14 + 4 + 12) + 20 + (20 + 12);
    let words = "with some 90 bytes around what is in it";
    claim(CHOOSING, words, &[f64::from(around)], rounded(90.0, 10.0));
    let packets = ["hello from client number 0\n", "Hello from server!\n"]
        .map(|line| f64::from(around) + line.len() as f64);
    claim(CHOOSING, "less than 120 bytes", &packets, 0.0..=120.0);
    let [request, _] = packets;
    let words = "160,000 of them a second are 150 Mbit/s";
    claim(CHOOSING, words, &[160_000.0 * request * 8.0 / 1e6], rounded(150.0, 10.0));
    let words = "With replies of 10 kB it would be 13 Gbit/s";
    claim(CHOOSING, words, &[160_000.0 * 10e3 * 8.0 / 1e9], rounded(13.0, 1.0));

    // The arrival of all, and timers.
    let visit = figures.time("connect_and_ask", "poll-server", "one at a time") / 1e9;
    let words = "A visit with a new connection takes 69 µs";
    claim(CHOOSING, words, &[visit * 1e6], rounded(69.0, 1.0));
    let words = "so a million take more than a minute";
    claim(CHOOSING, words, &[visit * 1e6], 60.0..=120.0);
    let words = "are found with twenty comparisons";
    claim(CHOOSING, words, &[1e6_f64.log2().ceil()], rounded(20.0, 1.0));

    // What ends.
    let words = "Then comes memory, at nearly six million";
    claim(CHOOSING, words, &[machine / (SOCKET + poll) / 1e6], 5.5..=6.0);
    // epoll(7): a 25th of the memory, at 160 bytes for each descriptor.
    let words = "and about there epoll's own limit";
    claim(CHOOSING, words, &[machine / 25.0 / 160.0 / 1e6], 5.0..=7.0);

    // Others.
    let theirs = 1e9 / 1e4;
    claim(CHOOSING, "100 kB of memory for each", &[theirs / 1e3], rounded(100.0, 1.0));
    let words = "With a million on 25.3 GB, you have a quarter of that";
    claim(CHOOSING, words, &[machine / 1e6 / theirs], 0.24..=0.26);
    // 2,277,845 sockets in 103 GB, of which 27 GiB were free.
    let words = "The machine had 45 kB of memory for each socket";
    claim(CHOOSING, words, &[103e6 / 2_277_845.0], rounded(45.0, 1.0));
    let words = "and more than a quarter of it was free";
    claim(CHOOSING, words, &[27.0 * 1.024_f64.powi(3) / 103.0], 0.25..=0.33);
}

#[test]
fn answers_to_choosing() {
    let page = "answers/15-choosing.md";
    let figures = Figures::read();
    let users = 200_000.0;
    let lines = users / 30.0;
    claim(page, "200,000 / 30 = 6,667 come in each second", &[lines], rounded(6_667.0, 1.0));
    // Each comes once, and goes to ten.
    let lines = lines * 11.0;
    claim(page, "73,333 in all", &[lines], rounded(73_333.0, 1.0));
    let busy = lines * 6e-6;
    claim(page, "that is 0.44 s of processor time in a second", &[busy], rounded(0.44, 0.01));
    let ratio = figures.ratio(1000, "async-server");
    let words = "one loop on one core is enough, also for `async-server`, which takes a fifth more";
    claim(page, words, &[ratio], rounded(1.2, 0.1));
    claim(page, words, &[busy, busy * ratio], 0.0..=1.0);

    let gigabytes = |kept: f64| users * (SOCKET + kept) / 1e9;
    let poll = figures.memory(1000, "poll-server");
    claim(page, "310 bytes in `poll-server`, 0.9 GB", &[gigabytes(poll)], rounded(0.9, 0.1));
    let task = figures.memory(1000, "async-server");
    claim(page, "1.9 kB in `async-server`, 1.2 GB", &[gigabytes(task)], rounded(1.2, 0.1));
    let thread = figures.memory(900, "thread-server") + KERNEL_STACK;
    let words = "a stack of 16 kB in `thread-server`, 7 GB of the 8";
    claim(page, words, &[gigabytes(thread)], rounded(7.0, 1.0));

    let words = "Three times 28,232, which is 84,696";
    claim(page, words, &[3.0 * PORTS], rounded(84_696.0, 1.0));
}
