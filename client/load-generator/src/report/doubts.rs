//! Where the figures say less than they seem to, or mean something else.

use std::time::Duration;

use super::{Latencies, Report};
use crate::kind::Kind;

/// After this time, the kernel repeats an attempt to connect: it sends the SYN again when no reply
/// has come for a second (RFC 6298, 2.1; Linux: `TCP_TIMEOUT_INIT`), and again later on. (The RFC
/// doubles the time after each attempt; since 6.5, Linux makes the first few attempts one second
/// apart: `tcp_syn_linear_timeouts`.)
const SYN_AGAIN: Duration = Duration::from_secs(1);

/// How late the client itself may be, in an open loop, before the report says so. It is of the
/// order of what a timer of the kernel may be late (`PR_SET_TIMERSLACK` in prctl(2): 50 µs by
/// default).
const LATENESS: Duration = Duration::from_micros(100);

/// From this share of a core on, the client itself may be what is slow.
const WHOLE_CORE: f64 = 0.9;

/// A flood that is shorter than this says nothing about processor time.
const SHORT: Duration = Duration::from_millis(200);

pub(super) fn doubts(report: &Report) -> Vec<String> {
    let doubts = [nothing_measured, beyond_capacity, lateness, repeated_syns, whole_core];
    doubts.into_iter().filter_map(|doubt| doubt(report)).collect()
}

/// The flood was over before latencies were measured.
fn nothing_measured(report: &Report) -> Option<String> {
    let warm_up = report.crowd.warm_up;
    let answered = report.heard();
    (!warm_up.is_zero() && answered > 0 && report.reply.count() == 0).then(|| {
        format!(
            "no latency was measured, because all {answered} answered requests were sent during \
             the warm-up of {warm_up:?}. Try more `--requests`, or a `--duration`, which starts \
             after the warm-up."
        )
    })
}

/// The rate was more than the server or the client could do.
fn beyond_capacity(report: &Report) -> Option<String> {
    let rate = report.crowd.rate?;
    let part = report.kinds.iter().find(|part| part.kind == Kind::Prompt)?;
    let planned = Duration::try_from_secs_f64(part.answered as f64 / rate).ok()?;
    let came = part.answered as f64 / report.elapsed.as_secs_f64();
    (report.elapsed > planned.mul_f64(1.5) + SYN_AGAIN).then(|| {
        format!(
            "{rate:.0} requests a second were due, but only {came:.0} were answered. The queue of \
             due requests grew until the end, so `since due` depends on how long the run was, and \
             says little about the server."
        )
    })
}

/// The client didn't keep to its own schedule.
fn lateness(report: &Report) -> Option<String> {
    let open_loop = report.open_loop.as_ref()?;
    let (late, all) =
        (open_loop.sent_late.quantile(0.99), open_loop.reply_since_due.quantile(0.99));
    (late > LATENESS && late > all / 10).then(|| {
        format!(
            "the client itself was late. It sent one request in a hundred {late:.1?} or more after \
             it was due, although the connection was free, and that is part of the latency. Try a \
             lower `--rate`, fewer `--connections`, or a less busy machine."
        )
    })
}

/// Some connections waited for the kernel's timer, and not for the server.
fn repeated_syns(report: &Report) -> Option<String> {
    let repeated = report.connect.count_from(SYN_AGAIN);
    (repeated > 0).then(|| {
        format!(
            "{repeated} of {} connections took a second or longer. The server's accept queue was \
             full, and the kernel tries to connect again only after whole seconds, so these times \
             say little about the server.",
            report.connected
        )
    })
}

/// The client had no processor time left.
fn whole_core(report: &Report) -> Option<String> {
    let share = report.processor_time?.as_secs_f64() / report.elapsed.as_secs_f64();
    (report.elapsed >= SHORT && share >= WHOLE_CORE).then(|| {
        format!(
            "the client itself used {:.0}% of a core, so perhaps the client is slow here, and not \
             the server.",
            100.0 * share
        )
    })
}

/// There are so few replies that a percentile is just the longest.
pub(super) fn too_few(report: &Report, percentiles: &[f64]) -> Option<String> {
    let highest = percentiles.iter().copied().reduce(f64::max)?;
    let count = report.reply.count();
    (count > 0 && !report.reply.bears(highest / 100.0)).then(|| {
        let least = (1.0 / (1.0 - highest / 100.0)).round();
        format!(
            "{count} replies are too few for p{highest}: with fewer than {least}, it is just the \
             longest. Ten times as many would be enough: try more `--requests`, or a `--duration`."
        )
    })
}

/// Why the two clocks of an open loop disagree. Showing that is what an open loop is for.
pub(super) fn coordinated_omission(report: &Report) -> Option<String> {
    let open_loop = report.open_loop.as_ref()?;
    let quantiles = |latencies: &Latencies| [0.5, 0.9, 0.99].map(|share| latencies.quantile(share));
    let (sent, due) = (quantiles(&report.reply), quantiles(&open_loop.reply_since_due));
    let late = quantiles(&open_loop.sent_late);
    // What the client's own lateness explains isn't the server's fault.
    let differs = |&at: &usize| due[at] > 2 * (sent[at] + late[at]) + LATENESS;
    let at = (0..due.len()).find(differs)?;
    Some(format!(
        "`reply` and `since due` differ (p{} is {:.1?} and {:.1?}): while a reply or a connection \
         was late, the next requests on that connection were due but had to wait, and a clock that \
         starts when they are sent doesn't see that. This is called coordinated omission; `since \
         due` is what users feel.",
        [50, 90, 99][at],
        sent[at],
        due[at],
    ))
}

#[cfg(test)]
mod tests {
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
        report.doubts().into_iter().chain(coordinated_omission(report)).collect()
    }

    #[test]
    fn nothing_is_doubted_without_a_reason() {
        assert_eq!(words(&report()), "");
    }

    #[test]
    fn a_late_client_is_reported_and_the_server_is_not_blamed() {
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
    fn lateness_that_does_not_matter_is_not_reported() {
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
}
