//! Plots, as SVG or PNG by the file's ending.
//!
//! Layer 8, and nothing of the training or serving path uses it.

mod run;

pub use run::{RunCurves, Summary, plot_run};

use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;
use std::sync::Once;

/// Family name that the embedded font is registered by.
const FONT: &str = "sans-serif";
/// Colours of a panel's lines, told apart by most colour-blind readers too. Source: Okabe & Ito 2008.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(120, 120, 120),
];

/// From this ratio of the largest to the smallest value on, a logarithmic axis has its own ticks: plotters' would leave
/// out the lower half.
const MOST_DECADES: f64 = 1e8;

/// Up to this ratio a logarithmic axis would have no tick between its ends: it is drawn as a linear one.
const FEWEST_DECADES: f64 = 20.0;

/// A named line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// What it is, for the legend.
    pub name: String,
    /// Points in order; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// One coordinate system with its lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x_label: String,
    /// Beside it.
    pub y_label: String,
    /// Whether the y axis is logarithmic; values of 0 and below are then left out.
    pub logarithmic: bool,
    /// The lines; those without a name are not in the legend.
    pub lines: Vec<Line>,
    /// Below the lines.
    pub heat: Option<Heat>,
    /// The x axis, where it is more than lines and grid need.
    pub x_range: Option<(f64, f64)>,
    /// Words at places of the x axis.
    pub notes: Vec<(f64, String)>,
}

/// A value at every place of a grid, the larger the darker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heat {
    /// Edges of the grid on the x axis.
    pub x: (f64, f64),
    /// Edges of the grid on the y axis.
    pub y: (f64, f64),
    /// Column by column from the left, each from below; columns of one height.
    pub columns: Vec<Vec<f64>>,
}

impl Heat {
    /// Rectangles with their darkness from 0 to 1; white ones are left out.
    fn cells(&self) -> Vec<([(f64, f64); 2], f64)> {
        let finite = || self.columns.iter().flatten().copied().filter(|value| value.is_finite());
        let (low, high) =
            finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), value| (l.min(value), h.max(value)));
        let width = (self.x.1 - self.x.0) / self.columns.len() as f64;
        let mut cells = Vec::new();
        for (column, values) in self.columns.iter().enumerate() {
            let (left, height) = (self.x.0 + column as f64 * width, (self.y.1 - self.y.0) / values.len() as f64);
            for (row, value) in values.iter().enumerate() {
                let darkness = if high > low { (value - low) / (high - low) } else { 0.0 };
                let below = self.y.0 + row as f64 * height;
                if darkness > 0.02 {
                    cells.push(([(left, below), (left + width, below + height)], darkness));
                }
            }
        }
        cells
    }
}

impl Panel {
    /// Smallest and largest x and y that can be shown, a little apart.
    fn ranges(&self) -> Option<[(f64, f64); 2]> {
        let mut points: Vec<(f64, f64)> = self.lines.iter().flat_map(|line| self.shown(line)).collect();
        let edges = self.heat.iter().flat_map(|heat| [(heat.x.0, heat.y.0), (heat.x.1, heat.y.1)]);
        points.extend(edges.filter(|&(_, y)| !self.logarithmic || y > 0.0));
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (x, y) = (range(&mut points.iter().map(|p| p.0)), range(&mut points.iter().map(|p| p.1)));
        let apart = |(low, high): (f64, f64)| if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let y = match (self.logarithmic, y.1 > y.0) {
            (true, true) => (y.0 / 1.1, y.1 * 1.1),
            (true, false) => (y.0 / 2.0, y.1 * 2.0),
            (false, _) => apart(y),
        };
        (!points.is_empty()).then_some([self.x_range.unwrap_or_else(|| apart(x)), y])
    }

    /// The same with the logarithms of its values, on a linear axis.
    fn as_decades(&self) -> Panel {
        let line = |line: &Line| {
            let points = self.shown(line).map(|(x, y)| (x, y.log10())).collect();
            Line { name: line.name.clone(), points }
        };
        Panel { logarithmic: false, lines: self.lines.iter().map(line).collect(), ..self.clone() }
    }

    fn shown<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = (f64, f64)> + 'a {
        let finite = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && (!self.logarithmic || y > 0.0);
        line.points.iter().copied().filter(finite)
    }
}

