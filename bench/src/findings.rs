//! What the results show, in a few sentences computed from them.

use std::cmp::Ordering;
use std::time::Duration;

use crate::{ComparisonPlan, Model, ServerResult, Usage, Wait};
use output::figures::{format_time, grouped, multiple, percent};

/// What these figures show. There is no sentence that they don't support, and none about a server
/// that left requests without a reply, or was done before a single visit.
pub fn findings(plan: &ComparisonPlan, rows: &[ServerResult]) -> Vec<String> {
    let rows = rows.iter().filter(|row| row.is_good() && row.visits.count() > 0);
    let rows: Vec<&ServerResult> = rows.collect();
    let waits = in_order(&rows, |row| row.visits.median());
    let costs = in_order(&rows, |row| row.usage.as_ref()?.processor_time_per_request());
    let [(shortest, _), ..] = waits[..] else { return Vec::new() };
    let mut sentences: Vec<_> = waiting(plan, &waits).into_iter().collect();
    sentences.extend(rows.iter().filter_map(|row| idleness(plan, row, shortest.time)));
    sentences.extend(rows.iter().filter_map(|row| futile_calls(plan, row)));
    let of_all = [cost(&costs), peers(&rows), fewest_calls(&rows), sleeps(&costs)];
    sentences.extend(of_all.into_iter().flatten());
    sentences.extend(not_counted(&rows));
    sentences
}

/// What a further crowd shows: how long a first visit took.
pub fn waits(plan: &ComparisonPlan, rows: &[ServerResult]) -> Option<String> {
    let rows: Vec<&ServerResult> = rows.iter().filter(|row| row.is_good()).collect();
    let waits = in_order(&rows, |row| row.visits.median());
    if waits.len() > FEW {
        return waiting(plan, &waits);
    }
    let each = |(wait, row): &Of<'_, Wait>| format!("{wait} at {}", row.server);
    let waits: Vec<String> = waits.iter().map(each).collect();
    let ComparisonPlan { connections, slow, .. } = *plan;
    (!waits.is_empty()).then(|| {
        format!("While {slow} of {connections} clients dribbled, it took {}.", waits.join(", "))
    })
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

/// A figure, and the server that has it.
type Of<'a, T> = (T, &'a ServerResult);

/// The figures that are known, the smallest first.
fn in_order<'a, T: PartialOrd>(
    rows: &[&'a ServerResult],
    figure: impl Fn(&ServerResult) -> Option<T>,
) -> Vec<Of<'a, T>> {
    let mut known: Vec<_> = rows.iter().filter_map(|row| Some((figure(row)?, *row))).collect();
    known.sort_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    known
}

