//! Ridge vector autoregression: the last row as the rows before it predict it.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::gram::feature_moments;
use super::linear::{LinearMap, moving_channels, solve_ridge, windows_of};
use super::{FittedMember, Member, MemberError, MemberParts, MemberScratch, TrainingRows, VarSpec};

/// A fitted autoregression over `n_lags` rows of all channels.
#[derive(Debug, Clone)]
pub struct Var {
    map: LinearMap,
    n_lags: usize,
    n_channels: usize,
}

impl Var {
    /// Learns the coefficients: (X'X + ridge N I) B = X'Y with X the lagged rows and a constant; in dual form when there
    /// are more coefficients than windows.
    ///
    /// # Errors
    /// With no window, windows of one row, or when the arithmetic gives nothing finite.
    pub fn fit(training: &TrainingRows, spec: &VarSpec) -> Result<Self, MemberError> {
        let (n_time, n_channels) = (training.n_time, training.n_channels);
        let n = training.n_windows();
        let n_lags = spec.n_lags.min(n_time - 1);
        if n == 0 || n_lags == 0 {
            return Err(MemberError::TooFewWindows { member: Member::Var, found: n, needed: 1 });
        }
        let moving = moving_channels(training);
        let d = moving.len();
        // Rows before the lags of the first window are not needed: windows of lags and target start later.
        let skipped = n_time - 1 - n_lags;
        let rows: Vec<f64> = training.rows[skipped * n_channels..]
            .chunks_exact(n_channels)
            .flat_map(|row| moving.iter().map(move |c| f64::from(row[*c])))
            .collect();
        let ridge = spec.ridge * n as f64;
        let is_dual = n_lags * d + 1 > n;
        let beta =
            if is_dual { dual(&rows, d, n_lags, training, ridge) } else { primal(&rows, d, n_lags, training, ridge) };
        let beta = beta.ok_or_else(|| MemberError::NotFinite {
            member: Member::Var,
            reason: "its equations have no solution".to_owned(),
        })?;
        let mut weights = Array2::zeros((n_lags * n_channels, n_channels));
        let mut bias = vec![0.0; n_channels];
        for (out, channel) in moving.iter().enumerate() {
            bias[*channel] = beta[[n_lags * d, out]];
            for lag in 0..n_lags {
                for (input, from) in moving.iter().enumerate() {
                    weights[[lag * n_channels + from, *channel]] = beta[[lag * d + input, out]];
                }
            }
        }
        Ok(Self { map: LinearMap::new(Member::Var, &weights, &bias)?, n_lags, n_channels })
    }

    /// The member from its parts.
    ///
    /// # Errors
    /// When an array or fact is missing or misshapen.
    pub fn from_parts(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Self, MemberError> {
        let n_lags = parts.facts["n_lags"].as_u64().map(|n| n as usize).filter(|n| (1..n_time).contains(n));
        let n_lags = n_lags.ok_or_else(|| MemberError::Facts {
            member: Member::Var,
            reason: format!("n_lags is missing or not below {n_time}"),
        })?;
        Ok(Self { map: LinearMap::from_parts(parts, n_lags * n_channels, n_channels)?, n_lags, n_channels })
    }
}

/// From second moments, `[n_lags * d + 1, d]`.
fn primal(rows: &[f64], d: usize, n_lags: usize, training: &TrainingRows, ridge: f64) -> Option<Array2<f64>> {
    let moments = feature_moments(rows, d, n_lags + 1, &training.starts);
    let inputs = n_lags * d;
    let mut a = Array2::zeros((inputs + 1, inputs + 1));
    a.slice_mut(s![..inputs, ..inputs]).assign(&moments.products.slice(s![..inputs, ..inputs]));
    a.slice_mut(s![inputs, ..inputs]).assign(&moments.sums.slice(s![..inputs]));
    a.slice_mut(s![..inputs, inputs]).assign(&moments.sums.slice(s![..inputs]));
    a[[inputs, inputs]] = moments.n_windows as f64;
    let mut beta = Array2::zeros((inputs + 1, d));
    beta.slice_mut(s![..inputs, ..]).assign(&moments.products.slice(s![..inputs, inputs..]));
    beta.slice_mut(s![inputs, ..]).assign(&moments.sums.slice(s![inputs..]));
    solve_ridge(&mut a, ridge, &mut beta).then_some(beta)
}

/// B = X' (X X' + ridge I)^-1 Y.
fn dual(rows: &[f64], d: usize, n_lags: usize, training: &TrainingRows, ridge: f64) -> Option<Array2<f64>> {
    let inputs = n_lags * d;
    let mut x = Array2::zeros((0, inputs + d));
    for run in training.starts.iter().filter(|run| !run.is_empty()) {
        x = concatenate(Axis(0), &[x.view(), windows_of(rows, run, n_lags + 1, d)?]).ok()?;
    }
    let (inputs_of, targets): (ArrayView2<'_, f64>, _) = x.view().split_at(Axis(1), inputs);
    let mut a = inputs_of.dot(&inputs_of.t()) + 1.0;
    let mut alpha = targets.to_owned();
    if !solve_ridge(&mut a, ridge, &mut alpha) {
        return None;
    }
    let mut beta = Array2::zeros((inputs + 1, d));
    beta.slice_mut(s![..inputs, ..]).assign(&inputs_of.t().dot(&alpha));
    beta.slice_mut(s![inputs, ..]).assign(&alpha.sum_axis(Axis(0)));
    Some(beta)
}

impl FittedMember for Var {
    fn member(&self) -> Member {
        Member::Var
    }

    fn reconstruct_last(&self, window: &[f32], _scratch: &mut MemberScratch, out: &mut [f32]) {
        let end = window.len() - self.n_channels;
        self.map.apply(&window[end - self.n_lags * self.n_channels..end], out);
    }

    fn parts(&self) -> MemberParts {
        MemberParts {
            member: Member::Var,
            facts: serde_json::json!({ "n_lags": self.n_lags }),
            tensors: self.map.tensors(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_recurrence_is_predicted() {
        // x[t] = 2 cos(w) x[t-1] - x[t-2] holds for a sine of frequency w.
        let rows: Vec<f32> = (0..400).map(|t| (t as f32 * 0.7).sin()).collect();
        let training = TrainingRows::complete(rows, 1, 8);
        let var = Var::fit(&training, &VarSpec { n_lags: 4, ridge: 1e-6 }).unwrap();
        let mut out = [0.0];
        var.reconstruct_last(training.window(100), &mut MemberScratch::default(), &mut out);
        assert!((out[0] - training.window(100)[7]).abs() < 1e-3);
        assert_eq!(Var::from_parts(&var.parts(), 8, 1).unwrap().parts(), var.parts());
    }

    #[test]
    fn the_dual_and_the_primal_form_agree() {
        let d = 3;
        let rows: Vec<f32> = (0..60 * d).map(|i| ((i * 31 % 17) as f32 * 0.37).sin()).collect();
        let training = TrainingRows::complete(rows, d, 10).keeping(|start| !(20..24).contains(&start));
        let rows: Vec<f64> = training.rows[4 * d..].iter().map(|x| f64::from(*x)).collect();
        let ridge = 0.3 * training.n_windows() as f64;
        let (a, b) = (primal(&rows, d, 5, &training, ridge).unwrap(), dual(&rows, d, 5, &training, ridge).unwrap());
        assert!((a - b).iter().all(|x| x.abs() < 1e-9));
    }
}
