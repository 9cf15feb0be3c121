//! What the results show, in a few sentences computed from them.

use std::time::Duration;

use crate::{ComparisonPlan, Model, ServerResult};
use output::figures::{format_time, grouped, multiple, percent};

/// What these figures show. There is no sentence that they don't support, and none about a server
/// that left requests without a reply, or was done before a single probe came.
pub fn findings(plan: &ComparisonPlan, rows: &[ServerResult]) -> Vec<String> {
    let rows = rows.iter().filter(|row| row.is_good() && row.probe.count() > 0);
    let rows: Vec<&ServerResult> = rows.collect();
    let Some(Extremes { quickest, .. }) = Extremes::of(&rows) else {
        return Vec::new();
    };
    let mut sentences: Vec<_> = waiting(plan, &rows).into_iter().collect();
    sentences.extend(rows.iter().filter_map(|row| idleness(plan, row, quickest)));
    sentences.extend(rows.iter().filter_map(|row| futile_calls(plan, row)));
    let of_all = [cost(&rows), peers(&rows), fewest_calls(&rows), sleeps(&rows), doubt(&rows)];
    sentences.extend(of_all.into_iter().flatten());
    sentences.extend(not_counted(&rows));
    sentences
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

/// The servers where a well-behaved client waits longest and shortest, by their medians.
struct Extremes<'a> {
    slowest: &'a ServerResult,
    quickest: &'a ServerResult,
    /// How many times as long it waits at the slowest.
    times: f64,
}

