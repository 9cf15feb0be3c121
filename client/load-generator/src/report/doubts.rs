//! Where the figures bear less than they seem to, and where they mean something else.

use std::time::Duration;

use super::{Latencies, Report};
use crate::kind::Kind;

/// After so long an attempt to connect is repeated: the kernel sends its SYN again when
/// nothing has come back for a second (RFC 6298, 2.1; Linux: `TCP_TIMEOUT_INIT`), and later on
/// again. (The RFC doubles the time after each; Linux has begun with some that follow each other
/// every second since 6.5: `tcp_syn_linear_timeouts`.)
const SYN_AGAIN: Duration = Duration::from_secs(1);

/// What the client may be late by itself, in an open loop, without its being told: less than
/// a timer of the kernel may be late (`PR_SET_TIMERSLACK` in prctl(2): 50 µs by default).
const LATENESS: Duration = Duration::from_micros(100);

/// A share of a core from which on the client itself may be what is slow.
const WHOLE_CORE: f64 = 0.9;

/// A flood that is shorter than this says nothing about processor time.
const SHORT: Duration = Duration::from_millis(200);

pub(super) fn doubts(report: &Report) -> Vec<String> {
    let doubts = [nothing_measured, beyond_capacity, lateness, repeated_syns, whole_core];
    doubts.into_iter().filter_map(|doubt| doubt(report)).collect()
}

/// It was over before latencies counted.
fn nothing_measured(report: &Report) -> Option<String> {
    let warm_up = report.crowd.warm_up;
    let answered = report.heard();
    (!warm_up.is_zero() && answered > 0 && report.reply.count() == 0).then(|| {
        format!(
            "no latency was measured, since all {answered} requests that were answered were \
             asked in the warm-up of {warm_up:?}. Try more `--requests`, or a `--duration`, which \
             counts from its end."
        )
    })
}

/// The plan was more than could be done.
fn beyond_capacity(report: &Report) -> Option<String> {
    let rate = report.crowd.rate?;
    let part = report.kinds.iter().find(|part| part.kind == Kind::Prompt)?;
    let planned = Duration::try_from_secs_f64(part.answered as f64 / rate).ok()?;
    let came = part.answered as f64 / report.elapsed.as_secs_f64();
    (report.elapsed > planned.mul_f64(1.5) + SYN_AGAIN).then(|| {
        format!(
            "{rate:.0} requests a second were asked for, and {came:.0} came about: the queue of \
             those that were due grew for as long as it went on, so the latencies since due say \
             how long that was, and not how long the server takes."
        )
    })
}

/// The client did not keep to its own plan.
fn lateness(report: &Report) -> Option<String> {
    let open_loop = report.open_loop.as_ref()?;
    let (late, all) =
        (open_loop.sent_late.quantile(0.99), open_loop.reply_since_due.quantile(0.99));
    (late > LATENESS && late > all / 10).then(|| {
        format!(
            "the client itself was late. One request in a hundred went out {late:.1?} or more after \
             it was due, though its connection was free, and that counts into the latency. Try a \
             lower `--rate`, or fewer `--connections`, or a machine with less to do."
        )
    })
}

/// Some connections waited for the kernel's clock, and not for the server.
fn repeated_syns(report: &Report) -> Option<String> {
    let repeated = report.connect.count_from(SYN_AGAIN);
    (repeated > 0).then(|| {
        format!(
            "{repeated} of {} connections took a second or longer to come about. The server's \
             accept queue was full when they tried, and the kernel tries again only after whole \
             seconds: these times are the kernel's, not the server's.",
            report.connected
        )
    })
}

/// The client had no time left.
fn whole_core(report: &Report) -> Option<String> {
    let share = report.processor_time?.as_secs_f64() / report.elapsed.as_secs_f64();
    (report.elapsed >= SHORT && share >= WHOLE_CORE).then(|| {
        format!(
            "the client itself used {:.0}% of a core, so it may be the client that is slow here, \
             and not the server.",
            100.0 * share
        )
    })
}

/// A percentile is asked for that is nothing but the longest.
pub(super) fn too_few(report: &Report, percentiles: &[f64]) -> Option<String> {
    let highest = percentiles.iter().copied().reduce(f64::max)?;
    let count = report.reply.count();
    (count > 0 && !report.reply.bears(highest / 100.0)).then(|| {
        let least = (1.0 / (1.0 - highest / 100.0)).round();
        format!(
            "{count} replies are too few for p{highest}: of fewer than {least}, it is the longest. \
             Ten times as many tell something; try more `--requests`, or a `--duration`."
        )
    })
}

/// The two clocks of an open loop disagree, which is its point: why they do.
pub(super) fn coordinated_omission(report: &Report) -> Option<String> {
    let open_loop = report.open_loop.as_ref()?;
    let quantiles = |latencies: &Latencies| [0.5, 0.9, 0.99].map(|share| latencies.quantile(share));
    let (sent, due) = (quantiles(&report.reply), quantiles(&open_loop.reply_since_due));
    let late = quantiles(&open_loop.sent_late);
    // What the client's own lateness explains is not the server's doing.
    let differs = |&at: &usize| due[at] > 2 * (sent[at] + late[at]) + LATENESS;
    let at = (0..due.len()).find(differs)?;
    Some(format!(
        "`reply` and `since due` differ (p{} is {:.1?} and {:.1?}): while a reply or a connection was late, the next \
         requests of that connection were due and had to wait, and a clock that starts when they \
         are sent does not see it. That is called coordinated omission; what users feel is `since \
         due`.",
        [50, 90, 99][at],
        sent[at],
        due[at],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crowd::Crowd;

    /// A report of a second, of an open loop that has answered 1000 requests in 1 ms each.
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
        report.doubts().into_iter().chain(coordinated_omission(report)).collect()
    }

    #[test]
    fn nothing_is_doubted_without_a_reason() {
        assert_eq!(words(&report()), "");
    }

    #[test]
    fn a_client_that_is_late_itself_is_told_and_the_server_not_blamed() {
        let mut report = report();
        let open_loop = report.open_loop.as_mut().unwrap();
        open_loop.sent_late.clear();
        open_loop.reply_since_due.clear();
        for _ in 0..1000 {
            open_loop.sent_late.record(Duration::from_millis(4));
            open_loop.reply_since_due.record(Duration::from_millis(5));
        }
        let words = words(&report);
        assert!(words.starts_with("the client itself was late"), "{words}");
        assert!(!words.contains("coordinated omission"), "{words}");
    }

    #[test]
    fn lateness_that_does_not_matter_is_not_told() {
        for (late, all) in [(4_000, 100_000), (90, 100)] {
            let mut report = report();
            let open_loop = report.open_loop.as_mut().unwrap();
            open_loop.sent_late.clear();
            open_loop.reply_since_due.clear();
            for _ in 0..1000 {
                open_loop.sent_late.record(Duration::from_micros(late));
                open_loop.reply_since_due.record(Duration::from_micros(all));
            }
            assert!(report.doubts().is_empty(), "{late} of {all} µs");
        }
    }

    #[test]
    fn a_plan_beyond_what_can_be_done_is_told() {
        let mut report = report();
        report.kinds[0].answered = 1000; // planned for a second
        report.elapsed = Duration::from_millis(2400);
        assert_eq!(words(&report), "");
        report.elapsed = Duration::from_secs(4);
        let words = words(&report);
        assert!(
            words.starts_with("1000 requests a second were asked for, and 250 came"),
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
    fn a_client_without_time_left_is_told() {
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
}
