//! What kind of address an address is, and which addresses it stands for.

mod networks;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use networks::{Networks, public_networks, without_innermost};

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

/// IPv4 as IPv6-only clusters reach it (NAT64, RFC 6052): as public as the address that it carries.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);

/// NAT64 within a site (RFC 8215).
const LOCAL_NAT64: Ipv6Net = v6([0x64, 0xff9b, 1], 48);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0], 16);
const TEREDO: Ipv6Net = v6([0x2001, 0, 0], 32);
const COMPATIBLE: Ipv6Net = v6([0, 0, 0], 96);
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96);

/// Where the machine itself answers, or the cloud tells it its secrets. A larger network does not open them:
/// only one that lies within them and so names them.
const INNERMOST: [IpNet; 11] = [
    IpNet::V4(v4(0, 0, 0, 0, 8)),
    IpNet::V4(v4(127, 0, 0, 0, 8)),
    IpNet::V4(v4(169, 254, 0, 0, 16)),
    // Metadata of Alibaba Cloud, of Oracle Cloud, and of Azure, whose address is a public one.
    IpNet::V4(v4(100, 100, 100, 200, 32)),
    IpNet::V4(v4(192, 0, 0, 192, 32)),
    IpNet::V4(v4(168, 63, 129, 16, 32)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    IpNet::V6(v6([0xfe80, 0, 0], 10)),
    // Metadata, DNS and pod identity of AWS; metadata of Google Cloud.
    IpNet::V6(v6([0xfd00, 0xec2, 0], 32)),
    IpNet::V6(v6([0xfd20, 0xce, 0], 32)),
];

/// Whether everybody on the internet may ask this address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) if NAT64.contains(&address) => true,
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// The network of machine or cloud secrets that the address lies in.
pub fn innermost(address: IpAddr) -> Option<&'static IpNet> {
    INNERMOST.iter().find(|network| network.contains(&address))
}

/// The IPv4 addresses that a packet to this address may be sent on to, or that share its host: at most the
/// two of Teredo.
pub fn embedded(address: IpAddr) -> [Option<Ipv4Addr>; 2] {
    let IpAddr::V6(address) = address else { return [None, None] };
    let [.., a, b, c, d] = address.octets();
    let last = Ipv4Addr::new(a, b, c, d);
    let [_, second, third, fourth, fifth, sixth, ..] = address.segments();
    if SIX_TO_FOUR.contains(&address) {
        [Some(join(second, third)), None]
    } else if TEREDO.contains(&address) {
        // The server, and the client, whose address is written inverted (RFC 4380 §4).
        [Some(join(third, fourth)), Some(Ipv4Addr::from_bits(!last.to_bits()))]
    } else if LOCAL_NAT64.contains(&address) && (fifth, sixth) != (0, 0) {
        // The IPv4 address may stand elsewhere than at the end (RFC 6052 §2.2): it is not searched for.
        [Some(Ipv4Addr::UNSPECIFIED), None]
    } else if is_translation(address) || is_isatap(fifth, sixth) {
        [Some(last), None]
    } else {
        [None, None]
    }
}

/// Whether the last four bytes are an IPv4 address by the network that they lie in.
fn is_translation(address: Ipv6Addr) -> bool {
    // The first 65,536 of the compatible ones are no IPv4 addresses, but `::` and `::1`.
    let is_compatible = COMPATIBLE.contains(&address) && address.to_bits() > 0xffff;
    is_compatible || [NAT64, LOCAL_NAT64, TRANSLATED].iter().any(|network| network.contains(&address))
}

/// The interface identifier of a tunnel through IPv4 (RFC 5214 §6.1), in whatever network.
fn is_isatap(fifth: u16, sixth: u16) -> bool {
    matches!((fifth, sixth), (0x0000 | 0x0200, 0x5efe))
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}
