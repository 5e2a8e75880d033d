//! Rows that wait are foreseen: the network is asked for all of their windows at once, before they are judged in order.
//!
//! What a row's window holds is known as soon as the row has closed; only the judgement depends on what was judged before.
//! So the windows of all rows that came together are gathered by network, and each chain is told beforehand what its
//! network expects. A chain that is replaced meanwhile, or that starts anew after a gap, forgets it and asks itself.

use std::sync::Arc;

use super::fleet::Lives;
use crate::detector::RowScratch;
use crate::series::SeriesId;
use crate::windowing::Pushed;

/// Closed rows of a message that are foreseen at most: one that closes more of them has its chain ask row by row, which
/// bounds the windows held at once.
const ROWS_MAX: usize = 4;

/// Rows of a series that have closed and are not judged yet.
pub(super) struct Waiting<'a> {
    pub(super) series: &'a SeriesId,
    pub(super) pushed: Pushed,
}

/// Working memory, the same for every turn.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// Scaled windows of one network, `[window, time, channel]`.
    windows: Vec<f32>,
    /// Scaled rows of one series.
    rows: Vec<f32>,
    /// What the network expects of each window's last row, `[window, channel]`.
    expected: Vec<f32>,
    scratch: RowScratch,
}

/// Whose rows wait where: a message's place among those waiting, by network and series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Addresses, for telling apart only.
    model: usize,
    life: usize,
    message: usize,
}

impl Together {
    /// Tells the chains what their networks expect of the rows that wait.
    pub(super) fn foresee(&mut self, waiting: &[Waiting<'_>], lives: &mut Lives) {
        if waiting.len() < 2 {
            return;
        }
        let place = |(message, waiting): (usize, &Waiting<'_>)| {
            let is_wanted = (1..=ROWS_MAX).contains(&waiting.pushed.closed.len());
            let life = lives.get(waiting.series).filter(|_| is_wanted)?;
            let bundle = life.bundle().filter(|bundle| bundle.detector.joins())?;
            let model = Arc::as_ptr(bundle).addr();
            Some(Place { model, life: std::ptr::from_ref(life.as_ref()).addr(), message })
        };
        let mut places: Vec<Place> = waiting.iter().enumerate().filter_map(place).collect();
        places.sort_unstable();
        for of_model in places.chunk_by(|a, b| a.model == b.model).filter(|places| places.len() > 1) {
            self.ask(of_model, waiting, lives);
        }
    }

    fn ask(&mut self, places: &[Place], waiting: &[Waiting<'_>], lives: &mut Lives) {
        self.windows.clear();
        let series_of = |places: &[Place]| waiting[places[0].message].series;
        let mut rows = Vec::with_capacity(places.len());
        let mut bundle = None;
        for of_series in places.chunk_by(|a, b| a.life == b.life) {
            let Some(chain) = lives.get(series_of(of_series)).and_then(|life| life.chain()) else { return };
            let closed = of_series.iter().flat_map(|place| &waiting[place.message].pushed.closed);
            rows.push(chain.foresee(closed, &mut self.windows, &mut self.rows));
            bundle = Some(Arc::clone(chain.bundle()));
        }
        let Some(bundle) = bundle else { return };
        let detector = &bundle.detector;
        detector.expect_together(&self.windows, &mut self.scratch, &mut self.expected);
        let mut expected = self.expected.chunks_exact(detector.n_channels);
        for (of_series, rows) in places.chunk_by(|a, b| a.life == b.life).zip(rows) {
            let Some(chain) = lives.get_mut(series_of(of_series)).and_then(|life| life.chain_mut()) else { return };
            chain.expect(rows.into_iter().map(|(at, ends_window)| {
                let expected = if ends_window { expected.next() } else { None };
                (at, expected.unwrap_or_default().to_vec())
            }));
        }
    }
}
