//! What to do once the example answers.

use cluster::{Aws, Cluster, moto};
use xtask::example::{self, Front};
use xtask::operator::Home;

pub(super) fn show_next(cluster: &Cluster, front: &Front, aws: Aws) {
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
        namespace = example::NAME,
    );
}

/// What has to be done where the keys for AWS are temporary, by this kubectl.
pub(super) fn show_renewal(kubectl: &str) {
    println!(
        "
The keys for AWS are temporary. Before they end, run this again with new ones, and then:

  {kubectl} --namespace {} rollout restart deployment
  {kubectl} --namespace {} rollout restart deployment",
        Home::default().namespace,
        example::NAME,
    );
}
