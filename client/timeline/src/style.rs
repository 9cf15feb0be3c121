//! Names, colours and shapes.
//!
//! Activity is vivid and waiting is pale. A client that waits for a reply has a bar of full height,
//! one that waits for others has a thin bar, and an idle one has a hairline, so that they can be
//! distinguished without colours too. Bars of the same height have colours that differ for every
//! kind of colour blindness; they are close to those of Okabe and Ito.
//!
//! The background is drawn, so that a picture in an `<img>` is readable on any page. It is light or
//! dark, as the reader's system prefers (`prefers-color-scheme`).

use std::fmt::Write;

use super::palette::{AXIS, FAINT, GRID, INK, PAPER};
use load_generator::Phase;

/// A class, which of its attributes has a colour, and the colours in light and dark mode.
type Colour = (&'static str, &'static str, &'static str, &'static str);

const COLOURS: [Colour; 19] = [
    ("paper", "fill", PAPER.0, PAPER.1),
    ("halo", "stroke", PAPER.0, PAPER.1), // around a mark
    ("ink", "fill", INK.0, INK.1),
    ("faint", "fill", FAINT.0, FAINT.1),
    ("caption", "fill", "#b3261e", "#ff9b8f"),
    ("grid", "stroke", GRID.0, GRID.1),
    ("axis", "stroke", AXIS.0, AXIS.1),
    ("hand", "stroke", INK.0, INK.1),
    ("before", "stroke", "#aab2bd", "#565e69"),
    ("connecting", "fill", "#e8912d", "#e08a2b"),
    ("held", "fill", "#97a5bd", "#66748a"),
    ("sending", "fill", "#0072b2", "#3fa2e6"),
    ("blocked", "fill", "#c163a0", "#d67fb6"),
    ("awaiting-reply", "fill", "#f3dfa2", "#665a30"),
    ("reading", "fill", "#009e73", "#2fd0a0"),
    ("resting", "fill", "#a9afb8", "#5b636e"),
    ("awaiting-end", "fill", "#93dcc4", "#2a6a57"),
    ("reply", "stroke", "#00805d", "#35dcaa"),
    ("failure", "stroke", "#d7191c", "#ff5a52"),
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
    let mut light = String::new();
    let mut dark = String::new();
    for (class, attribute, on_light, on_dark) in COLOURS {
        for (sheet, colour) in [(&mut light, on_light), (&mut dark, on_dark)] {
            // Writing into a string can't fail.
            let _ = writeln!(sheet, "#{id} .{class} {{ {attribute}: {colour} }}");
        }
    }
    format!(
        "#{id} text {{ font-family: system-ui, sans-serif }}\n\
         #{id} .bold {{ font-weight: bold }}\n\
         #{id} .before {{ stroke-dasharray: 1 3 }}\n\
         #{id} .failure {{ fill: none; stroke-width: 2.2; stroke-linecap: round }}\n\
         {light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )
}
