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

    #[test]
    fn other_options_do_not_change_the_colour() {
        assert_eq!(of("thread-server --max-threads 7"), of("thread-server"));
        assert_eq!(of("unknown"), OTHERS);
        assert_eq!(class("thread-server --pool 4"), "thread-server-pool-4");
    }
}
