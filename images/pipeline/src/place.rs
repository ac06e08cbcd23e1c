//! Where a host name can lie, by itself and whatever DNS says of it.

/// Where the host of a name lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the machine that asks.
    Here,
    /// In a network of its own: in the cluster, or in a company.
    Inside,
    /// Anywhere.
    Public,
}

/// Domains that no public DNS has: the cluster's, mDNS's, the clouds' and home networks' (RFC 6761, RFC 6762
/// with appendix G, RFC 8375, and what ICANN has reserved).
const INSIDE: [&str; 10] =
    ["svc", "local", "internal", "localdomain", "intranet", "private", "corp", "home", "lan", "home.arpa"];

/// `name` is in lower case, as URLs have it.
pub fn place(name: &str) -> Place {
    let name = name.trim_end_matches('.');
    if is_within(name, "localhost") || is_within(name, "localhost.localdomain") {
        Place::Here
    } else if !name.contains('.') || INSIDE.iter().any(|domain| is_within(name, domain)) {
        // A name without a dot is looked up in the pod's own domains, such as that of its namespace.
        Place::Inside
    } else {
        Place::Public
    }
}

/// Whether the name is the domain or a name in it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_placed_by_their_last_labels() {
        let places = [
            (Place::Here, &["localhost", "a.localhost", "localhost.", "localhost.localdomain"][..]),
            (
                Place::Inside,
                &["origin", "origin.", "origin.shop.svc", "o.shop.svc.cluster.local", "printer.local"],
            ),
            (
                Place::Inside,
                &["metadata.google.internal", "ip-10-0-0-1.ec2.internal", "router.home.arpa", ""],
            ),
            (
                Place::Public,
                &["www.shop.example", "localhost.example", "svc.example", "mylocal.net", "notlocalhost.com"],
            ),
        ];
        for (expected, names) in places {
            for name in names {
                assert_eq!(place(name), expected, "{name}");
            }
        }
    }
}
