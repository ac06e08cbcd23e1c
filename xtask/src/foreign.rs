//! The operator and the example on a cluster that is not ours, by a context of a person's kubeconfig.
//!
//! Owns two namespaces there, marked as made here, Helm's release in one of them and the example in the other.
//! Deliberately not here: nodes, kubeconfigs and what else is on that cluster. What is installed goes when a person
//! says so, by [`Foreign::removal`].

use anyhow::{Result, bail};
use cluster::progress::Progress;
use cluster::{KubeContext, Target};

use crate::aws::{Access, RealAws};
use crate::example::{self, Example, Front};
use crate::images::Images;
use crate::namespace;
use crate::operator::{self, Home};
use crate::registry::Repository;

/// That cluster, and what it is told.
#[derive(Debug)]
pub struct Foreign<'a> {
    context: String,
    target: Target,
    aws: Access,
    /// Region and endpoints.
    place: String,
    home: Home<'a>,
    /// The example's name.
    example: &'a str,
}

impl<'a> Foreign<'a> {
    /// Asks the cluster whether the namespaces are free, or ours from an earlier time, and changes nothing.
    pub fn check(context: KubeContext, real: RealAws, home: Home<'a>, example: &'a str) -> Result<Self> {
        let (name, target) = (context.name.clone(), Target::Context(context));
        let id = namespace::fetch_cluster_id(&target)?;
        if id.is_empty() {
            bail!("the cluster of context {name} has no namespace kube-system, by which it is known");
        }
        let place = real.tell_place();
        for namespace in [home.namespace, example] {
            namespace::check_ours(&target, namespace, &place)?;
        }
        Ok(Self { context: name, target, aws: Access::Real(real.of_cluster(&id)), place, home, example })
    }

    /// Pushes the images, installs or upgrades the operator, and applies and visits the example.
    pub fn install(&self, images: &Images, repository: &Repository, progress: &Progress) -> Result<Front> {
        let Self { context: _, target, aws, place, home, example } = self;
        let pushed = repository.push(images, target.cache(), progress)?;
        for name in [home.namespace, example] {
            namespace::ensure(target, name, Some(place))?;
        }
        operator::install(target, *home, pushed.values(), aws, progress)?;
        let example = Example { target, name: example };
        let front = example.apply_elsewhere(aws, &pushed.origin.reference(), progress)?;
        example::visit(target.cache(), &front, progress)?;
        Ok(front)
    }

    /// The commands that take it away, each after the one before has succeeded: what it has on AWS only the operator can
    /// remove. The resource definitions stay, as Helm leaves them: with them everybody's pipelines would go.
    pub fn removal(&self) -> [String; 3] {
        let Self { context, target: _, aws: _, place: _, home, example } = self;
        let (kubectl, home) = (format!("kubectl --context {context}"), home.namespace);
        let release = operator::RELEASE;
        [
            format!("{kubectl} --namespace {example} delete assetpipeline {example}"),
            format!("helm --kube-context {context} --namespace {home} uninstall {release} --wait"),
            format!("{kubectl} delete namespace {example} {home}"),
        ]
    }
}
