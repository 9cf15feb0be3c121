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

impl Report {
    /// Why some figures, and these percentiles, say less than they seem to, in one sentence each.
    pub fn doubts(&self, percentiles: &[f64]) -> Vec<String> {
        let doubts = [nothing_measured, beyond_capacity, lateness, repeated_syns, whole_core];
        let doubts = doubts.into_iter().filter_map(|doubt| doubt(self));
        doubts.chain(too_few(self, percentiles)).collect()
    }
}

/// The flood was over before latencies were measured.
fn nothing_measured(report: &Report) -> Option<String> {
    let warm_up = report.crowd.warm_up;
    let answered = report.awaited();
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
fn too_few(report: &Report, percentiles: &[f64]) -> Option<String> {
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
mod tests;
