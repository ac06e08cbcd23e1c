//! Every spelling of a blocked target, asked for and redirected to.

use std::{collections::BTreeSet, net::IpAddr};

use pipeline::ports::{Origin, OriginError};
use url::Url;

use crate::{
    counters,
    dns::{Answer, NameServer, Question},
    namespace, origin,
    site::{PUBLIC, Site},
    targets,
};

const V4: [&str; 14] = [
    "0.0.0.0",
    "10.0.0.1",
    "10.96.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.0.1",
    "198.18.0.1",
];

const V6: [&str; 12] = [
    "::",
    "::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::a9fe:a9fe",
    "fec0::1",
];

/// Names that lead into a blocked network, be it by themselves or by what DNS says of them here.
const NAMES: [&str; 46] = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost..",
    "LocalHost:80",
    "%6cocalhost",
    "loc\u{ad}alhost",
    "\u{ff4c}ocalhost",
    "\u{24db}\u{24de}\u{24d2}\u{24d0}\u{24db}host",
    "a.localhost",
    "a.b.LOCALHOST.",
    "localhost.localdomain",
    "localhost6",
    "ip6-localhost",
    "user@localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "KUBERNETES.DEFAULT.SVC.",
    "kubernetes\u{3002}default\u{3002}svc",
    "kubernetes.default.svc.cluster.local",
    "kubernetes.default.svc.cluster.local.",
    "kubernetes.default.svc.cluster%2elocal",
    "kube-dns.kube-system.svc.cluster.local:80",
    "10-244-0-3.storefront.pod.cluster.local",
    "metadata",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "instance-data",
    "instance-data.ec2.internal",
    "ip-10-0-0-1.eu-central-1.compute.internal",
    "ip-10-0-0-1.ec2.internal",
    "gateway.docker.internal",
    "host.docker.internal",
    "printer.local",
    "router.home.arpa",
    "router.lan",
    "wiki.corp",
    "wiki.intranet",
    "db.private",
    "nas.home",
    "127.0.0.1.nip.example",
    "www.10.0.0.1.sslip.example",
    "a9fea9fe.hex.example",
    "rebound.example",
    "b\u{fc}cher.example",
];

/// What is no web server of a site although its address is public, and what is no URL of a web server at all.
const OTHERS: [&str; 24] = [
    "http://93.184.215.14:22/",
    "http://93.184.215.14:25/",
    "http://93.184.215.14:6379/",
    "http://93.184.215.14:8080/",
    "http://93.184.215.14:8443/",
    "https://93.184.215.14:6443/",
    "http://93.184.215.14:65535/",
    "http://93.184.215.14:0/",
    "http://[2606:4700::1111]:9200/",
    "http://www.shop.example:2375/",
    "http://user@93.184.215.14/",
    "http://user:secret@93.184.215.14/",
    "http://:secret@93.184.215.14/",
    "file:///etc/passwd",
    "file://93.184.215.14/etc/passwd",
    "ftp://93.184.215.14/",
    "gopher://93.184.215.14:80/_GET",
    "dict://93.184.215.14:80/",
    "ws://93.184.215.14/",
    "unix:/run/containerd.sock",
    "data:text/css,a{}",
    "jar:http://93.184.215.14!/",
    "blob:http://93.184.215.14/",
    "javascript:0",
];

fn all() -> BTreeSet<String> {
    let mut urls: BTreeSet<String> = OTHERS.into_iter().map(str::to_owned).collect();
    let mut hosts: Vec<String> = NAMES.into_iter().map(str::to_owned).collect();
    for text in V4 {
        let address = text.parse().unwrap();
        hosts.extend(targets::v4_hosts(address));
        hosts.extend(targets::v6_carriers(address));
        urls.extend([
            format!("HTTPS://{text}/"),
            format!("http:/{text}/"),
            format!("http:{text}/"),
            format!("http:///{text}/"),
            format!("http:\\\\{text}\\"),
            format!("  http://{text}/"),
            format!("ht\ttp://{text}/"),
            format!("http://{text}#@www.shop.example/"),
            format!("http://{text}?@www.shop.example/"),
        ]);
    }
    hosts.extend(V6.into_iter().flat_map(|text| targets::v6_hosts(text.parse().unwrap())));
    urls.extend(hosts.into_iter().map(|host| format!("http://{host}/app.scss")));
    urls
}

/// Whatever DNS is asked, it answers with the worst that it can.
fn worst(_: &Question) -> Answer {
    Answer::of(&["169.254.169.254", "127.0.0.1", "fd00:ec2::254", "::1"])
}

#[test]
fn no_spelling_of_a_blocked_target_is_asked() {
    namespace::run("spellings::no_spelling_of_a_blocked_target_is_asked", async {
        let (site, origin) = (Site::start(), origin(&[]));
        NameServer::start(worst);
        counters::start(&[]);
        let spellings = all();
        let mut refused = 0;
        for spelling in &spellings {
            // What cannot be parsed never becomes an origin.
            let Ok(url) = spelling.parse::<Url>() else { continue };
            match origin.fetch(&url, None).await {
                Err(OriginError::Refused(_)) => refused += 1,
                other => panic!("{spelling:?}, which is {url}, gave {other:?}"),
            }
        }
        println!(
            "{} spellings of blocked targets: {refused} refused, the others are no URLs",
            spellings.len()
        );
        assert!(refused >= 300, "{refused}");
        assert_eq!(site.asked(), Vec::<IpAddr>::new());
        counters::assert_silence();
    });
}

#[test]
fn no_redirect_to_a_blocked_target_is_followed() {
    namespace::run("spellings::no_redirect_to_a_blocked_target_is_followed", async {
        let (site, origin) = (Site::start(), origin(&[]));
        NameServer::start(worst);
        counters::start(&[]);
        let spellings = all();
        let public: IpAddr = PUBLIC.parse().unwrap();
        let mut refused = 0;
        for spelling in &spellings {
            let away = site.redirect_to(spelling);
            let answer = origin.fetch(&away, None).await;
            // As a reference, some of them are a path at the same site.
            let is_same_site = away.join(spelling).is_ok_and(|target| target.host() == away.host());
            match answer {
                Ok(file) if is_same_site && file == Site::file() => {}
                Err(OriginError::Refused(_)) => refused += 1,
                Err(OriginError::Failed(_)) if away.join(spelling).is_err() || !spelling.is_ascii() => {}
                other => panic!("{spelling:?} gave {other:?}"),
            }
            assert!(site.asked().iter().all(|address| *address == public), "{spelling:?}");
        }
        println!("{} redirects to blocked targets: {refused} refused", spellings.len());
        assert!(refused >= 300, "{refused}");
        counters::assert_silence();
    });
}
