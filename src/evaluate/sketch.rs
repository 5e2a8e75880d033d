//! Small pictures as SVG: drawn windows by channel, and a map of latents.

use std::fmt::Write as _;

/// Width of a picture.
const WIDTH: f64 = 860.0;
/// Height of one channel's strip.
const STRIP: f64 = 110.0;
/// Edge of one map.
const MAP: f64 = 400.0;
/// Space around what is drawn.
const MARGIN: f64 = 24.0;
/// Line colours, told apart by people who do not see red and green alike (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];

/// One window on a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapPoint {
    /// Where it lies, each coordinate in [-1, 1].
    pub at: [f64; 2],
    /// How strange it is; only the order counts.
    pub score: f64,
}

/// Windows `[N, T, C]` as lines, one strip a channel.
pub fn draw_windows(title: &str, channels: &[String], values: &[f64], n_time: usize) -> String {
    let c = channels.len();
    let mut svg = open(title, WIDTH, 2.0 * MARGIN + STRIP * c as f64);
    for (channel, name) in channels.iter().enumerate() {
        let column = || values.iter().skip(channel).step_by(c);
        let (least, most) = column().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
        let top = MARGIN + STRIP * channel as f64;
        let y = |value: f64| top + 20.0 + (STRIP - 30.0) * (most - value) / (most - least).max(1e-12);
        let x = |t: usize| MARGIN + (WIDTH - 2.0 * MARGIN) * t as f64 / (n_time.max(2) - 1) as f64;
        text(&mut svg, MARGIN, top + 14.0, &format!("{name}: {least:.4} to {most:.4}"));
        for (window, rows) in values.chunks_exact(n_time * c).enumerate() {
            let points = (0..n_time).map(|t| format!("{:.1},{:.1}", x(t), y(rows[t * c + channel])));
            let colour = COLOURS[window % COLOURS.len()];
            let points: Vec<String> = points.collect();
            // Writing to a string cannot fail.
            let _ = writeln!(svg, r#"<polyline fill="none" stroke="{colour}" points="{}"/>"#, points.join(" "));
        }
    }
    svg + "</svg>\n"
}

/// A map twice: coloured by time, first to last, and by score, least to most.
pub fn draw_map(title: &str, points: &[MapPoint]) -> String {
    let mut svg = open(title, 2.0 * MAP + 3.0 * MARGIN, MAP + 4.0 * MARGIN);
    let n = points.len().max(2) as f64 - 1.0;
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].score.total_cmp(&points[*b].score));
    let mut rank = vec![0.0; points.len()];
    order.iter().enumerate().for_each(|(place, i)| rank[*i] = place as f64 / n);
    // The strangest are drawn last, on top.
    let by_time: Vec<(usize, f64)> = (0..points.len()).map(|i| (i, i as f64 / n)).collect();
    let by_score: Vec<(usize, f64)> = order.iter().map(|i| (*i, rank[*i])).collect();
    let parts = [("by time: dark is first, light is last", by_time), ("by score: light is strangest", by_score)];
    for (part, (words, coloured)) in parts.into_iter().enumerate() {
        let left = MARGIN + part as f64 * (MAP + MARGIN);
        text(&mut svg, left, 2.0 * MARGIN, words);
        for (i, share) in coloured {
            let [x, y] = points[i].at;
            let (x, y) = (left + MAP * (x + 1.0) / 2.0, 2.5 * MARGIN + MAP * (1.0 - y) / 2.0);
            let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.5" fill="{}"/>"#, shade(share));
        }
    }
    svg + "</svg>\n"
}

fn open(title: &str, width: f64, height: f64) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    text(&mut svg, MARGIN, 16.0, title);
    svg
}

fn text(svg: &mut String, x: f64, y: f64, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, r##"<text x="{x}" y="{y}" fill="#222">{words}</text>"##);
}

/// From dark blue over green to yellow; even steps look even (after viridis).
fn shade(share: f64) -> String {
    const STOPS: [[f64; 3]; 5] =
        [[68.0, 1.0, 84.0], [59.0, 82.0, 139.0], [33.0, 145.0, 140.0], [94.0, 201.0, 98.0], [253.0, 231.0, 37.0]];
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let i = (at as usize).min(STOPS.len() - 2);
    let mix = |k: usize| (STOPS[i][k] + (at - i as f64) * (STOPS[i + 1][k] - STOPS[i][k])) as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_and_point_is_drawn_and_names_cannot_break_out() {
        let names = ["a<b".to_owned(), "c".to_owned()];
        let windows = draw_windows("two & more", &names, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 2);
        assert_eq!(windows.matches("<polyline").count(), 4);
        assert!(windows.contains("a&lt;b") && windows.contains("two &amp; more"));
        let points = [MapPoint { at: [0.0, 1.0], score: 2.0 }, MapPoint { at: [-1.0, 0.0], score: 1.0 }];
        let map = draw_map("map", &points);
        assert_eq!(map.matches("<circle").count(), 4);
        assert_eq!((shade(0.0), shade(1.0)), ("#440154".to_owned(), "#fde725".to_owned()));
    }
}
