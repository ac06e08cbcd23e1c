//! `cargo xtask up`: from a bare machine to a compiled style sheet.

mod elsewhere;
mod next;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use cluster::lifecycle::Started;
use cluster::progress::Progress;
use cluster::{Aws, Cache, Cluster, Options, Target};
use xtask::aws::{Access, Machine, RealAws};
use xtask::example::{self, Example};
use xtask::operator::{self, Home};
use xtask::registry::Repository;
use xtask::{images, npm};

use elsewhere::Elsewhere;
use next::{show_next, show_renewal};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the cluster and the AWS emulator: no images, operator or example
    #[arg(long, conflicts_with = "context")]
    cluster_only: bool,
    /// When the cluster is started anew: how long a node may be silent before it counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(4..), conflicts_with = "context")]
    node_grace: u64,
    /// Which AWS operator and pods work on: `real` by this machine's credentials, region and endpoints
    /// (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …), where it costs what it costs
    #[arg(long, default_value = "emulator")]
    aws: AwsChoice,
    /// Not the local cluster, but the one of this context of your kubeconfig: only operator and example are installed
    /// there, with `--aws real`; the last lines tell how they go again
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// With `--context`: where images are pushed to, and that cluster's nodes fetch them
    #[arg(long, value_name = "REGISTRY/PREFIX")]
    repository: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AwsChoice {
    Emulator,
    Real,
}

/// What is asked for, and found on this machine for it.
pub(crate) enum Wanted {
    Local(Local),
    Elsewhere(Elsewhere),
}

pub(crate) struct Local {
    cluster_only: bool,
    options: Options,
    aws: Access,
}

impl Arguments {
    /// Reads what is needed of this machine, before anything is built, started or waited for.
    pub(crate) fn find_wanted(self) -> Result<Wanted> {
        let Self { cluster_only, node_grace, aws, context, repository } = self;
        match (context, repository) {
            (None, None) => {
                let aws = find_aws(aws)?;
                let which = match aws {
                    Access::Emulator => Aws::Emulator,
                    Access::Real(_) => Aws::Real,
                };
                let options = Options { node_grace: Duration::from_secs(node_grace), aws: which };
                Ok(Wanted::Local(Local { cluster_only, options, aws }))
            }
            (None, Some(_)) => bail!(
                "--repository: only with --context NAME, since the local cluster's nodes have images without a registry"
            ),
            // Which kubectl would take for the current one.
            (Some(context), _) if context.is_empty() => {
                bail!("--context: name one of your kubeconfig's, which `kubectl config get-contexts` lists")
            }
            (Some(context), None) => bail!(
                "--context {context}: add --repository REGISTRY/PREFIX, where that cluster's nodes fetch the images \
                 that are pushed there"
            ),
            (Some(context), Some(repository)) => {
                let repository = Repository::parse(&repository)?;
                let Access::Real(aws) = find_aws(aws)? else {
                    bail!(
                        "--context {context}: add --aws real, since the emulator of AWS listens on this machine alone"
                    )
                };
                Ok(Wanted::Elsewhere(Elsewhere { context, repository, aws }))
            }
        }
    }
}

fn find_aws(choice: AwsChoice) -> Result<Access> {
    match choice {
        AwsChoice::Emulator => Ok(Access::Emulator),
        AwsChoice::Real => {
            let real = RealAws::find(&Machine::this())?;
            real.check_reached_by_pods()?;
            Ok(Access::Real(real))
        }
    }
}

pub(crate) fn run(cache: Cache, wanted: Wanted) -> Result<ExitCode> {
    match wanted {
        Wanted::Local(local) => run_local(cache, local),
        Wanted::Elsewhere(elsewhere) => elsewhere::run(&cache, elsewhere),
    }
}

fn run_local(cache: Cache, local: Local) -> Result<ExitCode> {
    let Local { cluster_only, options, aws } = local;
    let progress = Progress::start();
    let cluster = Cluster::new(cache, options);
    cluster.check_aws()?;
    if let Access::Real(real) = &aws {
        real.check_same(&cluster.cache.state())?;
    }
    if !cluster_only {
        // Before the cluster: what packages bring does not belong to it.
        npm::ensure(&npm::EXAMPLE, &cluster.cache, &progress)?;
    }
    let started = start_cluster(&cluster, &progress)?;
    if let Access::Real(real) = &aws {
        real.remember(&cluster.cache.state())?;
    }
    if cluster_only {
        return Ok(ExitCode::SUCCESS);
    }
    install_operator(&cluster, &aws, &progress)?;
    if started.lost_aws_state() {
        operator::restart(&cluster, &progress)?;
    }
    let front =
        Example { target: &Target::Local(cluster.clone()), name: example::NAME }.apply(&aws, &progress)?;
    example::visit(&cluster.cache, &front, &progress)?;
    show_next(&cluster, &front, options.aws);
    if matches!(&aws, Access::Real(real) if real.is_temporary()) {
        show_renewal("kubectl");
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the images, brings them to the nodes of the local cluster, and installs the operator there.
pub(crate) fn install_operator(cluster: &Cluster, aws: &Access, progress: &Progress) -> Result<()> {
    let images = images::build(&cluster.cache, progress)?;
    progress.say("bringing the images to the nodes");
    images::import(cluster, &images)?;
    let target = Target::Local(cluster.clone());
    operator::install(&target, Home::default(), images.values(), aws, progress)
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
