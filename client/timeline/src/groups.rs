//! Which rows are shown: all of them, or of each kind as many as there is room for.

use super::{Row, Timeline};

/// Rows of one kind, below a heading.
pub(super) struct Group<'a> {
    pub(super) heading: String,
    pub(super) rows: Vec<&'a Row>,
}

/// The rows of a timeline in groups, altogether `most` unless there are more kinds than that.
///
/// Half of the room is shared out alike among the kinds, since the few are what the many
/// have to be compared with.
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
    let alike = most / 2 / kinds.len().max(1);
    let by_size = most - alike * kinds.len();
    let room = |rows: &[&Row]| alike + by_size * rows.len() / all;
    kinds.into_iter().map(|(kind, rows)| group(&kind, room(&rows), rows)).collect()
}

fn group<'a>(kind: &str, room: usize, rows: Vec<&'a Row>) -> Group<'a> {
    let clients = if rows.len() == 1 { "client" } else { "clients" };
    let mut heading = format!("{kind}: {} {clients}", rows.len());
    if rows.len() <= room {
        return Group { heading, rows };
    }
    let shown = sample(&rows, room.max(1));
    heading += &format!(", {} of them shown", shown.len());
    Group { heading, rows: shown }
}

/// So many of the rows, evenly picked, the first and the last among them.
fn sample<'a>(rows: &[&'a Row], count: usize) -> Vec<&'a Row> {
    (0..count).map(|place| rows[place * (rows.len() - 1) / (count - 1).max(1)]).collect()
}
