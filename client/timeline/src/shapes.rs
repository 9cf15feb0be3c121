//! What a timeline is made of: bars and marks, with their names and colours.
//!
//! Activity is vivid and waiting is pale. A client that waits for a reply has a bar of full height,
//! one that waits for others has a thin bar, and an idle one has a hairline, so that they can be
//! distinguished without colours too. Bars of the same height have colours that differ for every
//! kind of colour blindness; they are close to those of Okabe and Ito.

use drawing::{Colour, Rule, line, pixels};
use load_generator::Phase;
use svg::node::element::{Group, Line, Path, Rectangle};

/// What a phase looks like.
pub(super) struct Style {
    /// In the legend and in tooltips.
    pub(super) name: &'static str,
    /// The class of its bars.
    pub(super) class: &'static str,
    /// How much of a row's height its bars have.
    pub(super) height: f64,
    colour: Colour,
}

const FULL: f64 = 0.76;
const THIN: f64 = 0.3;
const HAIRLINE: f64 = 0.1;

pub(super) fn style(phase: Phase) -> Style {
    use Phase::*;
    let (name, class, height, [light, dark]) = match phase {
        Connecting => ("connecting", "connecting", FULL, ["#e8912d", "#e08a2b"]),
        Held => ("connected, waiting for the other clients", "held", THIN, ["#97a5bd", "#66748a"]),
        Sending => ("sending", "sending", FULL, ["#0072b2", "#3fa2e6"]),
        Blocked => ("can't send any more", "blocked", FULL, ["#c163a0", "#d67fb6"]),
        AwaitingReply => ("waiting for the reply", "awaiting-reply", FULL, ["#f3dfa2", "#665a30"]),
        Reading => ("reading", "reading", FULL, ["#009e73", "#2fd0a0"]),
        Resting => ("idle", "resting", HAIRLINE, ["#a9afb8", "#5b636e"]),
        AwaitingEnd => {
            ("waiting for the server to close", "awaiting-end", THIN, ["#93dcc4", "#2a6a57"])
        }
    };
    Style { name, class, height, colour: Colour { light, dark } }
}

/// The classes of everything else.
const MARKS: [(&str, &str, Colour); 4] = [
    ("caption", "fill", Colour { light: "#b3261e", dark: "#ff9b8f" }),
    ("before", "stroke", Colour { light: "#aab2bd", dark: "#565e69" }),
    ("reply", "stroke", Colour { light: "#00805d", dark: "#35dcaa" }),
    ("failure", "stroke", Colour { light: "#d7191c", dark: "#ff5a52" }),
];

/// The colours of all classes.
pub(super) fn rules() -> Vec<Rule> {
    let bars = Phase::ALL.map(style).map(|Style { class, colour, .. }| (class, "fill", colour));
    let rules = bars.into_iter().chain(MARKS);
    rules.map(|(class, attribute, colour)| (class.to_owned(), attribute, colour)).collect()
}

/// If marks are closer together, beads on them would hide the distance.
const BETWEEN_BEADS: f64 = 14.0;

/// A bar in a row of this pitch, around its middle.
pub(super) fn bar(phase: Phase, from: f64, to: f64, middle: f64, pitch: f64) -> Rectangle {
    let Style { class, height, .. } = style(phase);
    let height = height * pitch;
    Rectangle::new()
        .set("class", class)
        .set("x", pixels(from))
        .set("y", pixels(middle - height / 2.0))
        .set("width", pixels(to - from))
        .set("height", pixels(height))
}

/// The time before a client begins.
pub(super) fn before(from: f64, to: f64, y: f64) -> Line {
    line("before", (from, y), (to, y)).set("stroke-dasharray", "1 3")
}

/// The marks of replies reach from row to row, so that replies at the same time form a wall. If
/// there is room, each has a bead.
pub(super) fn replies(marks: &[f64], y: f64, pitch: f64) -> Group {
    let has_room = |pair: &[f64]| pair[1] - pair[0] >= BETWEEN_BEADS;
    let draw = |class: &str, from: f64, length: f64| {
        let line = |x: &f64| format!("M{} {}v{}", pixels(*x), pixels(from), pixels(length));
        Path::new().set("class", class).set("d", marks.iter().map(line).collect::<String>())
    };
    let lines = draw("reply", y, pitch).set("stroke-width", 2);
    if !marks.windows(2).all(has_room) {
        return Group::new().add(lines);
    }
    // A line of length 0 with round ends is a dot.
    let dot = |class, size| {
        let dot = draw(class, y + pitch / 2.0, 0.0).set("stroke-width", size);
        dot.set("stroke-linecap", "round")
    };
    let size = (pitch * 0.4).round();
    Group::new().add(dot("halo", size + 3.0)).add(lines).add(dot("reply", size))
}

/// The mark of a failure.
pub(super) fn cross(x: f64, y: f64) -> Group {
    const ARM: f64 = 3.5;
    let (left, top) = (pixels(x - ARM), pixels(y - ARM));
    let lines = format!("M{left} {top}l7 7m-7 0l7-7");
    // The pointer can also be between the lines.
    Group::new()
        .set("class", "failure")
        .set("fill", "none")
        .set("stroke-width", 2.2)
        .set("stroke-linecap", "round")
        .set("pointer-events", "bounding-box")
        .add(Path::new().set("d", lines))
}

/// Paper torn from top to bottom.
pub(super) fn torn(x: f64, top: f64, bottom: f64) -> Group {
    const TOOTH: f64 = 7.0;
    let teeth = ((bottom - top) / TOOTH).ceil() as usize;
    let edge = |shift: f64| {
        let point = move |tooth: usize| {
            let x = x + shift + if tooth.is_multiple_of(2) { -3.0 } else { 3.0 };
            let y = (top + tooth as f64 * TOOTH).min(bottom);
            format!("{} {}", pixels(x), pixels(y))
        };
        (0..=teeth).map(point).collect::<Vec<_>>()
    };
    let (left, mut right) = (edge(-5.0), edge(5.0));
    let lines = format!("M{}M{}", left.join("L"), right.join("L"));
    right.reverse();
    let gap = format!("M{}L{}z", left.join("L"), right.join("L"));
    Group::new()
        .add(Path::new().set("class", "paper").set("d", gap))
        .add(Path::new().set("class", "axis").set("fill", "none").set("d", lines))
}