/// At which server a first visit took longest, and at which shortest.
fn waiting(plan: &ComparisonPlan, waits: &[Of<'_, Wait>]) -> Option<String> {
    let ComparisonPlan { connections, slow, .. } = *plan;
    let scene = match slow {
        0 => format!("With {connections} prompt clients connected"),
        _ => format!("While {slow} of {connections} clients dribbled"),
    };
    let (&(least, quickest), &(most, slowest)) = (waits.first()?, waits.last()?);
    let times = most.time.div_duration_f64(least.time);
    let how_long = if times >= NOTABLE {
        let (slow, quick, times) = (slowest.server, quickest.server, grouped(times));
        let at_least = if most.is_at_least { "at least " } else { "" };
        format!("{at_least}{times} times as long at {slow} ({most}) as at {quick} ({least})")
    } else if waits.len() > 1 {
        format!("about equally long at every server ({least} to {most})")
    } else {
        most.to_string()
    };
    Some(format!("{scene}, a well-behaved client's first visit took {how_long}."))
}

/// A server that uses less of a core than this was not busy.
const BUSY: f64 = 0.5;

/// Whether a server that kept the probes waiting, because it serves few clients at a time, was
/// busy.
fn idleness(plan: &ComparisonPlan, row: &ServerResult, shortest: Duration) -> Option<String> {
    let times = row.visits.median()?.time.div_duration_f64(shortest);
    let share = row.share_of_a_core()?;
    let clients = match row.serves_at_once {
        1 => "only one client".to_owned(),
        few => format!("only {few} clients"),
    };
    (row.serves_at_once <= plan.slow && times >= NOTABLE && share < BUSY).then(|| {
        format!(
            "{} was not busy meanwhile: it used {} of a core and slept the rest of the time, in \
             calls that wait for {clients}.",
            row.server,
            percent(share)
        )
    })
}

/// Whether a server was busy with calls that found nothing.
fn futile_calls(plan: &ComparisonPlan, row: &ServerResult) -> Option<String> {
    let usage = row.usage.as_ref()?;
    let receives = *usage.calls.get("recv")?;
    // Each piece of a request needs one call, and so does each end of a connection; a probe's
    // request comes in one piece.
    let probes = usage.requests.saturating_sub(row.requests);
    let needed = plan.pieces() + probes + usage.connections;
    let futile = 1.0 - needed as f64 / receives as f64;
    let share = row.share_of_a_core()?;
    (futile >= 0.5).then(|| {
        format!(
            "{} used {} of a core: it tries every socket again and again, and {} of its {} \
             recv(2) calls found nothing.",
            row.server,
            percent(share),
            percent(futile),
            grouped(receives as f64)
        )
    })
}

/// With more servers than this, sentences don't list each of them.
const FEW: usize = 4;

/// What a request cost: at each server if they are few, otherwise at the extremes.
fn cost(costs: &[Of<'_, Duration>]) -> Option<String> {
    let calls = |row: &ServerResult| row.usage.as_ref()?.format_calls_per_request();
    let extreme = |(time, row): &Of<'_, Duration>| {
        let calls = calls(row).map(|calls| format!(", with {calls} calls")).unwrap_or_default();
        format!("{} ({}{calls})", row.server, format_time(*time))
    };
    let each = |(time, row): &Of<'_, Duration>| {
        let calls = calls(row).map(|calls| format!(" and {calls} calls")).unwrap_or_default();
        format!("{}{calls} at {}", format_time(*time), row.server)
    };
    Some(match costs {
        [] => return None,
        [least, .., most] if costs.len() > FEW => format!(
            "A request took the least processor time at {}, and the most at {}.",
            extreme(least),
            extreme(most),
        ),
        few => {
            let are_counted = few.iter().any(|(_, row)| calls(row).is_some());
            let and_calls = if are_counted { " and system calls" } else { "" };
            let costs = few.iter().map(each).collect::<Vec<_>>().join(", ");
            format!("Processor time{and_calls} per request: {costs}.")
        }
    })
}

/// What the peers cost, relative to `poll-server`.
fn peers(rows: &[&ServerResult]) -> Option<String> {
    let peers = in_order(rows, |row| row.to_poll_server.filter(|_| row.is_peer));
    let each = |(ratio, row): &Of<'_, f64>| format!("{} at {}", multiple(*ratio), row.server);
    (!peers.is_empty()).then(|| {
        let ratios = peers.iter().map(each).collect::<Vec<_>>().join(", ");
        format!("Processor time per request, relative to {}: {ratios}.", Model::POLL.label)
    })
}

/// Which server needs notably fewer system calls than all others whose calls are fully counted.
fn fewest_calls(rows: &[&ServerResult]) -> Option<String> {
    let counted = |row: &ServerResult| {
        let usage = row.usage.as_ref().filter(|usage| usage.calls_not_counted.is_none());
        usage?.calls_per_request()
    };
    let [(fewest, row), (next, next_row), ..] = in_order(rows, counted)[..] else { return None };
    (next / fewest >= NOTABLE).then(|| {
        format!(
            "{} made the fewest system calls per request; {}, the next, made {} times as many.",
            row.server,
            next_row.server,
            grouped(next / fewest)
        )
    })
}

