//! Where the operator works: in the whole cluster, or in some namespaces alone. Every list and watch of more than one
//! object begins here, so that nothing asks for more than the operator's rights are.

mod merge;
mod watch;

use std::{collections::BTreeSet, fmt::Debug, str::FromStr};

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

pub use watch::{Told, watch_cluster_wide};

/// The namespaces whose pipelines and tenants are the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Cluster,
    /// At least one.
    Namespaces(BTreeSet<String>),
}

/// A kind whose objects lie in namespaces.
pub trait Namespaced:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static
{
}

impl<K> Namespaced for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

/// A text that names no namespace.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no namespace's name: at most 63 of a-z, 0-9 and -, neither first nor last a -")]
pub struct InvalidNamespace(String);

impl Scope {
    /// The kind's objects: one part for the cluster, or one for each namespace.
    pub fn apis<K: Namespaced>(&self, client: &Client) -> Vec<Api<K>> {
        self.parts().into_iter().map(|part| part.api(client)).collect()
    }

    fn parts(&self) -> Vec<Part> {
        match self {
            Self::Cluster => vec![Part::all()],
            Self::Namespaces(names) => names.iter().map(|name| Part::of(name)).collect(),
        }
    }
}

/// The whole cluster, or a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part(Option<String>);

impl Part {
    fn api<K: Namespaced>(&self, client: &Client) -> Api<K> {
        match &self.0 {
            None => Api::all(client.clone()),
            Some(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }

    pub fn all() -> Self {
        Self(None)
    }

    pub fn of(namespace: &str) -> Self {
        Self(Some(namespace.to_owned()))
    }

    pub fn has(&self, namespace: &str) -> bool {
        self.0.as_ref().is_none_or(|name| name == namespace)
    }

    /// As a log line names it.
    fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("all")
    }
}

/// Names with commas between them; none means the cluster.
impl FromStr for Scope {
    type Err = InvalidNamespace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::Cluster);
        }
        text.split(',').map(parse_namespace).collect::<Result<_, _>>().map(Self::Namespaces)
    }
}

fn parse_namespace(text: &str) -> Result<String, InvalidNamespace> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=63).contains(&text.len()) && text.bytes().all(is_plain);
    if is_name && !text.starts_with('-') && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err(InvalidNamespace(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_the_cluster_or_each_namespace_once() {
        assert_eq!("".parse(), Ok(Scope::Cluster));
        let names = |names: &[&str]| Scope::Namespaces(names.iter().map(ToString::to_string).collect());
        assert_eq!("shop".parse(), Ok(names(&["shop"])));
        assert_eq!("shop,blog,shop".parse(), Ok(names(&["blog", "shop"])));
        let longest = "n".repeat(63);
        assert_eq!(longest.parse(), Ok(names(&[&longest])));
        for wrong in [",", "shop,", "shop, blog", "Shop", "shop.blog", "-a", "a-", "*", &"n".repeat(64)] {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }
}
