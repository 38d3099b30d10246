//! Bars of daily costs as SVG that needs no script.

use grid_model::Amount;

use super::document::money;
use super::html::escape;
use crate::finance::report::DayItem;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 22.0;

/// The days of one currency; those that are forecast are pale.
pub(super) fn bars(days: &[&DayItem], currency: &str) -> String {
    // Shares of the highest bar: a picture, in which a float is no money.
    let cost = |d: &DayItem| Amount::parse(&d.cost).map_or(0, |(a, _)| a.0);
    let costs: Vec<i128> = days.iter().map(|d| cost(d)).collect();
    let top = costs.iter().copied().max().unwrap_or(0).max(1);
    let share = |c: i128| (c.max(0) as f64 / top as f64).clamp(0.0, 1.0);
    let (plot_width, plot_height) = (WIDTH - LEFT, HEIGHT - BOTTOM - 8.0);
    let step = plot_width / days.len().max(1) as f64;
    let label = escape(&format!("Cost per day in {currency}"));
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n");
    for (part, amount) in [(1.0, top), (0.5, top / 2), (0.0, 0)] {
        let y = 8.0 + plot_height * (1.0 - part);
        let text = escape(&money(&Amount(amount).to_string()));
        out.push_str(&format!(
            "<line class=\"rule\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"scale\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>\n",
            LEFT - 8.0,
            y + 4.0,
        ));
    }
    let every = days.len().div_ceil(10).max(1);
    for (i, (day, cost)) in days.iter().zip(&costs).enumerate() {
        let (x, height) = (LEFT + step * i as f64, plot_height * share(*cost));
        let date = day.time.get(..10).unwrap_or(&day.time);
        let class = if day.forecast { "bar soon" } else { "bar" };
        let note = if day.forecast { " (forecast)" } else { "" };
        out.push_str(&format!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{date}{note}: {} {}</title></rect>\n",
            x + step * 0.1,
            8.0 + plot_height - height,
            step * 0.8,
            escape(&money(&day.cost)),
            escape(currency),
        ));
        if i % every == 0 {
            let text = date.get(5..).unwrap_or(date);
            out.push_str(&format!(
                "<text class=\"day\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>\n",
                x + step / 2.0,
                HEIGHT - 6.0
            ));
        }
    }
    out.push_str("</svg>\n");
    out
}
