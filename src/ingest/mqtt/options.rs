//! A checked section and a server to what the client crate wants to know. Files and environment are read here.

use std::path::PathBuf;

use rumqttc::{MqttOptions, TlsConfiguration, TlsError, Transport};

use super::{MqttParams, Server};

/// Holds the password when the section names no other place; wins over `password`.
const PASSWORD_VARIABLE: &str = "KILTER_MQTT_PASSWORD";

/// Publishes that wait for their acknowledgement at most. The client crate walks over the place of each at every flush,
/// so that its default of 65,535 costs more than everything else; brokers take 20 to a few hundred anyway.
const PUBLISHES_UNDER_WAY: u16 = 256;

/// Why a connection cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A file of the section cannot be read.
    #[error("{key} {}: {cause}", path.display())]
    File {
        /// Key inside the section.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The environment has no password.
    #[error("environment variable {name} (password_env): {cause}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong with it.
        cause: std::env::VarError,
    },
    /// The system's certificates cannot be read.
    #[error("the system's certificates: {0}")]
    Certificates(#[from] TlsError),
}

/// What every connection to this server shares: address, name, log-in, encryption, keep-alive. Sessions and
/// acknowledgements are left as the client crate has them.
///
/// # Errors
/// When a file or the password cannot be read.
pub fn connect_options(params: &MqttParams, server: &Server, client_id: &str) -> Result<MqttOptions, OptionsError> {
    let config = &params.config;
    let mut options = MqttOptions::new(client_id, (server.host.as_str(), server.port));
    options.set_outgoing_inflight_upper_limit(PUBLISHES_UNDER_WAY);
    options.set_keep_alive(u16::try_from(config.keep_alive.as_ms() / 1000).unwrap_or(u16::MAX));
    if let Some(username) = &config.username {
        match password(params)? {
            Some(password) => options.set_credentials(username, password),
            None => options.set_username(username),
        };
    }
    if server.is_tls {
        options.set_transport(Transport::tls_with_config(tls(params)?));
    }
    Ok(options)
}

fn read(key: &'static str, path: &PathBuf) -> Result<Vec<u8>, OptionsError> {
    std::fs::read(path).map_err(|cause| OptionsError::File { key, path: path.clone(), cause })
}

fn password(params: &MqttParams) -> Result<Option<Vec<u8>>, OptionsError> {
    let config = &params.config;
    if let Some(path) = &config.password_file {
        let mut bytes = read("password_file", path)?;
        // Editors end the file with a line break, which belongs to no password.
        while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            bytes.pop();
        }
        return Ok(Some(bytes));
    }
    if let Some(name) = &config.password_env {
        let password = std::env::var(name);
        return password
            .map(|text| Some(text.into_bytes()))
            .map_err(|cause| OptionsError::Environment { name: name.clone(), cause });
    }
    let from_environment = std::env::var(PASSWORD_VARIABLE).ok();
    Ok(from_environment.or_else(|| config.password.clone()).map(String::into_bytes))
}

fn tls(params: &MqttParams) -> Result<TlsConfiguration, OptionsError> {
    let config = &params.config;
    let Some(ca) = &config.tls_ca else {
        return Ok(TlsConfiguration::try_default_rustls()?);
    };
    let client_auth = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => Some((read("tls_cert", cert)?, read("tls_key", key)?)),
        _ => None,
    };
    Ok(TlsConfiguration::Simple { ca: read("tls_ca", ca)?, alpn: None, client_auth })
}
