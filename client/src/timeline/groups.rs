//! Which rows are shown: all of them, or of each kind as many as there is room for.

use super::{Row, Timeline};

/// However few rows there is room for, a kind has so many.
const FEWEST_OF_A_KIND: usize = 4;

/// Rows of one kind, below a heading.
pub(super) struct Group<'a> {
    pub(super) heading: String,
    pub(super) rows: Vec<&'a Row>,
}

/// The rows of a timeline in groups, altogether not many more than `most`.
///
/// If not all are shown, those that failed have groups of their own: however few they are,
/// they don't get lost.
pub(super) fn groups(timeline: &Timeline, most: usize) -> Vec<Group<'_>> {
    let all = timeline.rows.len();
    let mut kinds: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in &timeline.rows {
        let mut kind = row.kind.to_string();
        if all > most && row.ending.failure().is_some() {
            kind += ", failed";
        }
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, rows)) => rows.push(row),
            None => kinds.push((kind, vec![row])),
        }
    }
    kinds.into_iter().map(|(kind, rows)| group(&kind, rows, most, all)).collect()
}

fn group<'a>(kind: &str, rows: Vec<&'a Row>, most: usize, all: usize) -> Group<'a> {
    let clients = if rows.len() == 1 { "client" } else { "clients" };
    let mut heading = format!("{kind}: {} {clients}", rows.len());
    let share = (rows.len() * most / all.max(1)).max(FEWEST_OF_A_KIND);
    if all <= most || rows.len() <= share {
        return Group { heading, rows };
    }
    heading += &format!(", {share} of them shown");
    Group { heading, rows: sample(&rows, share) }
}

/// So many of the rows, evenly picked, the first and the last among them.
fn sample<'a>(rows: &[&'a Row], count: usize) -> Vec<&'a Row> {
    (0..count).map(|place| rows[place * (rows.len() - 1) / (count - 1)]).collect()
}
