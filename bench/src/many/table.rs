//! The rows as a table, and what is to be seen in them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Course, Growth, Measured, ObjectsForEach, Plan, Row, Waits};
use crate::figures::{Quantity, grouped, percent, thousands, told};

/// What stands above the columns of the table.
const COLUMNS: [&str; 10] = [
    "server",
    "held",
    "all in",
    "kept p50",
    "kept p99",
    "visit p50",
    "visit p99",
    "all ask",
    "memory",
    "kernel",
];

/// Stands for a figure that is not known.
const UNKNOWN: &str = "–";

/// What the figures are.
pub fn introduction(plan: &Plan) -> String {
    let count = thousands(plan.connections as f64);
    format!(
        "{count} connections at each server, or as many as fit. Each asks once, and is held when it is \
         answered.\nBeside them, silent by now, a probe asks on a connection that it keeps, and on \
         visits: connect, ask, leave.\nThen all ask at the same time. Memory is the server's own, for \
         each connection; the kernel's is for both ends."
    )
}

/// The rows as a table for people, with a line below for whatever went wrong.
pub fn table(rows: &[Row]) -> String {
    let mut text = crate::table::aligned(COLUMNS, rows.iter().map(cells));
    for row in rows {
        for trouble in &row.trouble {
            text += &format!("\n{}: {trouble}", row.server);
        }
    }
    text
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let count = |count: usize| thousands(count as f64);
    let held = match row.held == row.wanted {
        true => count(row.held),
        false => format!("{} of {}", count(row.held), count(row.wanted)),
    };
    let quantile = |of_what: fn(&Waits) -> Duration| row.beside.as_ref().map(of_what).map(told);
    let cells = [
        Some(row.server.to_owned()),
        Some(held),
        row.connected.map(told),
        quantile(|waits| waits.kept.quantile(0.5)),
        quantile(|waits| waits.kept.quantile(0.99)),
        quantile(|waits| waits.visit.quantile(0.5)),
        quantile(|waits| waits.visit.quantile(0.99)),
        row.all_asked.map(told),
        row.process.map(|course| Quantity::Memory.told(course.per_connection)),
        row.kernel.as_ref().map(|growth| Quantity::Memory.told(growth.per_connection)),
    ];
    cells.map(|cell| cell.unwrap_or_else(|| UNKNOWN.into()))
}

/// What is to be seen in these very numbers, a sentence each, and where they bear less than they
/// seem to.
pub fn findings(measured: &Measured) -> Vec<String> {
    let rows = &measured.servers;
    let mut sentences = Vec::new();
    sentences.extend(rows.iter().filter_map(fewer));
    sentences.extend(rows.iter().filter_map(slower));
    sentences.extend(rows.iter().filter_map(restless));
    sentences.extend(at_rest(rows));
    sentences.extend(measured.bare.iter().filter(|bare| bare.bears()).map(bare_ends));
    if let Some(bare) = &measured.bare {
        let beyond: Vec<_> = rows.iter().filter_map(|row| objects_beyond(bare, row)).collect();
        sentences.extend((!beyond.is_empty()).then(|| {
            format!(
                "More objects than two bare ends have (some go by the name of others of their size): \
                 {}.",
                beyond.join("; ")
            )
        }));
    }
    sentences.extend(stays(rows));
    sentences.extend(doubt(measured));
    sentences
}

