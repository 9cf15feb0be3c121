//! Colours that follow the reader's colour scheme, light or dark.
//!
//! plotters writes each colour into its element. Here it draws with marker colours. In the finished
//! picture, each marker is replaced by a class, which the style sheet colours for light and for
//! dark. Paper and ink are the same as in the clients' timelines.

use std::fmt::Write;

use plotters::style::RGBColor;
use timeline::palette;

use crate::colours::{self, Colour, class};

/// The font of all text, the same as in the timelines.
const FONT: &str = "font-family: system-ui, sans-serif";

/// The colours of a chart.
pub(super) struct Theme {
    /// Classes and their colours.
    used: Vec<(String, Colour)>,
}

impl Theme {
    pub(super) const PAPER: RGBColor = marker(0);
    pub(super) const INK: RGBColor = marker(1);
    pub(super) const FAINT: RGBColor = marker(2);
    pub(super) const GRID: RGBColor = marker(3);
    pub(super) const AXIS: RGBColor = marker(4);

    pub(super) fn new() -> Self {
        // In the order of the markers above.
        let named = [
            ("paper", palette::PAPER),
            ("ink", palette::INK),
            ("faint", palette::FAINT),
            ("grid", palette::GRID),
            ("axis", palette::AXIS),
        ];
        let used = named.map(|(name, (light, dark))| (name.into(), Colour { light, dark }));
        Theme { used: used.into() }
    }

    /// The marker to draw with, so that the result gets a server's colour.
    pub(super) fn server(&mut self, label: &str) -> RGBColor {
        self.role(class(label), colours::of(label))
    }

    /// The same for lines, which are then dashed.
    pub(super) fn dashed(&mut self, label: &str) -> RGBColor {
        self.role(format!("{}{DASHED}", class(label)), colours::of(label))
    }

    fn role(&mut self, name: String, colour: Colour) -> RGBColor {
        let known = self.used.iter().position(|(used, _)| *used == name);
        let index = known.unwrap_or_else(|| {
            self.used.push((name, colour));
            self.used.len() - 1
        });
        // No chart has more than 256 of them.
        marker(index as u8)
    }

    /// Replaces the markers that plotters drew with by classes.
    pub(super) fn classes(&self, svg: &str) -> String {
        let mut svg = svg.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
        for (index, (name, _)) in self.used.iter().enumerate() {
            let RGBColor(red, green, blue) = marker(index as u8);
            for (attribute, what) in [("fill", FILL), ("stroke", STROKE)] {
                let drawn = format!("{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"");
                svg = svg.replace(&drawn, &format!("class=\"{name}{what}\""));
            }
        }
        svg
    }

    /// The style sheet for the picture whose root has this `id`, and for nothing else on the same
    /// page.
    pub(super) fn sheet(&self, id: &str) -> String {
        let mut light = String::new();
        let mut dark = String::new();
        for (name, colour) in &self.used {
            for (sheet, colour) in [(&mut light, colour.light), (&mut dark, colour.dark)] {
                // Writing into a string can't fail.
                let _ = writeln!(sheet, "#{id} .{name}{FILL} {{ fill: {colour} }}");
                let _ = writeln!(sheet, "#{id} .{name}{STROKE} {{ stroke: {colour} }}");
            }
        }
        format!(
            "#{id} text {{ {FONT} }}\n\
             #{id} polyline {{ stroke-linejoin: round; stroke-linecap: round }}\n\
             #{id} [class$='{DASHED}{STROKE}'] {{ stroke-dasharray: 5 4 }}\n\
             {light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
        )
    }
}

/// The endings of class names.
pub(super) const FILL: &str = "-fill";
pub(super) const STROKE: &str = "-line";
pub(super) const DASHED: &str = "-dashed";

/// A colour that stands for another one.
const fn marker(index: u8) -> RGBColor {
    RGBColor(1, 2, index)
}
