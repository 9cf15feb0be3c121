//! What is drawn of a timeline: all rows, or as many of each kind as there is room for, each with
//! its bars.

use std::time::Duration;

use super::axis::Axis;
use super::bars::{Bar, bars};
use super::{Row, Timeline};

/// With more bars, at 200 bytes each, the file would be larger than about a megabyte.
const MOST_BARS: usize = 4000;

/// What is drawn.
pub(super) struct Plot<'a> {
    pub(super) axis: Axis,
    /// Rows of one kind, each below a heading.
    pub(super) groups: Vec<(String, Vec<Lane<'a>>)>,
    /// How short a bar may be: a pixel, or longer if there would be too many bars.
    pub(super) shortest: Duration,
}

/// A row with its bars.
pub(super) struct Lane<'a> {
    pub(super) row: &'a Row,
    pub(super) bars: Vec<Bar>,
}

impl<'a> Plot<'a> {
    /// `most_rows` is as for [`groups`].
    pub(super) fn new(timeline: &'a Timeline, axis: Axis, most_rows: usize) -> Self {
        let (start, end) = axis.to_scale.ends;
        let pixel = Duration::from_secs_f64(axis.to_scale.values.end / (end - start));
        let shortest = pixel.max(Duration::from_nanos(1));
        let mut plot = Plot { axis, groups: groups(timeline, most_rows), shortest };
        loop {
            for lane in plot.groups.iter_mut().flat_map(|(_, lanes)| lanes) {
                lane.bars = bars(lane.row, timeline.length, plot.shortest);
            }
            let count: usize = plot.lanes().map(|lane| lane.bars.len()).sum();
            // The loop ends, because each row always has at least one bar.
            if count <= MOST_BARS || plot.shortest > timeline.length {
                return plot;
            }
            plot.shortest *= 2;
        }
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane<'a>> {
        self.groups.iter().flat_map(|(_, lanes)| lanes)
    }

    /// How far apart rows are, in pixels.
    pub(super) fn pitch(&self) -> f64 {
        match self.lanes().count() {
            ..=24 => 18.0,
            25..=36 => 14.0,
            _ => 11.0,
        }
    }

    /// Whether rows are so high that there is room for a time.
    pub(super) fn has_times(&self) -> bool {
        self.pitch() >= 14.0
    }
}

impl Lane<'_> {
    /// Where it begins, in pixels, if that is visibly later than the others.
    pub(super) fn begins(&self, axis: &Axis) -> Option<f64> {
        let begins = self.bars.first().map(|bar| bar.from).or(self.row.ended);
        let (left, right) = axis.ends();
        let begins = begins.map_or(right, |at| axis.x(at));
        (begins > left + 2.0).then_some(begins)
    }
}

/// The rows of a timeline in groups, `most` in total unless there are more kinds than that. Their
/// bars are not made yet.
///
/// Half of the room is shared equally among the kinds, because the many clients have to be compared
/// with the few.
///
/// If not all are shown, failed clients have their own groups, so that they are shown however few
/// they are.
fn groups(timeline: &Timeline, most: usize) -> Vec<(String, Vec<Lane<'_>>)> {
    let all = timeline.rows.len();
    let mut kinds: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in &timeline.rows {
        let mut kind = row.kind.to_string();
        if all > most && row.failure.is_some() {
            kind += ", failed";
        }
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, rows)) => rows.push(row),
            None => kinds.push((kind, vec![row])),
        }
    }
    let alike = most / 2 / kinds.len().max(1);
    let by_size = most - alike * kinds.len();
    let group = |(kind, rows): (String, Vec<_>)| {
        let count = rows.len();
        let shown = count.min(alike + by_size * count / all).max(1);
        let clients = if count == 1 { "client" } else { "clients" };
        let mut heading = format!("{kind}: {count} {clients}");
        if shown < count {
            heading += &format!(", {shown} of them shown");
        }
        // Picked evenly, including the first and the last.
        let picked = (0..shown).map(|place| rows[place * (count - 1) / (shown - 1).max(1)]);
        (heading, picked.map(|row| Lane { row, bars: Vec::new() }).collect())
    };
    kinds.into_iter().map(group).collect()
}
