//! A chart that compares servers: a row for each, sorted, with a dot at its figure.

use std::io;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::IntoLogRange;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Circle, PathElement};
use plotters::prelude::SVGBackend;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use svg::node::element::Group;

use super::picture::{Area, BELOW, Drawn, MARGIN, Picture, WORDS, with_first_tick, words};
use super::theme::Theme;
use crate::Interval;
use output::figures::Quantity;

/// A row.
pub(super) struct Dot {
    /// The server's label.
    pub(super) server: String,
    /// Whether it is a server from outside this workspace; then the dot is hollow.
    pub(super) is_peer: bool,
    /// Whether the true figure is higher, because not everything could be counted.
    pub(super) at_least: bool,
    pub(super) value: Interval,
}

/// A chart of dots, with at least one dot.
pub(super) struct Dots {
    pub(super) picture: Picture,
    /// The label of the horizontal axis.
    pub(super) x: &'static str,
    pub(super) quantity: Quantity,
    pub(super) dots: Vec<Dot>,
}

/// The height of a row, in pixels like the other sizes.
const ROW: u32 = 22;

/// The width of the servers' names.
const NAMES: u32 = 214;

/// The width of the figure next to a dot at the right edge.
const RIGHT: u32 = 78;

/// The space above the rows.
const ABOVE: u32 = 14;

/// The radius of a dot.
const DOT: u32 = 5;

/// The gap between the bounds of a figure and its text.
const GAP: i32 = 10;

/// If the largest figure is this many times the smallest, the axis is logarithmic; on a linear one,
/// the small figures could not be told apart.
const WIDE: f64 = 20.0;

type Plot<'a, 'b, X> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, RangedCoordf64>>;

impl Dots {
    pub(super) fn svg(&mut self) -> io::Result<String> {
        self.dots.sort_by(|one, other| one.value.median.total_cmp(&other.value.median));
        let height = ABOVE + self.dots.len() as u32 * ROW + BELOW;
        let least = self.dots.iter().map(|dot| dot.value.low).fold(f64::MAX, f64::min);
        let most = self.dots.iter().map(|dot| dot.value.high).fold(0.0, f64::max);
        self.picture.svg(height, |area, theme| {
            if least > 0.0 && most / least > WIDE {
                let (low, high) = (least.log10().floor(), most.log10().ceil());
                self.plot(
                    with_first_tick(10_f64.powf(low)..10_f64.powf(high)).log_scale(),
                    area,
                    theme,
                )
            } else {
                self.plot(least.min(0.0)..most.max(f64::MIN_POSITIVE) * 1.05, area, theme)
            }
        })
    }

    fn plot<X>(&self, across: X, area: &Area<'_>, theme: &mut Theme) -> Drawn<Group>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let rows = -0.5..self.dots.len() as f64 - 0.5;
        let mut plot = ChartBuilder::on(area)
            .margin_top(ABOVE)
            .margin_left(NAMES)
            .margin_right(RIGHT)
            .x_label_area_size(BELOW)
            .build_cartesian_2d(across, rows.end..rows.start)?;
        plot.configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(Theme::GRID.mix(0.0))
            .bold_line_style(Theme::GRID)
            .axis_style(Theme::AXIS)
            .label_style(words(WORDS - 1.0, Theme::FAINT))
            .axis_desc_style(words(WORDS, Theme::FAINT))
            .x_labels(5)
            .x_desc(self.x)
            .x_label_formatter(&|&value| self.quantity.tick(value))
            .draw()?;
        for (row, dot) in self.dots.iter().enumerate() {
            self.row(row as f64, dot, &mut plot, area, theme)?;
        }
        Ok(Group::new())
    }

    fn row<X: Ranged<ValueType = f64>>(
        &self,
        row: f64,
        dot: &Dot,
        plot: &mut Plot<'_, '_, X>,
        area: &Area<'_>,
        theme: &mut Theme,
    ) -> Drawn<()> {
        let Interval { low, median, high } = dot.value;
        let colour = theme.server(&dot.server);
        let edge = plot.x_range().start;
        plot.draw_series([PathElement::new([(edge, row), (median, row)], Theme::GRID)])?;
        plot.draw_series([PathElement::new([(low, row), (high, row)], colour.stroke_width(2))])?;
        let whole = Circle::new((median, row), DOT, colour.filled());
        plot.draw_series([whole])?;
        if dot.is_peer {
            plot.draw_series([Circle::new((median, row), DOT - 2, Theme::PAPER.filled())])?;
        }
        let beside_dot = Pos::new(HPos::Left, VPos::Center);
        let ink = words(WORDS, Theme::INK).pos(beside_dot);
        let (x, y) = plot.backend_coord(&(high.max(median), row));
        let top = area.get_base_pixel().1;
        area.draw_text(&dot.server, &ink, (MARGIN as i32, y - top))?;
        let at_least = if dot.at_least { "≥ " } else { "" };
        area.draw_text(
            &format!("{at_least}{}", self.quantity.told(median)),
            &ink,
            (x + GAP, y - top),
        )
    }
}
