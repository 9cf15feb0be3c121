//! What all pictures share: the page, its text and lines, and colours for light and for dark.
//!
//! A picture is one `svg` element, for a separate file or for an HTML page. Its background is
//! drawn, so that a picture in an `<img>` is readable on any page. It is light or dark, as the
//! reader's system prefers (`prefers-color-scheme`): elements have classes, not colours, and a
//! style sheet gives each class its two colours.
//!
//! ```
//! use drawing::{Colour, Page, line, sheet};
//!
//! let hop = ("hop", "stroke", Colour { light: "#b3261e", dark: "#ff9b8f" });
//! let sheet = sheet("a-hop", &[hop]);
//! let mut page = Page::new("a-hop", 640.0, "A hop", "A line from left to right.", &sheet);
//! page.heading("A hop");
//! let y = page.y + 20.0;
//! page.add(line("hop", (20.0, y), (620.0, y)));
//! assert!(page.finish().starts_with("<svg "));
//! ```

#![forbid(unsafe_code)]

mod colours;
mod page;
mod shapes;

pub use colours::{Colour, Rule, sheet};
pub use page::{CHARACTER, MARGIN, Page};
pub use shapes::{circle, line, pixels, printable, text};

/// The next number that is 1, 2 or 5 times a power of ten: what one step of a scale should be, if
/// it has to be at least `number`, which is above 0.
pub fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    // A number that the division makes a little too large must not become the next larger one.
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| number <= digit * power * (1.0 + 1e-9));
    digit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let steps = [0.7, 1.0, 1.1, 2.0, 0.03, 4_999.0, 5_001.0].map(round_up);
        assert_eq!(
            steps.map(|step| step.to_string()),
            ["1", "1", "2", "2", "0.05", "5000", "10000"]
        );
    }
}
