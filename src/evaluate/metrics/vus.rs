//! Volume under the surface: range-aware areas averaged over every buffer length (Paparrizos et al., VLDB 2022;
//! discretised as TSB-AD does: 250 thresholds, buffers 0..=W).

use super::{Event, Ranking, events};

/// Thresholds at evenly spaced ranks of the score.
const N_THRESHOLDS: usize = 250;

/// The two volumes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vus {
    /// Under the ROC surface.
    pub roc: f64,
    /// Under the precision-recall surface.
    pub pr: f64,
}

/// VUS over buffer lengths `0..=window`. `None` without an event or without a normal row.
///
/// For a buffer length w each event gets a border of w/2 rows on both sides whose soft label falls as
/// sqrt(1 - d/w) with the distance d to the event. With `pred_k = score >= threshold k`:
///
/// ```text
/// TP   = sum(soft label * pred)
/// P    = (hard positives + hard positives + border reached by pred) / 2
/// rec  = min(TP / P, 1) * share of (widened, merged) events hit by pred
/// prec = TP / #pred                 FPR = (#pred - TP) / (n - P)
/// ```
///
/// ROC is integrated by trapezoids from (0, 0) to (1, 1), precision-recall by steps. What does not depend on w
/// (threshold ranks, counts of predictions and of hard positives) is computed once; per w only the border rows
/// are visited, so the cost is O(n log n + events * W^2 + W * thresholds) and not O(n * W).
pub fn vus(ranking: &Ranking, window: usize) -> Option<Vus> {
    let n_rows = ranking.n_rows();
    let events = events(ranking.label());
    if events.is_empty() || ranking.n_positive() == n_rows {
        return None;
    }
    let surface = Surface::new(ranking);
    let mut border = Border::new(n_rows);
    let mut reached: Vec<u8> = events.iter().map(|e| surface.first_hit(e.start, e.end)).collect();
    let (mut roc, mut pr) = (0.0, 0.0);
    for w in 0..=window {
        let half = w / 2;
        if w % 2 == 0 && half > 0 {
            widen(&mut reached, &events, half, &surface.first);
        }
        let reached_tp = border.soft_hits(&events, w, ranking.label(), &surface.first);
        let share_hit = hit_share(&reached, &events, half);
        let areas = surface.areas(&reached_tp, &share_hit);
        roc += areas.roc;
        pr += areas.pr;
    }
    let n_buffers = (window + 1) as f64;
    Some(Vus { roc: roc / n_buffers, pr: pr / n_buffers })
}

/// What no buffer length changes.
struct Surface {
    n_rows: f64,
    n_positive: f64,
    /// First threshold at which a row is predicted, `[row]`.
    first: Vec<u8>,
    /// Rows predicted at each threshold.
    n_predicted: Vec<f64>,
    /// Hard positives predicted at each threshold.
    hard_hits: Vec<f64>,
}

impl Surface {
    fn new(ranking: &Ranking) -> Self {
        let n_rows = ranking.n_rows();
        let spacing = (n_rows - 1) as f64 / (N_THRESHOLDS - 1) as f64;
        let threshold = |k: usize| match k {
            k if k + 1 == N_THRESHOLDS => ranking.sorted()[n_rows - 1],
            k => ranking.sorted()[(k as f64 * spacing) as usize],
        };
        let mut first = vec![0_u8; n_rows];
        let mut n_predicted = vec![0.0; N_THRESHOLDS];
        let mut hard_hits = vec![0.0; N_THRESHOLDS];
        let mut k = 0;
        for (row, score) in ranking.order().iter().zip(ranking.sorted()) {
            while threshold(k) > *score {
                k += 1;
            }
            let row = *row as usize;
            first[row] = k as u8;
            n_predicted[k] += 1.0;
            if ranking.label()[row] {
                hard_hits[k] += 1.0;
            }
        }
        accumulate(&mut n_predicted);
        accumulate(&mut hard_hits);
        Self { n_rows: n_rows as f64, n_positive: ranking.n_positive() as f64, first, n_predicted, hard_hits }
    }

    /// First threshold at which a row of `[start, end)` is predicted.
    fn first_hit(&self, start: usize, end: usize) -> u8 {
        self.first[start..end].iter().copied().min().unwrap_or(u8::MAX)
    }

