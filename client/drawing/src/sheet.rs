//! Colours, each for a light and for a dark background, and the style sheet with them.

use std::fmt::Display;

/// A colour, for light and for dark backgrounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// On a light background, as `#rrggbb`.
    pub light: &'static str,
    /// On a dark background.
    pub dark: &'static str,
}

/// A class of elements, which of their attributes has a colour (`fill` or `stroke`), and which.
pub type Rule<C> = (C, &'static str, Colour);

const PAPER: Colour = Colour { light: "#ffffff", dark: "#15181d" };
const INK: Colour = Colour { light: "#1c2128", dark: "#e8eaed" };

/// The classes that every picture has: the background, text and less important text, lines for
/// comparison, axes; and what is drawn around a mark or in the colour of text.
const RULES: [Rule<&str>; 7] = [
    ("paper", "fill", PAPER),
    ("halo", "stroke", PAPER),
    ("ink", "fill", INK),
    ("hand", "stroke", INK),
    ("faint", "fill", Colour { light: "#5b6470", dark: "#a0a8b3" }),
    ("grid", "stroke", Colour { light: "#e3e6ea", dark: "#2b3038" }),
    ("axis", "stroke", Colour { light: "#8b949e", dark: "#6b7480" }),
];

/// The style sheet for the picture whose root has this `id`, and for nothing else on the page: with
/// the classes of all pictures, and with its own.
pub(crate) fn sheet<C: Display>(id: &str, own: &[Rule<C>]) -> String {
    let shared = RULES.iter().map(|(class, attribute, colour)| (class as _, attribute, colour));
    let own = own.iter().map(|(class, attribute, colour)| (class as _, attribute, colour));
    let rules: Vec<(&dyn Display, _, _)> = shared.chain(own).collect();
    let shaded = |shade: fn(&Colour) -> &'static str| {
        let rule = |(class, attribute, colour): &(&dyn Display, &&str, &Colour)| {
            format!("#{id} .{class} {{ {attribute}: {} }}\n", shade(colour))
        };
        rules.iter().map(rule).collect::<String>()
    };
    let (light, dark) = (shaded(|it| it.light), shaded(|it| it.dark));
    format!(
        "#{id} text {{ font-family: system-ui, sans-serif }}\n\
         {light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )
}
