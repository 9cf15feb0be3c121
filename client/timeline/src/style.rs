//! Names, colours and shapes.
//!
//! Activity is vivid and waiting is pale. A client that waits for a reply has a bar of full height,
//! one that waits for others has a thin bar, and an idle one has a hairline, so that they can be
//! distinguished without colours too. Bars of the same height have colours that differ for every
//! kind of colour blindness; they are close to those of Okabe and Ito.

use drawing::{Colour, Rule};
use load_generator::Phase;

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
const MARKS: [Rule<&str>; 4] = [
    ("caption", "fill", Colour { light: "#b3261e", dark: "#ff9b8f" }),
    ("before", "stroke", Colour { light: "#aab2bd", dark: "#565e69" }),
    ("reply", "stroke", Colour { light: "#00805d", dark: "#35dcaa" }),
    ("failure", "stroke", Colour { light: "#d7191c", dark: "#ff5a52" }),
];

/// The colours of all classes.
pub(super) fn rules() -> Vec<Rule<&'static str>> {
    let bars = Phase::ALL.map(style).map(|Style { class, colour, .. }| (class, "fill", colour));
    bars.into_iter().chain(MARKS).collect()
}
