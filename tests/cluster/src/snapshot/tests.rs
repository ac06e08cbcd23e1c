use super::*;

fn empty() -> Snapshot {
    Snapshot {
        boot: "boot".to_owned(),
        processes: BTreeSet::new(),
        mounts: BTreeSet::new(),
        links: BTreeSet::new(),
        rules: BTreeSet::new(),
        settings: BTreeMap::new(),
        groups: BTreeSet::new(),
        files: BTreeMap::new(),
        packages: None,
    }
}

fn cache() -> Cache {
    Cache { root: "/nowhere/cache".into(), checkout: "/nowhere/checkout".into() }
}

#[test]
fn nothing_new_means_nothing_left() {
    assert_eq!(empty().compare(&empty(), &cache()), Comparison::default());
}

#[test]
fn each_kind_of_leftover_is_named() {
    let mut before = empty();
    before.settings.insert("net/ipv4/ip_forward".to_owned(), "0".to_owned());
    let mut now = before.clone();
    now.mounts.insert("overlay /x overlay".to_owned());
    now.links.insert("apbr0".to_owned());
    now.rules.insert("iptables: nat: -A KUBE".to_owned());
    now.groups.insert("/sys/fs/cgroup/assetpipeline".to_owned());
    now.settings.insert("net/ipv4/ip_forward".to_owned(), "1".to_owned());
    let left = before.compare(&now, &cache()).left;
    assert_eq!(
        left,
        [
            "mount overlay /x overlay",
            "link apbr0",
            "rule iptables: nat: -A KUBE",
            "control group /sys/fs/cgroup/assetpipeline",
            "kernel setting net/ipv4/ip_forward: was 0, is 1",
        ]
    );
}

#[test]
fn a_control_group_inside_an_older_one_belongs_to_its_owner() {
    let mut before = empty();
    before.groups.extend(["/tree", "/tree/older"].map(str::to_owned));
    let mut now = before.clone();
    now.groups
        .extend(["/tree/older/new", "/tree/assetpipeline", "/tree/assetpipeline/host"].map(str::to_owned));
    let found = before.compare(&now, &cache());
    assert_eq!(found.of_others, ["control group /tree/older/new"]);
    assert_eq!(found.left, ["control group /tree/assetpipeline", "control group /tree/assetpipeline/host"]);
}

#[test]
fn what_disappears_is_not_left_behind() {
    let mut before = empty();
    before.links.insert("eth9".to_owned());
    assert_eq!(before.compare(&empty(), &cache()), Comparison::default());
}

#[test]
fn files_count_by_where_they_are() {
    let mut found = Comparison::default();
    let stamp = |path: &str| -> BTreeMap<String, files::Stamp> {
        serde_json::from_str(&format!(r#"{{"{path}": {{"size": 1, "changed": 1}}}}"#)).unwrap()
    };
    for path in ["/run/cni-left", "/tmp/helm-x", "/tmp/overwhelming", "/var/lib/cni"] {
        files::compare(&BTreeMap::new(), &stamp(path), Packages::Unchanged, &mut found);
    }
    files::compare(&BTreeMap::new(), &stamp("/var/lib/new-package"), Packages::Changed, &mut found);
    assert_eq!(found.left, ["new file /run/cni-left", "new file /tmp/helm-x", "new file /var/lib/cni"]);
    assert_eq!(found.of_others, ["new file /tmp/overwhelming", "new file /var/lib/new-package"]);
}
