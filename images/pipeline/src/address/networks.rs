//! The same knowledge as networks, for rules of firewalls: what has to be left out of a network, instead of what
//! an address is.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{GLOBAL_V6, INNERMOST, NAT64, SPECIAL_V4, SPECIAL_V6};

/// A network, and the parts of it that are left out. All of them are smaller than the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks {
    pub network: IpNet,
    pub except: Vec<IpNet>,
}

/// Everything that [`super::is_public`] calls public, without what [`super::innermost`] names. IPv4 addresses in
/// NAT64's network are judged, too.
pub fn public_networks() -> [Networks; 3] {
    let special_v4 = SPECIAL_V4.map(IpNet::V4);
    let v4 = Ipv4Net::default();
    let v4 = Networks::without(v4.into(), special_v4.into_iter().chain(INNERMOST));
    let translated = v4.except.iter().filter_map(|part| match part {
        IpNet::V4(part) => Some(translated(*part)),
        IpNet::V6(_) => None,
    });
    let nat64 = Networks::without(NAT64.into(), translated);
    let v6 = Networks::without(GLOBAL_V6.into(), SPECIAL_V6.map(IpNet::V6).into_iter().chain(INNERMOST));
    [v4, v6, nat64]
}

/// The network without the parts where machines and clouds tell their secrets.
pub fn without_innermost(network: IpNet) -> Networks {
    Networks::without(network, INNERMOST)
}

impl Networks {
    /// Leaves out what lies within the network, once.
    fn without(network: IpNet, parts: impl IntoIterator<Item = IpNet>) -> Self {
        let within = parts.into_iter().filter(|part| network.contains(part) && network != *part);
        let except = within.fold(Vec::new(), |mut except: Vec<IpNet>, part| {
            if !except.iter().any(|other| other.contains(&part)) {
                except.push(part);
            }
            except
        });
        Self { network, except }
    }
}

/// The IPv4 network as NAT64 has it.
fn translated(part: Ipv4Net) -> IpNet {
    let address = NAT64.addr().to_bits() | u128::from(part.addr().to_bits());
    Ipv6Net::new_assert(address.into(), NAT64.prefix_len() + part.prefix_len()).into()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::address::{embedded, innermost, is_public};

    fn holds(networks: &Networks, address: IpAddr) -> bool {
        networks.network.contains(&address) && !networks.except.iter().any(|part| part.contains(&address))
    }

    #[test]
    fn public_networks_hold_the_addresses_that_are_public_and_no_secret() {
        for address in [
            "8.8.8.8",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "168.63.129.16",
            "168.63.129.17",
            "169.254.169.254",
            "169.254.170.23",
            "172.15.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "223.255.255.255",
            "224.0.0.1",
            "2001:4860:4860::8888",
            "2001:db8::1",
            "2002:a00:1::",
            "fd00::1",
            "fd00:ec2::254",
            "fe80::1",
            "::1",
            "64:ff9b::808:808",
            "64:ff9b::a00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::a83f:8110",
            "64:ff9b:1::1",
        ] {
            let address: IpAddr = address.parse().unwrap();
            let is_one = |address: IpAddr| is_public(address) && innermost(address).is_none();
            let inner = embedded(address).into_iter().flatten().map(IpAddr::from);
            let expected = is_one(address) && inner.into_iter().all(is_one);
            let found = public_networks().iter().any(|networks| holds(networks, address));
            assert_eq!(found, expected, "{address}");
        }
    }

    #[test]
    fn secrets_are_left_out_of_larger_networks_alone() {
        let parts = |text: &str| {
            let Networks { network: _, except } = without_innermost(text.parse().unwrap());
            except.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(parts("fd00::/8"), ["fd00:ec2::/32", "fd20:ce::/32"]);
        assert_eq!(parts("100.64.0.0/10"), ["100.100.100.200/32"]);
        assert_eq!(parts("10.20.0.0/16"), [""; 0]);
        assert_eq!(parts("169.254.170.23/32"), [""; 0]);
        assert_eq!(parts("0.0.0.0/0").len(), 6);
        assert_eq!(parts("::/0").len(), 5);
    }
}
