//! What all charts have in common: the words around the plot, and the finished file.

use std::io;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::SVGBackend;
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle};
use svg::node::element::{Description, Style, Title};

use super::theme::Theme;

/// A chart, and what stands around it.
pub(super) struct Picture {
    /// The element's id, which no other picture on a page has.
    pub(super) id: String,
    /// What is to be seen.
    pub(super) title: String,
    /// What is measured and held fixed.
    pub(super) subtitle: String,
    /// What has to be known in order not to be misled; each is a paragraph.
    pub(super) notes: Vec<String>,
}

/// Where plotters draws.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What comes of drawing. Into a string it can't fail, but plotters' back-ends might.
pub(super) type Drawn<T> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// In pixels. On a telephone, 390 wide, words then still have about two thirds of their size.
pub(super) const WIDTH: u32 = 640;

/// Around everything.
pub(super) const MARGIN: u32 = 18;

/// Below a plot, for ticks and what grows to the right.
pub(super) const BELOW: u32 = 48;

const TITLE: f64 = 19.0;
const SUBTITLE: f64 = 14.0;
const NOTE: f64 = 12.5;

/// The size of words in the plot, in pixels.
pub(super) const WORDS: f64 = 14.0;

/// The height of a line of words, as a multiple of their size.
const LINE: f64 = 1.35;

/// An average character's width as a share of the font's size: rather more than less, since
/// which font it will be is not known.
pub(super) const CHARACTER: f64 = 0.56;

impl Picture {
    /// The finished file. `plot` draws into an area so high; the elements that it returns are
    /// what plotters can't draw.
    pub(super) fn svg(
        &self,
        plot_height: u32,
        plot: impl FnOnce(&Area<'_>, &mut Theme) -> Drawn<svg::node::element::Group>,
    ) -> io::Result<String> {
        let mut theme = Theme::new();
        let mut drawn = String::new();
        let own = self.draw(plot_height, &mut drawn, &mut theme, plot).map_err(io::Error::other)?;
        let drawn = theme.classes(&drawn);
        let (root, content) = drawn
            .split_once('>')
            .and_then(|(root, rest)| Some((root, rest.trim_end().strip_suffix("</svg>")?)))
            .ok_or_else(|| io::Error::other("plotters drew something else than SVG"))?;
        let id = &self.id;
        let title = Title::new(self.title.as_str()).set("id", format!("{id}-title"));
        let about = svg::node::Text::new(
            [std::slice::from_ref(&self.subtitle), &self.notes].concat().join(" "),
        );
        let description = Description::new().set("id", format!("{id}-description")).add(about);
        let style = Style::new(theme.sheet(id));
        Ok(format!(
            "{root} id=\"{id}\" role=\"img\" aria-labelledby=\"{id}-title {id}-description\" \
             style=\"max-width: 100%; height: auto\">\n\
             {title}\n{description}\n{style}\n{content}{own}\n</svg>\n"
        ))
    }

    fn draw<T>(
        &self,
        plot_height: u32,
        into: &mut String,
        theme: &mut Theme,
        plot: impl FnOnce(&Area<'_>, &mut Theme) -> Drawn<T>,
    ) -> Drawn<T> {
        let title = wrapped(&self.title, TITLE);
        let subtitle = wrapped(&self.subtitle, SUBTITLE);
        let notes: Vec<_> = self.notes.iter().flat_map(|note| wrapped(note, NOTE)).collect();
        let head = MARGIN + height(title.len(), TITLE) + height(subtitle.len(), SUBTITLE);
        let foot = MARGIN + height(notes.len(), NOTE) + MARGIN / 2;

        let root = SVGBackend::with_string(into, (WIDTH, head + plot_height + foot));
        let root = root.into_drawing_area();
        root.fill(&Theme::PAPER)?;
        let mut y = f64::from(MARGIN);
        let bold = style(TITLE, Theme::INK, FontStyle::Bold);
        paragraph(&root, &title, TITLE, &bold, &mut y)?;
        paragraph(&root, &subtitle, SUBTITLE, &words(SUBTITLE, Theme::FAINT), &mut y)?;
        let area = root.clone().shrink((0, head), (WIDTH, plot_height));
        let drawn = plot(&area, theme)?;
        y = f64::from(head + plot_height + MARGIN / 2);
        paragraph(&root, &notes, NOTE, &words(NOTE, Theme::FAINT), &mut y)?;
        root.present()?;
        Ok(drawn)
    }
}

/// As many lines as the width needs.
fn wrapped(paragraph: &str, size: f64) -> Vec<String> {
    let room = f64::from(WIDTH - 2 * MARGIN);
    let lines = textwrap::wrap(paragraph, (room / (size * CHARACTER)) as usize);
    lines.into_iter().map(Into::into).collect()
}

fn height(lines: usize, size: f64) -> u32 {
    (lines as f64 * size * LINE).ceil() as u32
}

fn paragraph(
    root: &Area<'_>,
    lines: &[String],
    size: f64,
    style: &TextStyle<'_>,
    y: &mut f64,
) -> Drawn<()> {
    for line in lines {
        root.draw_text(line, style, (MARGIN as i32, *y as i32))?;
        *y += size * LINE;
    }
    Ok(())
}

/// Words of a size in pixels.
pub(super) fn words(size: f64, colour: RGBColor) -> TextStyle<'static> {
    style(size, colour, FontStyle::Normal)
}

fn style(size: f64, colour: RGBColor, style: FontStyle) -> TextStyle<'static> {
    // plotters' sizes are of a line, of which the letters have less: its SVG divides by this.
    TextStyle {
        color: colour.to_backend_color(),
        ..TextStyle::from(("sans-serif", size * 1.24, style).into_font())
    }
}

/// A range for a logarithmic axis with all its ticks. plotters finds the first by logarithms, which are
/// rounded: of a range that begins exactly there, it may miss it.
pub(super) fn with_first_tick(range: Range<f64>) -> Range<f64> {
    range.start * (1.0 - 1e-9)..range.end
}
