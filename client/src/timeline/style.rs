//! Names, colours and shapes.
//!
//! Doing is vivid and waiting is pale. Whoever waits for the server has a bar of full
//! height; whoever waits for somebody else, or for nothing, has a thin one: so it can be
//! told without colours, too. The colours are near those of Okabe and Ito, which people see
//! apart whatever kind of colour-blindness they have.
//!
//! The background is drawn, so a picture in an `<img>` can be read on any page. Whether it is
//! light or dark says the reader's system (`prefers-color-scheme`).

use std::fmt::Write;

use crate::phase::Phase;

/// A class, what of it has a colour, the colour on light and on dark.
type Colour = (&'static str, &'static str, &'static str, &'static str);

const COLOURS: [Colour; 19] = [
    ("paper", "fill", "#ffffff", "#15181d"),
    ("halo", "stroke", "#ffffff", "#15181d"),
    ("ink", "fill", "#1c2128", "#e8eaed"),
    ("faint", "fill", "#5b6470", "#a0a8b3"),
    ("caption", "fill", "#b3261e", "#ff9b8f"),
    ("grid", "stroke", "#e3e6ea", "#2b3038"),
    ("axis", "stroke", "#8b949e", "#6b7480"),
    ("hand", "stroke", "#1c2128", "#e8eaed"),
    ("before", "stroke", "#aab2bd", "#565e69"),
    ("connecting", "fill", "#e8912d", "#e08a2b"),
    ("held", "fill", "#b9c3d0", "#56606e"),
    ("sending", "fill", "#0072b2", "#3fa2e6"),
    ("blocked", "fill", "#c163a0", "#d67fb6"),
    ("awaiting-reply", "fill", "#f3dfa2", "#665a30"),
    ("reading", "fill", "#009e73", "#2fd0a0"),
    ("resting", "fill", "#dcdfe4", "#3a4048"),
    ("awaiting-end", "fill", "#8fd0bb", "#2e6f5d"),
    ("reply", "stroke", "#00805d", "#35dcaa"),
    ("failure", "stroke", "#d7191c", "#ff5a52"),
];

/// A phase in the legend and in tooltips.
pub(super) fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Held => "connected, waiting for the other clients",
        Phase::Sending => "sending",
        Phase::Blocked => "can't send on",
        Phase::AwaitingReply => "waiting for the reply",
        Phase::Reading => "reading",
        Phase::Resting => "doing nothing, by nature",
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
        Phase::Held | Phase::Resting | Phase::AwaitingEnd => 0.3,
        _ => 0.76,
    }
}

/// The style sheet for the picture whose root has this `id`, and for nothing beside it on the
/// same page.
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
         #{id} .reply {{ stroke-width: 2 }}\n\
         #{id} .bead {{ stroke-width: 7; stroke-linecap: round }}\n\
         #{id} .halo {{ stroke-width: 10; stroke-linecap: round }}\n\
         {light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )
}
