//! Which rows are shown: all of them, or as many of each kind as there is room for.

use super::{Row, Timeline};

/// Rows of one kind, below a heading.
pub(super) struct Group<'a> {
    pub(super) heading: String,
    pub(super) rows: Vec<&'a Row>,
}

/// The rows of a timeline in groups, `most` in total unless there are more kinds than that.
///
/// Half of the room is shared equally among the kinds, because the many clients have to be compared
/// with the few.
///
/// If not all are shown, failed clients have their own groups, so that they are shown however few
/// they are.
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

/// Picks this many rows evenly, including the first and the last.
fn sample<'a>(rows: &[&'a Row], count: usize) -> Vec<&'a Row> {
    (0..count).map(|place| rows[place * (rows.len() - 1) / (count - 1).max(1)]).collect()
}
