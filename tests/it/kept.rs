//! A store in memory: what a restart of the pure pipeline needs, kept and read back through bytes.

use std::collections::HashMap;
use std::sync::Arc;

use kilter::bundle::ModelBundle;
use kilter::pipeline::{Checkpoint, Outcome, Restored};
use kilter::series::{ChannelName, Frame, SeriesId, Timestamp};
use kilter::windowing::OpenRow;

/// What a store would have kept: closed frames, open rows, the last checkpoint, bundles.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) channels: Vec<ChannelName>,
    pub(crate) frames: Vec<Frame>,
    open: HashMap<Timestamp, OpenRow>,
    checkpoint: Option<(Timestamp, Vec<u8>)>,
    pub(crate) bundles: HashMap<String, Arc<ModelBundle>>,
}

impl Kept {
    /// Takes in what a writer would have committed.
    pub(crate) fn keep(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            match outcome {
                Outcome::ChannelSeen { channel, .. } => self.channels.push(channel.clone()),
                Outcome::Frame { frame, .. } => {
                    self.open.remove(&frame.at);
                    self.frames.push(frame.clone());
                }
                Outcome::OpenRow { row, .. } => {
                    self.open.insert(row.frame.at, row.clone());
                }
                Outcome::Checkpoint { at, bytes, .. } => self.checkpoint = Some((*at, bytes.clone())),
                Outcome::Model { bundle, .. } => {
                    self.bundles.insert(bundle.id().to_owned(), Arc::clone(bundle));
                }
                _ => {}
            }
        }
    }

    /// What a start would read back.
    pub(crate) fn restored(&self, series: &SeriesId) -> Restored {
        let (at, bytes) = self.checkpoint.clone().expect("a checkpoint was kept");
        let checkpoint = Checkpoint::decode(&bytes).unwrap();
        let cut = self.frames.partition_point(|frame| frame.at <= at);
        // As stored and read back: through bytes.
        let bundle = checkpoint
            .judging
            .as_ref()
            .map(|(id, ..)| Arc::new(ModelBundle::decode(&self.bundles[id].encode()).expect("a bundle reads back")));
        let mut unfinished: Vec<OpenRow> = self.open.values().cloned().collect();
        unfinished.sort_by_key(|row| row.frame.at);
        Restored {
            series: series.clone(),
            channels: self.channels.clone(),
            since_fit: checkpoint.fitting.as_ref().map_or(Vec::new(), |wanted| {
                self.frames[..cut].iter().filter(|frame| frame.at > wanted.to).cloned().collect()
            }),
            bundle,
            checkpoint: Some(checkpoint),
            recent: self.frames[..cut].to_vec(),
            replay: self.frames[cut..].to_vec(),
            unfinished,
        }
    }
}
