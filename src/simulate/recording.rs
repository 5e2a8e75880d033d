//! A plant as a CSV recording: the form that `kilter score` and `kilter publish` read.

use std::io::{self, Write};

use super::plant::{MACHINES, Plant};

/// Writes the next `n_rows` rows of one machine: `timestamp`, its channels, and `label` (1 while a fault lasts).
///
/// # Errors
/// When writing fails, or no machine of the plant has that name.
pub fn write_recording(plant: &mut Plant, series: &str, n_rows: usize, out: impl Write) -> io::Result<()> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("the plant has no machine {series:?}"));
    let (_, kind) = MACHINES.into_iter().find(|(name, _)| *name == series).ok_or_else(unknown)?;
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["timestamp"].iter().chain(kind.channels()).chain(&["label"]))?;
    for row in plant.filter(|row| row.series.as_str() == series).take(n_rows) {
        let mut record = vec![row.at.to_string()];
        record.extend(row.values.iter().map(f64::to_string));
        record.push(u8::from(row.is_faulty).to_string());
        csv.write_record(&record)?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Stride, Timestamp};
    use crate::simulate::{PlantSpec, Schedule};

    #[test]
    fn a_recording_has_a_header_a_line_per_row_and_the_truth_at_the_end() {
        let spec = PlantSpec { seed: 1, starts_at: Timestamp::from_ms(1_795_478_400_000), stride: Stride::SECOND };
        let schedule = Schedule::spread(&spec, 4, 100, 700);
        let fault = schedule.faults_of("pump-1").next().expect("one of four faults is the first pump's").clone();
        let mut out = Vec::new();
        write_recording(&mut Plant::new(spec, schedule), "pump-1", 700, &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "timestamp,load,current,temperature,pressure,flow,vibration,level,label");
        assert_eq!(lines.len(), 701);
        assert!(lines[1].starts_with("2026-11-24T00:00:00Z,"));
        assert_eq!(lines.iter().filter(|line| line.ends_with(",1")).count(), fault.n_rows);
    }

    #[test]
    fn an_unknown_machine_is_refused() {
        let spec = PlantSpec { seed: 1, starts_at: Timestamp::from_ms(0), stride: Stride::SECOND };
        let mut plant = Plant::new(spec, Schedule::clean());
        assert!(write_recording(&mut plant, "pump-9", 1, io::sink()).is_err());
    }
}
