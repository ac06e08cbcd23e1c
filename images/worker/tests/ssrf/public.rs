//! What must pass. Only judged: nothing public is asked by a test.

use std::{collections::BTreeSet, net::IpAddr};

use url::{Host, Url};
use worker::origin::Reach;

use crate::{guard, targets};

const V4: [&str; 4] = ["8.8.8.8", "93.184.215.14", "172.32.0.1", "223.255.255.254"];
const V6: [&str; 3] = ["2606:4700::1111", "2a00:1450:4001:80b::200e", "2620:fe::fe"];

/// Names that look like what is blocked, and others.
const NAMES: [&str; 30] = [
    "www.shop.example",
    "WWW.SHOP.EXAMPLE",
    "www.shop.example.",
    "www.shop.example:80",
    "www.shop.example:443",
    "shop.co.uk",
    "b\u{fc}cher.example",
    "xn--bcher-kva.example",
    "\u{4f8b}\u{5b50}.example",
    "shop\u{3002}example",
    "shop%2eexample",
    "a_b.shop.example",
    "localhost.example",
    "localhost.com",
    "notlocalhost.net",
    "local.example",
    "mylocal.net",
    "internal.example",
    "www.international",
    "svc.example",
    "my.svcs",
    "cluster.local.example",
    "home.example",
    "homes.arpa",
    "corp.example",
    "lan.example",
    "127.0.0.1.example",
    "169-254-169-254.example",
    "10.example",
    "0x7f.example",
];

#[test]
fn public_forms_pass_without_a_connection() {
    // Those with a user are refused for that.
    let v4 = V4.into_iter().flat_map(|text| targets::v4_hosts(text.parse().unwrap()));
    let v6 = V6.into_iter().flat_map(|text| targets::v6_hosts(text.parse().unwrap()));
    let carriers = V4.into_iter().flat_map(|text| {
        let carriers = targets::v6_carriers(text.parse().unwrap());
        carriers
            .into_iter()
            .filter(|host| host.to_lowercase().starts_with("[::ffff:") || host.contains("64:ff9b::"))
    });
    let hosts = v4.chain(v6).chain(carriers).chain(NAMES.into_iter().map(str::to_owned));
    let urls: BTreeSet<String> = hosts
        .filter(|host| !host.contains('@') && !host.starts_with("[::ffff:0:"))
        .flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}/app.scss")))
        .collect();
    let guard = guard(&[]);
    let mut passed = 0;
    for text in &urls {
        let Ok(url) = text.parse::<Url>() else { continue };
        assert_eq!(guard.check(&url), Ok(Reach::Public), "{text}");
        let address: Option<IpAddr> = match url.host().unwrap() {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        };
        assert!(address.is_none_or(|address| guard.allows(Reach::Public, address)), "{text}");
        passed += 1;
    }
    println!("{passed} public forms pass");
    assert!(passed >= 100, "{passed}");
}
