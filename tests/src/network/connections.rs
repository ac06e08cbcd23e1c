//! The connections that this machine's kernel has tracked. Nodes and pods of the local cluster are behind its own
//! bridge, whose packets go through its filter, so that it knows all of theirs; a TCP connection that has ended for
//! two minutes more, one that was reset for ten seconds.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context, Result};

use super::Protocol;

const TRACKED: &str = "/proc/net/nf_conntrack";

/// One tracked connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tracked {
    pub protocol: Protocol,
    /// Who has connected.
    pub from: SocketAddr,
    /// What was asked for: with a Service, its own address.
    pub asked: SocketAddr,
    /// What was reached instead, as a Service leads to a pod.
    pub reached: SocketAddr,
    /// As whom the connection came there: a node, where it was passed on in a node's name.
    pub seen_from: IpAddr,
}

/// All of TCP and UDP.
pub fn read() -> Result<BTreeSet<Tracked>> {
    let text = fs::read_to_string(TRACKED).with_context(|| {
        format!("cannot read {TRACKED}: run this as root, on a kernel with CONFIG_NF_CONNTRACK_PROCFS")
    })?;
    Ok(parse(&text))
}

/// What is of another protocol is left out.
fn parse(text: &str) -> BTreeSet<Tracked> {
    text.lines().filter_map(parse_line).collect()
}

/// `ipv4 2 tcp 6 117 TIME_WAIT src=… dst=… sport=… dport=… src=… dst=… sport=… dport=… …`: the connection as it
/// began, and as its answers come.
fn parse_line(line: &str) -> Option<Tracked> {
    let protocol = Protocol::parse(line.split_whitespace().nth(2)?).ok()?;
    let values = |name: &str| {
        let mut found = line.split_whitespace().filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Some((found.next()?, found.next()?))
    };
    let address =
        |address: &str, port: &str| Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?));
    let ((source, answering), (asked, answered)) = (values("src")?, values("dst")?);
    let ((source_port, answering_port), (asked_port, _)) = (values("sport")?, values("dport")?);
    Some(Tracked {
        protocol,
        from: address(source, source_port)?,
        asked: address(asked, asked_port)?,
        reached: address(answering, answering_port)?,
        seen_from: answered.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
ipv4     2 tcp      6 12 TIME_WAIT src=10.244.11.25 dst=10.88.0.1 sport=46768 dport=5000 src=10.88.0.1 dst=10.244.11.25 sport=5000 dport=46768 [ASSURED] mark=0 zone=0 use=2
ipv4     2 udp      17 9 src=10.244.13.3 dst=10.96.0.10 sport=53384 dport=53 src=10.244.11.2 dst=10.244.13.3 sport=53 dport=53384 mark=0 zone=0 use=2
ipv4     2 tcp      6 86399 ESTABLISHED src=127.0.0.2 dst=127.0.0.1 sport=40000 dport=30080 src=10.244.12.7 dst=10.244.0.1 sport=8080 dport=61000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 110 SYN_SENT src=10.244.11.25 dst=10.0.0.9 sport=46770 dport=80 [UNREPLIED] src=10.0.0.9 dst=10.244.11.25 sport=80 dport=46770 mark=0 zone=0 use=2
ipv6     10 tcp      6 5 CLOSE src=fd00::1 dst=fd00::2 sport=1 dport=2 src=fd00::2 dst=fd00::1 sport=2 dport=1 mark=0 zone=0 use=2
ipv4     2 icmp     1 29 src=10.88.0.1 dst=10.88.0.2 type=8 code=0 id=1 src=10.88.0.2 dst=10.88.0.1 type=0 code=0 id=1 mark=0 zone=0 use=2
";

    #[test]
    fn connections_are_read_as_they_began_and_as_they_came() {
        let tracked = |protocol, from: &str, asked: &str, reached: &str, seen_from: &str| Tracked {
            protocol,
            from: from.parse().unwrap(),
            asked: asked.parse().unwrap(),
            reached: reached.parse().unwrap(),
            seen_from: seen_from.parse().unwrap(),
        };
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        let expected = [
            tracked(tcp, "10.244.11.25:46768", "10.88.0.1:5000", "10.88.0.1:5000", "10.244.11.25"),
            tracked(udp, "10.244.13.3:53384", "10.96.0.10:53", "10.244.11.2:53", "10.244.13.3"),
            tracked(tcp, "127.0.0.2:40000", "127.0.0.1:30080", "10.244.12.7:8080", "10.244.0.1"),
            // Nobody has answered: it was asked all the same.
            tracked(tcp, "10.244.11.25:46770", "10.0.0.9:80", "10.0.0.9:80", "10.244.11.25"),
            tracked(tcp, "[fd00::1]:1", "[fd00::2]:2", "[fd00::2]:2", "fd00::1"),
        ];
        assert_eq!(parse(TEXT), expected.into());
        assert!(parse("").is_empty() && parse("ipv4 2 tcp 6 12 TIME_WAIT src=a dst=b").is_empty());
    }
}
