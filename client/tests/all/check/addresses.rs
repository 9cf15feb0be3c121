//! Servers that run already.

use std::io::{Read, Write};
use std::time::Duration;

use checker::{Cell, Check, CheckOptions, Column, Verdict, run};
use protocol::Protocol;
use server_process::Target;

use super::servers::{in_a_thread, one_after_the_other};

fn check(address: &str, plan: &CheckOptions) -> Column {
    let target = Target::address(address).unwrap();
    run(&[target], plan, &|_| {}).columns.remove(0)
}

fn verdict<'a>(column: &'a Column, name: &str) -> &'a Verdict {
    let cell: &Cell = column.cells.iter().find(|cell| cell.check.name == name).unwrap();
    &cell.verdict
}

#[test]
fn a_blocking_server_makes_neighbours_wait() {
    let plan =
        CheckOptions { patience: Duration::from_millis(700), ..CheckOptions::all(Protocol::Lines) };
    let column = check(&one_after_the_other().to_string(), &plan);
    // It has no limit for requests.
    assert_eq!(column.faults(), ["silent-neighbour", "too-long"], "{column:#?}");
    for name in ["half-sent-neighbour", "dribbling-neighbour", "non-reading-neighbour"] {
        let from = "silent-neighbour";
        let follows =
            matches!(verdict(&column, name), Verdict::Follows { from: it, .. } if *it == from);
        assert!(follows, "{name}: {column:#?}");
    }
}

#[test]
fn what_needs_the_process_is_not_tried() {
    let needs_process =
        ["idle-cost", "non-reading-memory", "non-reading-sleep", "descriptor-limit", "ctrl-c"];
    let checks = needs_process.iter().filter_map(|name| Check::named(name)).collect();
    let plan = CheckOptions { checks, ..CheckOptions::all(Protocol::Lines) };
    let column = check(&one_after_the_other().to_string(), &plan);
    assert_eq!(column.faults(), [""; 0], "{column:#?}");
    assert!(!column.is_good(), "nothing has been shown");
    for cell in &column.cells {
        assert!(matches!(&cell.verdict, Verdict::NotTried { why } if why.contains("its command")));
    }
}

#[test]
fn a_host_name_works() {
    let port = one_after_the_other().port();
    let plan = CheckOptions {
        checks: vec![Check::named("pipelined").unwrap()],
        ..CheckOptions::all(Protocol::Lines)
    };
    let column = check(&format!("localhost:{port}"), &plan);
    assert!(column.is_good(), "{column:#?}");
}

/// The article's blocking server: it answers what one read brought, and closes.
#[test]
fn one_shot_has_promises_of_its_own() {
    let address = in_a_thread(|mut stream| {
        if stream.read(&mut [0; 1024])? > 0 {
            stream.write_all(Protocol::OneShot.reply())?;
        }
        Ok(())
    });
    let plan = CheckOptions::all(Protocol::OneShot);
    let column = check(&address.to_string(), &plan);
    assert_eq!(column.faults(), ["silent-neighbour"], "{column:#?}");
    assert!(column.cells.iter().all(|cell| cell.check.name != "pipelined"));
    // Its select server doesn't close the connection, and replies again and again.
    let address = in_a_thread(|mut stream| {
        let _ = stream.read(&mut [0; 1024])?;
        loop {
            stream.write_all(Protocol::OneShot.reply())?;
        }
    });
    let column = check(&address.to_string(), &plan);
    assert_eq!(column.faults(), ["greets-once"], "{column:#?}");
}
