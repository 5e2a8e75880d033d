//! K-means on centred windows: a memory of shapes, blind to level (after KMeansAD).
//!
//! Each window loses its own mean per channel, not its spread. The reconstruction of the last row is that of the
//! nearest centre, with the window's mean put back.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::linear::dot;
use super::{FittedMember, KmeansSpec, Member, MemberError, MemberParts, MemberScratch, Tensor, TrainingRows};

/// Lloyd centres of centred windows.
#[derive(Debug, Clone)]
pub struct Kmeans {
    n_time: usize,
    n_channels: usize,
    /// `[K, T * C]`.
    centres: Vec<f32>,
    /// Half the squared length of each centre, `[K]`.
    half_squares: Vec<f32>,
}

impl Kmeans {
    /// Learns the centres by Lloyd's steps from seeded random windows; stops early when no window changes its centre.
    ///
    /// # Errors
    /// When there is no training window.
    pub fn fit(training: &TrainingRows, spec: &KmeansSpec, seed: u64) -> Result<Self, MemberError> {
        let (n_time, n_channels) = (training.n_time, training.n_channels);
        let size = n_time * n_channels;
        let starts = training.some_starts(spec.windows_max);
        if starts.is_empty() {
            return Err(MemberError::TooFewWindows { member: Member::Kmeans, found: 0, needed: 1 });
        }
        let mut windows = vec![0.0_f32; starts.len() * size];
        for (start, out) in starts.iter().zip(windows.chunks_exact_mut(size)) {
            centre(training.window(*start), n_channels, out);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n_centres = spec.n_centres.clamp(1, starts.len());
        let mut centres = Vec::with_capacity(n_centres * size);
        for index in sample(&mut rng, starts.len(), n_centres) {
            centres.extend_from_slice(&windows[index * size..(index + 1) * size]);
        }
        let mut nearest = vec![usize::MAX; starts.len()];
        for _ in 0..spec.steps_max {
            if !lloyd_step(&windows, &mut centres, &mut nearest, size) {
                break;
            }
        }
        Ok(Self::new(n_time, n_channels, centres))
    }

    fn new(n_time: usize, n_channels: usize, centres: Vec<f32>) -> Self {
        let half_squares = half_squares(&centres, n_time * n_channels);
        Self { n_time, n_channels, centres, half_squares }
    }

    /// The member from its parts.
    ///
    /// # Errors
    /// When the centres are missing, misshapen or not finite.
    pub fn from_parts(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Self, MemberError> {
        let size = n_time * n_channels;
        let n_centres = parts.tensors.first().map_or(1, |t| t.values.len() / size.max(1)).max(1);
        Ok(Self::new(n_time, n_channels, parts.tensor("centres", &[n_centres, size])?))
    }
}

impl FittedMember for Kmeans {
    fn member(&self) -> Member {
        Member::Kmeans
    }

    fn reconstruct_last(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        let size = self.n_time * self.n_channels;
        let centred = scratch.floats(size);
        centre(window, self.n_channels, centred);
        let best = nearest_centre(centred, &self.centres, &self.half_squares);
        let last = size - self.n_channels;
        for c in 0..self.n_channels {
            // The window's mean is what centring took away.
            let mean = window[last + c] - centred[last + c];
            out[c] = self.centres[best * size + last + c] + mean;
        }
    }

    fn parts(&self) -> MemberParts {
        let size = self.n_time * self.n_channels;
        MemberParts {
            member: Member::Kmeans,
            facts: serde_json::Value::Null,
            tensors: vec![Tensor {
                name: "centres".to_owned(),
                shape: vec![self.centres.len() / size, size],
                values: self.centres.clone(),
            }],
        }
    }
}

/// Takes each channel's mean away: `[T, C]` → `[T, C]`.
fn centre(window: &[f32], n_channels: usize, out: &mut [f32]) {
    let n_time = (window.len() / n_channels) as f32;
    for c in 0..n_channels {
        let mean = window[c..].iter().step_by(n_channels).sum::<f32>() / n_time;
        for (out, value) in out[c..].iter_mut().step_by(n_channels).zip(window[c..].iter().step_by(n_channels)) {
            *out = value - mean;
        }
    }
}

fn half_squares(centres: &[f32], size: usize) -> Vec<f32> {
    centres.chunks_exact(size).map(|centre| 0.5 * dot(centre, centre)).collect()
}

/// Index of the centre with the smallest distance; the first of equals.
fn nearest_centre(window: &[f32], centres: &[f32], half_squares: &[f32]) -> usize {
    let mut best = (f32::INFINITY, 0);
    for (index, centre) in centres.chunks_exact(window.len()).enumerate() {
        let distance = half_squares[index] - dot(window, centre);
        if distance < best.0 {
            best = (distance, index);
        }
    }
    best.1
}

/// Assigns windows `[N, size]` and moves the centres; false when no window changed its centre.
fn lloyd_step(windows: &[f32], centres: &mut [f32], nearest: &mut [usize], size: usize) -> bool {
    let half_squares = half_squares(centres, size);
    let mut is_moving = false;
    let mut sums = vec![0.0_f64; centres.len()];
    let mut counts = vec![0_usize; half_squares.len()];
    for (window, nearest) in windows.chunks_exact(size).zip(nearest.iter_mut()) {
        let best = nearest_centre(window, centres, &half_squares);
        is_moving |= best != *nearest;
        *nearest = best;
        counts[best] += 1;
        for (sum, value) in sums[best * size..(best + 1) * size].iter_mut().zip(window) {
            *sum += f64::from(*value);
        }
    }
    for (k, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        for (centre, sum) in centres[k * size..(k + 1) * size].iter_mut().zip(&sums[k * size..(k + 1) * size]) {
            *centre = (sum / *count as f64) as f32;
        }
    }
    is_moving
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_remembered_and_level_is_not() {
        // A square wave of period 8 learned at level 0, then seen at level 5.
        let wave = |t: usize| if t % 8 < 4 { 1.0_f32 } else { -1.0 };
        let rows: Vec<f32> = (0..200).map(wave).collect();
        let training = TrainingRows::complete(rows, 1, 8);
        let kmeans = Kmeans::fit(&training, &KmeansSpec::default(), 0).unwrap();
        let mut scratch = MemberScratch::default();
        for offset in 0..8 {
            let window: Vec<f32> = (0..8).map(|t| 5.0 + wave(t + offset)).collect();
            let mut out = [0.0];
            kmeans.reconstruct_last(&window, &mut scratch, &mut out);
            assert!((out[0] - window[7]).abs() < 0.6, "offset {offset}: {} for {}", out[0], window[7]);
        }
        let again = Kmeans::from_parts(&kmeans.parts(), 8, 1).unwrap();
        assert_eq!(again.centres, kmeans.centres);
    }
}
