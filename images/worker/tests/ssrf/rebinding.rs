//! Name servers that change their mind, and that mix what is allowed with what is not.

use std::{collections::BTreeMap, net::IpAddr};

use pipeline::ports::{Fetched, Origin, OriginError};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use worker::origin::HttpOrigin;

use crate::{
    counters,
    dns::{Answer, Family, NameServer},
    namespace, origin,
    site::{PUBLIC, Site},
};

/// Both may be asked by anybody.
const PUBLIC_V6: &str = "2606:4700::1111";
const ANSWERS: [&str; 14] = [
    PUBLIC,
    "8.8.8.8",
    PUBLIC_V6,
    "64:ff9b::808:808",
    "10.0.0.1",
    "10.96.0.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "fd00:ec2::254",
    "2002:a00:1::",
];
const FLAPS: usize = 100;

async fn fetch(origin: &HttpOrigin, host: &str) -> Result<Fetched, OriginError> {
    origin.fetch(&format!("http://{host}/app.scss").parse().unwrap(), None).await
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn name_that_turns_private_is_not_asked_again() {
    namespace::run("rebinding::name_that_turns_private_is_not_asked_again", async {
        let (site, origin) = (Site::start(), origin(&[]));
        let names = NameServer::start(|question| match question.earlier {
            0 => Answer::of(&[PUBLIC]),
            _ => Answer::of(&["169.254.169.254", "fd00:ec2::254"]),
        });
        counters::start(&[]);
        assert_eq!(fetch(&origin, "shop.example").await, Ok(Site::file()));
        assert_eq!(site.asked(), addresses(&[PUBLIC]));
        // One look-up, whose answer is what was connected to: a second one would have got the other answer.
        let families: Vec<Family> = names.asked().iter().map(|question| question.family).collect();
        assert_eq!(families.len(), 2, "{families:?}");
        for _ in 0..3 {
            let answer = fetch(&origin, "shop.example").await;
            assert!(
                matches!(&answer, Err(OriginError::Refused(message)) if message.contains("privateNetworks")),
                "{answer:?}"
            );
        }
        assert_eq!(site.asked(), addresses(&[]));
        counters::assert_silence();
    });
}

#[test]
fn redirect_cannot_have_a_name_looked_up_anew_to_a_private_address() {
    namespace::run("rebinding::redirect_cannot_have_a_name_looked_up_anew_to_a_private_address", async {
        let (site, origin) = (Site::start(), origin(&[]));
        NameServer::start(|question| match question.earlier {
            0 => Answer::of(&[PUBLIC]),
            _ => Answer::of(&["10.0.0.1", "::1"]),
        });
        counters::start(&[]);
        site.redirect_to("http://shop.example/app.scss");
        let answer = origin.fetch(&"http://shop.example/away".parse().unwrap(), None).await;
        assert!(matches!(answer, Err(OriginError::Refused(_))), "{answer:?}");
        assert_eq!(site.asked(), addresses(&[PUBLIC]));
        counters::assert_silence();
    });
}

#[test]
fn of_mixed_answers_only_allowed_addresses_are_asked() {
    namespace::run("rebinding::of_mixed_answers_only_allowed_addresses_are_asked", async {
        let cases: [(&str, &[&str], Option<&str>); 10] = [
            ("a.example", &["10.0.0.1", PUBLIC], Some(PUBLIC)),
            ("b.example", &[PUBLIC, "::1"], Some(PUBLIC)),
            ("c.example", &["127.0.0.1", PUBLIC_V6], Some(PUBLIC_V6)),
            ("d.example", &["169.254.169.254", "fd00:ec2::254"], None),
            ("e.example", &["0.0.0.0"], None),
            ("f.example", &["::ffff:127.0.0.1"], None),
            ("g.example", &["64:ff9b::a9fe:a9fe"], None),
            ("h.example", &["64:ff9b::808:808", "10.0.0.1"], Some("64:ff9b::808:808")),
            ("i.example", &["2002:a00:1::", "2001:0:808:808::f5ff:fffe"], None),
            ("alias.example", &["169.254.169.254", "fd00:ec2::254"], None),
        ];
        let zone: BTreeMap<&str, &[&str]> = cases.iter().map(|(name, found, _)| (*name, *found)).collect();
        let (site, origin) = (Site::start(), origin(&[]));
        NameServer::start(move |question| Answer {
            alias: question.name.starts_with("alias").then_some("metadata.google.internal"),
            ..Answer::of(zone[question.name.as_str()])
        });
        counters::start(&[]);
        for (name, found, expected) in cases {
            let answer = fetch(&origin, name).await;
            match expected {
                Some(_) => assert_eq!(answer, Ok(Site::file()), "{name}: {found:?}"),
                None => assert!(matches!(answer, Err(OriginError::Refused(_))), "{name}: {answer:?}"),
            }
            assert_eq!(site.asked(), addresses(expected.as_slice()), "{name}: {found:?}");
        }
        counters::assert_silence();
    });
}

#[test]
fn flapping_name_never_leads_to_a_blocked_address() {
    namespace::run("rebinding::flapping_name_never_leads_to_a_blocked_address", async {
        let seed = rand::random::<u64>();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let (site, origin) = (Site::start(), origin(&[]));
        let names = NameServer::start(move |_| {
            let many = random.random_range(1..=4);
            let chosen: Vec<&str> = ANSWERS.choose_multiple(&mut random, many).copied().collect();
            Answer::of(&chosen)
        });
        counters::start(&[]);
        let mut found = 0;
        for _ in 0..FLAPS {
            match fetch(&origin, "shop.example").await {
                Ok(file) => {
                    assert_eq!(file, Site::file());
                    found += 1;
                }
                Err(OriginError::Refused(_)) => {}
                // Addresses of the family that was asked for were not among them.
                Err(OriginError::Failed(message)) => assert!(message.contains("address"), "{message}"),
                Err(other) => panic!("{other}"),
            }
        }
        println!("{found} of {FLAPS} fetches of a flapping name found an allowed address");
        assert!(names.asked().len() <= 2 * FLAPS, "a name was looked up twice for one fetch");
        let allowed = addresses(&ANSWERS[..4]);
        assert!(site.asked().iter().all(|address| allowed.contains(address)));
        assert!(found > 0);
        counters::assert_silence();
    });
}

#[test]
fn named_network_is_asked_by_names_of_the_cluster_at_any_port_and_nothing_beside_it() {
    namespace::run(
        "rebinding::named_network_is_asked_by_names_of_the_cluster_at_any_port_and_nothing_beside_it",
        async {
            let (site, origin) = (Site::start(), origin(&["10.96.0.0/16"]));
            NameServer::start(|question| match question.name.split('.').next() {
                Some("inside") => Answer::of(&["10.96.0.7"]),
                Some("beside") => Answer::of(&["10.97.0.7", "127.0.0.1"]),
                Some("mixed") => Answer::of(&["10.97.0.7", PUBLIC, "10.96.0.8"]),
                _ => Answer::of(&[PUBLIC]),
            });
            counters::start(&["10.96.0.0/16"]);
            for (host, expected) in [
                ("inside.storefront.svc.cluster.local", Some("10.96.0.7")),
                ("inside", Some("10.96.0.7")),
                ("inside.example:8080", Some("10.96.0.7")),
                ("10.96.0.9:8080", Some("10.96.0.9")),
                ("mixed.storefront.svc", Some("10.96.0.8")),
                ("mixed.example:8080", Some("10.96.0.8")),
                ("beside.storefront.svc.cluster.local", None),
                ("beside.example:8080", None),
                ("outside.storefront.svc.cluster.local", None),
                ("outside.example:8080", None),
                ("outside.example", Some(PUBLIC)),
                ("localhost:8080", None),
            ] {
                let answer = fetch(&origin, host).await;
                match expected {
                    Some(_) => assert_eq!(answer, Ok(Site::file()), "{host}"),
                    None => assert!(matches!(answer, Err(OriginError::Refused(_))), "{host}: {answer:?}"),
                }
                assert_eq!(site.asked(), addresses(expected.as_slice()), "{host}");
            }
            counters::assert_silence();
        },
    );
}
