//! Lines, dots and text, at given places.

use svg::node::element::{Circle, Line, Text};

/// A line between two points, each given by its distances from the left and from the top.
pub fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", pixels(from.0))
        .set("y1", pixels(from.1))
        .set("x2", pixels(to.0))
        .set("y2", pixels(to.1))
}

/// A dot.
pub fn circle(class: &str, centre: (f64, f64), radius: f64) -> Circle {
    Circle::new()
        .set("class", class)
        .set("cx", pixels(centre.0))
        .set("cy", pixels(centre.1))
        .set("r", radius)
}

/// Text that begins at `x` and stands on the line `y`, in a font of this size.
pub fn text(words: &str, x: f64, y: f64, size: f64, class: &str) -> Text {
    Text::new(printable(words))
        .set("class", class)
        .set("x", pixels(x))
        .set("y", pixels(y))
        .set("font-size", size)
}

/// Text around `x`, in the same way.
pub fn centred(words: &str, x: f64, y: f64, size: f64, class: &str) -> Text {
    text(words, x, y, size, class).set("text-anchor", "middle")
}

/// Rounds to a tenth of a pixel, which is too little to be seen.
pub fn pixels(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Replaces the characters that XML can't represent, not even escaped.
pub fn printable(words: &str) -> String {
    let is_forbidden = |it: char| it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}');
    words.replace(is_forbidden, "\u{fffd}")
}
