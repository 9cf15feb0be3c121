//! Draws a timeline as SVG.

use std::time::Duration;

use drawing::{Canvas, MARGIN, centred, line, printable, text};
use load_generator::Crowd;
use load_generator::report::{Report, shown};
use svg::node::element::{Group as Element, Title};

use super::Timeline;
use super::axis::{Axis, time_label};
use super::bars::Bar;
use super::legend::legend;
use super::plot::{Lane, Plot};
use super::replay::Replay;
use super::shapes::{bar, before, cross, replies, rules, torn};

/// What is around the rows, and how many are drawn.
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
            rows: 50,
            id: "timeline".into(),
        }
    }
}

/// The width of a picture, in pixels like all sizes here.
const WIDTH: f64 = 960.0;

/// Where the rows begin; the clients' numbers are on the left.
const LEFT: f64 = 62.0;

/// Room for the time next to a reply at the very end.
const RIGHT: f64 = 64.0;

/// How far apart marks of replies have to be to be distinguished.
const BETWEEN_REPLIES: f64 = 3.0;

/// The minimum width of a bar.
const NARROWEST_BAR: f64 = 1.0;

/// Room before time 0, so that what happens then isn't mistaken for the edge.
const BEFORE_ZERO: f64 = 8.0;

impl Picture {
    /// A picture of a flood of the server called `server`. The title gives the server and the mix
    /// of clients, and the lines give the results.
    pub fn of(report: &Report, server: &str) -> Self {
        let Crowd { connections, ref mix, .. } = report.crowd;
        let kinds = report.kinds.iter().map(|part| format!(", {} {}", part.clients, part.kind));
        let crowd = match mix.total() {
            0 => format!("{connections} prompt clients"),
            _ => format!("{connections} clients{}", kinds.collect::<String>()),
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

    /// The picture as one `svg` element, for a separate file or for an HTML page.
    ///
    /// The same timeline always gives the same text.
    pub fn svg(&self, timeline: &Timeline) -> String {
        let axis = Axis::new(timeline, self.until, LEFT + BEFORE_ZERO, WIDTH - RIGHT);
        let replay = self.replay.then(|| Replay::new(&axis));
        let plot = Plot::new(timeline, axis, self.rows);
        let description = [&self.lines, self.caption.as_slice()].concat().join(" ");
        let mut canvas = Canvas::new(&self.id, WIDTH, &self.title, &description, &rules());
        for line in &self.lines {
            canvas.paragraph(line, 14.0, "faint");
        }
        if let Some(caption) = &self.caption {
            canvas.paragraph(caption, 14.0, "caption");
        }
        legend(&mut canvas, &plot);
        draw(&mut canvas, &plot, replay.as_ref(), &self.id);
        for note in notes(timeline, &plot, replay.as_ref()) {
            canvas.paragraph(&note, 12.0, "faint");
        }
        canvas.finish()
    }
}

/// What a reader has to know in order not to misread the picture.
fn notes(timeline: &Timeline, plot: &Plot<'_>, replay: Option<&Replay>) -> Vec<String> {
    let mut notes: Vec<String> = replay.map(Replay::note).into_iter().collect();
    notes.extend(timeline.full_at.map(|full_at| {
        let after = time_label(full_at);
        format!("The recording was full after {after}; later events are not drawn.")
    }));
    if plot.lanes().any(|lane| lane.bars.iter().any(Bar::is_joined)) {
        notes.push(format!(
            "Phases shorter than {} are drawn together with the next ones, in the colour of the \
             longest.",
            time_label(plot.shortest)
        ));
    }
    notes.push("Each row is a connection. In a browser, point at a bar to read what it is.".into());
    notes
}

/// Draws the rows and the time axis below them.
fn draw(canvas: &mut Canvas, plot: &Plot<'_>, replay: Option<&Replay>, id: &str) {
    const HEADING: f64 = 26.0;
    let (axis, pitch) = (&plot.axis, plot.pitch());
    let top = canvas.y;
    let heights = plot.groups.iter().map(|(_, lanes)| HEADING + lanes.len() as f64 * pitch);
    let bottom = top + heights.sum::<f64>() + 8.0;
    let grid = axis.ticks().into_iter().map(|(x, _)| line("grid", (x, top), (x, bottom)));
    canvas.add(grid.fold(Element::new(), Element::add));
    let mut headings = Vec::new();
    for (heading, lanes) in &plot.groups {
        let heading = text(heading, MARGIN, canvas.y + 18.0, 13.0, "ink");
        headings.push(heading.set("font-weight", "bold"));
        canvas.y += HEADING;
        for lane in lanes {
            let middle = canvas.y + pitch / 2.0;
            canvas.add(drawn(lane, plot, middle));
            let size = (pitch - 1.0_f64).min(11.0);
            let number = lane.row.number.to_string();
            let number = text(&number, LEFT - 8.0, middle + size * 0.36, size, "faint");
            canvas.add(number.set("text-anchor", "end"));
            canvas.y += pitch;
        }
    }
    if let Some(tear) = &axis.tear {
        canvas.add(torn(tear.middle, top, bottom));
    }
    if let Some(replay) = replay {
        canvas.add(replay.curtain(axis, top, bottom, id));
    }
    for heading in headings {
        canvas.add(heading);
    }
    canvas.add(labels(axis, bottom));
    canvas.y = bottom + 40.0;
}

/// A client's bars and marks.
fn drawn(lane: &Lane<'_>, plot: &Plot<'_>, middle: f64) -> Element {
    let (Lane { row, bars }, Plot { axis, .. }, pitch) = (lane, plot, plot.pitch());
    let mut element = Element::new();
    if let Some(begins) = lane.begins(axis) {
        element = element.add(before(axis.ends().0, begins, middle));
    }
    for stretch in bars {
        let (from, to) = (axis.x(stretch.from), axis.x(stretch.to));
        let rectangle = bar(stretch.phase(), from, to.max(from + NARROWEST_BAR), middle, pitch);
        element = element.add(rectangle.add(Title::new(stretch.tooltip(row))));
    }
    let mut marks: Vec<f64> = row.replies().map(|reply| axis.x(reply)).collect();
    marks.dedup_by(|next, last| *next - *last < BETWEEN_REPLIES);
    if !marks.is_empty() {
        element = element.add(replies(&marks, middle - pitch / 2.0, pitch));
    }
    if let (Some(at), Some(failure)) = (row.ended, &row.failure) {
        let (stage, when) = (failure.stage.name(), time_label(at));
        let what = format!("{}: {stage} at {when}: {}", row.client(), failure.why);
        element = element.add(cross(axis.x(at), middle).add(Title::new(printable(&what))));
    } else if let Some(last) = row.replies().last()
        && plot.has_times()
    {
        let end = axis.x(bars.last().map_or(last, |bar| bar.to.max(last)));
        element = element.add(text(&time_label(last), end + 8.0, middle + 3.6, 10.0, "faint"));
    }
    element
}

/// The axis itself, below the rows.
fn labels(axis: &Axis, y: f64) -> Element {
    let (left, right) = axis.ends();
    let mut labels = Element::new().add(line("axis", (left, y), (right, y)));
    let words =
        |words: &str, x: f64, row: f64| centred(words, x, y + 4.0 + row * 14.0, 12.0, "ink");
    let mut limit = f64::INFINITY;
    if let Some(tear) = &axis.tear {
        let middle = tear.middle;
        let how_long = format!("for {}", time_label(tear.stall));
        labels = labels.add(words("nothing moved", middle, 1.0)).add(words(&how_long, middle, 2.0));
        limit = middle - 75.0; // half of these words and half of a tick's label
    }
    for (x, label) in axis.ticks() {
        labels = labels.add(line("axis", (x, y), (x, y + 4.0)));
        if x < limit {
            labels = labels.add(words(&label, x, 1.0));
        }
    }
    labels
}
