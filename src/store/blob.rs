//! Numbers as bytes: the layouts that `migrations/` states, little-endian on every machine.

use crate::pipeline::ScoreRow;
use crate::series::{Cell, Frame, Timestamp};
use crate::windowing::OpenRow;

/// The values of a frame.
pub(super) fn encode_values(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 * values.len());
    values.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
    bytes
}

/// A latent.
pub(super) fn encode_f32s(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// Offsets of an open row.
pub(super) fn encode_i32s(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// An open row from its three blobs; what is wrong with them otherwise.
pub(super) fn decode_open_row(at_ms: i64, values: &[u8], cells: &[u8], heard_ms: &[u8]) -> Result<OpenRow, String> {
    let frame = decode_frame(at_ms, values, cells)?;
    let (chunks, rest) = heard_ms.as_chunks::<4>();
    if !rest.is_empty() || chunks.len() != frame.n_channels() {
        return Err(format!("{} bytes of offsets for {} cells, expected 4 a cell", heard_ms.len(), cells.len()));
    }
    Ok(OpenRow { frame, heard_ms: chunks.iter().map(|chunk| i32::from_le_bytes(*chunk)).collect() })
}

/// The cell kinds of a frame.
pub(super) fn encode_cells(cells: &[Cell]) -> Vec<u8> {
    cells.iter().map(|c| *c as u8).collect()
}

/// A frame from its two blobs; what is wrong with them otherwise.
pub(super) fn decode_frame(at_ms: i64, values: &[u8], cells: &[u8]) -> Result<Frame, String> {
    let mut frame = Frame { at: Timestamp::from_ms(at_ms), values: Vec::new(), cells: Vec::new() };
    decode_frame_into(&mut frame, at_ms, values, cells)?;
    Ok(frame)
}

/// As [`decode_frame`], in the place of another frame, whose memory it takes over.
pub(super) fn decode_frame_into(frame: &mut Frame, at_ms: i64, values: &[u8], cells: &[u8]) -> Result<(), String> {
    if values.len() != 8 * cells.len() {
        return Err(format!("{} bytes of values for {} cells, expected 8 a cell", values.len(), cells.len()));
    }
    frame.at = Timestamp::from_ms(at_ms);
    frame.values.clear();
    frame.values.extend(f64s(values));
    frame.cells.clear();
    for byte in cells {
        frame.cells.push(Cell::from_byte(*byte).ok_or_else(|| format!("cell kind {byte}, expected 0 to 3"))?);
    }
    Ok(())
}

/// Eight bytes a number; a rest shorter than that is left out.
pub(super) fn decode_f64s(bytes: &[u8]) -> Vec<f64> {
    f64s(bytes).collect()
}

fn f64s(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk))
}

fn f32s(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk))
}

/// The column `detail` of a score. Names of channels are at most 200 bytes each and their number is limited far below
/// 65,535 by the pipeline; more than that are cut off rather than miscounted.
pub(super) fn encode_detail(score: &ScoreRow) -> Vec<u8> {
    let n_channels = score.contributions.len().min(score.expected.len()).min(usize::from(u16::MAX));
    let n_members = score.member_contributions.len().min(usize::from(u16::MAX));
    let mut bytes = Vec::with_capacity(4 + 12 * n_channels + 4 * n_members);
    bytes.extend_from_slice(&(n_channels as u16).to_le_bytes());
    bytes.extend_from_slice(&(n_members as u16).to_le_bytes());
    score.contributions[..n_channels].iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
    score.member_contributions[..n_members].iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
    score.expected[..n_channels].iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
    bytes
}

/// Who is to blame and what was expected: the parts of the column `detail`, still as bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct DetailBytes<'a> {
    contributions: &'a [u8],
    member_contributions: &'a [u8],
    expected: &'a [u8],
}

impl<'a> DetailBytes<'a> {
    /// Index of the channel with the largest contribution.
    pub(super) fn largest(self) -> Option<usize> {
        self.contributions().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
    }

