//! The results as a table, and what they show.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Growth, ManyPlan, ManyResult, Objects, PerConnection, Waits};
use crate::table::{or_dash, troubles_at};
use output::figures::{Quantity, format_time, grouped, out_of, percent, thousands};
use output::{Cell, Column, Table};

const COLUMNS: [Column; 10] = [
    Column { title: "server", name: "server", rank: 0 },
    Column { title: "held", name: "held", rank: 0 },
    Column { title: "all in", name: "connected_s", rank: 6 },
    Column { title: "kept p50", name: "kept_p50_us", rank: 1 },
    Column { title: "kept p99", name: "kept_p99_us", rank: 4 },
    Column { title: "visit p50", name: "visit_p50_us", rank: 3 },
    Column { title: "visit p99", name: "visit_p99_us", rank: 5 },
    Column { title: "all send", name: "all_sent_s", rank: 7 },
    Column { title: "memory", name: "bytes_per_connection", rank: 1 },
    Column { title: "kernel", name: "kernel_bytes_per_connection", rank: 2 },
];

/// What the figures are, above the table.
pub fn introduction(plan: &ManyPlan) -> String {
    let count = thousands(plan.connections as f64);
    format!(
        "{count} connections at each server, or as many as fit. Each sends a request, gets its \
         reply and is held.\nWhile they are silent, a probe sends requests: on one connection that \
         it keeps, and on visits (connect, send, receive, close).\nThen all connections send a \
         request at the same time. Memory is per connection: the server's own, and the kernel's \
         for both ends."
    )
}

/// A row for each server.
pub fn table(results: &[ManyResult]) -> Table {
    Table::new(COLUMNS).with(results.iter().map(|result| cells(result).into()))
}

fn cells(result: &ManyResult) -> [Cell; COLUMNS.len()] {
    let [held, wanted] = [result.held, result.wanted].map(|count| thousands(count as f64));
    let time = |time: Option<Duration>, unit: f64| {
        or_dash(time.map(|time| Cell::number(time.as_secs_f64() * unit, format_time(time))))
    };
    let wait = |of_what: fn(&Waits) -> Duration| time(result.beside.as_ref().map(of_what), 1e6);
    let memory = |each: Option<PerConnection>| {
        let cell = |bytes| Cell::number(bytes, Quantity::Memory.format(bytes));
        or_dash(each.map(|each| cell(each.amount)))
    };
    [
        Cell::text(result.server),
        Cell::number(result.held as f64, out_of(held, wanted)),
        time(result.connected, 1.0),
        wait(|waits| waits.kept.quantile(0.5)),
        wait(|waits| waits.kept.quantile(0.99)),
        wait(|waits| waits.visit.quantile(0.5)),
        wait(|waits| waits.visit.quantile(0.99)),
        time(result.answered_again_after, 1.0),
        memory(result.process.map(|process| process.each)),
        memory(result.kernel.as_ref().map(|kernel| kernel.each)),
    ]
}

/// See [`Measured::findings`](super::Measured::findings).
pub(super) fn findings(bare: Option<&Growth>, rows: &[ManyResult]) -> Vec<String> {
    let troubles = rows.iter().flat_map(|row| troubles_at(row.server, &row.trouble));
    let of_one = [fewer, slower, restless].into_iter();
    let of_each = of_one.flat_map(|of_one| rows.iter().filter_map(of_one));
    let of_all = [
        at_rest(rows),
        bare_ends(bare),
        further_objects(bare, rows),
        stays(rows),
        doubt(bare, rows),
    ];
    troubles.chain(of_each).chain(of_all.into_iter().flatten()).collect()
}

