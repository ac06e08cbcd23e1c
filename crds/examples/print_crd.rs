//! Prints the resource definition of `AssetPipeline`, for `cargo xtask generate`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    print!("{}", crds::asset_pipeline_yaml()?);
    Ok(())
}
