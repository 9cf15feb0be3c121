//! What a timeline is made of: bars and marks, at given places.

use drawing::{line, pixels};
use load_generator::Phase;
use svg::node::element::{Group, Line, Path, Rectangle};

use super::style::{Style, style};

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
