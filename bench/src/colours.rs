//! The colour of each server, in every picture and on every page of the project.
//!
//! Servers that wait in related ways have related colours: orange for select, green for poll, blue
//! for epoll, purple for io_uring, red for waiting for one client at a time. The servers that share
//! most charts can be told apart with every kind of colour blindness: their colours are close to
//! those of Okabe and Ito, but darker on light and lighter on dark, so that text in them is
//! readable.

use drawing::Colour;

/// By label; servers of this workspace, then peers.
const COLOURS: [(&str, Colour); 19] = [
    ("sync-server", Colour { light: "#c0392b", dark: "#ff7a66" }),
    ("busy-server", Colour { light: "#7a5c00", dark: "#f3e27a" }),
    ("busy-server --nap 20ms", Colour { light: "#9a8240", dark: "#b8a85f" }),
    ("thread-server", Colour { light: "#4e342e", dark: "#e3d2c0" }),
    ("thread-server --pool 4", Colour { light: "#cc7672", dark: "#d0625a" }),
    ("select-server", Colour { light: "#c46a00", dark: "#f0a63c" }),
    ("poll2-server", Colour { light: "#00805d", dark: "#2fd0a0" }),
    ("poll-server", Colour { light: "#0064a8", dark: "#4aa8f0" }),
    ("prefork-server", Colour { light: "#2f3b45", dark: "#7f93a8" }),
    ("prefork-server --reuse-port", Colour { light: "#66788c", dark: "#a9bac9" }),
    ("async-server", Colour { light: "#1e8fb8", dark: "#7fd4f5" }),
    ("uring-server", Colour { light: "#a8428a", dark: "#ec8fcb" }),
    ("c-epoll", Colour { light: "#3f7fd0", dark: "#8db8ff" }),
    ("c-select", Colour { light: "#8f4a00", dark: "#c9822f" }),
    ("libuv", Colour { light: "#5a8f00", dark: "#a6d645" }),
    ("go", Colour { light: "#007d8a", dark: "#38c8d6" }),
    ("node", Colour { light: "#2e6b2e", dark: "#79c279" }),
    ("python-asyncio", Colour { light: "#5b57b8", dark: "#aaa6ff" }),
    ("python-selectors", Colour { light: "#8278c8", dark: "#8e88d6" }),
];

/// The colour of servers that have none of their own.
const OTHERS: Colour = Colour { light: "#858e98", dark: "#8a94a0" };

/// The colour of the server with that label. With other options than the listed ones, it is the
/// colour of the server without options.
pub fn of(label: &str) -> Colour {
    let colour = |label: &str| COLOURS.iter().find(|(listed, _)| *listed == label);
    let name = label.split(' ').next().unwrap_or(label);
    colour(label).or_else(|| colour(name)).map_or(OTHERS, |(_, colour)| *colour)
}

/// A label as the name of a class or an element: its words, joined by hyphens.
pub(crate) fn class(label: &str) -> String {
    let words = label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    #[test]
    fn every_server_has_a_colour_of_its_own() {
        for model in Model::ALL {
            assert_ne!(of(model.label), OTHERS, "{model:?}");
        }
        for (index, (label, colour)) in COLOURS.iter().enumerate() {
            for (other, theirs) in &COLOURS[..index] {
                assert!(
                    colour.light != theirs.light && colour.dark != theirs.dark,
                    "{label}, {other}"
                );
            }
        }
    }

    #[test]
    fn text_in_every_colour_is_readable() {
        for (label, Colour { light, dark }) in COLOURS {
            let (on_white, on_black) = (contrast(light, "#ffffff"), contrast(dark, "#15181d"));
            assert!(on_white >= 3.0 && on_black >= 4.5, "{label}: {on_white}, {on_black}");
        }
    }

    /// A difference of 2 is just visible when two colours touch.
    #[test]
    fn the_ways_to_wait_differ_for_the_colour_blind_too() {
        let servers =
            ["sync-server", "select-server", "poll2-server", "poll-server", "uring-server"];
        for (index, one) in servers.iter().enumerate() {
            for other in &servers[..index] {
                for blindness in [NONE, PROTANOPIA, DEUTERANOPIA, TRITANOPIA] {
                    let difference = |one, other| difference(one, other, blindness);
                    let (one_colour, other_colour) = (of(one), of(other));
                    let on_light = difference(one_colour.light, other_colour.light);
                    let on_dark = difference(one_colour.dark, other_colour.dark);
                    assert!(on_light.min(on_dark) > 12.0, "{one}, {other}: {on_light}, {on_dark}");
                }
            }
        }
    }

    #[test]
    fn other_options_do_not_change_the_colour() {
        assert_eq!(of("thread-server --max-threads 7"), of("thread-server"));
        assert_eq!(of("unknown"), OTHERS);
        assert_eq!(class("thread-server --pool 4"), "thread-server-pool-4");
    }

    /// As the Web Content Accessibility Guidelines define it, 1.4.3.
    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(colour: &str) -> f64 {
        weighted(LUMINANCE, linear(colour))
    }

    /// Red, green and blue, from 0 to 1, as amounts of light.
    fn linear(colour: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let share = f64::from(value) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        })
    }

    const LUMINANCE: [f64; 3] = [0.2126, 0.7152, 0.0722];

    fn weighted(weights: [f64; 3], values: [f64; 3]) -> f64 {
        weights.iter().zip(values).map(|(weight, value)| weight * value).sum()
    }

    /// What remains of red, green and blue: Machado, Oliveira and Fernandes, *A
    /// Physiologically-based Model for Simulation of Color Vision Deficiency* (2009), at the
    /// severity of 1.
    type Blindness = [[f64; 3]; 3];
    const NONE: Blindness = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    const PROTANOPIA: Blindness = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ];
    const DEUTERANOPIA: Blindness = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ];
    const TRITANOPIA: Blindness = [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ];

    /// How far apart two colours are in CIELAB.
    fn difference(one: &str, other: &str, blindness: Blindness) -> f64 {
        let [one, other] = [one, other].map(|colour| {
            let seen = blindness.map(|row| weighted(row, linear(colour)).clamp(0.0, 1.0));
            lab(seen)
        });
        one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
    }

    /// CIELAB under daylight (D65).
    fn lab(seen: [f64; 3]) -> [f64; 3] {
        let x = weighted([0.4124, 0.3576, 0.1805], seen) / 0.9505;
        let y = weighted(LUMINANCE, seen);
        let z = weighted([0.0193, 0.1192, 0.9505], seen) / 1.089;
        let [x, y, z] =
            [x, y, z].map(|it| if it > 0.008856 { it.cbrt() } else { 7.787 * it + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }
}