    /// Areas for one buffer length, from border rows and events hit at each threshold.
    fn areas(&self, border_hits: &[f64], share_hit: &[f64]) -> Vus {
        let (mut roc, mut pr) = (0.0, 0.0);
        let (mut recall_before, mut fpr_before) = (0.0, 0.0);
        for k in 0..N_THRESHOLDS {
            let hits = self.hard_hits[k] + border_hits[k];
            let positives = (2.0 * self.n_positive + border_hits[k]) / 2.0;
            let recall = (hits / positives).min(1.0) * share_hit[k];
            let fpr = (self.n_predicted[k] - hits) / (self.n_rows - positives);
            roc += (fpr - fpr_before) * (recall + recall_before) / 2.0;
            pr += (recall - recall_before) * hits / self.n_predicted[k];
            (recall_before, fpr_before) = (recall, fpr);
        }
        roc += (1.0 - fpr_before) * (1.0 + recall_before) / 2.0;
        Vus { roc, pr }
    }
}

/// Scratch for the soft labels of border rows.
struct Border {
    /// Soft label, `[row]`; all zero between calls.
    soft: Vec<f64>,
    touched: Vec<u32>,
    decay: Vec<f64>,
}

impl Border {
    fn new(n_rows: usize) -> Self {
        Self { soft: vec![0.0; n_rows], touched: Vec::new(), decay: Vec::new() }
    }

    /// Sum of the soft labels of border rows predicted at each threshold, for buffer length `w`.
    fn soft_hits(&mut self, events: &[Event], w: usize, label: &[bool], first: &[u8]) -> Vec<f64> {
        let half = w / 2;
        self.decay.clear();
        self.decay.extend((1..=half).map(|d| (1.0 - d as f64 / w as f64).sqrt()));
        for event in events {
            let after = (event.end..label.len()).zip(&self.decay);
            let before = (0..event.start).rev().zip(&self.decay);
            for (row, decay) in after.chain(before) {
                if self.soft[row] == 0.0 {
                    self.touched.push(row as u32);
                }
                self.soft[row] += decay;
            }
        }
        let mut hits = vec![0.0; N_THRESHOLDS];
        for row in self.touched.drain(..) {
            let row = row as usize;
            if !label[row] {
                hits[usize::from(first[row])] += self.soft[row].min(1.0);
            }
            self.soft[row] = 0.0;
        }
        accumulate(&mut hits);
        hits
    }
}

/// Lets each widened event grow by the rows at distance `half` on both sides.
fn widen(reached: &mut [u8], events: &[Event], half: usize, first: &[u8]) {
    for (reached, event) in reached.iter_mut().zip(events) {
        if let Some(row) = event.start.checked_sub(half) {
            *reached = (*reached).min(first[row]);
        }
        if let Some(k) = first.get(event.end - 1 + half) {
            *reached = (*reached).min(*k);
        }
    }
}

/// Share of the events, widened by `half` and merged where they overlap, that are hit at each threshold.
fn hit_share(reached: &[u8], events: &[Event], half: usize) -> Vec<f64> {
    let mut hits = vec![0.0; N_THRESHOLDS];
    let mut n_wide = 0.0;
    let mut from = 0;
    while from < events.len() {
        let mut to = from + 1;
        let mut reached_at = reached[from];
        while to < events.len() && events[to - 1].end - 1 + half + half >= events[to].start {
            reached_at = reached_at.min(reached[to]);
            to += 1;
        }
        hits[usize::from(reached_at)] += 1.0;
        n_wide += 1.0;
        from = to;
    }
    accumulate(&mut hits);
    hits.iter_mut().for_each(|h| *h /= n_wide);
    hits
}

