//! What is drawn of a timeline: groups of rows, each row with its bars.

use std::time::Duration;

use super::axis::Axis;
use super::bars::{Bar, bars};
use super::groups::groups;
use super::{Row, Timeline};

/// With more bars, at 200 bytes each, the file would be larger than about a megabyte.
const MOST_BARS: usize = 4000;

/// Rows of this height have room for a time.
pub(super) const PITCH_WITH_TIMES: f64 = 14.0;

/// A group with the bars of its rows.
pub(super) struct Drawn<'a> {
    pub(super) heading: String,
    pub(super) rows: Vec<(&'a Row, Vec<Bar>)>,
}

/// What is drawn, and how short a bar may be: at least as long as a `pixel`, and longer if there
/// would be too many bars.
pub(super) fn drawn(
    timeline: &Timeline,
    most_rows: usize,
    pixel: Duration,
) -> (Vec<Drawn<'_>>, Duration) {
    let mut shortest = pixel;
    loop {
        let with_bars = |row| (row, bars(row, timeline.length, shortest));
        let groups: Vec<_> = groups(timeline, most_rows)
            .into_iter()
            .map(|group| Drawn {
                heading: group.heading,
                rows: group.rows.into_iter().map(with_bars).collect(),
            })
            .collect();
        let count: usize = rows(&groups).map(|(_, bars)| bars.len()).sum();
        // The loop ends, because each row always has at least one bar.
        if count <= MOST_BARS || shortest > timeline.length {
            return (groups, shortest);
        }
        shortest *= 2;
    }
}

pub(super) fn rows<'a, 'g>(
    groups: &'g [Drawn<'a>],
) -> impl Iterator<Item = &'g (&'a Row, Vec<Bar>)> {
    groups.iter().flat_map(|group| &group.rows)
}

/// How far apart rows are, in pixels.
pub(super) fn pitch(groups: &[Drawn<'_>]) -> f64 {
    match rows(groups).count() {
        ..=24 => 18.0,
        25..=36 => 14.0,
        _ => 11.0,
    }
}

/// Where a row begins, in pixels, if that is visibly later than the others.
pub(super) fn begins(row: &Row, bars: &[Bar], axis: &Axis) -> Option<f64> {
    let begins = bars.first().map(|bar| bar.from).or(row.ending.at());
    let begins = axis.x(begins.unwrap_or(axis.end));
    (begins > axis.x(Duration::ZERO) + 2.0).then_some(begins)
}
