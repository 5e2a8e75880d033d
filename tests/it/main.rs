//! Tests of the whole program, one file per subject.

mod architecture;
mod cli;
mod config;
mod detection;
mod durability;
mod docs;
mod http;
mod judge;
mod licences;
mod lifecycle;
mod metrics;
mod migrations;
mod mosquitto;
mod mqtt;
mod notify;
mod numerics;
mod outcomes;
mod page;
mod plant;
mod query;
mod recording;
mod served;
mod store;
