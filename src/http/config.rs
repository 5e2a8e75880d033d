//! The `[http]` section.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where the API and the page are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// False serves nothing: no page, no API, no metrics.
    pub enabled: bool,
    /// Address and port. The default is reachable from this machine only, because there is no log-in: whoever reaches
    /// the page can acknowledge and label. Port 0 takes a free one.
    pub listen: SocketAddr,
}

impl HttpConfig {
    /// The address without a configuration.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8181);
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { enabled: true, listen: Self::LISTEN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_listens_on_loopback() {
        let config: HttpConfig = toml::from_str("").unwrap();
        assert_eq!(config, HttpConfig::default());
        assert!(config.listen.ip().is_loopback());
        assert!(toml::from_str::<HttpConfig>("lisen = \"0.0.0.0:80\"").is_err());
    }
}
