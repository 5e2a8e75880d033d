//! An MQTT broker inside this process, on loopback: for the demo and for tests that need no persistence.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// How long the broker may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// No free port on loopback, or no thread.
    #[error("the embedded broker cannot start: {0}")]
    Io(#[from] io::Error),
    /// It does not answer.
    #[error("the embedded broker does not answer on {address} after {} s", START_TIMEOUT.as_secs())]
    Silent {
        /// Where it should listen.
        address: SocketAddr,
    },
}

/// Starts a broker that speaks MQTT 5 on a free port of loopback and returns its address once it answers. It ends
/// with the process and keeps nothing.
///
/// # Errors
/// When no port is free, or the broker does not answer within five seconds.
pub fn start_broker() -> Result<SocketAddr, BrokerError> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = broker_config(address);
    thread::Builder::new().name("broker".to_owned()).spawn(move || {
        // It returns only when all its listeners have ended; the caller notices by the lost connection.
        let _ = Broker::new(config).start();
    })?;
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err(BrokerError::Silent { address });
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(address)
}

fn broker_config(address: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5000,
        max_payload_size: 1 << 20,
        max_inflight_count: 500,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "loopback".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: 32,
        max_outgoing_packet_count: 200,
        max_segment_size: 16 << 20,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    Config { router, v5: Some(HashMap::from([("loopback".to_owned(), server)])), ..Config::default() }
}
