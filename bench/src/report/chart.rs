//! A chart: the text around the plot, the colours, and the axes.

use std::collections::BTreeSet;

use drawing::{Canvas, Rule, Scale, centred, line};

use super::dots::Dots;
use super::lines::Lines;
use crate::colours::{self, class};

/// A chart.
pub(super) struct Chart {
    /// The element's id, unique among the pictures on a page; and the name of its file, without the
    /// extension.
    pub(super) id: String,
    /// What the chart shows.
    pub(super) title: String,
    /// What is measured, and what is held fixed.
    pub(super) subtitle: &'static str,
    /// What readers have to know in order not to be misled; each is a paragraph.
    pub(super) notes: Vec<String>,
    /// The label of the horizontal axis.
    pub(super) x: String,
    pub(super) plot: Plot,
}

pub(super) enum Plot {
    Lines(Lines),
    Dots(Dots),
}

/// The width in pixels, like all sizes here. On a phone that is 390 pixels wide, text still has
/// about two thirds of its size.
pub(super) const WIDTH: f64 = 640.0;

/// The size of text in the plot.
pub(super) const WORDS: f64 = 14.0;

/// The size of text at the ticks.
pub(super) const TICK: f64 = 13.0;

impl Chart {
    /// The content of its file.
    pub(super) fn svg(&self) -> String {
        let servers: BTreeSet<&str> = match &self.plot {
            Plot::Lines(plot) => plot.lines.iter().map(|line| &*line.server).collect(),
            Plot::Dots(plot) => plot.dots.iter().map(|dot| &*dot.server).collect(),
        };
        let rules: Vec<Rule> = servers.into_iter().flat_map(rules).collect();
        let about = [&[self.subtitle.to_owned()], &self.notes[..]].concat().join(" ");
        let mut canvas = Canvas::new(&self.id, WIDTH, &self.title, &about, &rules);
        canvas.paragraph(self.subtitle, 14.0, "faint");
        canvas.y += 6.0;
        match &self.plot {
            Plot::Lines(plot) => plot.draw(&mut canvas, &self.x),
            Plot::Dots(plot) => plot.draw(&mut canvas, &self.x),
        }
        for note in &self.notes {
            canvas.paragraph(note, 12.0, "faint");
        }
        canvas.finish()
    }
}

fn rules(server: &str) -> [Rule; 2] {
    let colour = colours::of(server);
    [(class(server), "fill", colour), (stroke(server), "stroke", colour)]
}

/// The class of lines in a server's colour.
pub(super) fn stroke(server: &str) -> String {
    format!("{}-line", class(server))
}

/// The horizontal axis below a plot that begins at `top`: lines of the grid at its ticks, their
/// labels, and what the axis shows. Moves the canvas below all of it.
pub(super) fn axis_below(
    canvas: &mut Canvas,
    top: f64,
    scale: &Scale,
    label: impl Fn(f64) -> String,
    what: &str,
) {
    let bottom = canvas.y;
    for value in scale.ticks() {
        let x = scale.place(value);
        canvas.add(line("grid", (x, top), (x, bottom)));
        canvas.add(line("axis", (x, bottom), (x, bottom + 4.0)));
        canvas.add(centred(&label(value), x, bottom + 19.0, TICK, "faint"));
    }
    let (left, right) = scale.ends;
    canvas.add(line("axis", (left, bottom), (right, bottom)));
    canvas.add(centred(what, f64::midpoint(left, right), bottom + 38.0, WORDS, "faint"));
    canvas.y = bottom + 48.0;
}
