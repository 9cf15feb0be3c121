//! What all pictures share: the canvas, its text and lines, scales, and colours for light and for
//! dark.
//!
//! A picture is one `svg` element, for a separate file or for an HTML page. Its background is
//! drawn, so that a picture in an `<img>` is readable on any page. It is light or dark, as the
//! reader's system prefers (`prefers-color-scheme`): elements have classes, not colours, and a
//! style sheet gives each class its two colours.
//!
//! ```
//! use drawing::{Canvas, Colour, line};
//!
//! let hop = ("hop".into(), "stroke", Colour { light: "#b3261e", dark: "#ff9b8f" });
//! let mut canvas = Canvas::new("a-hop", 640.0, "A hop", "A line from left to right.", &[hop]);
//! let y = canvas.y + 20.0;
//! canvas.add(line("hop", (20.0, y), (620.0, y)));
//! assert!(canvas.finish().starts_with("<svg "));
//! ```

#![forbid(unsafe_code)]

mod canvas;
mod scale;
mod shapes;
mod sheet;

pub use canvas::{CHARACTER, Canvas, MARGIN};
pub use scale::{Scale, round_up};
pub use shapes::{centred, circle, line, pixels, printable, text};
pub use sheet::{Colour, Rule};
