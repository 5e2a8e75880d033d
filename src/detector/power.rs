//! What would be seen: known faults are put into clean rows and the scores inside them compared with clean ones.
//!
//! Faults stand on scaled rows the detector has not learned from, on one channel and an eighth of the others, and on
//! each channel alone; the
//! scores are residuals smoothed fast (weight 0.1), for all members together and each alone. A held-out residual does
//! not tell whether a member helps; the area under the curve over injected drifts, shifts and noise does, moderately.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::fusion::{FusedRow, fuse};
use super::{Detector, Member, MemberScratch};
use crate::stats::{Ewma, auc, mean, quantile_sorted, sorted};

/// Weight of the newest row in the scores compared.
const ALPHA: f64 = 0.1;
/// Rows after a fault that still count as inside it: smoothing needs them.
const ROWS_AFTER: usize = 5;
/// A fault is seen when a score inside it exceeds this share of the clean ones.
const CLEAN_SHARE: f64 = 0.99;
/// Rows of starting places for faults at least: fewer would be one and the same fault again.
const STARTS_MIN: usize = 32;
/// With more channels than these, what is seen on each alone is measured for shifts only: it costs a pass a channel.
const CHANNELS_IN_FULL: usize = 16;
/// A trained member hurts when the area with it is so much smaller than without.
const HARM: f64 = 0.02;

/// Kinds of injected faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// One row off.
    Spike,
    /// 25 rows off by the same amount.
    Shift,
    /// 50 rows that end off.
    Drift,
    /// 25 rows of added noise.
    Noise,
    /// 25 rows of the same value.
    Stuck,
    /// Two channels exchanged for 25 rows.
    Swap,
    /// 30 rows that run twice as fast.
    Warp,
}

impl FaultKind {
    /// All kinds with their rows and their sizes in standard deviations of the channel; none where size has no meaning.
    const ALL: [(FaultKind, usize, &'static [Option<f64>]); 7] = [
        (FaultKind::Spike, 1, &[Some(2.0), Some(4.0), Some(8.0)]),
        (FaultKind::Shift, 25, &[Some(0.75), Some(1.5), Some(3.0)]),
        (FaultKind::Drift, 50, &[Some(1.25), Some(2.5), Some(5.0)]),
        (FaultKind::Noise, 25, &[Some(0.5), Some(1.0), Some(2.0)]),
        (FaultKind::Stuck, 25, &[None]),
        (FaultKind::Swap, 25, &[None]),
        (FaultKind::Warp, 30, &[None]),
    ];

    /// The word used in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            FaultKind::Spike => "spike",
            FaultKind::Shift => "shift",
            FaultKind::Drift => "drift",
            FaultKind::Noise => "noise",
            FaultKind::Stuck => "stuck",
            FaultKind::Swap => "swap",
            FaultKind::Warp => "warp",
        }
    }

    /// True for the kinds that have a size, for which each channel has a power of its own.
    fn is_sized(self) -> bool {
        matches!(self, FaultKind::Spike | FaultKind::Shift | FaultKind::Drift | FaultKind::Noise)
    }

    /// True for the kinds whose power says something about real faults.
    fn is_telling(self) -> bool {
        matches!(self, FaultKind::Shift | FaultKind::Drift | FaultKind::Noise)
    }
}

/// How well one kind and size of fault is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaultPower {
    /// The kind.
    pub kind: FaultKind,
    /// Its size in standard deviations of the channel; none where size has no meaning.
    pub size: Option<f64>,
    /// Its rows.
    pub rows: usize,
    /// Share of the draws that were seen, which is the probability to see it.
    pub seen: f64,
    /// Area under the ROC curve of scores inside the fault against clean ones, mean over the draws.
    pub area: f64,
}

/// How well one kind and size of fault is seen on one channel, all others being well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChannelPower {
    /// Index of the channel.
    pub channel: usize,
    /// The kind.
    pub kind: FaultKind,
    /// Its size in the sender's unit.
    pub size: f64,
    /// Its rows.
    pub rows: usize,
    /// Share of the draws that were seen, which is the probability to see it.
    pub seen: f64,
}

/// How often faults are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerDraws {
    /// Faults per kind and size.
    pub per_size: usize,
    /// Faults per kind, size and channel; 0 leaves channels out.
    pub per_channel: usize,
    /// Only the kinds whose power says whether a member helps.
    pub only_telling: bool,
}

impl PowerDraws {
    /// All that is needed to tell whether the trained member helps.
    pub const GAIN: Self = Self { per_size: 24, per_channel: 0, only_telling: true };
}

impl Default for PowerDraws {
    fn default() -> Self {
        Self { per_size: 24, per_channel: 8, only_telling: false }
    }
}

