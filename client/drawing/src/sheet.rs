//! Colours, each for a light and for a dark background, and the style sheet with them.

/// A colour, for light and for dark backgrounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// On a light background, as `#rrggbb`.
    pub light: &'static str,
    /// On a dark background.
    pub dark: &'static str,
}

/// A class of elements, which of their attributes has a colour (`fill` or `stroke`), and which.
pub type Rule = (String, &'static str, Colour);

const PAPER: Colour = Colour { light: "#ffffff", dark: "#15181d" };
const INK: Colour = Colour { light: "#1c2128", dark: "#e8eaed" };

/// The classes that every picture has: the background, text and less important text, lines for
/// comparison, axes; and what is drawn around a mark or in the colour of text.
const RULES: [(&str, &str, Colour); 7] = [
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
pub(crate) fn sheet(id: &str, own: &[Rule]) -> String {
    let shared = RULES.map(|(class, attribute, colour)| (class.to_owned(), attribute, colour));
    let rules = |shade: fn(Colour) -> &'static str| {
        let rule = |(class, attribute, colour): &Rule| {
            format!("#{id} .{class} {{ {attribute}: {} }}\n", shade(*colour))
        };
        shared.iter().chain(own).map(rule).collect::<String>()
    };
    let (light, dark) = (rules(|it| it.light), rules(|it| it.dark));
    format!(
        "#{id} text {{ font-family: system-ui, sans-serif }}\n\
         {light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )
}
