//! `cargo xtask up`: from a bare machine to a compiled style sheet.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use cluster::lifecycle::Started;
use cluster::progress::Progress;
use cluster::{Aws, Cache, Cluster, Options, moto};
use xtask::aws::{Access, Machine, RealAws};

use crate::example::{self, Front};
use crate::{images, npm, operator};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the cluster and the AWS emulator: no images, operator or example
    #[arg(long)]
    cluster_only: bool,
    /// When the cluster is started anew: how long a node may be silent before it counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(4..))]
    node_grace: u64,
    /// Which AWS operator and pods work on: `real` by this machine's credentials, region and endpoints
    /// (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …), where it costs what it costs
    #[arg(long, default_value = "emulator")]
    aws: AwsChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AwsChoice {
    Emulator,
    Real,
}

impl Arguments {
    /// What is needed of this machine for that, before anything is built, started or waited for.
    pub(crate) fn find_aws(&self) -> Result<Access> {
        match self.aws {
            AwsChoice::Emulator => Ok(Access::Emulator),
            AwsChoice::Real => {
                let real = RealAws::find(&Machine::this())?;
                real.check_reached_by_pods()?;
                Ok(Access::Real(real))
            }
        }
    }
}

pub(crate) fn run(cache: Cache, arguments: &Arguments, aws: &Access) -> Result<ExitCode> {
    let progress = Progress::start();
    let which = match aws {
        Access::Emulator => Aws::Emulator,
        Access::Real(_) => Aws::Real,
    };
    let options = Options { node_grace: Duration::from_secs(arguments.node_grace), aws: which };
    let cluster = Cluster::new(cache, options);
    cluster.check_aws()?;
    if let Access::Real(real) = aws {
        real.check_same(&cluster.cache.state())?;
    }
    if !arguments.cluster_only {
        // Before the cluster: what packages bring does not belong to it.
        npm::ensure(&npm::EXAMPLE, &cluster.cache, &progress)?;
    }
    let started = start_cluster(&cluster, &progress)?;
    if let Access::Real(real) = aws {
        real.remember(&cluster.cache.state())?;
    }
    if arguments.cluster_only {
        return Ok(ExitCode::SUCCESS);
    }
    let images = images::build(&cluster.cache, &progress)?;
    progress.say("bringing the images to the nodes");
    images::import(&cluster, &images)?;
    operator::install(&cluster, &images, aws, &progress)?;
    if started.lost_aws_state() {
        operator::restart(&cluster, &progress)?;
    }
    let front = example::apply(&cluster, aws, &progress)?;
    example::visit(&cluster, &front, &progress)?;
    show_next(&cluster, &front, which);
    if matches!(aws, Access::Real(real) if real.is_temporary()) {
        println!(
            "\nThe keys for AWS are temporary. Before they end, run this again with new ones, and then:\n\
             \n  kubectl --namespace {} rollout restart deployment\n  kubectl --namespace {} rollout restart deployment",
            operator::NAMESPACE,
            example::NAMESPACE
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts or repairs the cluster and says how long it took.
pub(crate) fn start_cluster(cluster: &Cluster, progress: &Progress) -> Result<Started> {
    let started = cluster.up(progress)?;
    let took = started.cluster.as_secs_f64();
    match started.api_server {
        Some(api_server) => progress.say(format!(
            "three nodes ready and DNS answering after {took:.1} s (the API server's /readyz alone: {:.1} s)",
            api_server.as_secs_f64()
        )),
        None => progress.say(format!("three nodes ready and DNS answering, checked in {took:.1} s")),
    }
    Ok(started)
}

fn show_next(cluster: &Cluster, front: &Front, aws: Aws) {
    let aws = match aws {
        Aws::Emulator => format!("\n  curl {}/moto-api/            # the AWS emulator", moto::endpoint()),
        Aws::Real => String::new(),
    };
    let tools = cluster.cache.binaries().join("path");
    println!(
        "
The example answers on this machine. Try next:

  export PATH={tools}:$PATH        # kubectl and helm that talk to this cluster
  curl -i -H 'Host: {host}' http://{address}/app.css
  kubectl get assetpipelines --all-namespaces
  kubectl --namespace {namespace} get pods --output wide --watch
  kubectl --namespace {namespace} describe assetpipeline{aws}
  cargo xtask down",
        tools = tools.display(),
        host = front.host,
        address = front.address,
        namespace = example::NAMESPACE,
    );
}
