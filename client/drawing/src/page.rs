//! The page that a picture is drawn on, from top to bottom.

use svg::Document;
use svg::node::element::{Description, Rectangle, Style, Title};

use super::shapes::{printable, text};

/// Around everything, in pixels.
pub const MARGIN: f64 = 20.0;

/// An average character's width as a share of the font's size: rather too much than too little,
/// because the reader's font is unknown.
pub const CHARACTER: f64 = 0.56;

/// A page with what is drawn on it so far.
pub struct Page {
    document: Document,
    /// Its width, in pixels like all sizes here.
    pub width: f64,
    /// Where the next element goes: how far from the top.
    pub y: f64,
}

impl Page {
    /// An empty page. Its root element has this `id`, unique among the pictures of an HTML page.
    /// `title` and `description` are for readers who can't see it, and the style `sheet` is for its
    /// elements.
    pub fn new(id: &str, width: f64, title: &str, description: &str, sheet: &str) -> Self {
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
            .add(Style::new(sheet))
            .add(paper);
        Page { document, width, y: MARGIN }
    }

    /// Draws an element, over what is there.
    pub fn add(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        svg::Node::append(&mut self.document, node);
    }

    /// The headline.
    pub fn heading(&mut self, words: &str) {
        const SIZE: f64 = 20.0;
        for (line, y) in self.lines(words, SIZE) {
            self.add(text(&line, MARGIN, y, SIZE, "ink").set("font-weight", "bold"));
        }
    }

    /// Text in a font of this size, wrapped to the width of the page.
    pub fn paragraph(&mut self, words: &str, size: f64, class: &str) {
        for (line, y) in self.lines(words, size) {
            self.add(text(&line, MARGIN, y, size, class));
        }
    }

    /// The lines of a paragraph, and where each stands.
    fn lines(&mut self, words: &str, size: f64) -> Vec<(String, f64)> {
        let columns = (self.width - 2.0 * MARGIN) / (size * CHARACTER);
        let lines = textwrap::wrap(words, columns as usize).into_iter();
        let placed = lines.map(|line| {
            self.y += size * 1.3;
            (line.into_owned(), self.y)
        });
        let placed = placed.collect();
        self.y += size * 0.2;
        placed
    }

    /// The finished picture.
    pub fn finish(self) -> String {
        let (width, height) = (self.width, (self.y + MARGIN).round());
        let document = self.document.set("viewBox", (0, 0, width, height));
        document.set("width", width).set("height", height).to_string()
    }
}
