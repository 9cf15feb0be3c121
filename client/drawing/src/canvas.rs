//! The canvas that a picture is drawn on, from top to bottom.

use svg::Document;
use svg::node::element::{Description, Rectangle, Style, Text, Title};

use super::shapes::{printable, text};
use super::sheet::{Rule, sheet};

/// Around everything, in pixels.
pub const MARGIN: f64 = 20.0;

/// An average character's width as a share of the font's size: rather too much than too little,
/// because the reader's font is unknown.
pub const CHARACTER: f64 = 0.56;

/// A canvas with what is drawn on it so far.
pub struct Canvas {
    document: Document,
    /// Its width, in pixels like all sizes here.
    pub width: f64,
    /// Where the next element goes: how far from the top.
    pub y: f64,
}

impl Canvas {
    /// A canvas with nothing on it but the `title`, as its headline. Its root element has this
    /// `id`, unique among the pictures of an HTML page. The `description` is for readers who can't
    /// see it. The `rules` are for classes that not every picture has.
    pub fn new(id: &str, width: f64, title: &str, description: &str, rules: &[Rule]) -> Self {
        let about = Description::new()
            .set("id", format!("{id}-description"))
            .add(svg::node::Text::new(printable(description)));
        let paper = Rectangle::new()
            .set("class", "paper")
            .set("width", "100%")
            .set("height", "100%")
            .set("rx", 8);
        let document = Document::new()
            .set("id", id)
            .set("role", "img")
            .set("aria-labelledby", format!("{id}-title {id}-description"))
            .set("style", "max-width: 100%; height: auto")
            .add(Title::new(printable(title)).set("id", format!("{id}-title")))
            .add(about)
            .add(Style::new(sheet(id, rules)))
            .add(paper);
        let mut canvas = Canvas { document, width, y: MARGIN };
        canvas.wrap(title, 20.0, "ink", |line| line.set("font-weight", "bold"));
        canvas
    }

    /// Draws an element, over what is there.
    pub fn add(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        svg::Node::append(&mut self.document, node);
    }

    /// Text in a font of this size, wrapped to the width of the canvas.
    pub fn paragraph(&mut self, words: &str, size: f64, class: &str) {
        self.wrap(words, size, class, |line| line);
    }

    fn wrap(&mut self, words: &str, size: f64, class: &str, style: impl Fn(Text) -> Text) {
        let columns = (self.width - 2.0 * MARGIN) / (size * CHARACTER);
        for line in textwrap::wrap(words, columns as usize) {
            self.y += size * 1.3;
            self.add(style(text(&line, MARGIN, self.y, size, class)));
        }
        self.y += size * 0.2;
    }

    /// The finished picture.
    pub fn finish(self) -> String {
        let (width, height) = (self.width, (self.y + MARGIN).round());
        let document = self.document.set("viewBox", (0, 0, width, height));
        document.set("width", width).set("height", height).to_string()
    }
}
