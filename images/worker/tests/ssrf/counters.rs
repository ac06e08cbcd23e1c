//! Counts of the packets that left towards blocked networks, by nftables.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, TcpStream},
    process::{Command, Stdio},
};

use ipnet::IpNet;
use serde_json::Value;

use crate::{namespace, site::Site};

/// What may not be asked. Written down apart from the guard's own list.
pub(crate) const BLOCKED: [&str; 36] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "::ffff:0:0/96",
    "::ffff:0:0:0/96",
    "64:ff9b::a00:0/104",
    "64:ff9b::7f00:0/104",
    "64:ff9b::a9fe:0/112",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2606:4700::5efe:a00:0/104",
    "2606:4700::200:5efe:a9fe:0/112",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::/32",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Connections begun to public addresses at ports that are not a web server's, apart from DNS.
pub(crate) const OTHER_PORTS: &str = "other ports";

/// Counts what leaves this namespace; what goes to the allowed networks is not counted.
pub(crate) fn start(allowed: &[&str]) {
    let family = |network: &str| if network.contains(':') { "ip6" } else { "ip" };
    let pass = allowed.iter().map(|network| format!("{} daddr {network} accept\n", family(network)));
    let count = BLOCKED
        .iter()
        .map(|network| format!("{} daddr {network} counter comment \"{network}\"\n", family(network)));
    let rules: String = pass.chain(count).collect();
    nft(&format!(
        "table inet guard {{
            chain output {{
                type filter hook output priority 0;
                {rules}
                tcp flags & (syn | ack) == syn tcp dport != {{ 53, 80, 443 }} counter comment \"{OTHER_PORTS}\"
            }}
        }}"
    ));
}

/// The packets towards each blocked network, but for those of none.
pub(crate) fn read() -> BTreeMap<String, u64> {
    let output = Command::new("nft").args(["--json", "list", "table", "inet", "guard"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = listed["nftables"].as_array().unwrap().iter().map(|entry| &entry["rule"]);
    let counted = rules.filter_map(|rule| {
        let comment = rule["comment"].as_str()?;
        let packets = rule["expr"].as_array()?.iter().find_map(|part| part["counter"]["packets"].as_u64());
        Some((comment.to_owned(), packets.unwrap()))
    });
    let counted: BTreeMap<String, u64> = counted.collect();
    assert_eq!(counted.len(), BLOCKED.len() + 1, "a rule is missing");
    counted.into_iter().filter(|(_, packets)| *packets > 0).collect()
}

/// Fails where a packet was sent towards a blocked network.
pub(crate) fn assert_silence() {
    assert_eq!(read(), BTreeMap::new(), "packets were sent");
}

fn nft(rules: &str) {
    let mut child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "nft did not take:\n{rules}");
}

/// The other tests prove nothing where this one does not hold.
#[test]
fn packets_to_blocked_networks_are_counted_and_every_address_answers() {
    let test = "counters::packets_to_blocked_networks_are_counted_and_every_address_answers";
    namespace::run(test, async {
        Site::start();
        start(&[]);
        assert_silence();
        // These the kernel itself does not send, or sends as IPv4.
        let never_sent = ["0.0.0.0/8", "224.0.0.0/4", "::ffff:0:0/96", "fe80::/10", "ff00::/8"];
        for network in BLOCKED.iter().filter(|network| !never_sent.contains(network)) {
            let network: IpNet = network.parse().unwrap();
            ask(network.hosts().nth(1).unwrap_or(network.addr()), 80);
            assert!(read().contains_key(&network.to_string()), "{network} is not counted");
        }
        ask([8, 8, 8, 8].into(), 8080);
        assert!(read().contains_key(OTHER_PORTS));
    });
}

fn ask(address: IpAddr, port: u16) {
    let mut stream = TcpStream::connect((address, port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{address}: {answer}");
}
