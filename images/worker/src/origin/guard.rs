//! Which addresses may be asked: the public ones, and the private networks that the pipeline names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 networks that are not the public internet (IANA's special-purpose registry, RFC 6890).
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// All of IPv6 that is globally routed lies in here (RFC 4291 §2.4).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Parts of it that are not: protocol assignments with Teredo, documentation, 6to4.
const SPECIAL_V6: [Ipv6Net; 4] =
    [v6([0x2001, 0, 0], 23), v6([0x2001, 0x0db8, 0], 32), v6([0x2002, 0, 0], 16), v6([0x3fff, 0, 0], 20)];

/// Loopback and link-local addresses, cloud metadata among them. A larger network does not open them:
/// only one that lies within them and so names them.
const INNERMOST: [IpNet; 4] = [
    IpNet::V4(v4(127, 0, 0, 0, 8)),
    IpNet::V4(v4(169, 254, 0, 0, 16)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    IpNet::V6(v6([0xfe80, 0, 0], 10)),
];

/// Decides over addresses. Whoever connects asks for the very address that it connects to.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Networks that are allowed although they are not public.
    pub private_networks: Vec<IpNet>,
}

impl Guard {
    /// Whether a tenant's origin may have this address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut named = self.private_networks.iter().filter(|network| network.contains(&address));
        match INNERMOST.iter().find(|network| network.contains(&address)) {
            Some(innermost) => named.any(|network| innermost.contains(network)),
            None => named.next().is_some() || is_public(address),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused_in_every_form() {
        let guard = Guard::default();
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!guard.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(Guard::default().allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn large_networks_open_neither_loopback_nor_metadata() {
        let private_networks =
            ["0.0.0.0/0", "126.0.0.0/7", "168.0.0.0/6", "::/0"].map(|text| text.parse().unwrap());
        let guard = Guard { private_networks: private_networks.to_vec() };
        assert!(guard.allows("10.0.0.1".parse().unwrap()));
        for address in ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1"] {
            assert!(!guard.allows(address.parse().unwrap()), "{address}");
        }
        let named = Guard { private_networks: vec!["127.0.0.0/8".parse().unwrap()] };
        assert!(named.allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn named_networks_pass_and_open_nothing_else() {
        let guard = Guard { private_networks: vec!["10.96.0.0/16".parse().unwrap()] };
        assert!(guard.allows("10.96.3.4".parse().unwrap()));
        assert!(guard.allows("::ffff:10.96.3.4".parse().unwrap()));
        assert!(!guard.allows("10.97.0.1".parse().unwrap()));
        assert!(!guard.allows("127.0.0.1".parse().unwrap()));
    }
}