/// Why a server held fewer than were asked for.
fn fewer(row: &Row) -> Option<String> {
    let why = row.bound.as_ref()?;
    Some(format!("{} was to hold {} only: {why}.", row.server, thousands(row.wanted as f64)))
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

/// Who keeps a client waiting for the silent ones.
fn slower(row: &Row) -> Option<String> {
    let [alone, beside] = [&row.alone, &row.beside].map(|waits| {
        let waits = waits.as_ref()?;
        Some([&waits.kept, &waits.visit].map(|latencies| latencies.quantile(0.5)))
    });
    let ([kept_alone, visit_alone], [kept, visit]) = (alone?, beside?);
    let times = kept.div_duration_f64(kept_alone);
    (times >= NOTABLE).then(|| {
        format!(
            "Beside the silent ones an answer by {} took {} on a connection, and {} without them: {} \
             times as long; a visit took {}, and {} without.",
            row.server,
            told(kept),
            told(kept_alone),
            grouped(times),
            told(visit),
            told(visit_alone),
        )
    })
}

/// A server that uses more of a core than this while nobody says anything is not at rest. What
/// it does at the end of a visit may be in it.
const AT_REST: f64 = 0.02;

/// Who works while nobody says anything.
fn restless(row: &Row) -> Option<String> {
    let share = row.idle_share_of_a_core.filter(|share| *share >= AT_REST)?;
    Some(format!("While nobody said anything, {} used {} of a core.", row.server, percent(share)))
}

fn at_rest(rows: &[Row]) -> Option<String> {
    let shares: Option<Vec<f64>> = rows.iter().map(|row| row.idle_share_of_a_core).collect();
    let shares = shares.filter(|shares| shares.len() > 1)?;
    let is_at_rest = |share: &&f64| **share < AT_REST;
    let resting = shares.iter().filter(is_at_rest).count();
    (resting > 0).then(|| {
        let who = if resting == shares.len() { "No server" } else { "None of the others" };
        format!("{who} used {} of a core while nobody said anything.", percent(AT_REST))
    })
}

/// What two ends cost the kernel.
fn bare_ends(bare: &Growth) -> String {
    let told = |bytes| Quantity::Memory.told(bytes);
    let (both, half) = (told(bare.per_connection), told(bare.per_connection / 2.0));
    let text = format!(
        "Two ends that nobody waits for take {both} of the kernel, the client's about half of it, \
         {half}; what is more is what the server waits with."
    );
    match kinds(&bare.objects, &BTreeMap::new()) {
        Some(kinds) => format!("{text} In objects: {kinds}."),
        None => text,
    }
}

/// How far from a whole number a count may be.
const WHOLE: f64 = 0.1;

/// Of which kinds there are more in `objects` than in `others`, for each connection. What else
/// goes on does not come in whole numbers of connections, and is left out.
fn kinds(
    objects: &BTreeMap<String, ObjectsForEach>,
    others: &BTreeMap<String, ObjectsForEach>,
) -> Option<String> {
    let more = |(name, each): (&String, &ObjectsForEach)| {
        let count = each.count - others.get(name).map_or(0.0, |other| other.count);
        let whole = count.round();
        let size = thousands(each.size as f64);
        let is_whole = whole >= 1.0 && (count - whole).abs() <= WHOLE;
        is_whole.then(|| format!("{whole} {name} of {size} B"))
    };
    let kinds: Vec<_> = objects.iter().filter_map(more).collect();
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

/// Of which objects a server makes the kernel have more than two bare ends do.
fn objects_beyond(bare: &Growth, row: &Row) -> Option<String> {
    let kinds = kinds(&row.kernel.as_ref()?.objects, &bare.objects)?;
    Some(format!("{} {kinds}", row.server))
}

/// Less than this share that stays is nearly nothing.
const SOME: f64 = 0.1;

/// What servers keep when the crowd has gone.
fn stays(rows: &[Row]) -> Option<String> {
    let known = rows.iter().filter_map(|row| Some((row, row.process?)));
    let known: Vec<_> = known.filter(|(_, course)| course.bears()).collect();
    let taken = |course: &Course| course.with.saturating_sub(course.before) as f64;
    let keeps = |(_, course): &&(&Row, Course)| course.stays() as f64 >= SOME * taken(course);
    let kept = known.iter().filter(keeps).map(|(row, course)| {
        let [kept, taken] = [course.stays() as f64, taken(course)];
        let told = |bytes| Quantity::Memory.told(bytes);
        format!("{} {} ({})", row.server, told(kept), told(taken))
    });
    let kept: Vec<_> = kept.collect();
    let others = if kept.len() < known.len() { "; the others gave nearly all back" } else { "" };
    (!kept.is_empty()).then(|| {
        format!(
            "When all had gone, memory was kept for the next ones (in brackets, what the silent ones \
             took): {}{others}.",
            kept.join(", ")
        )
    })
}

/// Which memory figures are not to be told from chance.
fn doubt(measured: &Measured) -> Option<String> {
    let mut lost = Vec::new();
    if measured.bare.as_ref().is_some_and(|bare| !bare.bears()) {
        lost.push("the kernel's for bare ends".to_owned());
    }
    for row in &measured.servers {
        if row.process.is_some_and(|course| !course.bears()) {
            lost.push(format!("{}'s own", row.server));
        }
        if row.kernel.as_ref().is_some_and(|growth| !growth.bears()) {
            lost.push(format!("the kernel's at {}", row.server));
        }
    }
    (!lost.is_empty()).then(|| {
        format!(
            "Of these memory figures, some are too near to what changes by itself on this machine \
             to say anything: {}.",
            lost.join(", ")
        )
    })
}
