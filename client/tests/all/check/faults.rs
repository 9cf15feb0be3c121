//! Each fault of `faulty-server` is found by exactly the check that is meant for it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use checker::{CheckOptions, Column, Verdict, run};
use protocol::Protocol;
use server_process::Target;

use super::servers::faulty;

/// How many checkers run at the same time. They mostly wait.
const CHECKERS: usize = 6;

/// All faults are checked together, which takes a fraction of the time of one after the other.
static MATRIX: LazyLock<BTreeMap<&str, Column>> = LazyLock::new(|| {
    let rest = FOUND_BY.iter().map(|(fault, _)| *fault);
    let faults: Vec<&str> = ["none", "one-at-a-time"].into_iter().chain(rest).collect();
    thread::scope(|scope| {
        let checkers: Vec<_> = (0..CHECKERS)
            .map(|first| faults.iter().copied().skip(first).step_by(CHECKERS))
            .map(|faults| scope.spawn(|| check(faults.collect())))
            .collect();
        checkers.into_iter().flat_map(|checker| checker.join().unwrap()).collect()
    })
});

fn check(faults: Vec<&str>) -> Vec<(&str, Column)> {
    let targets: Vec<Target> = faults.iter().map(|fault| faulty(fault)).collect();
    let matrix = run(&targets, &CheckOptions::all(Protocol::Lines), &|_| {});
    faults.into_iter().zip(matrix.columns).collect()
}

/// What is not kept.
fn verdicts(column: &Column) -> Vec<(&str, &Verdict)> {
    let cells = column.cells.iter().map(|cell| (cell.check.name, &cell.verdict));
    cells.filter(|(_, verdict)| !matches!(verdict, Verdict::Kept { .. })).collect()
}

fn found_by(fault: &str, name: &str) {
    let column = &MATRIX[fault];
    assert_eq!(column.faults(), [name], "{fault}: {:#?}", verdicts(column));
    // Whatever else failed is reported as following from it, and from nothing else.
    for cell in &column.cells {
        if let Verdict::Follows { from, .. } = &cell.verdict {
            assert_eq!(*from, name, "{fault}: {cell:#?}");
        }
    }
}

#[test]
fn none() {
    let column = &MATRIX["none"];
    assert!(column.is_good(), "{:#?}", verdicts(column));
    assert_eq!(column.kept(), column.cells.len(), "{:#?}", verdicts(column));
}

/// What one client at a time means: neighbours wait, and nothing else is wrong.
#[test]
fn one_at_a_time_breaks_the_neighbours_and_nothing_else() {
    let column = &MATRIX["one-at-a-time"];
    assert_eq!(column.faults(), ["silent-neighbour"], "{:#?}", verdicts(column));
    for cell in &column.cells {
        let follows = matches!(cell.verdict, Verdict::Follows { .. });
        let neighbours = ["half-sent-neighbour", "dribbling-neighbour", "non-reading-neighbour"];
        assert_eq!(follows, neighbours.contains(&cell.check.name), "{cell:#?}");
        if cell.check.name == "many-connections" {
            let figure = Some("1 at once".to_owned());
            assert_eq!(cell.verdict, Verdict::Kept { figure });
        }
    }
}

macro_rules! faults {
    ($($test:ident, $fault:literal: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            found_by($fault, $name);
        })*

        const FOUND_BY: &[(&str, &str)] = &[$(($fault, $name)),*];
    };
}

/// A fault that is in the program's list, but not here, is not tested.
#[test]
fn every_fault_is_tested() {
    let program = env!("CARGO_BIN_EXE_faulty-server");
    // In one line each, however wide that is.
    let mut help = Command::new(program);
    let help = help.arg("--help").env("COLUMNS", "1000").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let listed = help.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'));
    let mut tested = FOUND_BY.iter();
    let is_for_check = |fault: &str, says: &str| {
        !["none", "one-at-a-time"].contains(&fault) && !says.ends_with("(found by chaos)")
    };
    for (fault, says) in listed.filter(|(fault, says)| is_for_check(fault, says)) {
        let (name, check) = tested.next().unwrap();
        assert_eq!(fault, *name);
        assert!(says.ends_with(&format!("(found by {check})")), "{fault}: {says}");
    }
    assert_eq!(tested.next(), None);
}

faults! {
    mute, "mute": "answers";
    greets_for_ever, "greets-for-ever": "greets-once";
    no_re_arm, "no-re-arm": "asks-again";
    one_read_one_message, "one-read-one-message": "byte-by-byte";
    first_line_only, "first-line-only": "pipelined";
    ignores_the_end, "ignores-the-end": "half-close";
    forgets_unfinished_line, "forgets-unfinished-line": "unfinished-line";
    resets_after_too_long, "resets-after-too-long": "too-long";
    rejects_the_longest, "rejects-the-longest": "too-long";
    busy_wait, "busy-wait": "idle-cost";
    blocking_read, "blocking-read": "half-sent-neighbour";
    patient_read, "patient-read": "dribbling-neighbour";
    dies_on_hasty_goodbye, "dies-on-hasty-goodbye": "connect-and-close";
    dies_on_reset, "dies-on-reset": "resets";
    blocking_write, "blocking-write": "non-reading-neighbour";
    drops_what_did_not_fit, "drops-what-did-not-fit": "non-reading-replies";
    unbounded_buffer, "unbounded-buffer": "non-reading-memory";
    write_interest_stays, "write-interest-stays": "non-reading-sleep";
    select_beyond_1023, "select-beyond-1023": "many-connections";
    spins_without_descriptors, "spins-without-descriptors": "descriptor-limit";
    dies_without_descriptors, "dies-without-descriptors": "descriptor-limit";
    ignores_ctrl_c, "ignores-ctrl-c": "ctrl-c";
}