/// Draws panels in rows of `columns`, one row below another, `size` pixels wide and high in all.
///
/// # Errors
/// When the ending is neither `.svg` nor `.png`, there is nothing to draw, or the file cannot be written.
pub fn draw(path: &Path, size: (u32, u32), columns: usize, panels: &[Panel]) -> Result<()> {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        // Refused only if the bytes were no font, which the tests would show.
        let _ = plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    if panels.iter().all(|panel| panel.ranges().is_none()) {
        return Err(Error::invalid("plot", "no point", "at least one finite value"));
    }
    let failed = |error: String| Error::io(path, std::io::Error::other(error));
    // Drawn beside and renamed: a failed plot leaves nothing half done.
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("").to_lowercase();
    let partial = path.with_extension(format!("partial.{ending}"));
    let drawn = match ending.as_str() {
        "svg" => on_canvas(SVGBackend::new(&partial, size).into_drawing_area(), columns, panels),
        "png" => on_canvas(BitMapBackend::new(&partial, size).into_drawing_area(), columns, panels),
        _ => return Err(Error::invalid("plot", path.display(), "a file name that ends in .svg or .png")),
    };
    let renamed =
        drawn.map_err(failed).and_then(|()| std::fs::rename(&partial, path).map_err(|error| Error::io(path, error)));
    if renamed.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    renamed
}

/// A number beside an axis.
fn tick(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        let text = format!("{value:.4}");
        return text.trim_end_matches('0').trim_end_matches('.').to_string();
    }
    format!("{value:.1e}").replace(".0e", "e")
}

/// A number beside a logarithmic axis; those between 5 and 10, which would touch each other, are left out.
fn log_tick(value: f64) -> String {
    let leading = value / 10f64.powf(value.log10().floor());
    if (5.5..9.5).contains(&leading) { String::new() } else { tick(value) }
}

/// One panel on its part of the canvas. A macro, as the types of linear and logarithmic axes have nothing in common.
macro_rules! in_panel {
    ($area:expr, $panel:expr, $x:expr, $y:expr, $tick:expr) => {
        (|| {
            let panel: &Panel = $panel;
            let mut chart = ChartBuilder::on($area)
                .caption(&panel.title, (FONT, 20))
                .margin(10)
                .x_label_area_size(40)
                .y_label_area_size(70)
                .build_cartesian_2d($x, $y)?;
            let mesh_style = RGBColor(230, 230, 230);
            chart
                .configure_mesh()
                .x_desc(&panel.x_label)
                .y_desc(&panel.y_label)
                .label_style((FONT, 14))
                .x_label_formatter(&|x| tick(*x))
                .y_label_formatter(&|y: &f64| $tick(*y))
                .light_line_style(WHITE)
                .bold_line_style(mesh_style)
                .draw()?;
            if let Some(heat) = &panel.heat {
                let shade = |darkness: f64| {
                    let mixed = |full: f64| (255.0 - darkness * (255.0 - full)) as u8;
                    RGBColor(mixed(20.0), mixed(24.0), mixed(60.0)).filled()
                };
                chart.draw_series(heat.cells().into_iter().map(|(cell, value)| Rectangle::new(cell, shade(value))))?;
            }
            for (index, line) in panel.lines.iter().enumerate() {
                let colour = COLOURS[index % COLOURS.len()];
                let style = ShapeStyle { color: colour.to_rgba(), filled: true, stroke_width: 2 };
                let points: Vec<(f64, f64)> = panel.shown(line).collect();
                // A single point is no line: a dot shows it.
                if let [point] = points[..] {
                    chart.draw_series([Circle::new(point, 3, style)])?.label(&line.name);
                } else {
                    let series = chart.draw_series(LineSeries::new(points, style))?;
                    if !line.name.is_empty() {
                        series.label(&line.name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
                    }
                }
            }
            // In rows by turns, so that neighbours do not cover one another.
            let height = chart.plotting_area().dim_in_pixel().1 as i32;
            for (index, (place, word)) in panel.notes.iter().enumerate() {
                let (x, top) = chart.backend_coord(&(*place, chart.y_range().end));
                let origin = $area.get_base_pixel();
                let position = (x - origin.0, top - origin.1 + (index % 3) as i32 * (height / 8).clamp(12, 18));
                $area.draw(&Text::new(word.clone(), position, (FONT, 15)))?;
            }
            if panel.lines.iter().filter(|line| !line.name.is_empty()).count() > 1 {
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::UpperRight)
                    .background_style(WHITE.mix(0.85))
                    .border_style(mesh_style)
                    .label_font((FONT, 14))
                    .draw()?;
            }
            Ok(())
        })()
    };
}

