//! What all charts have in common: the text around the plot, and the finished file.

use std::io;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::SVGBackend;
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle};
use svg::node::element::{Description, Style, Title};

use super::theme::Theme;

/// The text around a chart.
pub(super) struct Picture {
    /// The element's id, unique among the pictures on a page.
    pub(super) id: String,
    /// What the chart shows.
    pub(super) title: String,
    /// What is measured, and what is held fixed.
    pub(super) subtitle: String,
    /// What readers have to know in order not to be misled; each is a paragraph.
    pub(super) notes: Vec<String>,
}

/// Where plotters draws.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The result of drawing. Drawing into a string can't fail, but other back-ends of plotters can.
pub(super) type Drawn<T> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// The width in pixels. On a phone that is 390 pixels wide, text still has about two thirds of its
/// size.
pub(super) const WIDTH: u32 = 640;

/// The margin around everything.
pub(super) const MARGIN: u32 = 18;

/// The space below a plot, for ticks and the label of the horizontal axis.
pub(super) const BELOW: u32 = 48;

const TITLE: f64 = 19.0;
const SUBTITLE: f64 = 14.0;
const NOTE: f64 = 12.5;

/// The size of text in the plot, in pixels.
pub(super) const WORDS: f64 = 14.0;

/// The height of a line of text, as a multiple of the font's size.
const LINE: f64 = 1.35;

/// The width of an average character, as a share of the font's size. It is a bit too large, because
/// the reader's font is unknown.
pub(super) const CHARACTER: f64 = 0.56;

impl Picture {
    /// The finished file. `plot` draws into an area of this height, and returns the elements that
    /// plotters can't draw.
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
            .ok_or_else(|| io::Error::other("plotters drew something other than SVG"))?;
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

/// Wraps a paragraph to the width of a chart.
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

/// Text of a size in pixels.
pub(super) fn words(size: f64, colour: RGBColor) -> TextStyle<'static> {
    style(size, colour, FontStyle::Normal)
}

fn style(size: f64, colour: RGBColor, style: FontStyle) -> TextStyle<'static> {
    // A size in plotters is the height of a line, which is more than the font's size: its SVG
    // backend divides by this factor.
    TextStyle {
        color: colour.to_backend_color(),
        ..TextStyle::from(("sans-serif", size * 1.24, style).into_font())
    }
}

/// A range for a logarithmic axis with all its ticks. plotters finds the first tick by logarithms,
/// which are rounded, so it may miss the tick if the range begins exactly there.
pub(super) fn with_first_tick(range: Range<f64>) -> Range<f64> {
    range.start * (1.0 - 1e-9)..range.end
}
