use super::*;

fn guard(networks: &[&str]) -> Guard {
    Guard { private_networks: networks.iter().map(|text| text.parse().unwrap()).collect() }
}

fn check(guard: &Guard, url: &str) -> Result<Reach, Refusal> {
    guard.check(&url.parse().unwrap())
}

fn is_allowed(guard: &Guard, address: &str) -> bool {
    guard.allows(Reach::Public, address.parse().unwrap())
}

#[test]
fn special_addresses_are_refused_in_every_form() {
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.23",
        "172.31.255.255",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::8.8.8.8",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "fc00::1",
        "fd00:ec2::23",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "2001::1",
        "2001:db8::1",
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:169.254.169.254",
    ] {
        assert!(!is_allowed(&Guard::default(), address), "{address}");
    }
}

#[test]
fn public_addresses_pass() {
    for address in [
        "1.1.1.1",
        "93.184.215.14",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2606:4700::5efe:8.8.8.8",
    ] {
        assert!(is_allowed(&Guard::default(), address), "{address}");
        assert!(!Guard::default().allows(Reach::Named, address.parse().unwrap()), "{address}");
    }
}

#[test]
fn large_networks_open_neither_loopback_nor_metadata() {
    let guard = guard(&["0.0.0.0/0", "0.0.0.0/2", "126.0.0.0/7", "168.0.0.0/6", "100.64.0.0/10", "::/0"]);
    assert!(is_allowed(&guard, "10.0.0.1"));
    for address in [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.169.254",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "::",
        "::1",
        "fe80::1",
        "fd00:ec2::23",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:127.0.0.1",
    ] {
        assert!(!is_allowed(&guard, address), "{address}");
    }
    assert!(is_allowed(&self::guard(&["127.0.0.0/8"]), "127.0.0.1"));
    assert!(is_allowed(&self::guard(&["::1/128"]), "::1"));
}

#[test]
fn named_networks_pass_and_open_nothing_else() {
    let guard = guard(&["10.96.0.0/16"]);
    assert!(is_allowed(&guard, "10.96.3.4"));
    assert!(is_allowed(&guard, "::ffff:10.96.3.4"));
    assert!(!is_allowed(&guard, "10.97.0.1"));
    assert!(!is_allowed(&guard, "127.0.0.1"));
    assert!(guard.allows(Reach::Named, "10.96.3.4".parse().unwrap()));
    assert!(!guard.allows(Reach::Named, "8.8.8.8".parse().unwrap()));
}

#[test]
fn naming_a_network_of_tunnels_does_not_open_what_they_lead_to() {
    let guard = guard(&["64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96"]);
    for (address, expected) in [
        ("64:ff9b:1::808:808", true),
        ("64:ff9b:1:2::808:808", true),
        ("64:ff9b:1::a00:1", false),
        ("64:ff9b:1::a9fe:a9fe", false),
        // 10.0.0.1 behind a prefix of 48 bits.
        ("64:ff9b:1:a00:0:100:808:808", false),
        ("2002:808:808::1", true),
        ("2002:a9fe:a9fe::1", false),
        // The server 8.8.8.8, and the client 8.8.4.4 or 10.0.0.1.
        ("2001:0:808:808::f7f7:fbfb", true),
        ("2001:0:808:808::f5ff:fffe", false),
        ("2001:0:a00:1::f7f7:fbfb", false),
        ("::808:808", true),
        ("::a00:1", false),
        ("::ffff:0:808:808", true),
        ("::ffff:0:7f00:1", false),
    ] {
        assert_eq!(is_allowed(&guard, address), expected, "{address}");
    }
}

#[test]
fn other_ports_are_for_named_networks() {
    let (none, some) = (Guard::default(), guard(&["10.96.0.0/16"]));
    for url in ["http://a.example", "https://a.example", "http://a.example:443", "https://8.8.8.8:80"] {
        assert_eq!(check(&none, url), Ok(Reach::Public), "{url}");
    }
    for (url, host) in [("http://a.example:8080", "a.example"), ("http://8.8.8.8:8080", "8.8.8.8")] {
        let refusal = Refusal::Port { host: host.to_owned(), port: 8080 };
        assert_eq!(check(&none, url), Err(refusal), "{url}");
    }
    // Which addresses the name has is not known yet.
    assert_eq!(check(&some, "http://a.example:8080"), Ok(Reach::Named));
    assert_eq!(check(&some, "http://10.96.0.7:8080"), Ok(Reach::Named));
    assert!(matches!(check(&some, "http://8.8.8.8:22"), Err(Refusal::Port { port: 22, .. })));
    assert!(matches!(check(&some, "http://10.97.0.7:22"), Err(Refusal::Address(_))));
}

#[test]
fn names_of_networks_lead_nowhere_else() {
    let (none, some) = (Guard::default(), guard(&["10.96.0.0/16"]));
    for url in ["http://origin", "http://origin.shop.svc", "http://metadata.google.internal"] {
        assert!(matches!(check(&none, url), Err(Refusal::Name(_))), "{url}");
        assert_eq!(check(&some, url), Ok(Reach::Named), "{url}");
    }
    for url in ["http://localhost", "http://LOCALHOST.:8080", "https://a.localhost"] {
        assert!(matches!(check(&some, url), Err(Refusal::Localhost(_))), "{url}");
    }
}

#[test]
fn refusals_show_no_password() {
    let refusal = check(&Guard::default(), "http://user:secret@a.example/").unwrap_err();
    assert_eq!(refusal, Refusal::Credentials("a.example".to_owned()));
    assert_eq!(
        check(&Guard::default(), "file:///etc/passwd").unwrap_err().to_string(),
        "file is neither http nor https"
    );
}
