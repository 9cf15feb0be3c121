//! Draws a timeline as SVG.

use std::time::Duration;

use drawing::{MARGIN, Page, line, printable, text};
use load_generator::Crowd;
use load_generator::report::{Report, shown};
use svg::node::element::{Group as Element, Title};

use super::axis::{Axis, format_time};
use super::bars::{Bar, client_name};
use super::drawn::{Drawn, PITCH_WITH_TIMES, begins, drawn, pitch};
use super::legend::{Sample, legend};
use super::replay::Replay;
use super::shapes::{bar, before, cross, replies, torn};
use super::style::sheet;
use super::{Row, Timeline};

/// What is around the rows, and how large they are drawn.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The headline.
    pub title: String,
    /// Lines below the headline, such as figures; each entry is a paragraph.
    pub lines: Vec<String>,
    /// What the picture shows, if that needs to be said.
    pub caption: Option<String>,
    /// When the time axis ends, if pictures are to be comparable. Otherwise it ends with the
    /// timeline.
    pub until: Option<Duration>,
    /// Whether the picture is animated.
    pub replay: bool,
    /// The width in pixels; at least 320.
    pub width: u32,
    /// How many rows are shown. If there are more, rows of each kind are picked evenly.
    pub rows: usize,
    /// The element's `id`, of letters, digits and hyphens. If there are several pictures in one
    /// HTML page, each needs a different one.
    pub id: String,
}

impl Default for Picture {
    fn default() -> Self {
        Picture {
            title: String::new(),
            lines: Vec::new(),
            caption: None,
            until: None,
            replay: false,
            width: 960,
            rows: 50,
            id: "timeline".into(),
        }
    }
}

impl Picture {
    /// A picture of a flood of the server called `server`. The title gives the server and the mix
    /// of clients, and the lines give the results.
    pub fn of(report: &Report, server: &str) -> Self {
        let Crowd { connections, ref mix, .. } = report.crowd;
        let kinds: Vec<_> =
            report.kinds.iter().map(|part| format!("{} {}", part.clients, part.kind)).collect();
        let crowd = if mix.total() == 0 {
            format!("{connections} prompt clients")
        } else {
            format!("{connections} clients, {}", kinds.join(", "))
        };
        let reply = &report.reply;
        let replies = (reply.count() > 0).then(|| {
            let (p50, max) = (shown(reply, 0.5), shown(reply, 1.0));
            format!("waiting for a reply: {p50} (the median), {max} (the longest)")
        });
        Picture {
            title: format!("{server}: {crowd}"),
            lines: [Some(report.headline()), replies].into_iter().flatten().collect(),
            caption: report.stuck.map(|stuck| stuck.headline(&report.crowd)),
            ..Picture::default()
        }
    }
}

/// In a narrower picture, the legend would not fit.
const NARROWEST: u32 = 320;

/// Where the rows begin, in pixels; the clients' numbers are on the left.
const LEFT: f64 = 62.0;

/// Room for the time next to a reply at the very end.
const RIGHT: f64 = 64.0;

/// How far apart marks of replies have to be to be distinguished, in pixels.
const BETWEEN_REPLIES: f64 = 3.0;

/// The minimum width of a bar, in pixels.
const NARROWEST_BAR: f64 = 1.0;

/// Room before time 0, so that what happens then isn't mistaken for the edge, in pixels.
const BEFORE_ZERO: f64 = 8.0;

impl Picture {
    /// The picture as one `svg` element, for a separate file or for an HTML page.
    ///
    /// The same timeline always gives the same text.
    pub fn svg(&self, timeline: &Timeline) -> String {
        let width = f64::from(self.width.max(NARROWEST));
        let axis = Axis::new(timeline, self.until, LEFT + BEFORE_ZERO, width - RIGHT);
        let (groups, shortest) = drawn(timeline, self.rows, axis.pixel());
        let description: Vec<&str> =
            self.lines.iter().chain(&self.caption).map(String::as_str).collect();
        let mut page =
            Page::new(&self.id, width, &self.title, &description.join(" "), &sheet(&self.id));
        page.heading(&self.title);
        for line in &self.lines {
            page.paragraph(line, 14.0, "faint");
        }
        if let Some(caption) = &self.caption {
            page.paragraph(caption, 14.0, "caption");
        }
        draw_legend(&mut page, &legend(&groups, &axis));
        let replay = self.replay.then(|| Replay::new(&axis));
        plot(&mut page, &groups, &axis, replay.as_ref(), &self.id);
        for note in self.notes(timeline, &groups, &axis, shortest) {
            page.paragraph(&note, 12.0, "faint");
        }
        page.finish()
    }

