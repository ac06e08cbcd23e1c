//! Prints a resource definition for `cargo xtask generate`: `print_crd assetpipelines|assettenants`, as plain
//! YAML, or with a second argument `chart` as a template of the Helm chart.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let crd = match arguments.next().as_deref() {
        Some("assetpipelines") => crds::asset_pipeline_crd(),
        Some("assettenants") => crds::asset_tenant_crd(),
        other => {
            return Err(format!("unknown resource {other:?}; give assetpipelines or assettenants").into());
        }
    };
    match arguments.next().as_deref() {
        None => print!("{}", crds::print_yaml(&crd)?),
        Some("chart") => print!("{}", crds::print_template(&crd)?),
        Some(other) => return Err(format!("unknown argument {other}; leave it out or give `chart`").into()),
    }
    Ok(())
}