impl<'a> Extremes<'a> {
    fn of(rows: &[&'a ServerResult]) -> Option<Self> {
        let slowest = rows.iter().max_by_key(|row| median(row))?;
        let quickest = rows.iter().min_by_key(|row| median(row))?;
        let times = median(slowest).as_secs_f64() / median(quickest).as_secs_f64();
        Some(Extremes { slowest, quickest, times })
    }
}

fn median(row: &ServerResult) -> Duration {
    row.probe.quantile(0.5)
}

/// Which server kept the probes waiting.
fn waiting(plan: &ComparisonPlan, rows: &[&ServerResult]) -> Option<String> {
    let ComparisonPlan { connections, slow, .. } = *plan;
    let Extremes { slowest, quickest, times } = Extremes::of(rows)?;
    let scene = match slow {
        0 => format!("With {connections} prompt clients connected"),
        _ => format!("While {slow} of {connections} clients dribbled"),
    };
    let (longest, shortest) = (format_time(median(slowest)), format_time(median(quickest)));
    Some(if times >= NOTABLE {
        format!(
            "{scene}, a well-behaved client waited {} times as long at {} ({longest}, the median) \
             as at {} ({shortest}).",
            grouped(times),
            slowest.server,
            quickest.server,
        )
    } else if rows.len() > 1 {
        format!(
            "{scene}, a well-behaved client waited about equally long at every server, {shortest} \
             to {longest} (the medians)."
        )
    } else {
        format!("{scene}, a well-behaved client waited {longest} (the median).")
    })
}

/// A server that uses less of a core than this was not busy.
const BUSY: f64 = 0.5;

/// Whether a server that kept the probes waiting, because it serves few clients at a time, was
/// busy.
fn idleness(plan: &ComparisonPlan, row: &ServerResult, quickest: &ServerResult) -> Option<String> {
    let times = median(row).as_secs_f64() / median(quickest).as_secs_f64();
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
    let probes = usage.requests.saturating_sub(row.asked);
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
fn cost(rows: &[&ServerResult]) -> Option<String> {
    let costs = Cost::in_order(rows);
    let each = |cost: &Cost| {
        let calls = cost.calls.as_ref().map(|calls| format!(" and {calls} calls"));
        format!("{}{} at {}", format_time(cost.time), calls.unwrap_or_default(), cost.server)
    };
    let extreme = |cost: &Cost| {
        let calls = cost.calls.as_ref().map(|calls| format!(", with {calls} calls"));
        format!("{} ({}{})", cost.server, format_time(cost.time), calls.unwrap_or_default())
    };
    match &costs[..] {
        [] => None,
        [least, .., most] if costs.len() > FEW => Some(format!(
            "A request took the least processor time at {}, and the most at {}.",
            extreme(least),
            extreme(most),
        )),
        few => {
            let are_counted = few.iter().any(|cost| cost.calls.is_some());
            let and_calls = if are_counted { " and system calls" } else { "" };
            let costs = few.iter().map(each).collect::<Vec<_>>().join(", ");
            Some(format!("Processor time{and_calls} per request: {costs}."))
        }
    }
}

/// What the peers cost, relative to `poll-server`.
fn peers(rows: &[&ServerResult]) -> Option<String> {
    let with_ratio = |row: &&ServerResult| Some((row.to_poll_server?, row.server));
    let peers = rows.iter().filter(|row| row.is_peer);
    let mut peers: Vec<_> = peers.filter_map(with_ratio).collect();
    peers.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let each = |(ratio, server): &(f64, &str)| format!("{} at {server}", multiple(*ratio));
    (!peers.is_empty()).then(|| {
        format!(
            "Processor time per request, relative to {}: {}.",
            Model::POLL.label,
            peers.iter().map(each).collect::<Vec<_>>().join(", ")
        )
    })
}

/// Which server needs notably fewer system calls than all others whose calls are fully counted.
fn fewest_calls(rows: &[&ServerResult]) -> Option<String> {
    let counted =
        |row: &&&ServerResult| row.usage.as_ref().is_some_and(|it| it.calls_not_counted.is_none());
    let with_calls =
        |&row: &&'_ ServerResult| Some((row.usage.as_ref()?.calls_per_request()?, row.server));
    let mut rows: Vec<_> = rows.iter().filter(counted).filter_map(with_calls).collect();
    rows.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let [(fewest, server), (next, next_server), ..] = rows[..] else { return None };
    (next / fewest >= NOTABLE).then(|| {
        format!(
            "{server} made the fewest system calls per request; {next_server}, the next, made {} \
             times as many.",
            grouped(next / fewest)
        )
    })
}

/// Whether the most expensive server is expensive because it sleeps so often.
fn sleeps(rows: &[&ServerResult]) -> Option<String> {
    let costs = Cost::in_order(rows);
    let (least, most) = (costs.first()?, costs.last()?);
    let (least_sleeps, most_sleeps) = least.sleeps.zip(most.sleeps)?;
    let (time, sleeps) = (most.time.div_duration_f64(least.time), most_sleeps / least_sleeps);
    (time >= NOTABLE && sleeps >= NOTABLE).then(|| {
        format!(
            "Falling asleep and waking up costs processor time: {} slept {most_sleeps:.2} times \
             per request, {} {least_sleeps:.2} times.",
            most.server, least.server
        )
    })
}

/// Which calls are not in the table, and of which servers.
fn not_counted(rows: &[&ServerResult]) -> Vec<String> {
    let what = |row: &ServerResult| row.usage.as_ref()?.calls_not_counted.clone();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for row in rows {
        let Some(what) = what(row) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == what) {
            Some((_, servers)) => servers.push(row.server),
            None => groups.push((what, vec![row.server])),
        }
    }
    let sentence = |(what, servers): (String, Vec<&str>)| {
        format!("Not counted at {}: {what}.", servers.join(", "))
    };
    groups.into_iter().map(sentence).collect()
}

/// What a server spent on each request, the probe's requests included.
struct Cost {
    server: &'static str,
    time: Duration,
    calls: Option<String>,
    /// How often it went to sleep.
    sleeps: Option<f64>,
}

impl Cost {
    fn of(row: &ServerResult) -> Option<Self> {
        let usage = row.usage.as_ref().filter(|usage| usage.requests > 0)?;
        let process = usage.process?;
        let requests = usage.requests as f64;
        Some(Cost {
            server: row.server,
            time: usage.processor_time_per_request()?,
            calls: usage.format_calls_per_request(),
            sleeps: process.sleeps.map(|sleeps| sleeps as f64 / requests),
        })
    }

