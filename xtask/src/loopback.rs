//! Hosts that are this machine to whoever asks for them.

use std::net::IpAddr;

/// Of a host, with or without a port.
pub fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_judged_without_its_port() {
        for own in ["localhost", "localhost:5001", "127.0.0.1", "127.9.0.1:80", "[::1]", "[::1]:80"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["localhost.example", "10.88.0.1:5000", "[fd00::1]:80", "registry.example:5001", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
