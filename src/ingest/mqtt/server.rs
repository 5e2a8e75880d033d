//! The address of a broker: `mqtt://host:1883`, `mqtts://host`.

use std::fmt;

/// Where a broker is and whether the way there is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// True for `mqtts`.
    pub is_tls: bool,
}

/// Why a text is not the address of a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a broker's address; allowed: mqtt://host[:1883], mqtts://host[:8883], or host[:port]")]
pub struct ServerError {
    /// The text.
    pub found: String,
}

impl Server {
    /// Reads an address; `tcp` and `ssl` are taken as other names of `mqtt` and `mqtts`.
    ///
    /// # Errors
    /// When the scheme is another one, there is no host, the port is none, or there is more than host and port.
    pub fn parse(text: &str) -> Result<Self, ServerError> {
        let error = || ServerError { found: text.chars().take(200).collect() };
        let (is_tls, rest) = match text.trim().split_once("://") {
            Some(("mqtt" | "tcp", rest)) => (false, rest),
            Some(("mqtts" | "ssl", rest)) => (true, rest),
            None => (false, text.trim()),
            Some(_) => return Err(error()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let default_port = if is_tls { 8883 } else { 1883 };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(error)?)),
            None => match rest.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = port.map_or(Ok(default_port), |port| port.parse().map_err(|_| error()))?;
        let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
        if !is_host || port == 0 {
            return Err(error());
        }
        Ok(Self { host: host.to_owned(), port, is_tls })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "mqtts" } else { "mqtt" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Server::parse(text).ok().map(|server| server.to_string()).as_deref(), expected, "{text}");
        };
        check("mqtt://localhost", Some("mqtt://localhost:1883"));
        check("mqtt://localhost:1884/", Some("mqtt://localhost:1884"));
        check("mqtts://broker.example", Some("mqtts://broker.example:8883"));
        check("tcp://10.0.0.1:1883", Some("mqtt://10.0.0.1:1883"));
        check("broker", Some("mqtt://broker:1883"));
        check("[::1]:1884", Some("mqtt://[::1]:1884"));
        check("mqtt://[::1]", Some("mqtt://[::1]:1883"));
        check("http://broker", None);
        check("mqtt://", None);
        check("mqtt://broker:port", None);
        check("mqtt://broker:0", None);
        check("mqtt://user:secret@broker", None);
        check("mqtt://broker/path", None);
        check("", None);
    }
}