    /// Sorted by processor time, the cheapest first.
    fn in_order(rows: &[&ServerResult]) -> Vec<Self> {
        let mut costs: Vec<Cost> = rows.iter().filter_map(|row| Cost::of(row)).collect();
        costs.sort_by_key(|cost| cost.time);
        costs
    }
}

/// Which figures say less than they seem to.
fn doubt(rows: &[&ServerResult]) -> Option<String> {
    let few = rows.iter().filter(|row| row.probe.count() < 100);
    let names: Vec<_> = few.map(|row| row.server).collect();
    let whose = match names.len() {
        0 => return None,
        few if few <= FEW => names.join(" and "),
        all if all == rows.len() => "every server".into(),
        many => format!("{many} of these servers"),
    };
    Some(format!(
        "The p99 of {whose} is only the longest wait of fewer than 100 probes; more `--rounds` \
         give more probes."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{table, troubles};
    use crate::{ProcessUsage, Usage};

    fn plan() -> ComparisonPlan {
        ComparisonPlan {
            models: Model::ALL.to_vec(),
            connections: 100,
            slow: 10,
            requests: 200,
            rounds: 3,
        }
    }

    /// The row of a server that kept each of 200 probes waiting for this time, and used this share
    /// of a core for ten seconds.
    fn row(server: &'static str, waited: Duration, share: f64) -> ServerResult {
        let mut probe = load_generator::report::Latencies::default();
        (0..200).for_each(|_| probe.record(waited));
        let process = ProcessUsage { processor_seconds: 10.0 * share, sleeps: Some(500) };
        let usage = Usage { requests: 1000, process: Some(process), ..Usage::default() };
        ServerResult {
            server,
            serves_at_once: if server == "one" { 1 } else { usize::MAX },
            asked: 800,
            answered: 800,
            took: Duration::from_secs(10),
            probe,
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
        let said = findings(&plan(), &rows).join("\n");
        let ratio = "waited 10,000 times as long at one (2.00s, the median) as at other (200µs).";
        assert!(said.contains(ratio), "{said}");
        assert!(said.contains("one was not busy meanwhile: it used 5.0% of a core"), "{said}");
    }

    #[test]
    fn nothing_is_said_that_the_figures_do_not_support() {
        let alike = [row("one", QUICK, 0.05), row("other", QUICK, 0.05)];
        let said = findings(&plan(), &alike).join("\n");
        assert!(said.contains("about equally long at every server"), "{said}");
        assert!(!said.contains("not busy") && !said.contains("Falling asleep"), "{said}");

        let busy = [row("one", SLOW, 0.9), row("other", QUICK, 0.9)];
        let said = findings(&plan(), &busy).join("\n");
        assert!(!said.contains("not busy"), "{said}");
    }

    #[test]
    fn a_server_with_missing_replies_is_reported_below_the_table_and_not_compared() {
        let mut broken = row("one", SLOW, 0.05);
        broken.answered = 7;
        broken.trouble.push("the server died".into());
        let rows = [broken, row("other", QUICK, 0.05)];
        let said = findings(&plan(), &rows).join("\n");
        assert!(!said.contains("one"), "{said}");
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
        let said = findings(&plan(), &rows).join("\n");
        assert!(said.contains("one used 99% of a core"), "{said}");
        assert!(said.contains("of its 500,000 recv(2) calls"), "{said}");
        assert!(!said.contains("other used"), "{said}");
        assert!(said.contains("Not counted at other: what it hides."), "{said}");
        let table = table(&rows).text(None);
        assert!(table.contains(" ≥ 1.00 "), "{table}");
    }
}
