//! A set made of invented figures: whether it is complete and readable.

use std::fs;

use roxmltree::Document;

use super::*;
use crate::cost::{Cost, CostPlan};
use crate::{Interval, LeftOut};

/// Servers whose figures are invented.
const PEERS: [&str; 4] = ["c-epoll", "libuv", "go", "python-asyncio"];

fn labels() -> impl Iterator<Item = &'static str> {
    Model::ALL.iter().map(|model| model.label)
}

fn estimate(group: &str, function: &str, parameter: &str, nanoseconds: f64) -> Estimate {
    Estimate {
        group: group.into(),
        function: function.into(),
        parameter: parameter.into(),
        nanoseconds: Interval {
            low: nanoseconds * 0.95,
            median: nanoseconds,
            high: nanoseconds * 1.07,
        },
        bytes: None,
        samples: 100,
    }
}

/// Each server is a bit slower than the one before, and the blocking ones are as slow as their slow
/// clients.
fn suite() -> Vec<Estimate> {
    let mut suite = Vec::new();
    for (index, label) in labels().enumerate() {
        let base = 60_000.0 + 5_000.0 * index as f64;
        for slow in [0, 1, 2, 4, 8, 16, 32, 64] {
            let wait = match label {
                "sync-server" if slow > 8 => continue,
                "sync-server" => 250e6 * f64::from(slow),
                "thread-server --pool 4" if slow >= 4 => 62e6 * f64::from(slow),
                _ => 0.0,
            };
            suite.push(estimate("slow_clients", label, &slow.to_string(), base + wait));
        }
        for idle in [0, 10, 100, 1_000, 10_000] {
            let growing = match label {
                "sync-server" if idle > 0 => continue,
                "select-server" if idle > 1_000 => continue,
                "select-server" | "poll2-server" => 60.0,
                "busy-server" => 400.0,
                _ => 0.1,
            };
            let trip = 0.5 * base + growing * f64::from(idle);
            suite.push(estimate("idle_connections", label, &idle.to_string(), trip));
        }
        for load in ["100 of 100", "1000 of 1000", "10 of 1000", "100 of 10000"] {
            suite.push(estimate("busy_connections", label, load, base / 8.0));
            suite.push(estimate("processor_time", label, load, base / 9.0));
        }
        suite.push(estimate("connect_and_ask", label, "", 2.0 * base));
    }
    let ways = ["poll", "select", "epoll", "epoll through polling", "io_uring", "byte alone"];
    for (way, (fixed, each)) in ways.into_iter().zip([
        (900.0, 14.0),
        (950.0, 15.0),
        (1_000.0, 0.02),
        (1_900.0, 0.02),
        (1_300.0, 0.03),
        (700.0, 0.0),
    ]) {
        for count in [10, 100, 1_000, 10_000] {
            if way != "select" || count <= 1_000 {
                let time = fixed + each * f64::from(count);
                suite.push(estimate("wait_cost", way, &count.to_string(), time));
                suite.push(estimate("chain", way, &count.to_string(), 10.0 * time));
            }
        }
    }
    suite.push(estimate("protocol", "", "requests", 55.0));
    suite
}

fn cost(server: &str, processor_us: f64) -> Cost {
    let rounds =
        |median: f64| (0..12).map(|round| median * (0.95 + 0.01 * f64::from(round))).collect();
    Cost {
        server: server.into(),
        processor_us: rounds(processor_us),
        requests_per_s: rounds(900_000.0 / processor_us),
        share_of_a_core: rounds(0.9),
        calls_per_request: if PEERS.contains(&server) {
            Vec::new()
        } else {
            rounds(processor_us / 3.0)
        },
        calls_not_counted: (server == "async-server").then(|| "those of the runtime".into()),
        memory_per_connection: rounds(400.0 * processor_us),
        trouble: None,
    }
}

fn figures() -> Figures {
    let costs = [(100, 0), (900, 0), (1_000, 9_000)].map(|(active, idle)| {
        let idle_cost = 0.001 * idle as f64;
        let servers = labels().chain(PEERS).enumerate();
        let servers = servers.map(|(index, label)| {
            let growing = if label.starts_with("busy") { 40.0 } else { 1.0 };
            cost(label, 4.0 + (index * 7 % 11) as f64 + growing * idle_cost)
        });
        LoadCosts {
            plan: CostPlan { models: Vec::new(), active, idle, rounds: 12 },
            servers: servers.collect(),
            left_out: vec![LeftOut { server: "none", why: "all are fit".into() }],
        }
    });
    Figures {
        date: "2026-01-02T03:04:05Z".into(),
        machine: machine::describe(),
        command: "invented".into(),
        quick: true,
        from_before: true,
        missing: vec!["Nothing was measured.".into()],
        suite: suite(),
        costs: costs.into(),
    }
}