    /// What a reader has to know in order not to misread the picture.
    fn notes(
        &self,
        timeline: &Timeline,
        groups: &[Drawn<'_>],
        axis: &Axis,
        shortest: Duration,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        if self.replay {
            notes.push(Replay::new(axis).note());
        }
        if let Some(full_at) = timeline.full_at {
            notes.push(format!(
                "The recording was full after {}; later events are not drawn.",
                format_time(full_at)
            ));
        }
        let mut bars = groups.iter().flat_map(|group| &group.rows).flat_map(|(_, bars)| bars);
        if bars.any(Bar::is_joined) {
            notes.push(format!(
                "Phases shorter than {} are drawn together with the next ones, in the colour of \
                 the longest.",
                format_time(shortest)
            ));
        }
        notes.push(
            "Each row is a connection. In a browser, point at a bar to read what it is.".into(),
        );
        notes
    }
}

fn draw_legend(page: &mut Page, samples: &[Sample]) {
    const SIZE: f64 = 12.0;
    const SAMPLE: f64 = 24.0;
    page.y += 18.0;
    let mut x = MARGIN;
    for sample in samples {
        let length = SAMPLE + 6.0 + sample.name().chars().count() as f64 * SIZE * 0.5;
        if x + length > page.width - MARGIN && x > MARGIN {
            x = MARGIN;
            page.y += 20.0;
        }
        let middle = page.y + 6.0;
        match sample {
            Sample::Before => page.add(before(x, x + SAMPLE, middle)),
            Sample::Bar(phase) => page.add(bar(*phase, x, x + SAMPLE, middle, 15.0)),
            Sample::Reply { .. } => page.add(replies(&[x + SAMPLE / 2.0], page.y - 2.0, 16.0)),
            Sample::Failure(_) => page.add(cross(x + SAMPLE / 2.0, middle)),
        }
        page.add(text(sample.name(), x + SAMPLE + 6.0, page.y + 10.0, SIZE, "ink"));
        x += length + 16.0;
    }
    page.y += 20.0;
}

/// The rows and the time axis below them.
fn plot(page: &mut Page, groups: &[Drawn<'_>], axis: &Axis, replay: Option<&Replay>, id: &str) {
    let pitch = pitch(groups);
    const HEADING: f64 = 26.0;
    let top = page.y;
    let heights = groups.iter().map(|group| HEADING + group.rows.len() as f64 * pitch);
    let bottom = top + heights.sum::<f64>() + 8.0;
    page.add(grid(axis, top, bottom));
    let mut headings = Vec::new();
    for group in groups {
        let heading = text(&group.heading, MARGIN, page.y + 18.0, 13.0, "ink");
        headings.push(heading.set("font-weight", "bold"));
        page.y += HEADING;
        for (row, bars) in &group.rows {
            page.add(lane(row, bars, axis, page.y, pitch));
            let size = (pitch - 1.0_f64).min(11.0);
            let number = text(
                &row.number.to_string(),
                LEFT - 8.0,
                page.y + pitch / 2.0 + size * 0.36,
                size,
                "faint",
            );
            page.add(number.set("text-anchor", "end"));
            page.y += pitch;
        }
    }
    if let Some(tear) = &axis.tear {
        let middle = f64::midpoint(axis.x(tear.from), axis.x(axis.end));
        page.add(torn(middle, top, bottom));
    }
    if let Some(replay) = replay {
        page.add(replay.curtain(axis, top, bottom, id));
    }
    for heading in headings {
        page.add(heading);
    }
    page.add(labels(axis, bottom));
    page.y = bottom + 40.0;
}

/// A client's bars and marks.
fn lane(row: &Row, bars: &[Bar], axis: &Axis, y: f64, pitch: f64) -> Element {
    let middle = y + pitch / 2.0;
    let mut lane = Element::new();
    if let Some(begins) = begins(row, bars, axis) {
        lane = lane.add(before(axis.x(Duration::ZERO), begins, middle));
    }
    for stretch in bars {
        let (from, to) = (axis.x(stretch.from), axis.x(stretch.to));
        let to = to.max(from + NARROWEST_BAR);
        let rectangle = bar(stretch.phase(), from, to, middle, pitch);
        lane = lane.add(rectangle.add(Title::new(stretch.tooltip(row))));
    }
    let marks = marks(row, axis);
    if !marks.is_empty() {
        lane = lane.add(replies(&marks, y, pitch));
    }
    if let (Some(at), Some(failure)) = (row.ending.at(), row.ending.failure()) {
        let what = format!(
            "{}: {} at {}: {}",
            client_name(row),
            failure.stage.name(),
            format_time(at),
            failure.why
        );
        lane = lane.add(cross(axis.x(at), middle).add(Title::new(printable(&what))));
    } else if let Some(last) = row.replies().last()
        && pitch >= PITCH_WITH_TIMES
    {
        let end = bars.last().map_or(last, |bar| bar.to.max(last));
        lane = lane.add(text(&format_time(last), axis.x(end) + 8.0, middle + 3.6, 10.0, "faint"));
    }
    lane
}

/// Where a client's replies are marked, in pixels.
fn marks(row: &Row, axis: &Axis) -> Vec<f64> {
    let mut marks: Vec<f64> = Vec::new();
    for reply in row.replies() {
        let x = axis.x(reply);
        if marks.last().is_none_or(|last| x - last >= BETWEEN_REPLIES) {
            marks.push(x);
        }
    }
    marks
}

fn grid(axis: &Axis, top: f64, bottom: f64) -> Element {
    let lines = axis.ticks().into_iter().map(|(at, _)| {
        let x = axis.x(at);
        line("grid", (x, top), (x, bottom))
    });
    lines.fold(Element::new(), Element::add)
}

/// The axis itself, below the rows.
fn labels(axis: &Axis, y: f64) -> Element {
    let (left, right) = (axis.x(Duration::ZERO), axis.x(axis.end));
    let mut labels = Element::new().add(line("axis", (left, y), (right, y)));
    let centred = |words: &str, x: f64, class: &str, row: f64| {
        text(words, x, y + 4.0 + row * 14.0, 12.0, class).set("text-anchor", "middle")
    };
    let mut limit = f64::INFINITY;
    if let Some(tear) = &axis.tear {
        let middle = f64::midpoint(axis.x(tear.from), right);
        let how_long = format!("for {}", format_time(tear.stall));
        labels = labels.add(centred("nothing moved", middle, "ink", 1.0));
        labels = labels.add(centred(&how_long, middle, "ink", 2.0));
        limit = middle - 75.0; // half of these words and half of a tick's label
    }
    for (at, label) in axis.ticks() {
        let x = axis.x(at);
        labels = labels.add(line("axis", (x, y), (x, y + 4.0)));
        if x < limit {
            labels = labels.add(centred(&label, x, "ink", 1.0));
        }
    }
    labels
}
