//! Charts of the series view in a real browser: from a year to single readings, gaps as gaps, alerts as ranges.
//!
//! What is drawn is read from uPlot itself: its data, and the pixels of its canvas. Needs `chromium` and
//! `chromedriver`; pictures are left in the target directory under `tmp/page`.

use kilter::pipeline::Outcome;
use kilter::series::{Cell, Frame, Timestamp};
use serde_json::{Value, json};

use crate::browser::{Browser, wait_for};
use crate::served::{PUMP, Served, at, model, name, opened, resolved, row, score};

const MINUTES: i64 = 365 * 24 * 60;
/// The minute of the one reading that is far off.
const SPIKE: i64 = 241_337;
const SPIKE_VALUE: f64 = 95.0;
/// Minutes whose temperature was not measured but held.
const HELD: std::ops::Range<i64> = SPIKE + 2..SPIKE + 4;

fn minute(n: i64) -> Timestamp {
    at(60 * n)
}

/// Minute `n` of the year: temperature follows the day, and is far off at one minute.
fn reading(n: i64) -> [Outcome; 2] {
    let day = (n as f64 * std::f64::consts::TAU / 1440.0).sin();
    let (is_spike, is_held) = (n == SPIKE, HELD.contains(&n));
    let temperature = if is_spike { SPIKE_VALUE } else { 20.0 + 3.0 * day };
    let cell = if is_held { Cell::Held } else { Cell::Measured };
    let frame =
        Frame { at: minute(n), values: vec![50.0 + 10.0 * day, temperature], cells: vec![Cell::Measured, cell] };
    let score = score(minute(n), if is_spike { 7.0 } else { 0.2 }, [50.0 + 10.0 * day, 20.0 + 3.0 * day]);
    [Outcome::Frame { series: name(PUMP), frame }, Outcome::Score { series: name(PUMP), score }]
}

fn year() -> Served {
    let served = Served::start();
    model(&served, PUMP);
    for from in (0..MINUTES).step_by(10_080) {
        let week: Vec<_> = (from..(from + 10_080).min(MINUTES)).flat_map(reading).collect();
        served.commit(&week);
    }
    served
}

/// The chart of a channel, as uPlot knows it; a chart of scores by its label.
fn plot(chart: &str) -> String {
    format!(
        "uPlot.sync('series').plots.find((plot) => plot.root.closest('[data-channel]')?.dataset.channel === '{chart}' \
         || plot.root.closest('.chart').ariaLabel.startsWith('{chart}'))"
    )
}

/// Columns of a channel's chart.
const OBSERVED: usize = 1;
const GREATEST: usize = 3;
const HELD_VALUE: usize = 8;

/// `[time, value]` of a column wherever it has a value on screen.
fn points(browser: &Browser, chart: &str, column: usize) -> Vec<(f64, f64)> {
    let script = format!(
        "const plot = {}; const [from, to] = [plot.scales.x.min, plot.scales.x.max]; return plot.data[0] \
         .map((at, i) => [at, plot.data[{column}][i]]).filter(([at, value]) => value !== null && at >= from && at <= to)",
        plot(chart)
    );
    serde_json::from_value(browser.run(&script)).unwrap()
}

fn shown(browser: &Browser) -> Value {
    browser.run("return document.querySelector('.spread > .soft').textContent")
}

/// Pixels of a chart's canvas whose colour differs from the card's, in the box of `±half` CSS pixels about a point.
fn drawn_about(browser: &Browser, chart: &str, at_s: f64, value: f64, half: u32) -> u64 {
    let script = format!(
        "const plot = {}; const [x, y, half] = [plot.valToPos({at_s}, 'x', true), plot.valToPos({value}, 'y', true), \
         {half} * devicePixelRatio]; const size = 2 * half + 1; \
         const {{ data }} = plot.ctx.getImageData(x - half, y - half, size, size); let n = 0; \
         for (let i = 3; i < data.length; i += 4) n += data[i] > 90; return n;",
        plot(chart)
    );
    browser.run(&script).as_u64().unwrap()
}

