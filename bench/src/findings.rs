//! What is to be seen in the rows, in a few sentences that are computed from them.

use std::time::Duration;

use crate::figures::{calls_per_request, grouped, multiple, percent, told};
use crate::{Model, Plan, Row};

/// What is to be seen in these very numbers: a sentence that they don't bear out is not in
/// it, nor is a server that did not answer everybody, or was too quick for a single probe.
pub fn findings(plan: &Plan, rows: &[Row]) -> Vec<String> {
    let rows = rows.iter().filter(|row| row.is_good() && row.probe.count() > 0);
    let rows: Vec<&Row> = rows.collect();
    let Some(Extremes { quickest, .. }) = Extremes::of(&rows) else {
        return Vec::new();
    };
    let mut sentences: Vec<_> = waiting(plan, &rows).into_iter().collect();
    sentences.extend(rows.iter().filter_map(|row| idleness(plan, row, quickest)));
    sentences.extend(rows.iter().filter_map(|row| restlessness(plan, row)));
    let of_all = [cost(&rows), peers(&rows), fewest_calls(&rows), dearest(&rows), doubt(&rows)];
    sentences.extend(of_all.into_iter().flatten());
    sentences.extend(not_counted(&rows));
    sentences
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

/// The servers at which a well-behaved client waits longest and shortest, by their medians.
struct Extremes<'a> {
    slowest: &'a Row,
    quickest: &'a Row,
    /// How many times as long.
    times: f64,
}

impl<'a> Extremes<'a> {
    fn of(rows: &[&'a Row]) -> Option<Self> {
        let slowest = rows.iter().max_by_key(|row| median(row))?;
        let quickest = rows.iter().min_by_key(|row| median(row))?;
        let times = median(slowest).as_secs_f64() / median(quickest).as_secs_f64();
        Some(Extremes { slowest, quickest, times })
    }
}

fn median(row: &Row) -> Duration {
    row.probe.quantile(0.5)
}

/// Who kept the probe waiting.
fn waiting(plan: &Plan, rows: &[&Row]) -> Option<String> {
    let Plan { connections, slow, .. } = *plan;
    let Extremes { slowest, quickest, times } = Extremes::of(rows)?;
    let scene = match slow {
        0 => format!("With {connections} prompt clients connected"),
        _ => format!("While {slow} of {connections} clients dribbled"),
    };
    let (longest, shortest) = (told(median(slowest)), told(median(quickest)));
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
            "{scene}, a well-behaved client waited about as long at each server, {shortest} to \
             {longest} (the medians)."
        )
    } else {
        format!("{scene}, a well-behaved client waited {longest} (the median).")
    })
}

/// A server that uses less of a core than this was not busy.
const BUSY: f64 = 0.5;

/// Whether a server that kept it waiting, because it serves few at a time, had anything to do.
fn idleness(plan: &Plan, row: &Row, quickest: &Row) -> Option<String> {
    let times = median(row).as_secs_f64() / median(quickest).as_secs_f64();
    let share = row.share_of_a_core()?;
    let clients = match row.serves_at_once {
        1 => "one client".to_owned(),
        few => format!("{few} clients"),
    };
    (row.serves_at_once <= plan.slow && times >= NOTABLE && share < BUSY).then(|| {
        format!(
            "{} was not busy meanwhile: it used {} of a core, and slept the rest of the time in \
             calls that wait for {clients} only.",
            row.server,
            percent(share)
        )
    })
}

/// Whether a server was busy with asking whether there is something to do.
fn restlessness(plan: &Plan, row: &Row) -> Option<String> {
    let usage = row.usage.as_ref()?;
    let receives = *usage.calls.get("recv")?;
    // Each piece of a request takes one, and each end of a connection; a probe's request comes
    // in one piece.
    let probes = usage.requests.saturating_sub(row.asked);
    let needed = plan.pieces() + probes + usage.connections;
    let in_vain = 1.0 - needed as f64 / receives as f64;
    let share = row.share_of_a_core()?;
    (in_vain >= 0.5).then(|| {
        format!(
            "{} used {} of a core: it never waits to be told, and of the {} times that it called \
             recv(2), {} were in vain.",
            row.server,
            percent(share),
            grouped(receives as f64),
            percent(in_vain)
        )
    })
}