    pub(super) fn contributions(self) -> impl Iterator<Item = f32> {
        f32s(self.contributions)
    }

    pub(super) fn member_contributions(self) -> impl Iterator<Item = f32> {
        f32s(self.member_contributions)
    }

    pub(super) fn expected(self) -> impl Iterator<Item = f64> {
        f64s(self.expected)
    }
}

/// The reverse of [`encode_detail`]; what is wrong with the bytes otherwise.
pub(super) fn decode_detail(bytes: &[u8]) -> Result<DetailBytes<'_>, String> {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(format!("detail of {} bytes, expected at least 4", bytes.len()));
    };
    let n_channels = usize::from(u16::from_le_bytes([head[0], head[1]]));
    let n_members = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let expected_bytes = 12 * n_channels + 4 * n_members;
    if rest.len() != expected_bytes {
        return Err(format!("detail of {} bytes behind its head, expected {expected_bytes}", rest.len()));
    }
    let (contributions, rest) = rest.split_at(4 * n_channels);
    let (member_contributions, expected) = rest.split_at(4 * n_members);
    Ok(DetailBytes { contributions, member_contributions, expected })
}

/// Present cells of one channel in a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    pub(super) n_present: u64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sum: f64,
}

impl Summary {
    /// Of no cells.
    pub(super) const EMPTY: Summary = Summary { n_present: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0 };

    /// The summary of both.
    pub(super) fn merge(&mut self, other: &Summary) {
        self.n_present += other.n_present;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }

    /// The summary of one present cell.
    pub(super) fn of(value: f64) -> Self {
        Self { n_present: 1, min: value, max: value, sum: value }
    }
}

/// The column `summaries` of a frame roll-up.
pub(super) fn encode_summaries(summaries: &[Summary]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * summaries.len());
    for summary in summaries {
        bytes.extend_from_slice(&summary.n_present.to_le_bytes());
        [summary.min, summary.max, summary.sum].iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
    }
    bytes
}

/// The reverse of [`encode_summaries`]; what is wrong with the bytes otherwise.
pub(super) fn decode_summaries(bytes: &[u8]) -> Result<Vec<Summary>, String> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(format!("{} bytes of summaries, expected a multiple of 32", bytes.len()));
    }
    Ok(chunks
        .iter()
        .map(|chunk| {
            let (head, tail) = chunk.split_at(8);
            let numbers = decode_f64s(tail);
            let n_present = head.iter().rev().fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
            Summary { n_present, min: numbers[0], max: numbers[1], sum: numbers[2] }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_bit_for_bit() {
        let frame = Frame {
            at: Timestamp::from_ms(7),
            values: vec![1.5, -0.0, 1e-300],
            cells: vec![Cell::Measured, Cell::Missing, Cell::Held],
        };
        let back = decode_frame(7, &encode_values(&frame.values), &encode_cells(&frame.cells)).unwrap();
        assert_eq!(back, frame);
        assert!(back.values[1].is_sign_negative());
        // 1.5 in IEEE 754, least byte first.
        assert_eq!(encode_values(&[1.5]), [0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
    }

    #[test]
    fn damaged_blobs_are_told_not_read() {
        assert!(decode_frame(0, &[0; 15], &[1, 1]).is_err());
        assert!(decode_frame(0, &[0; 8], &[9]).is_err());
        assert!(decode_detail(&[1, 0]).is_err());
        assert!(decode_detail(&[1, 0, 0, 0, 5]).is_err());
        assert!(decode_summaries(&[0; 33]).is_err());
    }

    #[test]
    fn summaries_add_up_and_come_back() {
        let mut summary = Summary::EMPTY;
        [3.0, -1.0, 4.0].iter().for_each(|v| summary.merge(&Summary::of(*v)));
        assert_eq!(summary, Summary { n_present: 3, min: -1.0, max: 4.0, sum: 6.0 });
        let both = [summary, Summary { n_present: 1 << 40, ..Summary::of(2.0) }];
        assert_eq!(decode_summaries(&encode_summaries(&both)).unwrap(), both);
    }
}
