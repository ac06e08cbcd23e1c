//! Which URLs and addresses a tenant may have asked: the public internet's, and those in networks that the
//! pipeline names.
//!
//! Everything here is pure. A URL is judged before anything is asked, and an address by whoever is about to
//! connect to it. What a name resolves to is not looked up here.

use std::net::IpAddr;

use ipnet::IpNet;
use pipeline::{
    address,
    place::{Place, place},
};
use url::{Host, Url};

/// Ports that may be asked anywhere. What else listens on a web server's address is not the site.
const WEB_PORTS: [u16; 2] = [80, 443];

/// Decides over URLs and addresses. Whoever connects asks for the very address that it connects to.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Networks that are allowed although they are not public, with all their ports.
    pub private_networks: Vec<IpNet>,
}

/// Where a URL may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses, and into the networks that the pipeline names.
    Public,
    /// Into the networks that the pipeline names, and nowhere else.
    Named,
}

/// Why a URL is not asked. The message is for the site's owner.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error("{0} is neither http nor https")]
    Scheme(String),
    #[error("a URL with a user or a password is not asked: leave it out of {0}")]
    Credentials(String),
    #[error("{0} has no host")]
    NoHost(String),
    #[error("{0} means the machine that asks, where no origin lies")]
    Localhost(String),
    #[error("{0} is not a public address, and not in a network that this pipeline allows (privateNetworks)")]
    Address(String),
    #[error(
        "{0} is not a public name, and this pipeline allows no network that its address could be in \
         (privateNetworks)"
    )]
    Name(String),
    #[error(
        "port {port} of {host} is not asked: use 80 or 443, or have the pipeline allow the network of its \
         address (privateNetworks)"
    )]
    Port { host: String, port: u16 },
}

impl Guard {
    /// Judges a URL as it stands, its address included where that is written in it. For a name, tells which
    /// of its addresses may be asked.
    pub fn check(&self, url: &Url) -> Result<Reach, Refusal> {
        let port = match (url.scheme(), url.port_or_known_default()) {
            ("http" | "https", Some(port)) => port,
            (scheme, _) => return Err(Refusal::Scheme(scheme.to_owned())),
        };
        let host = url.host().ok_or_else(|| Refusal::NoHost(url.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials(host.to_string()));
        }
        let reach = if WEB_PORTS.contains(&port) { Reach::Public } else { Reach::Named };
        match host {
            Host::Ipv4(address) => self.check_address(reach, address.into(), port),
            Host::Ipv6(address) => self.check_address(reach, address.into(), port),
            Host::Domain(name) => self.check_name(reach, name, port),
        }
    }

    /// Whether a URL with this reach may be asked at this address.
    pub fn allows(&self, reach: Reach, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allows_itself(reach, address)
            && address::embedded(address)
                .into_iter()
                .flatten()
                .all(|inner| self.allows_itself(Reach::Public, inner.into()))
    }

    /// Judges an address without looking into it.
    fn allows_itself(&self, reach: Reach, address: IpAddr) -> bool {
        let mut named = self.private_networks.iter().filter(|network| network.contains(&address));
        match address::innermost(address) {
            Some(innermost) => named.any(|network| innermost.contains(network)),
            None => named.next().is_some() || (reach == Reach::Public && address::is_public(address)),
        }
    }

    fn check_address(&self, reach: Reach, address: IpAddr, port: u16) -> Result<Reach, Refusal> {
        if self.allows(reach, address) {
            Ok(reach)
        } else if self.allows(Reach::Public, address) {
            Err(Refusal::Port { host: address.to_string(), port })
        } else {
            Err(Refusal::Address(address.to_string()))
        }
    }

    fn check_name(&self, reach: Reach, name: &str, port: u16) -> Result<Reach, Refusal> {
        match place(name) {
            Place::Here => Err(Refusal::Localhost(name.to_owned())),
            // Without a network there is nothing that its address could be in, so DNS is not asked either.
            Place::Inside if self.private_networks.is_empty() => Err(Refusal::Name(name.to_owned())),
            Place::Inside => Ok(Reach::Named),
            Place::Public if reach == Reach::Named && self.private_networks.is_empty() => {
                Err(Refusal::Port { host: name.to_owned(), port })
            }
            Place::Public => Ok(reach),
        }
    }
}

#[cfg(test)]
mod tests;
