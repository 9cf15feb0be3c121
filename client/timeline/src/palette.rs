//! What every picture of the project is drawn on and with, besides what it shows. Each is a
//! pair: the colour on light and the colour on dark, as `#rrggbb`.

/// The background.
pub const PAPER: (&str, &str) = ("#ffffff", "#15181d");

/// Words.
pub const INK: (&str, &str) = ("#1c2128", "#e8eaed");

/// Words that are not to be read first.
pub const FAINT: (&str, &str) = ("#5b6470", "#a0a8b3");

/// Lines that help to compare.
pub const GRID: (&str, &str) = ("#e3e6ea", "#2b3038");

/// Lines with figures.
pub const AXIS: (&str, &str) = ("#8b949e", "#6b7480");