fn file(files: &[(String, String)], wanted: &str) -> String {
    let (_, content) = files.iter().find(|(name, _)| name == wanted).unwrap();
    content.clone()
}

#[test]
fn every_figure_is_in_a_table() {
    let figures = figures();
    let tables = file(&files(&figures).unwrap(), "tables.md");
    for label in labels().chain(PEERS) {
        let rows = tables.lines().filter(|line| line.starts_with(&format!("| {label} |"))).count();
        let expected = if PEERS.contains(&label) { 3 } else { 8 };
        assert_eq!(rows, expected, "{label} in\n{tables}");
    }
    for estimate in &figures.suite {
        let cell = output::figures::Quantity::Time.format_with_bounds(estimate.nanoseconds);
        assert!(tables.contains(&cell), "{estimate:?}");
    }
    assert!(tables.contains("| sync-server | 60.0 µs [57.0, 64.2] | 250 ms"), "{tables}");
    assert!(tables.contains("| poll in 2010 | 6.10 µs | 29.0 µs | 350 µs | 9.90 ms |"), "{tables}");
    assert!(tables.contains(" | – |"), "what was not measured\n{tables}");
}

#[test]
fn every_chart_is_well_formed_accessible_and_linked() {
    let files = files(&figures()).unwrap();
    let readme = file(&files, "README.md");
    let charts: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(".svg")).collect();
    assert_eq!(charts.len(), 10);
    for (name, svg) in charts {
        assert!(readme.contains(&format!("]({name})")), "{name} in\n{readme}");
        let document =
            Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}\n{svg}"));
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"), "{name}");
        let ids = root.attribute("aria-labelledby").unwrap().split(' ');
        for id in ids {
            let named = document.descendants().find(|node| node.attribute("id") == Some(id));
            assert!(named.unwrap().text().is_some_and(|text| !text.is_empty()), "{name}: {id}");
        }
        assert!(svg.contains("prefers-color-scheme: dark"), "{name}");
        for node in document.descendants() {
            for attribute in ["fill", "stroke"] {
                let colour = node.attribute(attribute).unwrap_or("none");
                assert_eq!(colour, "none", "{name}: for only one of the schemes: {node:?}");
            }
            for class in node.attribute("class").into_iter().flat_map(|classes| classes.split(' '))
            {
                assert_eq!(svg.matches(&format!(".{class} ")).count(), 2, "{name}: {class}");
            }
        }
    }
}

#[test]
fn names_at_the_ends_of_lines_do_not_overlap() {
    let files = files(&figures()).unwrap();
    for name in ["slow-clients.svg", "idle-connections.svg", "wait-cost.svg", "chain.svg"] {
        let svg = file(&files, name);
        let document = Document::parse(&svg).unwrap();
        let has_names = |node: &roxmltree::Node| node.first_element_child().is_some();
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        let place = |node: roxmltree::Node| node.attribute("y").unwrap().parse().unwrap();
        let mut places: Vec<f64> = texts.filter(has_names).map(place).collect();
        places.sort_by(f64::total_cmp);
        assert!(places.len() > 3, "{name}");
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 16.0), "{name}: {places:?}");
    }
}

#[test]
fn the_first_page_says_where_the_figures_are_from() {
    let figures = figures();
    let readme = file(&files(&figures).unwrap(), "README.md");
    let machine = figures.machine.iter().map(|(_, value)| value.clone());
    let remarks = ["quick", "was run before", "Nothing was measured."].map(str::to_owned);
    for what in machine.into_iter().chain([figures.date]).chain(remarks) {
        assert!(readme.contains(&what), "{what} in\n{readme}");
    }
    for command in [
        "    cargo bench -p bench -- --quick",
        "cost --all --peers --active 1000 --idle 9000 --rounds 12",
    ] {
        assert!(readme.contains(command), "{command} in\n{readme}");
    }
}

#[test]
fn a_set_replaces_another_set_but_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path()).unwrap();
    write(folder.path(), &figures()).unwrap();
    assert!(folder.path().join("wait-cost.svg").is_file());
    prepare(folder.path()).unwrap();
    let few = Figures { suite: Vec::new(), ..figures() };
    write(folder.path(), &few).unwrap();
    assert!(!folder.path().join("wait-cost.svg").exists(), "of another day");
    fs::remove_file(folder.path().join(RAW)).unwrap();
    assert!(prepare(folder.path()).is_err(), "no set any more");
}

#[test]
fn missing_figures_are_listed() {
    let all = figures();
    assert!(missing(&all.suite, &all.costs).is_empty());
    let without: Vec<_> = all.suite.iter().filter(|it| it.group != "chain").cloned().collect();
    assert_eq!(missing(&without, &all.costs), ["The suite has no figures of `chain`."]);
}