/// Running sum in place.
fn accumulate(values: &mut [f64]) {
    let mut sum = 0.0;
    for value in values {
        sum += *value;
        *value = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word and without any short cut: every buffer, threshold and row.
    fn by_definition(label: &[bool], score: &[f64], window: usize) -> Vus {
        let n = label.len();
        let events = events(label);
        let mut sorted = score.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let (mut roc, mut pr) = (0.0, 0.0);
        for w in 0..=window {
            let half = w / 2;
            let mut soft: Vec<f64> = label.iter().map(|y| f64::from(*y as u8)).collect();
            for event in &events {
                for d in 1..=half {
                    let decay = (1.0 - d as f64 / w as f64).sqrt();
                    if event.end - 1 + d < n {
                        soft[event.end - 1 + d] += decay;
                    }
                    if event.start >= d {
                        soft[event.start - d] += decay;
                    }
                }
            }
            soft.iter_mut().for_each(|s| *s = s.min(1.0));
            let mut wide: Vec<(i64, i64)> = Vec::new();
            for event in &events {
                let (a, b) = (event.start as i64 - half as i64, (event.end - 1 + half) as i64);
                match wide.last_mut() {
                    Some(last) if last.1 >= a => last.1 = b,
                    _ => wide.push((a, b)),
                }
            }
            let hard = label.iter().filter(|y| **y).count() as f64;
            let mut curve = vec![(0.0, 0.0)];
            let mut precision = vec![];
            for k in 0..N_THRESHOLDS {
                let rank = (k as f64 * ((n - 1) as f64 / (N_THRESHOLDS - 1) as f64)) as usize;
                let threshold = sorted[if k + 1 == N_THRESHOLDS { n - 1 } else { rank }];
                let predicted: Vec<bool> = score.iter().map(|s| *s >= threshold).collect();
                let sum = |f: &dyn Fn(usize) -> f64| (0..n).filter(|i| predicted[*i]).map(f).sum::<f64>();
                let tp = sum(&|i| soft[i]);
                let p = (hard + hard + sum(&|i| if label[i] { 0.0 } else { soft[i] })) / 2.0;
                let hit =
                    wide.iter().filter(|(a, b)| (*a..=*b).any(|i| i >= 0 && (i as usize) < n && predicted[i as usize]));
                let recall = (tp / p).min(1.0) * hit.count() as f64 / wide.len() as f64;
                let n_predicted = sum(&|_| 1.0);
                curve.push(((n_predicted - tp) / (n as f64 - p), recall));
                precision.push(tp / n_predicted);
            }
            pr += curve.windows(2).zip(&precision).map(|(c, p)| (c[1].1 - c[0].1) * p).sum::<f64>();
            curve.push((1.0, 1.0));
            roc += curve.windows(2).map(|c| (c[1].0 - c[0].0) * (c[1].1 + c[0].1) / 2.0).sum::<f64>();
        }
        Vus { roc: roc / (window + 1) as f64, pr: pr / (window + 1) as f64 }
    }

    #[test]
    fn the_short_cuts_change_nothing() {
        let mut state = 7_u64;
        let mut random = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as f64 / (1_u64 << 31) as f64
        };
        for round in 0..40 {
            let n = 30 + 17 * round;
            let mut label = vec![false; n];
            for _ in 0..1 + round % 6 {
                let start = (random() * n as f64) as usize;
                let length = 1 + (random() * 12.0) as usize;
                label[start..n.min(start + length)].fill(true);
            }
            // Rounded scores make ties; borders of neighbouring events overlap.
            let score: Vec<f64> =
                label.iter().map(|y| ((random() + 0.4 * f64::from(*y as u8)) * 20.0).round()).collect();
            let window = [0, 1, 2, 9, 24][round % 5];
            let found = vus(&Ranking::new(&label, &score).unwrap(), window).unwrap();
            let expected = by_definition(&label, &score, window);
            assert!((found.roc - expected.roc).abs() < 1e-12, "round {round}: {found:?} {expected:?}");
            assert!((found.pr - expected.pr).abs() < 1e-12, "round {round}: {found:?} {expected:?}");
        }
    }

    #[test]
    fn a_perfect_score_without_a_buffer_has_volume_one() {
        let label: Vec<bool> = (0..300).map(|i| (100..130).contains(&i)).collect();
        let score: Vec<f64> = label.iter().map(|y| f64::from(*y as u8)).collect();
        let found = vus(&Ranking::new(&label, &score).unwrap(), 0).unwrap();
        assert!((found.roc - 1.0).abs() < 1e-12 && (found.pr - 1.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn without_events_or_without_normal_rows_there_is_no_volume() {
        assert_eq!(vus(&Ranking::new(&[false; 9], &[1.0; 9]).unwrap(), 4), None);
        assert_eq!(vus(&Ranking::new(&[true; 9], &[1.0; 9]).unwrap(), 4), None);
    }
}
