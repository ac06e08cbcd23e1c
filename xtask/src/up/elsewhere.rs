//! `cargo xtask up --context`: from the sources to a compiled style sheet on a cluster that is not ours.

use std::process::ExitCode;

use super::next::show_renewal;
use anyhow::Result;
use cluster::packages::{self, PUSHING};
use cluster::progress::Progress;
use cluster::{Cache, KubeContext};
use xtask::aws::RealAws;
use xtask::example::{self, Front};
use xtask::foreign::Foreign;
use xtask::images;
use xtask::operator::Home;
use xtask::registry::Repository;

/// The example's pipelines are its matter, and nobody else's.
const HOME: Home<'_> = Home { namespace: Home::HERE, settings: &["watchNamespaces={storefront}"] };

pub(crate) struct Elsewhere {
    pub(super) context: String,
    pub(super) repository: Repository,
    pub(super) aws: RealAws,
}

pub(super) fn run(cache: &Cache, elsewhere: Elsewhere) -> Result<ExitCode> {
    let Elsewhere { context, repository, aws } = elsewhere;
    let progress = Progress::start();
    let kubernetes = KubeContext::new(cache.clone(), context.clone(), None, &progress)?;
    let is_temporary = aws.is_temporary();
    let foreign = Foreign::check(kubernetes, aws, HOME, example::NAME)?;
    packages::ensure(&PUSHING, cache, &progress)?;
    let images = images::build(cache, &progress)?;
    let installed = foreign.install(&images, &repository, &progress);
    if let Ok(front) = &installed {
        show_next(&context, front);
        if is_temporary {
            show_renewal(&format!("kubectl --context {context}"));
        }
    }
    println!(
        "
What was installed stays on context {context}, and on AWS, until you take it away:

  {}

The resource definitions stay even then: other people's pipelines would go with them.",
        foreign.removal().join(" &&\n  ")
    );
    installed.map(|_| ExitCode::SUCCESS)
}

fn show_next(context: &str, front: &Front) {
    println!(
        "
The example answers on context {context}. Try next:

  kubectl --context {context} --namespace {name} port-forward service/{name} 8080:80
  curl -i -H 'Host: {host}' http://127.0.0.1:8080/app.css
  kubectl --context {context} --namespace {name} describe assetpipeline",
        name = example::NAME,
        host = front.host,
    );
}