/// Power of all members together, of each alone, and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerReport {
    /// The fused score.
    pub fused: Vec<FaultPower>,
    /// Each member alone.
    pub members: Vec<(Member, Vec<FaultPower>)>,
    /// The fused score, channel by channel.
    pub channels: Vec<ChannelPower>,
    /// Clean rows that the faults were put into.
    pub n_rows: usize,
    /// Mean area of the fused score over shifts, drifts and noise, less that of the PCA alone; none without a PCA.
    pub model_skill: Option<f64>,
    /// The same, less that of the members without the trained one; none without a trained member.
    pub trained_gain: Option<f64>,
}

impl PowerReport {
    /// True when the trained member makes the fused score worse by more than noise explains.
    pub fn trained_member_hurts(&self) -> bool {
        self.trained_gain.is_some_and(|gain| gain < -HARM)
    }
}

/// The members taken together, with their clean scores.
struct Jury {
    members: Vec<usize>,
    /// Smoothed clean residuals, by row; rows before the first full window are missing.
    clean: Vec<f64>,
    seen_from: f64,
}

/// Injects faults into rows `[N, C]` in the detector's scaled units that it has not learned from; none when they are
/// fewer than a window and the longest fault need. Same seed, same faults.
/// `go_on` is asked between kinds and sizes; when it says no, nothing is measured.
pub fn measure_power(
    detector: &Detector,
    rows: &[f32],
    draws: PowerDraws,
    seed: u64,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<PowerReport> {
    let (n_channels, n_time) = (detector.n_channels, detector.n_time);
    let n_rows = rows.len() / n_channels;
    let longest = 2 * FaultKind::ALL.iter().map(|(_, rows, _)| *rows).max().unwrap_or(0);
    if n_rows < n_time + longest + STARTS_MIN {
        return None;
    }
    let moving: Vec<usize> =
        (0..n_channels).filter(|c| rows[*c..].iter().step_by(n_channels).any(|z| *z != rows[*c])).collect();
    if moving.is_empty() {
        return None;
    }
    let all: Vec<usize> = (0..detector.members.len()).collect();
    let kinds: Vec<Member> = detector.members.iter().map(|member| member.member()).collect();
    let untrained: Vec<usize> = all.iter().copied().filter(|m| !kinds[*m].is_trained()).collect();
    let mut panels = vec![all.clone(), untrained.clone()];
    panels.extend(all.iter().map(|m| vec![*m]));
    let clean = residuals(detector, rows, n_time - 1..n_rows);
    let juries: Vec<Jury> =
        panels.into_iter().filter(|p| !p.is_empty()).map(|members| Jury::new(detector, members, &clean)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut powers: Vec<Vec<FaultPower>> = vec![Vec::new(); juries.len()];
    for (kind, fault_rows, sizes) in FaultKind::ALL {
        if kind == FaultKind::Swap && moving.len() < 2 || draws.only_telling && !kind.is_telling() {
            continue;
        }
        for size in sizes {
            if !go_on() {
                return None;
            }
            // A stream of its own: whatever else is measured, a kind and size has the same faults.
            rng.set_stream(stream(kind, *size));
            rng.set_word_pos(0);
            let mut draw = || -> Vec<(bool, f64)> {
                let fault = Fault { kind, size: size.unwrap_or(0.0), rows: fault_rows };
                let start = rng.random_range(n_time..n_rows - longest);
                let hit: Vec<usize> =
                    (0..1 + moving.len() / 8).map(|_| moving[rng.random_range(0..moving.len())]).collect();
                let found = inject_and_judge(detector, rows, &moving, &hit, fault, start, &mut rng);
                juries.iter().map(|jury| jury.judge(detector, &found, start - (n_time - 1))).collect()
            };
            let draws: Vec<Vec<(bool, f64)>> = (0..draws.per_size.max(1)).map(|_| draw()).collect();
            for (j, powers) in powers.iter_mut().enumerate() {
                let seen: Vec<f64> = draws.iter().map(|draw| f64::from(u8::from(draw[j].0))).collect();
                let areas: Vec<f64> = draws.iter().map(|draw| draw[j].1).collect();
                powers.push(FaultPower { kind, size: *size, rows: fault_rows, seen: mean(&seen), area: mean(&areas) });
            }
        }
    }
    let mut report = report(&kinds, &juries, powers, untrained.len());
    report.n_rows = n_rows;
    let in_turn: &[usize] = if draws.per_channel == 0 { &[] } else { &moving };
    for &channel in in_turn {
        for (kind, fault_rows, sizes) in FaultKind::ALL.into_iter().filter(|(kind, ..)| kind.is_sized()) {
            if moving.len() > CHANNELS_IN_FULL && kind != FaultKind::Shift {
                continue;
            }
            if !go_on() {
                return None;
            }
            for size in sizes.iter().flatten() {
                let fault = Fault { kind, size: *size, rows: fault_rows };
                let n_draws = draws.per_channel;
                let n_seen = (0..n_draws).filter(|_| {
                    let start = rng.random_range(n_time..n_rows - longest);
                    let found = inject_and_judge(detector, rows, &moving, &[channel], fault, start, &mut rng);
                    juries[0].judge(detector, &found, start - (n_time - 1)).0
                });
                let seen = n_seen.count() as f64 / n_draws as f64;
                let size = size * detector.scaler.sds[channel];
                report.channels.push(ChannelPower { channel, kind, size, rows: fault_rows, seen });
            }
        }
    }
    Some(report)
}

/// The random numbers of a kind and size.
fn stream(kind: FaultKind, size: Option<f64>) -> u64 {
    (kind as u64) << 32 | (1000.0 * size.unwrap_or(0.0)) as u64
}

/// A fault to inject.
#[derive(Debug, Clone, Copy)]
struct Fault {
    kind: FaultKind,
    /// In standard deviations.
    size: f64,
    rows: usize,
}

/// Residuals of the rows of a fault that begins at `start` on the channels `hit`, and of those just after it.
fn inject_and_judge(
    detector: &Detector,
    rows: &[f32],
    moving: &[usize],
    hit: &[usize],
    fault: Fault,
    start: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let n_channels = detector.n_channels;
    let first = start + 1 - detector.n_time;
    let last = (start + 2 * fault.rows.max(ROWS_AFTER) + 1).min(rows.len() / n_channels);
    let mut faulty = rows[first * n_channels..last * n_channels].to_vec();
    let span = start - first..start - first + fault.rows;
    inject(&mut faulty, n_channels, moving, hit, fault, span.clone(), rng);
    residuals(detector, &faulty, span.start..span.end + ROWS_AFTER)
}

fn report(kinds: &[Member], juries: &[Jury], powers: Vec<Vec<FaultPower>>, n_untrained: usize) -> PowerReport {
    let telling = |powers: &[FaultPower]| {
        mean(&powers.iter().filter(|p| p.kind.is_telling()).map(|p| p.area).collect::<Vec<f64>>())
    };
    let fused = telling(&powers[0]);
    let n_alone = juries.len() - kinds.len();
    let pca = kinds.iter().position(|member| *member == Member::Pca);
    let is_partly_trained = n_untrained > 0 && n_untrained < kinds.len();
    PowerReport {
        model_skill: pca.map(|m| fused - telling(&powers[n_alone + m])),
        trained_gain: is_partly_trained.then(|| fused - telling(&powers[1])),
        channels: Vec::new(),
        n_rows: 0,
        members: kinds.iter().copied().zip(powers[n_alone..].iter().cloned()).collect(),
        fused: powers.into_iter().next().unwrap_or_default(),
    }
}

impl Jury {
    fn new(detector: &Detector, members: Vec<usize>, clean: &[f32]) -> Self {
        let mut ewma = Ewma::new(ALPHA);
        let clean: Vec<f64> = fused(detector, &members, clean).into_iter().map(|u| ewma.push(u)).collect();
        let seen_from = quantile_sorted(&sorted(clean.clone()), CLEAN_SHARE);
        Self { members, clean, seen_from }
    }

    /// Whether faulty residuals that begin at clean row `from` are seen, and their area.
    fn judge(&self, detector: &Detector, faulty: &[f32], from: usize) -> (bool, f64) {
        let mut level = self.clean[from - 1];
        let scores: Vec<f64> = fused(detector, &self.members, faulty)
            .into_iter()
            .map(|u| {
                level += ALPHA * (u - level);
                level
            })
            .collect();
        (scores.iter().any(|score| *score > self.seen_from), auc(&scores, &self.clean))
    }
}

/// Squared residuals of all members over rows, `[row, member, channel]`.
fn residuals(detector: &Detector, rows: &[f32], wanted: std::ops::Range<usize>) -> Vec<f32> {
    let n_channels = detector.n_channels;
    let mut scratch = MemberScratch::default();
    let mut out = Vec::with_capacity(wanted.len() * detector.members.len() * n_channels);
    for row in wanted {
        let window = &rows[(row + 1 - detector.n_time) * n_channels..(row + 1) * n_channels];
        for member in &detector.members {
            super::held_out::push_residuals(member.as_ref(), window, n_channels, &mut scratch, &mut out);
        }
    }
    out
}

/// Fused residuals of some members.
fn fused(detector: &Detector, members: &[usize], residuals: &[f32]) -> Vec<f64> {
    let n_channels = detector.n_channels;
    let levels: Vec<Vec<f64>> = members.iter().map(|m| detector.normaliser.levels[*m].clone()).collect();
    let counted: Vec<bool> = detector.switches.is_switch.iter().map(|is_switch| !is_switch).collect();
    let mut row = FusedRow::default();
    let mut cells = Vec::with_capacity(members.len() * n_channels);
    residuals
        .chunks_exact(detector.members.len() * n_channels)
        .map(|all| {
            cells.clear();
            members.iter().for_each(|m| cells.extend_from_slice(&all[m * n_channels..(m + 1) * n_channels]));
            fuse(&cells, &counted, &levels, &mut row);
            row.residual.fused
        })
        .collect()
}

/// Puts a fault into `span` of scaled rows, on the channels `hit`.
fn inject(
    rows: &mut [f32],
    n_channels: usize,
    moving: &[usize],
    hit: &[usize],
    Fault { kind, size, .. }: Fault,
    span: std::ops::Range<usize>,
    rng: &mut ChaCha8Rng,
) {
    let clean = rows.to_vec();
    for &channel in hit {
        let other = moving[rng.random_range(0..moving.len())];
        let other =
            if other == channel { moving[usize::from(moving[0] == channel).min(moving.len() - 1)] } else { other };
        let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        for (i, row) in span.clone().enumerate() {
            let now = f64::from(clean[row * n_channels + channel]);
            let wild: f64 = StandardNormal.sample(rng);
            let share = (i + 1) as f64 / span.len() as f64;
            let value = match kind {
                FaultKind::Spike | FaultKind::Shift => now + sign * size,
                FaultKind::Drift => now + sign * size * share,
                FaultKind::Noise => now + size * wild,
                FaultKind::Stuck => f64::from(clean[span.start * n_channels + channel]),
                FaultKind::Swap => f64::from(clean[row * n_channels + other]),
                FaultKind::Warp => f64::from(clean[(span.start + 2 * i) * n_channels + channel]),
            };
            rows[row * n_channels + channel] = value.clamp(-10.0, 10.0) as f32;
            if kind == FaultKind::Swap {
                rows[row * n_channels + other] = now as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::detector::{Baseline, FittedMember, Normaliser, Pca, PcaSpec, Scaler, Switches, TrainingRows};

    #[test]
    fn larger_faults_are_seen_more_often_and_the_skill_is_against_pca() {
        // Two coupled channels: a wave and its half with noise.
        let rows: Vec<f32> = (0..1200)
            .flat_map(|t| {
                let noise = (t * 7919 % 1009) as f32 / 1009.0 - 0.5;
                let wave = (t as f32 * 0.21).sin() * 1.4;
                [wave + 0.2 * noise, wave - 0.2 * noise]
            })
            .collect();
        let training = TrainingRows::complete(rows[..1200].to_vec(), 2, 16);
        let members: Vec<Arc<dyn FittedMember>> =
            vec![Arc::new(Pca::fit(&training, &PcaSpec::default()).unwrap()), Arc::new(Baseline::new())];
        let detector = Detector {
            scaler: Scaler { means: vec![0.0; 2], sds: vec![1.0, 2.0] },
            members,
            normaliser: Normaliser { levels: vec![vec![0.01; 2], vec![1.0; 2]], baseline: vec![1.0; 2] },
            switches: Switches { is_switch: vec![false; 2] },
            n_time: 16,
            n_channels: 2,
        };
        let draws = PowerDraws { per_size: 6, per_channel: 6, only_telling: false };
        let measure = |rows: &[f32]| measure_power(&detector, rows, draws, 1, &mut || true);
        let report = measure(&rows).unwrap();
        assert_eq!(Some(&report), measure(&rows).as_ref());
        assert_eq!(measure_power(&detector, &rows, draws, 1, &mut || false), None, "it stops when told to");
        let shift = |size| report.fused.iter().find(|p| p.kind == FaultKind::Shift && p.size == Some(size)).unwrap();
        assert!(shift(3.0).area >= shift(0.75).area && shift(3.0).seen > 0.8, "{:?}", report.fused);
        assert!(report.model_skill.is_some() && report.trained_gain.is_none() && !report.trained_member_hurts());
        assert_eq!(report.members.len(), 2);
        // Four kinds with three sizes each on two channels; sizes are told in the sender's unit.
        assert_eq!(report.channels.len(), 24);
        let largest = |channel| {
            let of = |p: &&ChannelPower| p.channel == channel && p.kind == FaultKind::Shift;
            report.channels.iter().rfind(of).unwrap()
        };
        assert_eq!((largest(0).size, largest(1).size), (3.0, 6.0));
        assert!(largest(0).seen > 0.8, "{:?}", report.channels);
        assert!(measure(&rows[..100]).is_none());
    }
}