/// Whether the most expensive server is expensive because it sleeps so often.
fn sleeps(costs: &[Of<'_, Duration>]) -> Option<String> {
    let sleeps = |Usage { process, requests, .. }: &Usage| {
        Some((*process)?.sleeps? as f64 / *requests as f64)
    };
    let (&(least, cheapest), &(most, costliest)) = (costs.first()?, costs.last()?);
    let [few, many] = [cheapest, costliest].map(|row| sleeps(row.usage.as_ref()?));
    let (few, many) = few.zip(many)?;
    (most.div_duration_f64(least) >= NOTABLE && many / few >= NOTABLE).then(|| {
        format!(
            "Falling asleep and waking up costs processor time: {} slept {many:.2} times per \
             request, {} {few:.2} times.",
            costliest.server, cheapest.server
        )
    })
}

/// Which calls are not in the table, and of which servers.
fn not_counted(rows: &[&ServerResult]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows {
        let what = row.usage.as_ref().and_then(|usage| usage.calls_not_counted.as_deref());
        let Some(what) = what else { continue };
        match groups.iter_mut().find(|(known, _)| *known == what) {
            Some((_, servers)) => servers.push(row.server),
            None => groups.push((what, vec![row.server])),
        }
    }
    let sentence =
        |(what, servers): (_, Vec<_>)| format!("Not counted at {}: {what}.", servers.join(", "));
    groups.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{table, troubles};
    use crate::{FirstVisits, ProcessUsage, Usage};

    fn plan() -> ComparisonPlan {
        ComparisonPlan {
            models: Model::ALL.to_vec(),
            connections: 100,
            slow: 10,
            requests: 200,
            rounds: 3,
            limit: None,
        }
    }

    /// The row of a server that kept each of 200 probes waiting for this time, and used this share
    /// of a core for ten seconds.
    fn row(server: &'static str, waited: Duration, share: f64) -> ServerResult {
        let mut waits = load_generator::report::Latencies::default();
        (0..200).for_each(|_| waits.record(waited));
        let mut visits = FirstVisits::default();
        visits.add_round(waits);
        let process = ProcessUsage { processor_seconds: 10.0 * share, sleeps: Some(500) };
        let usage = Usage { requests: 1000, process: Some(process), ..Usage::default() };
        ServerResult {
            server,
            serves_at_once: if server == "one" { 1 } else { usize::MAX },
            connections: 100,
            slow: 10,
            requests: 800,
            answered: 800,
            took: Duration::from_secs(10),
            visits,
            cut_short: false,
            usage: Some(usage),
            is_peer: false,
            to_poll_server: None,
            trouble: Vec::new(),
            timeline: timeline::Timeline::default(),
        }
    }

    const QUICK: Duration = Duration::from_micros(200);
    const SLOW: Duration = Duration::from_secs(2);

    #[test]
    fn the_server_that_kept_the_probe_waiting_is_named_with_the_ratio() {
        let rows = [row("one", SLOW, 0.05), row("other", QUICK, 0.05)];
        let text = findings(&plan(), &rows).join("\n");
        let ratio = "took 10,000 times as long at one (2.00s) as at other (200µs).";
        assert!(text.contains(ratio), "{text}");
        assert!(text.contains("one was not busy meanwhile: it used 5.0% of a core"), "{text}");
    }

    #[test]
    fn nothing_is_reported_that_the_figures_do_not_support() {
        let alike = [row("one", QUICK, 0.05), row("other", QUICK, 0.05)];
        let text = findings(&plan(), &alike).join("\n");
        assert!(text.contains("about equally long at every server"), "{text}");
        assert!(!text.contains("not busy") && !text.contains("Falling asleep"), "{text}");

        let busy = [row("one", SLOW, 0.9), row("other", QUICK, 0.9)];
        let text = findings(&plan(), &busy).join("\n");
        assert!(!text.contains("not busy"), "{text}");
    }

    #[test]
    fn a_server_with_missing_replies_is_reported_below_the_table_and_not_compared() {
        let mut broken = row("one", SLOW, 0.05);
        broken.answered = 7;
        broken.trouble.push("the server died".into());
        let rows = [broken, row("other", QUICK, 0.05)];
        let text = findings(&plan(), &rows).join("\n");
        assert!(!text.contains("one"), "{text}");
        let table = table(&rows).text(None);
        assert!(table.contains("7 of 800"), "{table}");
        assert_eq!(troubles(&rows), ["one: the server died"]);
    }

    #[test]
    fn futile_calls_and_uncounted_calls_are_reported() {
        let mut busy = row("one", QUICK, 0.99);
        let mut quiet = row("other", QUICK, 0.05);
        let usage = |row: &mut ServerResult, calls: u64| {
            row.usage.as_mut().unwrap().calls.insert("recv".into(), calls);
        };
        usage(&mut busy, 500_000);
        usage(&mut quiet, 1000);
        quiet.usage.as_mut().unwrap().calls_not_counted = Some("what it hides".into());
        let rows = [busy, quiet];
        let text = findings(&plan(), &rows).join("\n");
        assert!(text.contains("one used 99% of a core"), "{text}");
        assert!(text.contains("of its 500,000 recv(2) calls"), "{text}");
        assert!(!text.contains("other used"), "{text}");
        assert!(text.contains("Not counted at other: what it hides."), "{text}");
        let table = table(&rows).text(None);
        assert!(table.contains(" ≥ 1.00 "), "{table}");
    }
}
