//! Rendezvous hashing: every pod that knows the same members names the same owner of a key, and a member
//! that comes or goes moves its own keys only (Thaler and Ravishankar, "Using name-based mappings to
//! increase hit rates", IEEE/ACM Transactions on Networking 6(1), 1998).

use pipeline::{key::Key, names::Digest};

use super::Member;

/// The member with the highest score. The next in rank is the owner among the others.
pub(crate) fn owner_of(key: &Key, members: impl Iterator<Item = Member>) -> Option<Member> {
    members.max_by_key(|member| score(*member, key))
}

/// Depends on nothing but its arguments, so that pods of different builds agree.
fn score(member: Member, key: &Key) -> Digest {
    Digest::of(format!("{member}\n{key}").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn key(number: usize) -> Key {
        Key {
            fingerprint: "00112233445566aa".parse().unwrap(),
            tenant_id: "shop-g1".parse().unwrap(),
            path: format!("/{number}.css").parse().unwrap(),
        }
    }

    fn members(count: u8) -> impl Iterator<Item = Member> + Clone {
        (1..=count).map(|last| Member(([10, 0, 0, last], 8081).into()))
    }

    fn last_byte(member: Member) -> u8 {
        match member.0 {
            std::net::SocketAddr::V4(address) => address.ip().octets()[3],
            std::net::SocketAddr::V6(_) => 0,
        }
    }

    /// Pods of an older build must agree with pods of this one.
    #[test]
    fn owners_stay_the_same_from_build_to_build() {
        let owners: Vec<u8> =
            (0..12).filter_map(|number| owner_of(&key(number), members(5))).map(last_byte).collect();
        assert_eq!(owners, GOLDEN);
    }

    /// Worked out apart from this code: SHA-256 over `<address>\n<key>`, the highest wins.
    const GOLDEN: [u8; 12] = [1, 3, 1, 5, 3, 2, 1, 4, 2, 2, 2, 1];

    #[test]
    fn keys_are_shared_evenly_and_a_lost_member_moves_its_own_only() {
        const KEYS: usize = 20_000;
        let mut shares: BTreeMap<Member, usize> = BTreeMap::new();
        for number in 0..KEYS {
            let key = key(number);
            let owner = owner_of(&key, members(8)).unwrap();
            *shares.entry(owner).or_default() += 1;
            let lost = Member(([10, 0, 0, 3], 8081).into());
            let left = owner_of(&key, members(8).filter(|member| *member != lost)).unwrap();
            assert!(left == owner || owner == lost, "{key} moved from {owner} to {left}");
        }
        assert_eq!(shares.len(), 8);
        for (member, share) in shares {
            assert!((2_250..=2_750).contains(&share), "{member} owns {share} of {KEYS} keys");
        }
    }

    #[test]
    fn order_of_the_members_plays_no_part() {
        let mut backwards: Vec<Member> = members(9).collect();
        backwards.reverse();
        for number in 0..100 {
            let key = key(number);
            assert_eq!(owner_of(&key, members(9)), owner_of(&key, backwards.iter().copied()));
        }
        assert_eq!(owner_of(&key(1), std::iter::empty()), None);
    }
}
