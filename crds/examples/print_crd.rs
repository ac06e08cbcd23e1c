//! Prints the resource definition of `AssetPipeline`, for `cargo xtask generate`: as plain YAML, or with
//! the argument `chart` as a template of the Helm chart.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        None => print!("{}", crds::asset_pipeline_yaml()?),
        Some("chart") => print!("{}", crds::asset_pipeline_template()?),
        Some(other) => return Err(format!("unknown argument {other}; leave it out or give `chart`").into()),
    }
    Ok(())
}
