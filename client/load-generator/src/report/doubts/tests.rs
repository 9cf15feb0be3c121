//! Each doubt is reported when there is a reason for it, and only then.

use super::*;
use crate::crowd::Crowd;

/// A report of one second of an open loop, in which 1000 requests took 1 ms each.
fn report() -> Report {
    let crowd = Crowd { rate: Some(1000.0), ..Crowd::default() };
    let mut report = Report::new(([127, 0, 0, 1], 8686).into(), &crowd);
    report.elapsed = Duration::from_secs(1);
    report.processor_time = Some(Duration::from_millis(500));
    let open_loop = report.open_loop.as_mut().unwrap();
    for _ in 0..1000 {
        report.reply.record(Duration::from_millis(1));
        open_loop.reply_since_due.record(Duration::from_millis(1));
        open_loop.sent_late.record(Duration::from_micros(20));
    }
    report
}

fn words(report: &Report) -> String {
    report.doubts(&[]).into_iter().chain(coordinated_omission(report)).collect()
}

#[test]
fn nothing_is_doubted_without_a_reason() {
    assert_eq!(words(&report()), "");
}

#[test]
fn a_late_client_is_reported_and_the_server_is_not_blamed() {
    let mut report = report();
    let open_loop = report.open_loop.as_mut().unwrap();
    open_loop.sent_late = Latencies::default();
    open_loop.reply_since_due = Latencies::default();
    for _ in 0..1000 {
        open_loop.sent_late.record(Duration::from_millis(4));
        open_loop.reply_since_due.record(Duration::from_millis(5));
    }
    let words = words(&report);
    assert!(words.starts_with("the client itself was late"), "{words}");
    assert!(!words.contains("coordinated omission"), "{words}");
}

#[test]
fn lateness_that_does_not_matter_is_not_reported() {
    for (late, all) in [(4_000, 100_000), (90, 100)] {
        let mut report = report();
        let open_loop = report.open_loop.as_mut().unwrap();
        open_loop.sent_late = Latencies::default();
        open_loop.reply_since_due = Latencies::default();
        for _ in 0..1000 {
            open_loop.sent_late.record(Duration::from_micros(late));
            open_loop.reply_since_due.record(Duration::from_micros(all));
        }
        assert!(report.doubts(&[]).is_empty(), "{late} of {all} µs");
    }
}

#[test]
fn a_rate_that_is_too_high_is_reported() {
    let mut report = report();
    report.kinds[0].answered = 1000; // planned for a second
    report.elapsed = Duration::from_millis(2400);
    assert_eq!(words(&report), "");
    report.elapsed = Duration::from_secs(4);
    let words = words(&report);
    assert!(
        words.starts_with("1000 requests a second were due, but only 250 were answered"),
        "{words}"
    );
}

#[test]
fn a_late_server_is_explained() {
    let mut report = report();
    let open_loop = report.open_loop.as_mut().unwrap();
    (0..200).for_each(|_| open_loop.reply_since_due.record(Duration::from_millis(700)));
    let words = words(&report);
    assert!(words.contains("p90 is 1.0ms and 700."), "{words}");
}

#[test]
fn a_client_without_time_left_is_reported() {
    let mut report = report();
    report.processor_time = Some(Duration::from_millis(850));
    assert_eq!(words(&report), "");
    report.processor_time = Some(Duration::from_millis(970));
    assert!(words(&report).contains("used 97% of a core"));
    report.elapsed = SHORT / 2;
    report.processor_time = Some(SHORT / 2);
    assert_eq!(words(&report), "", "it is over too soon to say");
}

#[test]
fn repeated_syns_are_counted() {
    let mut report = report();
    report.connected = 20;
    report.connect.record(Duration::from_millis(900));
    assert_eq!(words(&report), "");
    (0..3).for_each(|_| report.connect.record(Duration::from_millis(1030)));
    assert!(words(&report).starts_with("3 of 20 connections took a second or longer"));
}