/// More servers than this are not told one by one.
const FEW: usize = 4;

/// What a request cost at each server, as long as they are few.
fn cost(rows: &[&Row]) -> Option<String> {
    let costs = Cost::in_order(rows);
    let each = |cost: &Cost| {
        let calls = cost.calls.as_ref().map(|calls| format!(" and {calls} calls"));
        format!("{}{} at {}", told(cost.time), calls.unwrap_or_default(), cost.server)
    };
    let extreme = |cost: &Cost| {
        let calls = cost.calls.as_ref().map(|calls| format!(", with {calls} calls"));
        format!("{} ({}{})", cost.server, told(cost.time), calls.unwrap_or_default())
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
            let and_calls = if are_counted { " and so many system calls" } else { "" };
            let costs = few.iter().map(each).collect::<Vec<_>>().join(", ");
            Some(format!("A request took this much processor time{and_calls}: {costs}."))
        }
    }
}

/// What the peers cost, in terms of what `poll-server` does.
fn peers(rows: &[&Row]) -> Option<String> {
    let with_ratio = |row: &&Row| Some((row.to_poll_server?, row.server));
    let peers = rows.iter().filter(|row| row.is_peer);
    let mut peers: Vec<_> = peers.filter_map(with_ratio).collect();
    peers.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let each = |(ratio, server): &(f64, &str)| format!("{} at {server}", multiple(*ratio));
    (!peers.is_empty()).then(|| {
        format!(
            "A request took this many times the processor time that it took at {}: {}.",
            Model::POLL.label,
            peers.iter().map(each).collect::<Vec<_>>().join(", ")
        )
    })
}

/// Who does with notably fewer system calls than everybody else whose calls are all counted.
fn fewest_calls(rows: &[&Row]) -> Option<String> {
    let counted = |row: &&&Row| row.usage.as_ref().is_some_and(|it| it.calls_not_counted.is_none());
    let with_calls = |&row: &&'_ Row| Some((row.usage.as_ref()?.calls_per_request()?, row.server));
    let mut rows: Vec<_> = rows.iter().filter(counted).filter_map(with_calls).collect();
    rows.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let [(fewest, server), (next, next_server), ..] = rows[..] else { return None };
    (next / fewest >= NOTABLE).then(|| {
        format!(
            "{server} made the fewest system calls; {next_server}, the next, made {} times as many.",
            grouped(next / fewest)
        )
    })
}

/// Why the dearest is so dear, if it is because of its sleeps.
fn dearest(rows: &[&Row]) -> Option<String> {
    let costs = Cost::in_order(rows);
    let (least, most) = (costs.first()?, costs.last()?);
    let (least_sleeps, most_sleeps) = least.sleeps.zip(most.sleeps)?;
    let (dearer, sleepier) = (most.time.div_duration_f64(least.time), most_sleeps / least_sleeps);
    (dearer >= NOTABLE && sleepier >= NOTABLE).then(|| {
        format!(
            "To fall asleep and be woken is dear: {} slept {most_sleeps:.2} times for each request, \
             {} {least_sleeps:.2} times.",
            most.server, least.server
        )
    })
}

/// Which calls are not in the table, and at whom.
fn not_counted(rows: &[&Row]) -> Vec<String> {
    let what = |row: &Row| row.usage.as_ref()?.calls_not_counted.clone();
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for row in rows {
        let Some(what) = what(row) else { continue };
        match told.iter_mut().find(|(told, _)| *told == what) {
            Some((_, servers)) => servers.push(row.server),
            None => told.push((what, vec![row.server])),
        }
    }
    let sentence = |(what, servers): (String, Vec<&str>)| {
        format!("Not counted at {}: {what}.", servers.join(", "))
    };
    told.into_iter().map(sentence).collect()
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
    fn of(row: &Row) -> Option<Self> {
        let usage = row.usage.as_ref().filter(|usage| usage.requests > 0)?;
        let process = usage.process?;
        let requests = usage.requests as f64;
        Some(Cost {
            server: row.server,
            time: usage.processor_time_per_request()?,
            calls: calls_per_request(usage),
            sleeps: process.sleeps.map(|sleeps| sleeps as f64 / requests),
        })
    }

    /// The cheapest first.
    fn in_order(rows: &[&Row]) -> Vec<Self> {
        let mut costs: Vec<Cost> = rows.iter().filter_map(|row| Cost::of(row)).collect();
        costs.sort_by_key(|cost| cost.time);
        costs
    }
}