/// Why a server was given fewer connections than the plan says.
fn fewer(row: &ManyResult) -> Option<String> {
    let (why, wanted) = (row.bound.as_ref()?, thousands(row.wanted as f64));
    Some(format!("{} was given only {wanted} connections: {why}.", row.server))
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

/// Whether a server is slower with silent connections.
fn slower(row: &ManyResult) -> Option<String> {
    let (alone, beside) = (row.alone.as_ref()?, row.beside.as_ref()?);
    let [kept_alone, visit_alone, kept, visit] =
        [&alone.kept, &alone.visit, &beside.kept, &beside.visit].map(|it| it.quantile(0.5));
    let times = kept.div_duration_f64(kept_alone);
    (times >= NOTABLE).then(|| {
        format!(
            "With the silent connections, {} took {} for a reply on a kept connection, {} times as \
             long as without them ({}); a visit took {} ({} without them).",
            row.server,
            format_time(kept),
            grouped(times),
            format_time(kept_alone),
            format_time(visit),
            format_time(visit_alone),
        )
    })
}

/// A server that uses more of a core than this while all connections are silent is not at rest.
/// (Its work at the end of a visit may be included.)
const AT_REST: f64 = 0.02;

/// Whether a server works while all connections are silent.
fn restless(row: &ManyResult) -> Option<String> {
    let share = row.idle_share_of_a_core.filter(|share| *share >= AT_REST)?;
    let share = percent(share);
    Some(format!("While all connections were silent, {} used {share} of a core.", row.server))
}

fn at_rest(rows: &[ManyResult]) -> Option<String> {
    let shares: Option<Vec<f64>> = rows.iter().map(|row| row.idle_share_of_a_core).collect();
    let shares = shares.filter(|shares| shares.len() > 1)?;
    let resting = shares.iter().filter(|share| **share < AT_REST).count();
    (resting > 0).then(|| {
        let none = if resting == shares.len() { "No server" } else { "None of the others" };
        let most = percent(AT_REST);
        format!("{none} used more than {most} of a core while all connections were silent.")
    })
}

/// What the two ends of a connection cost the kernel.
fn bare_ends(bare: Option<&Growth>) -> Option<String> {
    let Growth { each, objects, .. } = bare.filter(|bare| bare.each.is_significant())?;
    let [both, half] = [1.0, 2.0].map(|ends| Quantity::Memory.format(each.amount / ends));
    let kinds = kinds(objects, &BTreeMap::new())
        .map(|kinds| format!(" Such a connection has these kernel objects: {kinds}."));
    Some(format!(
        "A connection that no server waits for takes {both} of kernel memory, about half of it \
         ({half}) for the client's end; anything more is what the server waits with.{}",
        kinds.unwrap_or_default()
    ))
}

/// The kernel objects that a server's connections have and bare ones don't.
fn further_objects(bare: Option<&Growth>, rows: &[ManyResult]) -> Option<String> {
    let beyond = rows.iter().filter_map(|row| {
        let kinds = kinds(&row.kernel.as_ref()?.objects, &bare?.objects)?;
        Some(format!("{} {kinds}", row.server))
    });
    let beyond = joined(beyond, "; ")?;
    Some(format!(
        "Further objects (the kernel may list them under the name of others of their size): \
         {beyond}."
    ))
}

/// How far from a whole number a count may be.
const WHOLE: f64 = 0.1;

/// The kinds of objects of which each connection has more in `objects` than in `others`. What other
/// programs do doesn't add a whole number of objects per connection, so it is left out.
fn kinds(
    objects: &BTreeMap<String, Objects>,
    others: &BTreeMap<String, Objects>,
) -> Option<String> {
    let more = objects.iter().filter_map(|(name, each)| {
        let count = each.count - others.get(name).map_or(0.0, |other| other.count);
        let whole = count.round();
        let size = thousands(each.size as f64);
        let is_whole = whole >= 1.0 && (count - whole).abs() <= WHOLE;
        is_whole.then(|| format!("{whole} {name} of {size} B"))
    });
    joined(more, ", ")
}

/// If less than this share of the memory is kept, nearly all of it was given back.
const SOME: f64 = 0.1;

/// How much memory servers keep after the crowd has left.
fn stays(rows: &[ManyResult]) -> Option<String> {
    let known = rows.iter().filter_map(|row| Some((row.server, row.process?)));
    let known: Vec<_> = known.filter(|(_, memory)| memory.each.is_significant()).collect();
    let kept = known.iter().filter_map(|(server, memory)| {
        let figures = [memory.kept(), memory.with.saturating_sub(memory.before)];
        let [kept, taken] = figures.map(|bytes| bytes as f64);
        let [kept_text, taken_text] = [kept, taken].map(|bytes| Quantity::Memory.format(bytes));
        (kept >= SOME * taken).then(|| format!("{server} {kept_text} ({taken_text})"))
    });
    let kept: Vec<_> = kept.collect();
    let others = if kept.len() < known.len() { "; the others freed nearly all of it" } else { "" };
    let kept = joined(kept, ", ")?;
    Some(format!(
        "After all clients had left, these servers kept memory for the next ones (in brackets, \
         what the silent connections took): {kept}{others}."
    ))
}

/// Which memory figures may be chance.
fn doubt(bare: Option<&Growth>, rows: &[ManyResult]) -> Option<String> {
    let bare = bare.iter().map(|bare| ("the kernel's without a server".into(), bare.each));
    let of_servers = rows.iter().flat_map(|row| {
        let own = row.process.as_ref().map(|it| (format!("{}'s own", row.server), it.each));
        let kernel =
            row.kernel.as_ref().map(|it| (format!("the kernel's at {}", row.server), it.each));
        own.into_iter().chain(kernel)
    });
    let lost = bare.chain(of_servers).filter(|(_, each)| !each.is_significant());
    let lost = joined(lost.map(|(whose, _)| whose), ", ")?;
    Some(format!(
        "Some memory figures are too close to other changes of memory on this machine to mean \
         anything: {lost}."
    ))
}

/// A list, unless it is empty.
fn joined(items: impl IntoIterator<Item = String>, separator: &str) -> Option<String> {
    let items: Vec<String> = items.into_iter().collect();
    (!items.is_empty()).then(|| items.join(separator))
}
