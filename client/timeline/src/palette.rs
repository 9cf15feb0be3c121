//! The colours of background, text and lines that all pictures of the project share. Each is a
//! pair: the colour in light mode and in dark mode, as `#rrggbb`.

/// The background.
pub const PAPER: (&str, &str) = ("#ffffff", "#15181d");

/// Text.
pub const INK: (&str, &str) = ("#1c2128", "#e8eaed");

/// Less important text.
pub const FAINT: (&str, &str) = ("#5b6470", "#a0a8b3");

/// Lines for comparison.
pub const GRID: (&str, &str) = ("#e3e6ea", "#2b3038");

/// Axes with figures.
pub const AXIS: (&str, &str) = ("#8b949e", "#6b7480");
