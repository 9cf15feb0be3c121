//! The servers' colours can be read, and told apart.

use bench::Model;
use bench::colours::of;
use drawing::Colour;

fn labels() -> impl Iterator<Item = &'static str> {
    Model::ALL.iter().chain(Model::PEERS).map(|model| model.label)
}

#[test]
fn every_server_has_a_colour_of_its_own() {
    let servers: Vec<&str> = labels().collect();
    for (index, label) in servers.iter().enumerate() {
        let colour = of(label);
        assert_ne!(colour, of("a server without a colour"), "{label}");
        for other in &servers[..index] {
            let theirs = of(other);
            assert!(colour.light != theirs.light && colour.dark != theirs.dark, "{label}, {other}");
        }
    }
}

#[test]
fn text_in_every_colour_is_readable() {
    for label in labels() {
        let Colour { light, dark } = of(label);
        let (on_white, on_black) = (contrast(light, "#ffffff"), contrast(dark, "#15181d"));
        assert!(on_white >= 3.0 && on_black >= 4.5, "{label}: {on_white}, {on_black}");
    }
}

/// A difference of 2 is just visible when two colours touch.
#[test]
fn the_ways_to_wait_differ_for_the_colour_blind_too() {
    let servers = ["sync-server", "select-server", "poll2-server", "poll-server", "uring-server"];
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
