//! The simulated plant of the demo: machines, rhythm, noise and labelled faults, all from one seed.
//!
//! [`Plant`] is a pure iterator over event time: the same [`PlantSpec`] yields the same rows, byte by byte. It
//! knows no clock and no broker. Physics comes first (pumps and compressors), sensors
//! add noise, and a [`Schedule`] of [`Fault`]s bends what the sensors report. [`write_recording`] turns a plant into
//! the CSV recordings under `tests/data`; [`start_broker`] and [`Publisher`] put it on real MQTT.

mod broker;
mod compressor;
mod demand;
mod fault;
mod machine;
mod plan;
mod plant;
mod publisher;
mod pump;
mod recording;
mod schedule;
mod sensor;
mod tally;

pub use broker::{BrokerError, start_broker};
pub use fault::{Fault, FaultKind};
pub use machine::MachineKind;
pub use plan::{DEMO_ALARM_BUDGET, DemoPlan, WARM_UP_ROWS};
pub use plant::{MACHINES, Plant, PlantRow, PlantSpec};
pub use publisher::{Heard, PUBLISHER_TOPIC, PublishError, Publisher};
pub use recording::write_recording;
pub use schedule::Schedule;
pub use tally::{Cause, FaultReport, Report, Tally};