fn on_canvas<B: DrawingBackend>(canvas: DrawingArea<B, Shift>, columns: usize, panels: &[Panel]) -> Result<(), String> {
    let text = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    canvas.fill(&WHITE).map_err(text)?;
    for (area, panel) in canvas.split_evenly((panels.len().div_ceil(columns.max(1)), columns.max(1))).iter().zip(panels)
    {
        if let Some([(x0, x1), (y0, y1)]) = panel.ranges() {
            if panel.logarithmic && y1 / y0 > MOST_DECADES {
                let (decades, power) = (panel.as_decades(), |decade: f64| tick(10f64.powf(decade)));
                in_panel!(area, &decades, x0..x1, y0.log10()..y1.log10(), power).map_err(text)?;
            } else if panel.logarithmic && y1 / y0 > FEWEST_DECADES {
                in_panel!(area, panel, x0..x1, (y0..y1).log_scale(), log_tick).map_err(text)?;
            } else {
                in_panel!(area, panel, x0..x1, y0..y1, tick).map_err(text)?;
            }
        }
    }
    canvas.present().map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, f64)>, logarithmic: bool) -> Panel {
        let lines = vec![Line { name: "a".into(), points }, Line { name: "b".into(), points: vec![(1.0, 2.0)] }];
        Panel {
            title: "t".into(),
            x_label: "x".into(),
            y_label: "y".into(),
            logarithmic,
            lines,
            heat: Some(Heat { x: (0.0, 2.0), y: (1.0, 2.0), columns: vec![vec![0.0, 1.0], vec![f64::NAN, 0.5]] }),
            notes: vec![(0.5, "word".into())],
            x_range: None,
        }
    }

    #[test]
    fn ticks_are_short() {
        let values = [0.0, 100.0, -2.5, 0.000099999999, 1e-12, 3e7, 0.35000000001];
        assert_eq!(values.map(tick), ["0", "100", "-2.5", "1e-4", "1e-12", "3e7", "0.35"]);
        assert_eq!([0.05, 0.06, 0.9, 1.0, 5.0, 8.0, 10.0].map(log_tick), ["0.05", "", "", "1", "5", "", "10"]);
    }

    #[test]
    fn both_kinds_are_written_whatever_the_values() {
        let folder = tempfile::tempdir().expect("folder");
        let points = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 0.0), (3.0, 1e9)];
        for (name, first) in [("a.svg", b"<svg".as_slice()), ("a.png", b"\x89PNG".as_slice())] {
            let path = folder.path().join(name);
            draw(&path, (600, 400), 2, &[panel(points.clone(), false), panel(points.clone(), true)]).expect("drawn");
            assert!(std::fs::read(&path).expect("bytes").starts_with(first), "{name}");
        }
        let fall = (0..30).map(|k| (f64::from(k), 10f64.powi(-k))).collect();
        draw(&folder.path().join("fall.svg"), (600, 400), 1, &[panel(fall, true)]).expect("drawn");
        let svg = std::fs::read_to_string(folder.path().join("fall.svg")).expect("svg");
        assert!(svg.contains("1e-10") && svg.contains("1e-20"), "{svg}");
        let svg = std::fs::read_to_string(folder.path().join("a.svg")).expect("svg");
        assert!(svg.contains("polyline") && svg.contains("word") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn the_largest_value_of_a_grid_is_darkest_and_the_smallest_white() {
        let heat = Heat { x: (0.0, 4.0), y: (0.0, 10.0), columns: vec![vec![1.0, 3.0], vec![2.0, f64::NAN]] };
        assert_eq!(heat.cells(), [([(0.0, 5.0), (2.0, 10.0)], 1.0), ([(2.0, 0.0), (4.0, 5.0)], 0.5)]);
    }

    #[test]
    fn nothing_to_draw_and_unknown_endings_are_errors_that_leave_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let empty = draw(&folder.path().join("a.svg"), (100, 100), 1, &[Panel::default()]).expect_err("empty");
        assert!(empty.to_string().contains("no point"), "{empty}");
        let good = panel(vec![(0.0, 1.0), (1.0, 2.0)], false);
        let ending =
            draw(&folder.path().join("a.pdf"), (100, 100), 1, std::slice::from_ref(&good)).expect_err("ending");
        assert!(ending.to_string().contains(".svg or .png"), "{ending}");
        let missing = draw(&folder.path().join("no/a.svg"), (100, 100), 1, &[good]).expect_err("folder");
        assert!(missing.to_string().contains("a.svg"), "{missing}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 0);
    }
}