/// Where the numbers bear less than they seem to.
fn doubt(rows: &[&Row]) -> Option<String> {
    let few = rows.iter().filter(|row| row.probe.count() < 100);
    let names: Vec<_> = few.map(|row| row.server).collect();
    let whose = match names.len() {
        0 => return None,
        few if few <= FEW => names.join(" and "),
        all if all == rows.len() => "every server".into(),
        many => format!("{many} of these servers"),
    };
    Some(format!(
        "The p99 of {whose} is the longest of fewer than 100 visits: more `--rounds` make more of \
         them."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::table;
    use crate::{ProcessUsage, Usage};

    fn plan() -> Plan {
        Plan { models: Model::ALL.to_vec(), connections: 100, slow: 10, requests: 200, rounds: 3 }
    }

    /// A row of a server that kept each of 200 probes waiting so long, and used so much of a
    /// core in ten seconds.
    fn row(server: &'static str, waited: Duration, share: f64) -> Row {
        let mut probe = load_generator::report::Latencies::default();
        (0..200).for_each(|_| probe.record(waited));
        let process = ProcessUsage { processor_seconds: 10.0 * share, sleeps: Some(500) };
        let usage = Usage { requests: 1000, process: Some(process), ..Usage::default() };
        Row {
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
    fn who_kept_the_probe_waiting_is_told_with_the_ratio() {
        let rows = [row("one", SLOW, 0.05), row("other", QUICK, 0.05)];
        let said = findings(&plan(), &rows).join("\n");
        let who = "waited 10,000 times as long at one (2.00s, the median) as at other (200µs).";
        assert!(said.contains(who), "{said}");
        assert!(said.contains("one was not busy meanwhile: it used 5.0% of a core"), "{said}");
    }

    #[test]
    fn nothing_is_said_that_the_numbers_do_not_bear_out() {
        let alike = [row("one", QUICK, 0.05), row("other", QUICK, 0.05)];
        let said = findings(&plan(), &alike).join("\n");
        assert!(said.contains("about as long at each server"), "{said}");
        assert!(!said.contains("not busy") && !said.contains("dear"), "{said}");

        let busy = [row("one", SLOW, 0.9), row("other", QUICK, 0.9)];
        let said = findings(&plan(), &busy).join("\n");
        assert!(!said.contains("not busy"), "{said}");
    }

    #[test]
    fn a_server_that_did_not_answer_everybody_is_told_below_the_table_and_compared_with_nobody() {
        let mut broken = row("one", SLOW, 0.05);
        broken.answered = 7;
        broken.trouble.push("the server died".into());
        let rows = [broken, row("other", QUICK, 0.05)];
        let said = findings(&plan(), &rows).join("\n");
        assert!(!said.contains("one"), "{said}");
        let table = table(&rows);
        assert!(table.contains("7 of 800") && table.ends_with("\none: the server died"), "{table}");
    }

    #[test]
    fn a_server_that_asks_in_vain_and_one_whose_calls_are_not_all_counted_are_told() {
        let mut busy = row("one", QUICK, 0.99);
        let mut quiet = row("other", QUICK, 0.05);
        let usage = |row: &mut Row, calls: u64| {
            row.usage.as_mut().unwrap().calls.insert("recv".into(), calls);
        };
        usage(&mut busy, 500_000);
        usage(&mut quiet, 1000);
        quiet.usage.as_mut().unwrap().calls_not_counted = Some("what it hides".into());
        let rows = [busy, quiet];
        let said = findings(&plan(), &rows).join("\n");
        assert!(said.contains("one used 99% of a core"), "{said}");
        assert!(said.contains("of the 500,000 times"), "{said}");
        assert!(!said.contains("other used"), "{said}");
        assert!(said.contains("Not counted at other: what it hides."), "{said}");
        assert!(table(&rows).contains(" ≥ 1.00 "), "{}", table(&rows));
    }
}
