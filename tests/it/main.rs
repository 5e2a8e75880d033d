//! Tests of the whole program, one file per subject.

// A test that cannot go on fails where it stands, in its helpers as well as in its body.
#![allow(clippy::unwrap_used)]

mod adaptation;
mod alerts;
mod allocation;
mod architecture;
mod arrivals;
mod batching;
mod browser;
mod budgets;
mod channels_of_notice;
mod cli;
mod config;
mod deeds;
mod detection;
mod docs;
mod durability;
mod fleets;
mod gradients;
mod http;
mod interchange;
mod judge;
mod kept;
mod licences;
mod lifecycle;
mod metrics;
mod migrations;
mod mosquitto;
mod mqtt;
mod network_docs;
mod networks;
mod notify;
mod numerics;
mod outcomes;
mod page;
mod page_live;
mod page_zoom;
mod plant;
mod power;
mod query;
mod recording;
mod running;
mod served;
mod store;
mod telemetry;
mod together;
mod watches;
mod worth_telling;
