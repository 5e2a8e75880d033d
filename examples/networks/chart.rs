//! Lines over a logarithmic scale, and dots with their spread, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 40.0;
/// Told apart by people who do not see red and green alike (Okabe and Ito).
pub(crate) const COLOURS: [&str; 4] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

/// One panel: a title, names under the axis, and for each line its name and its values with their spread.
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    pub(crate) ticks: Vec<String>,
    /// `[line]`: name, and `[tick]`: mean and standard deviation.
    pub(crate) lines: Vec<(&'a str, Vec<(f64, f64)>)>,
    pub(crate) is_logarithmic: bool,
    pub(crate) is_joined: bool,
}

/// Panels side by side.
pub(crate) fn draw(panels: &[Panel<'_>]) -> String {
    let (width, height) = (WIDTH * panels.len() as f64, HEIGHT + 24.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (i, panel) in panels.iter().enumerate() {
        draw_panel(&mut svg, WIDTH * i as f64, panel);
    }
    svg + "</svg>\n"
}

fn draw_panel(svg: &mut String, left: f64, panel: &Panel<'_>) {
    let scale = |value: f64| if panel.is_logarithmic { value.max(1e-12).log10() } else { value };
    let values = || panel.lines.iter().flat_map(|(_, values)| values.iter().map(|(mean, _)| scale(*mean)));
    let mut least = values().fold(f64::MAX, f64::min);
    let mut most = values().fold(f64::MIN, f64::max);
    if panel.is_logarithmic {
        (least, most) = (least.floor(), most.ceil());
    } else {
        (least, most) = (least.min(0.4), most.max(1.0));
    }
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (most - scale(value)) / (most - least).max(1e-9);
    let n = panel.ticks.len();
    let x = |i: usize| left + LEFT + (WIDTH - LEFT - 24.0) * (i as f64 + 0.5) / n as f64;
    let mut put = |text: String| svg.push_str(&(text + "\n"));
    put(format!("<text x=\"{}\" y=\"18\" font-weight=\"bold\">{}</text>", left + 12.0, panel.title));
    let steps = if panel.is_logarithmic { (most - least).round() as i32 } else { 6 };
    for i in 0..=steps.max(1) {
        let at = least + (most - least) * f64::from(i) / f64::from(steps.max(1));
        let (shown, word) =
            if panel.is_logarithmic { (10f64.powf(at), format!("1e{at:.0}")) } else { (at, format!("{at:.1}")) };
        let y = y(shown);
        let (from, to) = (left + LEFT, left + WIDTH - 24.0);
        put(format!(
            "<path d=\"M{from} {y:.1}H{to}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\">{word}</text>",
            left + 16.0,
            y + 4.0
        ));
    }
    for (i, tick) in panel.ticks.iter().enumerate() {
        put(format!("<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>", x(i), HEIGHT - BOTTOM + 16.0));
    }
    for (index, (name, values)) in panel.lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let shift = if panel.is_joined { 0.0 } else { (index as f64 - 1.5) * 12.0 };
        let place = |i: usize| x(i) + shift;
        if panel.is_joined {
            let mut points = String::new();
            for (i, (mean, _)) in values.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(points, "{:.1},{:.1} ", place(i), y(*mean));
            }
            put(format!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"));
        }
        for (i, (mean, spread)) in values.iter().enumerate() {
            let (low, high) = (y((mean - spread).max(mean * 0.1)), y(mean + spread));
            let at = place(i);
            put(format!(
                "<path d=\"M{at:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\"/><circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                y(*mean)
            ));
        }
        let along = left + LEFT + 90.0 * index as f64;
        put(format!(
            "<circle cx=\"{along}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{name}</text>",
            HEIGHT + 6.0,
            along + 8.0,
            HEIGHT + 10.0
        ));
    }
}

/// Mean and standard deviation.
pub(crate) fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, variance.sqrt())
}
