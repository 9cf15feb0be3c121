//! Names, colours and shapes.
//!
//! Activity is vivid and waiting is pale. A client that waits for a reply has a bar of full height,
//! one that waits for others has a thin bar, and an idle one has a hairline, so that they can be
//! distinguished without colours too. Bars of the same height have colours that differ for every
//! kind of colour blindness; they are close to those of Okabe and Ito.

use drawing::{Colour, Rule};
use load_generator::Phase;

const COLOURS: [Rule<&str>; 12] = [
    ("caption", "fill", Colour { light: "#b3261e", dark: "#ff9b8f" }),
    ("before", "stroke", Colour { light: "#aab2bd", dark: "#565e69" }),
    ("connecting", "fill", Colour { light: "#e8912d", dark: "#e08a2b" }),
    ("held", "fill", Colour { light: "#97a5bd", dark: "#66748a" }),
    ("sending", "fill", Colour { light: "#0072b2", dark: "#3fa2e6" }),
    ("blocked", "fill", Colour { light: "#c163a0", dark: "#d67fb6" }),
    ("awaiting-reply", "fill", Colour { light: "#f3dfa2", dark: "#665a30" }),
    ("reading", "fill", Colour { light: "#009e73", dark: "#2fd0a0" }),
    ("resting", "fill", Colour { light: "#a9afb8", dark: "#5b636e" }),
    ("awaiting-end", "fill", Colour { light: "#93dcc4", dark: "#2a6a57" }),
    ("reply", "stroke", Colour { light: "#00805d", dark: "#35dcaa" }),
    ("failure", "stroke", Colour { light: "#d7191c", dark: "#ff5a52" }),
];

/// A phase in the legend and in tooltips.
pub(super) fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Held => "connected, waiting for the other clients",
        Phase::Sending => "sending",
        Phase::Blocked => "can't send any more",
        Phase::AwaitingReply => "waiting for the reply",
        Phase::Reading => "reading",
        Phase::Resting => "idle",
        Phase::AwaitingEnd => "waiting for the server to close",
    }
}

/// The class of a phase's bars.
pub(super) fn class(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Held => "held",
        Phase::Sending => "sending",
        Phase::Blocked => "blocked",
        Phase::AwaitingReply => "awaiting-reply",
        Phase::Reading => "reading",
        Phase::Resting => "resting",
        Phase::AwaitingEnd => "awaiting-end",
    }
}

/// How much of a row's height a phase's bars have.
pub(super) fn height(phase: Phase) -> f64 {
    match phase {
        Phase::Resting => 0.1,
        Phase::Held | Phase::AwaitingEnd => 0.3,
        _ => 0.76,
    }
}

/// The style sheet for the picture whose root has this `id`, and for nothing else on the page.
pub(super) fn sheet(id: &str) -> String {
    let colours = drawing::sheet(id, &COLOURS);
    format!(
        "#{id} .before {{ stroke-dasharray: 1 3 }}\n\
         #{id} .failure {{ fill: none; stroke-width: 2.2; stroke-linecap: round }}\n\
         {colours}"
    )
}
