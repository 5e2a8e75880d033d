//! A series over a restart: its checkpoint, and how it goes on from what the store kept.

use std::sync::Arc;

use super::super::checkpoint::Checkpoint;
use super::super::rebuild::resume_chain;
use super::super::{Outcome, SeriesSpec};
use super::{Fitting, Judging, SeriesLife};
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Frame, SeriesId, Timestamp};
use crate::verdict::SeriesState;
use crate::windowing::{Assembler, OpenRow};

/// Closed rows between two checkpoints: a restart replays at most so many rows of a series.
pub(super) const CHECKPOINT_ROWS: u32 = 64;

impl SeriesLife {
    /// Says what a restart needs.
    pub(in crate::pipeline) fn checkpoint(&mut self, out: &mut Vec<Outcome>) {
        self.rows_since_checkpoint = 0;
        let at = self.last_at.unwrap_or(Timestamp::from_ms(0));
        out.extend(self.budget(at));
        let checkpoint = Checkpoint {
            spec_name: self.spec.name.clone(),
            last_at: self.last_at,
            n_rows: self.n_rows,
            n_usable: self.n_usable,
            learn_from: self.learn_from,
            next_fit: self.next_fit,
            fitting: self.fitting.as_ref().map(|fitting| fitting.wanted.clone()),
            excluded: self.excluded.clone(),
            doubt: (self.open_rows, self.disbelieved),
            judging: self.judging.as_ref().map(|j| (j.bundle.id().to_owned(), j.is_announced, j.chain.save())),
            alert: self.alert.clone(),
            watches: self.watches.clone(),
            state: self.state,
            reason: self.reason.clone(),
            decision: self.judging.as_ref().map_or_else(
                || self.spec.decision.clone(),
                |judging| self.spec.decision_for(judging.bundle.calibration.n_rows()),
            ),
            stride: self.spec.stride(),
            false_alarms: self.taught.clone(),
            calibrated_rows: self.calibrated_rows,
            alarms: self.alarms,
        };
        out.push(Outcome::Checkpoint { series: self.id.clone(), at, bytes: checkpoint.encode() });
    }

    /// Continues a series from what the store kept.
    pub(in crate::pipeline) fn restore(
        restored: Restored,
        spec: Arc<SeriesSpec>,
        now: Timestamp,
        out: &mut Vec<Outcome>,
    ) -> Self {
        let Restored { series, channels, checkpoint, bundle, recent, since_fit, replay, unfinished } = restored;
        let mut life = Self::new(series, spec, now);
        life.channels = channels;
        if let Some(checkpoint) = checkpoint {
            life.last_at = checkpoint.last_at;
            life.n_rows = checkpoint.n_rows;
            life.n_usable = checkpoint.n_usable;
            life.learn_from = checkpoint.learn_from;
            life.next_fit = checkpoint.next_fit;
            life.excluded = checkpoint.excluded;
            (life.open_rows, life.disbelieved) = checkpoint.doubt;
            life.alert = checkpoint.alert;
            life.alert.follow(life.spec.alerts.clone());
            life.watches = checkpoint.watches;
            life.watches.follow(&life.spec);
            life.state = checkpoint.state;
            life.reason = checkpoint.reason;
            life.taught = checkpoint.false_alarms;
            life.calibrated_rows = checkpoint.calibrated_rows;
            life.alarms = checkpoint.alarms;
            if let Some(wanted) = checkpoint.fitting {
                out.push(Outcome::FitWanted(wanted.clone()));
                life.fitting = Some(Fitting { wanted, since: since_fit, ready: None });
            }
            if let Some((model_id, is_announced, state)) = checkpoint.judging {
                match life.restore_judging(bundle, is_announced, &state, &recent) {
                    Ok(judging) => life.judging = Some(judging),
                    Err(reason) => {
                        let reason = format!("model {model_id} cannot go on after the restart: {reason}");
                        life.enter(SeriesState::ModelStale, now, reason, out);
                        life.next_fit = Some(life.n_usable + 1);
                    }
                }
            }
        }
        // The configuration may have another budget than before the restart.
        out.extend(life.last_at.and_then(|at| life.budget(at)));
        let n_replayed = replay.len();
        let mut closed = recent;
        for frame in replay {
            closed.push(frame.clone());
            if life.last_at.is_some_and(|before| life.spec.is_gap(before, frame.at)) {
                life.on_gap();
            }
            life.on_frame(frame, out);
        }
        let filled_from = closed.len().saturating_sub(n_replayed.max(life.spec.grid.hold_limit as usize + 1));
        life.assembler = Assembler::restore(life.spec.grid.clone(), life.last_at, &closed[filled_from..], &unfinished);
        life
    }

    pub(super) fn restore_judging(
        &self,
        bundle: Option<Arc<ModelBundle>>,
        is_announced: bool,
        state: &[u8],
        recent: &[Frame],
    ) -> Result<Judging, String> {
        let bundle = bundle.ok_or("it is not in the store")?;
        let decision = self.spec.decision_for(bundle.calibration.n_rows());
        let told = (&decision, &self.taught);
        let chain = resume_chain(&bundle, &self.channels, told, self.spec.stride(), state, recent)?;
        Ok(Judging::new(chain, bundle, is_announced, &self.spec))
    }
}

/// What the store kept of a series, oldest frames first.
#[derive(Debug)]
pub struct Restored {
    /// Which.
    pub series: SeriesId,
    /// Its channels in frame order.
    pub channels: Vec<ChannelName>,
    /// Its last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The model that the checkpoint names.
    pub bundle: Option<Arc<ModelBundle>>,
    /// The last closed frames up to the checkpoint, as many as windows and held values reach back.
    pub recent: Vec<Frame>,
    /// Closed frames after the last training row of an unanswered fit, up to the checkpoint.
    pub since_fit: Vec<Frame>,
    /// Closed frames after the checkpoint.
    pub replay: Vec<Frame>,
    /// Unfinished rows.
    pub unfinished: Vec<OpenRow>,
}