/// Drags over the charts from 40 pixels before a moment to 40 after it; gives the milliseconds from letting go until the
/// new range is painted.
fn drag_about(browser: &Browser, at_s: f64) -> f64 {
    let before = shown(browser);
    // What is still being laid out would move away from under the pointer.
    let script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)))";
    browser.post("/execute/async", json!({"script": script, "args": []}));
    let script = format!(
        "const plot = {}; plot.root.scrollIntoView({{ block: 'center' }}); const over = plot.over.getBoundingClientRect(); \
         const x = Math.round(over.left + plot.valToPos({at_s}, 'x')); window.painted = null; let let_go = null; \
         addEventListener('mouseup', () => {{ let_go ??= performance.now(); }}, {{ once: true, capture: true }}); \
         const watch = new MutationObserver(() => {{ if (let_go === null || window.painted !== null) return; \
         watch.disconnect(); requestAnimationFrame(() => setTimeout(() => {{ window.painted = performance.now() - let_go; }})); \
         }}); watch.observe(document.querySelector('.spread > .soft'), {{ childList: true }}); \
         return [x, Math.round(over.top + over.height / 2)];",
        plot("temperature")
    );
    let place = browser.run(&script);
    let (x, y) = (place[0].as_i64().unwrap(), place[1].as_i64().unwrap());
    let moves = json!([
        {"type": "pointerMove", "x": x - 40, "y": y}, {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "x": x + 40, "y": y, "duration": 50}, {"type": "pointerUp", "button": 0},
    ]);
    browser.post("/actions", json!({"actions": [{"type": "pointer", "id": "mouse", "actions": moves}]}));
    wait_for("the closer look", || browser.run("return window.painted").is_number() && shown(browser) != before);
    browser.run("return window.painted").as_f64().unwrap()
}

/// The browser's advice to who reads pixels, as these tests do: no fault of the page.
const ADVICE: &str = "getImageData";

