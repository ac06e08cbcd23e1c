//! Prints the reference documentation of all kinds.

use crds::{asset_pipeline_crd, asset_tenant_crd, print_reference};

fn main() {
    println!("# Reference\n");
    println!("Every field of every kind, as the API server holds objects to it.\n");
    print!("{}\n{}", print_reference(&asset_pipeline_crd()), print_reference(&asset_tenant_crd()));
}