#[test]
#[ignore = "needs chromium, and fills a year"]
fn a_year_is_zoomed_down_to_single_readings_and_no_spike_disappears() {
    let served = year();
    let browser = Browser::start();
    browser.size(1280, 900, "light");
    browser.open(&served.base, "#/series/hall%201%2Fpump-3");
    browser.wait_for_text("525,600, one every 1 min");
    wait_for("the charts", || browser.run("return document.querySelectorAll('.uplot').length") == 5);
    let newest = shown(&browser);
    let started = std::time::Instant::now();
    browser.click("button", "1 y");
    wait_for("the year", || shown(&browser) != newest);
    println!("a year of minutes: shown {:.0} ms after the click", started.elapsed().as_secs_f64() * 1000.0);
    let spike_s = minute(SPIKE).as_ms() as f64 / 1000.0;
    let mut n_steps = 0;
    let n_measured = loop {
        let is_summed = shown(&browser).as_str().unwrap().contains("least and greatest kept");
        let column = if is_summed { GREATEST } else { OBSERVED };
        let seen = points(&browser, "temperature", column);
        let greatest = seen.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert_eq!(greatest.1, SPIKE_VALUE, "the spike is in what is drawn, step {n_steps}");
        // Drawn, too: nothing else is so high.
        assert!(
            drawn_about(&browser, "temperature", greatest.0, 92.0, 8) > 0,
            "nothing is drawn of it, step {n_steps}"
        );
        let scores = points(&browser, "Live score", 1);
        assert_eq!(scores.iter().map(|point| point.1).fold(0.0, f64::max), 7.0, "nor of its score, step {n_steps}");
        if n_steps == 0 || !is_summed {
            browser.picture(&format!("zoom-{n_steps}"));
        }
        if seen.len() < 40 && !is_summed {
            break seen;
        }
        let took = drag_about(&browser, greatest.0);
        n_steps += 1;
        println!("step {n_steps}: {} points before, painted {took:.0} ms after the drag", seen.len());
        assert!(n_steps < 10, "single readings are reached");
    };
    // Single readings: one a minute, with the held ones told apart.
    assert!(n_measured.contains(&(spike_s, SPIKE_VALUE)), "{n_measured:?}");
    let held: Vec<f64> = HELD.map(|n| minute(n).as_ms() as f64 / 1000.0).collect();
    assert!(n_measured.iter().all(|(at, _)| !held.contains(at)), "a held value is not shown as measured");
    let drawn_held = points(&browser, "temperature", HELD_VALUE);
    assert!(held.iter().all(|at| drawn_held.iter().any(|point| point.0 == *at)), "{drawn_held:?}");
    browser.wait_for_text("held or interpolated, not measured");
    for pair in n_measured.windows(2).filter(|pair| pair[1].0 < held[0]) {
        assert_eq!(pair[1].0 - pair[0].0, 60.0, "every minute is there");
    }
    assert_eq!(browser.complaints_beside(ADVICE), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium"]
fn gaps_are_gaps_and_alerts_are_ranges() {
    let served = Served::start();
    model(&served, PUMP);
    // Rows 150 to 219 never came; an alert was open from row 280 to row 300.
    let rows = (0..150).chain(220..400).flat_map(|n| row(PUMP, n));
    served.commit(&rows.collect::<Vec<_>>());
    served.commit(&[opened(PUMP, 280), resolved(PUMP, 280)]);
    let browser = Browser::start();
    browser.size(1280, 900, "light");
    browser.open(&served.base, "#/series/hall%201%2Fpump-3");
    browser.wait_for_text("Alerts of this series");
    wait_for("the charts", || browser.run("return document.querySelectorAll('.uplot').length") == 5);
    let at_s = |n: i64| at(n).as_ms() as f64 / 1000.0;
    // One row of nothing after the last before the hole: no line crosses it.
    for (chart, column) in [("load", OBSERVED), ("Live score", 1), ("Evidence", 1), ("Errors", 3)] {
        let script = format!(
            "const plot = {}; return plot.data[0].map((at, i) => [at, plot.data[{column}][i]]) \
             .filter(([at]) => at > {} && at < {})",
            plot(chart),
            at_s(149),
            at_s(220)
        );
        let within = browser.run(&script);
        let within = within.as_array().unwrap();
        assert!(!within.is_empty() && within.iter().all(|point| point[1].is_null()), "{chart}: {within:?}");
    }
    // The load rises with the row, so a line across the hole would pass its middle.
    assert_eq!(drawn_about(&browser, "load", at_s(185), 185.0, 6), 0, "something is drawn where nothing was measured");
    assert!(drawn_about(&browser, "load", at_s(100), 100.0, 6) > 0, "and something where it was");
    // A missing cell within a row is a gap as well.
    let held = points(&browser, "temperature", HELD_VALUE);
    assert!(!held.is_empty(), "the others are held");
    assert!(held.iter().all(|(at, _)| (at - at_s(0)) % 10.0 != 0.0), "every tenth temperature is missing: {held:?}");

    // The ground of the chart, low where no line runs, is that of an alert within its rows and plain beside them.
    let ground = |n: f64| {
        let script = format!(
            "const plot = {}; const {{ left, top, width, height }} = plot.bbox; \
             const x = Math.round(plot.valToPos({}, 'x', true)); \
             return [...plot.ctx.getImageData(x, Math.round(top + 0.5 * height), 1, 1).data]",
            plot("Live score"),
            at_s(0) + n
        );
        browser.run(&script)
    };
    let (inside, before, after) = (ground(290.3), ground(277.3), ground(303.3));
    assert_ne!(inside[3], 0, "the range of the alert is shaded");
    assert_eq!((&before[3], &after[3]), (&json!(0), &json!(0)), "and nothing beside it: {before} {after}");
    browser.picture("gap-and-alert-desk-light");
    assert_eq!(browser.complaints_beside(ADVICE), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium"]
fn a_drag_is_not_disturbed_by_new_rows() {
    let served = Served::start();
    model(&served, PUMP);
    served.commit(&(0..400).flat_map(|n| row(PUMP, n)).collect::<Vec<_>>());
    let browser = Browser::start();
    browser.size(1280, 900, "light");
    browser.open(&served.base, "#/series/hall%201%2Fpump-3");
    wait_for("the charts", || browser.run("return document.querySelectorAll('.uplot').length") == 5);
    browser.wait_for_text("Expected band: from the last 1,000 rows");
    let mouse = |actions: Value| {
        browser.post("/actions", json!({"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]}));
    };
    let over = browser.post("/element", json!({"using": "css selector", "value": ".u-over"}));
    mouse(json!([
        {"type": "pointerMove", "origin": over, "x": -200, "y": 0}, {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "origin": over, "x": 0, "y": 0, "duration": 100},
    ]));
    let before = shown(&browser);
    // Rows come, and the page has taken them in before the button is let go.
    served.commit(&(400..420).flat_map(|n| row(PUMP, n)).collect::<Vec<_>>());
    wait_for("the new rows", || shown(&browser) != before);
    let followed = shown(&browser);
    mouse(json!([
        {"type": "pointerMove", "origin": over, "x": 100, "y": 0, "duration": 100}, {"type": "pointerUp", "button": 0},
    ]));
    browser.wait_for_text("Follow the newest");
    assert_ne!(shown(&browser), followed);
    // From 200 pixels left of the middle to 100 right of it, as at the time of the drag.
    let range = browser.run("return new URLSearchParams(location.hash.split('?')[1]).get('from')");
    let from_ms: f64 = range.as_str().unwrap().parse().unwrap();
    assert!((at(0).as_ms() as f64..at(400).as_ms() as f64).contains(&from_ms), "{range}");
    assert_eq!(browser.complaints_beside(ADVICE), Vec::<String>::new());
}
